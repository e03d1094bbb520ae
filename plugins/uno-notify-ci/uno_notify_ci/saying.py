"""Lines to the log of a runner: on stderr, whole, each of them at the beginning of a line."""

from __future__ import annotations

import io
import os
import sys


def say(text: str) -> None:
    """Write whole lines to stderr at once. Raises OSError where nobody reads it.

    Past the buffer of `sys.stderr`: another thread may stand in the middle of a line there, and a
    command is one only at the beginning of a line.
    """
    stream = sys.stderr
    try:
        number = stream.fileno()
    except (OSError, ValueError, io.UnsupportedOperation):  # somebody has replaced it
        stream.write(text)
        stream.flush()
        return
    rest = text.encode("utf-8", errors="replace")
    while rest:
        rest = rest[os.write(number, rest) :]
