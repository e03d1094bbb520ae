"""Processes known by pid and start, so that nothing runs double and nothing foreign is ever killed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable

import psutil

from uno_platform_local.files import read_json
from uno_platform_local.layout import Layout

TOKEN = "UNO_LOCAL_TOKEN"  # noqa: S105 - a mark that tells processes apart, not a secret
_SAME_START = 1.0


def identity(pid: int) -> tuple[int, float] | None:
    """The pid and start of a process that lives; None otherwise."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return pid, process.create_time()
    except (psutil.Error, ValueError):
        return None


def lives(pid: int, started: float) -> bool:
    """Whether exactly that process lives: a pid alone may by now be somebody else's."""
    found = identity(pid)
    return found is not None and abs(found[1] - started) < _SAME_START


def recorded(layout: Layout) -> list[psutil.Process]:
    """Every process of this root that lives: written down, or bearing the root's token.

    The token is in the environment of all that supervisord starts, so a process counts that was
    started a moment before its starter died.
    """
    run = read_json(layout.run) or {}
    status = read_json(layout.status) or {}
    pairs = [(run.get("pid", 0), run.get("started", 0.0))]
    pairs += [tuple(pair) for pair in status.get("processes", ())]
    found = {pid for pid, started in pairs if pid and lives(pid, started)}
    if token := run.get("token"):
        found |= set(_bearing(token))
    found -= _own_line()
    result = []
    for pid in found:
        with contextlib.suppress(psutil.Error):
            result.append(psutil.Process(pid))
    return result


def _bearing(token: str) -> Iterable[int]:
    uid = os.getuid()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.uids().real == uid and process.environ().get(TOKEN) == token:
                yield process.pid


def _own_line() -> set[int]:
    """Oneself and all ancestors: a deployment started from within an instance spares itself."""
    me = psutil.Process()
    return {me.pid, *(parent.pid for parent in me.parents())}


def sweep(layout: Layout, *, patience: float = 5.0) -> int:
    """End what an earlier supervisor left behind: SIGTERM, then SIGKILL. How many there were."""
    left = recorded(layout)
    count = len(left)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    left = _wait(left, patience)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    _wait(left, 2.0)
    return count


def _wait(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    end = time.monotonic() + seconds
    while processes and time.monotonic() < end:
        processes = [p for p in processes if _running(p)]
        time.sleep(0.01 if processes else 0)
    return processes


def _running(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def holder(port: int) -> str:
    """Who listens on a port, for a person; empty where the system does not tell."""
    with contextlib.suppress(psutil.Error, OSError):
        for row in psutil.net_connections(kind="tcp"):
            if row.status == psutil.CONN_LISTEN and row.laddr and row.laddr.port == port and row.pid:
                return f"{psutil.Process(row.pid).name()} (pid {row.pid})"
    return ""
