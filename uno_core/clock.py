"""Time, injected: nothing in uno asks the system for it but through a clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar

from uno_core.errors import Unanswered

T = TypeVar("T")


class Later(Generic[T]):
    """A call that was begun, and may never end."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._answer: list[T] = []
        self._failed: BaseException | None = None

    def work(self, call: Callable[[], T]) -> None:
        """Make the call, and keep what comes of it."""
        try:
            self._answer.append(call())
        except BaseException as problem:  # noqa: BLE001 - raised again by whoever waits for it
            self._failed = problem
        self._ended.set()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, within so many seconds."""
        return self._ended.wait(seconds)

    def answer(self) -> T:
        """What came of it, once it has ended; raises what it raised."""
        if self._failed is not None:
            raise self._failed
        return self._answer[0]


class Clock(Protocol):
    """Wall time for what is told and journaled, monotonic time for deadlines of effects."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def sleep(self, seconds: float, wake: Callable[[], bool] | None = None) -> None:
        """Wait; where `wake` is given it is asked about five times a second, and True ends the wait."""

    def within(self, seconds: float, call: Callable[[], T]) -> T:
        """Call, and wait for it no longer than that: raises Unanswered, and the call is left to itself."""

    def begin(self, call: Callable[[], T]) -> Later[T]:
        """Begin a call, and go on; whoever wants its answer waits for it as long as they like."""


class SystemClock:
    """The machine's own time."""

    poll = 0.2

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float, wake: Callable[[], bool] | None = None) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not (wake and wake()):
            time.sleep(min(left, self.poll) if wake else left)

    def within(self, seconds: float, call: Callable[[], T]) -> T:
        later = self.begin(call)
        if not later.wait(seconds):
            raise Unanswered("no answer came in time", found=f"nothing within {seconds:g} s")
        return later.answer()

    def begin(self, call: Callable[[], T]) -> Later[T]:
        later: Later[T] = Later()
        # A daemon: one that hangs keeps neither the caller nor the end of the process waiting.
        threading.Thread(target=later.work, args=(call,), daemon=True).start()
        return later
