"""Data on stdout: text and documents. A reader that went away ends no deployment; no secret gets out."""

from __future__ import annotations

import errno
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from uno_core import _log
from uno_core.errors import UnoError
from uno_core.model import Json

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA_VERSION = 1


def out(text: str) -> None:
    """A line on stdout."""
    _write(safe(text))


def _write(text: str) -> None:
    try:
        print(text, flush=True)
    except OSError as problem:
        # EIO: the terminal is gone, which hangs up before its processes have ended.
        if problem.errno not in (errno.EPIPE, errno.EIO):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def err(text: str) -> None:
    """A line on stderr, where anybody still listens."""
    try:
        # The line and its end at once: other threads write to stderr too, and a runner obeys lines.
        print(f"{safe(text)}\n", end="", file=sys.stderr, flush=True)
    except OSError:  # the terminal is gone: what is under way goes on without it
        pass


def safe(text: str) -> str:
    """Without secrets, and without control characters: a platform's words must not drive the terminal."""
    hidden = str(_log.hide(text))
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in hidden)


def _finite(value: Any) -> Any:
    """JSON has neither NaN nor infinity: null stands for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def encoded(value: Mapping[str, Json], *, indent: int | None = None) -> str:
    """A document as JSON, with its schema_version, without secrets."""
    document = _finite(_log.hide({"schema_version": SCHEMA_VERSION, **value}))
    return json.dumps(document, indent=indent, default=str, ensure_ascii=False)


def document(value: Mapping[str, Json]) -> None:
    """The one document of a command."""
    out(encoded(value, indent=2))


def event(value: Mapping[str, Json]) -> None:
    """One line of many."""
    out(encoded(value))


@contextmanager
def answering(output: str) -> Iterator[None]:
    """An error is a document too where documents are asked for; it is told on stderr all the same."""
    try:
        yield
    except UnoError as error:
        value: Mapping[str, Json] = {"error": error.as_json(), "exit_code": error.exit_code}
        if output == "json":
            document(value)
        elif output == "jsonl":
            event({"kind": "error", **value})
        raise


def console(*, stderr: bool = False) -> Console:
    """Rich's console: as wide as the terminal, and where there is none so wide that no line is broken."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else 2000)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout; without lines, so that it can be cut and searched."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(safe(cell)) for cell in row))
    shown = console()
    with shown.capture() as captured:
        shown.print(made)
    _write("\n".join(line.rstrip() for line in captured.get().splitlines()))
