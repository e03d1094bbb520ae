"""The command that puts a release on a given instance, while it runs."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import define

from uno_core.model import Release

ENDING = 5.0
"""Seconds that a command has to end when it is told to."""


@define
class Placing:
    """One run of the command. said: the file that its output goes to."""

    release: Release
    process: subprocess.Popen[bytes]
    said: Path

    @classmethod
    def begin(cls, release: Release, command: Sequence[str]) -> Placing:
        """Start it, and return at once. Raises OSError where it cannot be started."""
        number, name = tempfile.mkstemp(prefix="uno-command-")
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=number, stderr=number)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
        finally:
            os.close(number)
        return cls(release, process, Path(name))

    def ended(self) -> int | None:
        """Its exit code; None while it runs."""
        return self.process.poll()

    def last_words(self) -> str:
        """The last line that it has said."""
        text = self.said.read_text(errors="replace")[-2000:] if self.said.exists() else ""
        lines = [one.strip() for one in text.splitlines() if one.strip()]
        return lines[-1] if lines else "it said nothing"

    def forget(self) -> None:
        """Whoever goes on begins it anew: two of them at one instance would be in each other's way."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(ENDING)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.said.unlink(missing_ok=True)


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with `{name}` replaced by each value of that name."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text
