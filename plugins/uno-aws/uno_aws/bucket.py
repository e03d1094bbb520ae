"""One limit for all calls of a process to a service: AWS counts by account and region, whoever makes them."""

from __future__ import annotations

import threading

from attrs import define, field

from uno_core import Clock

BURST = 4.0
"""Seconds' worth of calls that may be made at once: AWS's own controller for load balancers makes 40 at
10 a second."""

_buckets: dict[tuple[str, ...], Bucket] = {}
_guard = threading.Lock()


@define
class Bucket:
    """Tokens, `rate` more a second, `BURST` seconds' worth at the most."""

    clock: Clock
    rate: float
    _left: float = field(init=False)
    _at: float = field(init=False)
    _lock: threading.Lock = field(init=False, factory=threading.Lock)

    def __attrs_post_init__(self) -> None:
        self._left, self._at = self.rate * BURST, self.clock.monotonic()

    def take(self) -> None:
        """Take a token, and wait for it where there is none."""
        with self._lock:
            now = self.clock.monotonic()
            self._left = min(self.rate * BURST, self._left + (now - self._at) * self.rate) - 1
            self._at = now
            wait = -self._left / self.rate
        if wait > 0:
            self.clock.sleep(wait)


def bucket(clock: Clock, rate: float, *key: str) -> Bucket:
    """That of a service in a region; the slowest that anybody asked for holds for all."""
    with _guard:
        found = _buckets.get(key)
        if found is None or (found.clock is not clock and type(found.clock) is not type(clock)):
            found = _buckets[key] = Bucket(clock, rate)
        found.rate = min(found.rate, rate)
        return found
