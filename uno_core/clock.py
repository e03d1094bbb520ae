"""Time, injected: nothing in uno asks the system for it but through a clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from uno_core.errors import Unanswered

T = TypeVar("T")


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
        answer: list[T] = []
        failed: list[BaseException] = []

        def work() -> None:
            try:
                answer.append(call())
            except BaseException as problem:  # noqa: BLE001 - raised again by whoever waits for it
                failed.append(problem)

        # A daemon: one that hangs keeps neither the caller nor the end of the process waiting.
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(seconds)
        if failed:
            raise failed[0]
        if not answer:
            raise Unanswered("no answer came in time", found=f"nothing within {seconds:g} s")
        return answer[0]
