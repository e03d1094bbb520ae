"""Commands of the user's: started as processes of this machine, and ended with everything they started."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from uno_core import _log
from uno_core.contracts.services import Secrets
from uno_core.contracts.state import Driver
from uno_core.errors import HookFailed
from uno_core.journal.lock import alive, end_group, process
from uno_core.model import Json, Secret
from uno_core.wire import from_json, to_json

TOLD = 2000
"""Characters of a command's last output that are kept."""


class Command(Protocol):
    """A command that was started."""

    def who(self) -> Json:
        """Enough to find it again, once this process is gone."""

    def ended(self) -> int | None:
        """Its exit code; None while it runs. Negative: the signal that ended it."""

    def end(self, *, at_once: bool = False) -> None:
        """End it and what it started, kindly or not."""

    def said(self) -> str:
        """The last of what it wrote."""


class Commands(Protocol):
    """Starts commands."""

    def start(self, run: Sequence[str], env: Mapping[str, str], secrets: Mapping[str, str]) -> Command:
        """Start it; `secrets` are references by the variable that they are given in. Raises HookFailed."""

    def runs(self, who: Json) -> bool:
        """Whether a command that another driver started is still running here."""

    def end(self, who: Json) -> None:
        """End a command that another driver started, and what it started."""


class Nowhere:
    """Where no command can be started."""

    def start(self, run: Sequence[str], env: Mapping[str, str], secrets: Mapping[str, str]) -> Command:  # noqa: ARG002 - the contract's arguments
        raise HookFailed(f"{run[0]} could not be started", found="commands cannot be run here")

    def runs(self, who: Json) -> bool:  # noqa: ARG002 - the contract's argument
        return False

    def end(self, who: Json) -> None:
        """Nothing runs here."""


class System:
    """Commands as processes, each a group of its own, started in `folder`."""

    def __init__(self, secrets: Secrets, folder: Path | None = None) -> None:
        self._secrets = secrets
        self._folder = folder

    def start(self, run: Sequence[str], env: Mapping[str, str], secrets: Mapping[str, str]) -> Command:
        revealed = {name: self._secrets.reveal(Secret(reference)) for name, reference in secrets.items()}
        output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the command
        try:
            started = subprocess.Popen(
                list(run),
                cwd=self._folder,
                env={**os.environ, **env, **revealed},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as problem:
            output.close()
            raise HookFailed(
                f"{run[0]} could not be started",
                found=problem.strerror or str(problem),
                expected="an executable file, or the name of a command on the PATH",
                where=str(self._folder or Path.cwd()),
                remedy="a path is relative to the configuration's folder; `chmod +x` makes a file executable",
            ) from problem
        return Process(started, output)

    def runs(self, who: Json) -> bool:
        left = _left(who)
        return left is not None and alive(left)

    def end(self, who: Json) -> None:
        left = _left(who)
        if left is not None and alive(left):
            end_group(left.pid, signal.SIGKILL)


def _left(who: Json) -> Driver | None:
    return from_json(who, Driver) if isinstance(who, Mapping) else None


class Process:
    """A command that runs as a process of this machine."""

    def __init__(self, started: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        self._started = started
        self._output = output
        self._who: Any = to_json(process(started.pid))

    def who(self) -> Json:
        who: Json = self._who
        return who

    def ended(self) -> int | None:
        return self._started.poll()

    def end(self, *, at_once: bool = False) -> None:
        end_group(self._started.pid, signal.SIGKILL if at_once else signal.SIGTERM)
        if at_once:
            self._started.wait()

    def said(self) -> str:
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - TOLD * 4))
        text: str = _log.hide(self._output.read().decode("utf-8", "replace"))
        return text.strip()[-TOLD:]
