"""CPU and memory of instances, their children included."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import psutil

EVERY = 2.0


class Usage:
    """Keeps the last figures: a share of CPU needs two readings. Cores in use (1.0: one whole), and bytes."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}
        self._at = 0.0
        self._figures: dict[int, dict[str, float]] = {}

    def of(self, pids: Sequence[int], now: float) -> Mapping[int, Mapping[str, float]]:
        if now - self._at < EVERY:
            return self._figures
        passed, self._at = now - self._at, now
        children = _children() if pids else {}
        seconds: dict[int, float] = {}
        figures: dict[int, dict[str, float]] = {}
        for pid in pids:
            cpu = memory = 0.0
            todo = [pid]
            while todo:
                one = todo.pop()
                todo += children.get(one, ())
                with contextlib.suppress(psutil.Error):
                    process = psutil.Process(one)
                    times = process.cpu_times()
                    cpu += times.user + times.system
                    memory += process.memory_info().rss
            seconds[pid] = cpu
            figures[pid] = {"memory": memory}
            if pid in self._seconds:
                figures[pid]["cpu"] = max(0.0, cpu - self._seconds[pid]) / passed
        self._seconds, self._figures = seconds, figures
        return figures


def _children() -> Mapping[int, Sequence[int]]:
    result: dict[int, list[int]] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            result.setdefault(process.ppid(), []).append(process.pid)
    return result
