"""A command in a process group of its own, with a deadline that nothing outlives."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import IO

from attrs import frozen

TAIL = 8 * 1024
"""As many bytes of the output are kept; a check that says more is read on, and forgotten."""

LINES = 3
"""As many last lines stand in the answer."""

POLL = 0.02


@frozen
class Ended:
    """How a run ended: its exit code (negative: the signal), or None at the deadline; its last words."""

    code: int | None
    output: str


def run(command: Sequence[str], env: Mapping[str, str], directory: str | None, timeout: float) -> Ended:
    """Run it until it exits or the deadline comes, then kill whatever is left of its process group.

    The exit of the command itself is waited for, never the end of its output: a grandchild that
    holds the pipe delays nothing. Raises OSError where it cannot be started.
    """
    end = time.monotonic() + timeout
    with subprocess.Popen(
        list(command),
        env=dict(env),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        os.set_blocking(process.stdout.fileno(), False)
        output = _Tail(process.stdout)
        # A little before the end, so that it can clean up and still be gone within the timeout.
        grace = min(0.5, timeout / 10)
        try:
            exited = output.follow(process, end - grace)
            if not exited:
                _signal(process, signal.SIGTERM)
                output.follow(process, end)
        finally:
            # Before the process is reaped: until then nobody else can have its number.
            _signal(process, signal.SIGKILL)
        code = process.wait()
        output.read()
    return Ended(code if exited else None, output.last_lines())


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        pass  # nothing is left of the group (macOS says so by the second)


class _Tail:
    """The last bytes of a pipe."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._kept = b""
        self._ended = False

    def follow(self, process: subprocess.Popen[bytes], end: float) -> bool:
        """Read until the process has exited (True) or the end has come (False)."""
        while not _exited(process):
            left = end - time.monotonic()
            if left <= 0:
                return False
            if self._ended:
                time.sleep(min(POLL, left))
            elif select.select([self._pipe], [], [], min(POLL, left))[0]:
                self.read()
        return True

    def read(self) -> None:
        """What is there now, at most a megabyte of it: one that never stops writing must not hold us."""
        for _ in range(16):
            try:
                chunk = os.read(self._pipe.fileno(), 64 * 1024)
            except BlockingIOError:
                return
            if not chunk:
                self._ended = True
                return
            self._kept = (self._kept + chunk)[-TAIL:]

    def last_lines(self) -> str:
        """The last lines, on one."""
        lines = [" ".join(line.split()) for line in self._kept.decode(errors="replace").splitlines()]
        text = " | ".join([line for line in lines if line][-LINES:])
        text = "".join(c if c.isprintable() else "�" for c in text)
        return text if len(text) <= 300 else "…" + text[-300:]


def _exited(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has exited, without reaping it where the system can do that."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return process.poll() is not None
    seen = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return seen is not None
