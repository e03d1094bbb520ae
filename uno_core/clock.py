"""Time, injected: nothing in uno asks the system for it but through a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for what is told and journaled, monotonic time for deadlines of effects."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def sleep(self, seconds: float, wake: Callable[[], bool] | None = None) -> None:
        """Wait; where `wake` is given it is asked about five times a second, and True ends the wait."""


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
