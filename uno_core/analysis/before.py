"""What the stable slot did before the candidate had traffic, of a provider that keeps no history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import define, field

from uno_core.analysis.windows import baseline, difference, parted, sound
from uno_core.clock import Clock, Later
from uno_core.contracts.judge import Window
from uno_core.contracts.metrics import Counters, MetricProvider, NoData, Query
from uno_core.model import Slot

PATIENCE = 1.0
"""Seconds that a switch waits for what only would be good to know."""

LEAST = 1.0
"""Seconds below which what was seen says nothing."""

MOST = 60
"""Windows that the time before a switch is parted into, at the most."""


@define
class Before:
    """Samples the stable slot when a deployment begins, and once more before its first switch.

    The counts between are evened out over windows of `step` seconds: only their sum was seen.
    """

    provider: MetricProvider
    query: Query
    clock: Clock
    step: float
    _first: Later[Counters | NoData] = field(init=False)
    _begun: datetime = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._begun = self.clock.now()
        self._first = self._sample()

    def windows(self, candidate: Slot) -> Sequence[Window]:
        """The windows until now; empty where the provider is silent, fails, or hangs."""
        last = self._sample()
        if not (self._first.wait(0.0) and last.wait(PATIENCE)):
            return ()
        try:
            before, after = self._first.answer(), last.answer()
        except Exception:  # noqa: BLE001 - a provider is a plugin, and this is no verdict: it is left out
            return ()
        if not isinstance(before, Counters) or not isinstance(after, Counters):
            return ()
        seen = sound(difference(before, after))
        seconds = (self.clock.now() - self._begun).total_seconds()
        if seen.counts or seconds < LEAST:
            return ()
        parts = max(1, min(MOST, int(seconds // self.step)))
        length, share = (self.clock.now() - self._begun) / parts, parted(seen.figures, parts)
        starts = [self._begun + n * length for n in range(parts)]
        return [baseline(start, start + length, candidate, share) for start in starts]

    def _sample(self) -> Later[Counters | NoData]:
        return self.clock.begin(lambda: self.provider.sample(self.query))
