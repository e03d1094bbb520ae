"""Since when every server of a zone answers by the last change, as far as this process can tell."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from datetime import datetime

from attrs import define, field

from uno_core import Clock
from uno_platform_dns.zone import Zone

SKEW = 60.0
"""Seconds by which the clocks of two machines may differ, where there is nothing else to judge by."""


@define(eq=False)
class Waiting:
    """What is known of the last change, which the note tells by its time.

    propagation: seconds until the servers of the zone answer alike, at most. What this process wrote, or has
    watched, is counted by its own monotonic clock. What others wrote before is believed by the time that
    they noted, with a margin for clocks that differ where that was another machine. host: this one's name.
    """

    zone: Zone
    clock: Clock
    propagation: Callable[[], float]
    host: str = field(factory=socket.gethostname)
    _of: datetime | None = field(init=False, default=None)
    _first: float = field(init=False, default=0.0)
    _change: str | None = field(init=False, default=None)
    _lost: datetime | None = field(init=False, default=None)
    _spread_at: float | None = field(init=False, default=None)
    _lagged_at: float = field(init=False, default=-math.inf)

    def wrote(self, at: datetime | None, change: str) -> None:
        """It was written just now, by this process; change: what the zone is asked with, empty if unknown."""
        self._begin(at, change)

    def lost(self, at: datetime | None) -> None:
        """It was sent, and not answered: it may land late, and counts from when it is first seen."""
        self._lost = at

    def waited(self, at: datetime, host: str) -> float | None:
        """Seconds for which all servers have answered by it at the least; None while some do not. Asks.

        at, host: when it was written, by the clock of which machine.
        """
        self._follow(at)
        if self._spread_at is None:
            spread, since = self.zone.spread(self._change or ""), self._since(at, host)
            now = self.clock.monotonic()
            if spread is False:
                self._lagged_at = now
            if spread is False or (spread is None and since < self.propagation()):
                return None
            # It was everywhere after the time that it may take, at the latest, unless it was seen not to be.
            self._spread_at = max(now - max(0.0, since - self.propagation()), self._lagged_at)
        return self.clock.monotonic() - self._spread_at

    def surely(self, at: datetime, host: str) -> float:
        """The same, or less; by time alone, nobody is asked."""
        self._follow(at)
        if self._spread_at is not None:
            return self.clock.monotonic() - self._spread_at
        return max(0.0, self._since(at, host) - self.propagation())

    def _follow(self, at: datetime) -> None:
        """Forget what was known of another change than this one."""
        if self._of != at:
            self._begin(at, "" if at == self._lost else None)

    def _begin(self, at: datetime | None, change: str | None) -> None:
        self._of, self._change = at, change
        self._first, self._spread_at, self._lagged_at = self.clock.monotonic(), None, -math.inf

    def _since(self, at: datetime, host: str) -> float:
        """Seconds since it was written, at the least."""
        watched = self.clock.monotonic() - self._first
        if self._change is not None:
            return watched
        margin = 0.0 if host == self.host else SKEW
        return max(watched, (self.clock.now() - at).total_seconds() - margin)
