"""Virtual time: a sleep takes no time, and what was to happen meanwhile happens."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from uno_core.clock import Later

T = TypeVar("T")


class Hangs(BaseException):
    """Raised by a simulated call that never answers."""


class _SimulatedLater(Later[T]):
    """A call that has ended at once, or never will; waiting for it takes simulated time alone."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def work(self, call: Callable[[], T]) -> None:
        super().work(call)
        if isinstance(self._failed, Hangs):
            self._ended.clear()

    def wait(self, seconds: float) -> bool:
        if not super().wait(0.0):
            self._clock.sleep(seconds)
        return super().wait(0.0)


START = datetime(2026, 1, 1, tzinfo=UTC)


class VirtualClock:
    """A clock that only moves when somebody sleeps on it.

    `at` schedules what happens in the world by itself: an instance gets ready, a person promotes.
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def at(self, seconds: float, happens: Callable[[], None]) -> None:
        """Schedule something so many seconds after the start; what is past happens at the next sleep."""
        self._number += 1
        heapq.heappush(self._events, (seconds, self._number, happens))

    def later(self, seconds: float, happens: Callable[[], None]) -> None:
        """Schedule something so many seconds from now."""
        self.at(self._elapsed + seconds, happens)

    def sleep(self, seconds: float, wake: Callable[[], bool] | None = None) -> None:
        """Move on, event by event; `wake` is asked after each."""
        end = self._elapsed + max(0.0, seconds)
        while not (wake and wake()):
            if self._events and self._events[0][0] <= end:
                when, _, happens = heapq.heappop(self._events)
                self._elapsed = max(self._elapsed, when)
                happens()
            else:
                self._elapsed = end
                return

    def within(self, seconds: float, call: Callable[[], T]) -> T:  # noqa: ARG002 - a simulated call takes its own time
        return call()

    def begin(self, call: Callable[[], T]) -> Later[T]:
        later: Later[T] = _SimulatedLater(self)
        later.work(call)
        return later

    def sleep_until_event(self, seconds: float) -> None:
        """Move to the next event, at the furthest `seconds`: what a watch on the world does."""
        if self._events:
            seconds = min(seconds, max(0.0, self._events[0][0] - self._elapsed))
        self.sleep(seconds)
