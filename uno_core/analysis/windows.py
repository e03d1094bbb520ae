"""Windows out of what providers give: differences of counters, resets, silence.

Counters are turned into differences here and nowhere else. A counter that shrank, or that belongs
to another series, began again at zero (its process was restarted): its whole value is new.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from attrs import frozen

from uno_core.clock import Clock
from uno_core.contracts.judge import Window
from uno_core.contracts.metrics import Counters, Figures, MetricProvider, NoData, Query
from uno_core.model import Slot


def difference(before: Counters, after: Counters) -> Figures:
    """What happened between two samples of one slot."""
    if before.series != after.series or after.figures.requests < before.figures.requests:
        return after.figures
    old, new = before.figures, after.figures
    return Figures(
        requests=new.requests - old.requests,
        errors=max(0.0, new.errors - old.errors),
        latency={edge: max(0.0, n - old.latency.get(edge, 0.0)) for edge, n in new.latency.items()},
        values=new.values,
    )


def together(one: Figures, two: Figures) -> Figures:
    """Two windows of one slot as one; values are the later ones."""
    edges = [*one.latency, *(edge for edge in two.latency if edge not in one.latency)]
    return Figures(
        requests=one.requests + two.requests,
        errors=one.errors + two.errors,
        latency={edge: one.latency.get(edge, 0.0) + two.latency.get(edge, 0.0) for edge in edges},
        values={**one.values, **two.values},
    )


def sound(figures: Figures) -> str:
    """What makes figures unusable, NaN and infinities above all; empty where they are sound."""
    numbers: Mapping[str, float] = {
        "requests": figures.requests,
        "errors": figures.errors,
        **{f"latency up to {edge:g} s": n for edge, n in figures.latency.items()},
        **figures.values,
    }
    bad = [f"{name} is {n}" for name, n in numbers.items() if not math.isfinite(n)]
    return ", ".join(bad)


@frozen(kw_only=True)
class Looked:
    """One look: the window, or why there is none."""

    window: Window | None = None
    nothing: str = ""


class Watcher:
    """Looks at one slot, and at the other one for comparison, again and again.

    A provider with history is asked for the window since the last look; one without is sampled, so
    its first look only begins a window. Raises whatever the provider raises.
    """

    def __init__(
        self,
        provider: MetricProvider,
        *,
        history: bool,
        query: Query,
        stable: Slot | None,
        clock: Clock,
    ) -> None:
        self._provider = provider
        self._history = history
        self._query = query
        self._stable = stable
        self._clock = clock
        self._since = clock.now()
        self._samples: dict[Slot, Counters] = {}

    @property
    def since(self) -> datetime:
        """When it was last looked."""
        return self._since

    def look(self) -> Looked:
        """The window since the last look."""
        start, end = self._since, self._clock.now()
        candidate = self._figures(self._query.slot, start, end)
        stable = self._figures(self._stable, start, end) if self._stable else None
        self._since = end
        if isinstance(candidate, NoData):
            return Looked(nothing=candidate.reason)
        if complaint := sound(candidate):
            return Looked(nothing=complaint)
        beside = stable if isinstance(stable, Figures) and not sound(stable) else None
        return Looked(
            window=Window(start=start, end=end, slot=self._query.slot, candidate=candidate, stable=beside)
        )

    def _figures(self, slot: Slot, start: datetime, end: datetime) -> Figures | NoData:
        query = Query(
            application=self._query.application,
            environment=self._query.environment,
            slot=slot,
            metrics=self._query.metrics,
        )
        if self._history:
            return self._provider.window(query, start, end)
        now = self._provider.sample(query)
        if isinstance(now, NoData):
            return now
        before = self._samples.get(slot)
        self._samples[slot] = now
        return difference(before, now) if before else NoData("the first look begins the window")
