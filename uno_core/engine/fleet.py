"""Many deployments in one process: what waits is a row and a moment, not a thread.

A deployment that waits is unwound and forgotten; when its moment has come, or a word for it, it is
resumed from the state store, as after a crash.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from attrs import define, field

from uno_core.clock import Clock
from uno_core.contracts.engine import Order, Outcome
from uno_core.contracts.services import Logger
from uno_core.contracts.state import StateStore
from uno_core.engine.attention import Ears
from uno_core.engine.embedded import Embedded
from uno_core.errors import Suspend, UnoError

POLL = 0.5
"""Seconds between two looks for words."""


class Dozing(Ears):
    """Ears that do not wait: the deployment leaves, and is woken when its moment has come."""

    def rest(self, clock: Clock, seconds: float, *, gate: bool = False) -> None:
        if seconds <= 0 or self.waiting(gate=gate):
            return
        until = clock.now() + timedelta(seconds=seconds)
        raise Suspend("waits, and is woken by its fleet", exit_code=0, until=until)


Materials = Callable[[str], tuple[Embedded, Order]]
"""An engine in the deployment's own world, whose hearing is `Dozing.listening`, and its order."""


@define
class Fleet:
    """Drives what is handed to it until all of it has ended.

    workers: how many are driven at once; each does its effects in a thread of the pool.
    """

    store: StateStore
    clock: Clock
    logger: Logger
    materials: Materials
    workers: int = 8
    ended: dict[str, Outcome] = field(init=False, factory=dict)
    failed: dict[str, UnoError] = field(init=False, factory=dict)
    _due: list[tuple[datetime, str]] = field(init=False, factory=list)
    _waiting: dict[str, datetime] = field(init=False, factory=dict)
    _busy: dict[Future[Outcome], str] = field(init=False, factory=dict)

    def add(self, id: str, due: datetime | None = None) -> None:
        """Drive a deployment that nobody drives, now or from a moment on."""
        due = due or self.clock.now()
        self._waiting[id] = due
        heapq.heappush(self._due, (due, id))

    def run(self, seconds: float = float("inf")) -> None:
        """Drive until all have ended, or for so long."""
        end = self.clock.monotonic() + seconds
        with ThreadPoolExecutor(max(1, self.workers)) as pool:
            while (self._waiting or self._busy) and self.clock.monotonic() < end:
                self._wake_called()
                while self._due and self._due[0][0] <= self.clock.now() and len(self._busy) < self.workers:
                    due, who = heapq.heappop(self._due)
                    if self._waiting.get(who) == due:
                        del self._waiting[who]
                        self._busy[pool.submit(self._drive, who)] = who
                self._collect()
                self._rest(end)

    def _drive(self, id: str) -> Outcome:
        engine, order = self.materials(id)
        return engine.resume(order, id)

    def _wake_called(self) -> None:
        """Those for whom somebody left a word do not wait for their moment."""
        now = self.clock.now()
        for called in self.store.called():
            if self._waiting.get(called, now) > now:
                self.add(called, now)

    def _collect(self) -> None:
        for future in [future for future in self._busy if future.done()]:
            who = self._busy.pop(future)
            try:
                outcome = future.result()
            except UnoError as problem:
                self.logger.warning("a deployment could not be driven", deployment=who, problem=str(problem))
                self.failed[who] = problem
                continue
            if outcome.status.final:
                self.ended[who] = outcome
            elif outcome.until is not None:
                self.add(who, outcome.until)

    def _rest(self, end: float) -> None:
        """Until somebody is done, or the next moment has come."""
        if self._busy:
            wait(self._busy, timeout=0.05, return_when=FIRST_COMPLETED)
        elif self._due:
            left = (self._due[0][0] - self.clock.now()).total_seconds()
            self.clock.sleep(max(0.0, min(left, POLL, end - self.clock.monotonic())))
