"""Processes that end with us, whatever happens to us."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

DEADLINE = 60.0


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def until(look, wanted=bool, *, deadline: float = DEADLINE, every: float = 0.05):
    """Look until it equals what is wanted, or that says so; at the deadline it fails with what was seen."""
    end = time.monotonic() + deadline
    while True:
        seen = look()
        if wanted(seen) if callable(wanted) else seen == wanted:
            return seen
        assert time.monotonic() < end, f"not within {deadline:g} s; last seen: {seen}"
        time.sleep(every)


# Linux kills such a child when the thread that started it is gone: this one lives as long as we do.
_starter = ThreadPoolExecutor(1, "starter")


def begin(command: list[str], log: Path, **more) -> subprocess.Popen:
    """Start it in a group of its own, to be killed when we are."""
    # A preexec_fn would fork a process with many threads; this one execs.
    setpriv = shutil.which("setpriv")
    tied = [setpriv, "--pdeathsig", "KILL", "--", *command] if setpriv else command
    with log.open("ab") as out:
        streams = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out}
        return _starter.submit(subprocess.Popen, tied, **streams, start_new_session=True, **more).result()


def kill(process: subprocess.Popen) -> None:
    """Kill it and what it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it had ended
    process.wait(DEADLINE)


def end(process: subprocess.Popen, patience: float = 5.0) -> None:
    """Ask it to end, then kill it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            pass  # it is killed below
    kill(process)
