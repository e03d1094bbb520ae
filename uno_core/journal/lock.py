"""The lock of one application on one machine: held by the kernel, freed when the process dies.

A stopped (SIGSTOP) owner still holds it, so nobody is taken over behind their back.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import signal
import socket
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uno_core.contracts.state import Driver
from uno_core.errors import Locked, StateError
from uno_core.wire import from_json, to_json


def this_process() -> Driver:
    """The running process, as a driver."""
    return process(os.getpid())


def process(pid: int) -> Driver:
    """A process of this machine, so that it can be found again and told from another of its id."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no such user in a container's passwd
        user = str(os.getuid())
    return Driver(
        host=socket.gethostname(),
        pid=pid,
        started=datetime.now(UTC).isoformat("T", "seconds"),
        user=user,
        born=birth(pid),
    )


def birth(pid: int) -> str:
    """When a process of this machine began, in the machine's own words; empty where none has this id."""
    try:
        # The 22nd field of proc_pid_stat(5), in ticks since the boot; the name before may hold blanks.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return fields[19]
    except (OSError, IndexError):
        pass
    told = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip()


def alive(driver: Driver) -> bool:
    """Whether this very process still exists, be it stopped; only to be asked on its own machine."""
    return driver.host == socket.gethostname() and bool(driver.born) and birth(driver.pid) == driver.born


def end(driver: Driver) -> None:
    """Kill a driver of this machine that holds the lock and does not answer."""
    if alive(driver):
        os.kill(driver.pid, signal.SIGKILL)


def end_group(pid: int, number: int) -> None:
    """Send a signal to a process that leads a group, and to all that it started."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


class FileLock:
    """An exclusive `flock` on a file that says whose it is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = None

    def acquire(self, driver: Driver, *, patience: float = 0.1) -> None:
        """Take the lock within `patience` seconds, or raise Locked, naming the owner."""
        try:
            # One after the other: the parents that `parents=True` makes are open to everybody.
            self.path.parent.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.parent.mkdir(exist_ok=True, mode=0o700)
            file = self.path.open("a+", encoding="utf-8")
        except OSError as problem:
            raise StateError(
                "cannot make the lock file",
                found=str(problem),
                where=str(self.path),
                remedy="check that the state directory is yours and that the disk is not full",
            ) from problem
        try:
            _take(file, patience)
        except BlockingIOError as problem:
            file.close()
            owner = self.owner()
            raise Locked(
                "another uno holds the lock of this application",
                found=describe(owner) if owner else "an owner that has not signed yet",
                where=str(self.path),
                remedy="uno status shows what it does; uno abort takes it back",
            ) from problem
        file.seek(0)
        file.truncate()
        file.write(json.dumps(to_json(driver)))
        file.flush()
        self._file = file

    def owner(self) -> Driver | None:
        """Who signed last; None where nobody did."""
        try:
            return from_json(json.loads(self.path.read_text("utf-8")), Driver)
        except (OSError, ValueError, KeyError):
            return None

    def held(self) -> bool:
        """Whether a living process holds it now."""
        try:
            with self.path.open("r", encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return False
        except BlockingIOError:
            return True
        except OSError:
            return False

    def release(self) -> None:
        """Idempotent."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _take(file: Any, patience: float) -> None:
    """Try for a tenth of a second at least, since a reader that asks `held` has it for an instant."""
    for _ in range(round(patience / 0.02)):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(0.02)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def describe(driver: Driver) -> str:
    """An owner for a person: process, machine, user, since when."""
    return f"process {driver.pid} on {driver.host}, of {driver.user}, since {driver.started}"
