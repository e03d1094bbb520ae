"""When the agent takes its next step: at once when something happened, calmly otherwise."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import time

from uno_core import PlatformError
from uno_platform_local.agent.reconciler import Reconciler
from uno_platform_local.files import stamp
from uno_platform_local.orphans import identity

log = logging.getLogger("uno.agent")

TICK = 0.05


class Loop:
    """Steps until the supervisor is gone. Ends then: an agent without a supervisor could only do harm."""

    def __init__(self, reconciler: Reconciler, *, parent: int) -> None:
        self.reconciler = reconciler
        self.parent = parent
        self._watched: dict[int, int] = {}
        self._poll = select.poll()
        self._said = ""

    def run(self) -> None:
        while os.getppid() == self.parent:
            seen = self._stamps()
            try:
                self.reconciler.step()
                self._said = ""
                pause = self.reconciler.pause
            except PlatformError as error:
                pause = 0.2
                if str(error) != self._said:
                    self._said = str(error)
                    log.error("%s", error)  # noqa: TRY400 - expected, told without a traceback
            self._watch()
            self._wait(pause, seen)

    def _stamps(self) -> tuple[tuple[int, int], ...]:
        return stamp(self.reconciler.layout.desired), stamp(self.reconciler.layout.options)

    def _wait(self, seconds: float, seen: tuple[tuple[int, int], ...]) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and self._stamps() == seen:
            if os.getppid() != self.parent or self._ended(min(left, TICK)):
                return

    def _ended(self, seconds: float) -> bool:
        """Wait for the end of an instance, so that it leaves the traffic before the next request finds it."""
        if not hasattr(os, "pidfd_open"):
            time.sleep(seconds)
            gone = {pid for pid in self._watched if identity(pid) is None}
        else:
            ready = {handle for handle, _ in self._poll.poll(seconds * 1000)}
            gone = {pid for pid, handle in self._watched.items() if handle in ready}
        for pid in gone:
            self._forget(pid)
        self.reconciler.dead |= gone
        return bool(gone)

    def _watch(self) -> None:
        pids = {one.pid for one in self.reconciler.running.values() if one.pid}
        for pid in self._watched.keys() - pids:
            self._forget(pid)
        for pid in pids - self._watched.keys() - self.reconciler.dead:
            handle = -1
            if hasattr(os, "pidfd_open"):
                try:
                    handle = os.pidfd_open(pid)
                except OSError:
                    self.reconciler.dead.add(pid)
                    continue
                self._poll.register(handle, select.POLLIN)
            self._watched[pid] = handle

    def _forget(self, pid: int) -> None:
        handle = self._watched.pop(pid)
        if handle >= 0:
            self._poll.unregister(handle)
            with contextlib.suppress(OSError):
                os.close(handle)
