"""Windows out of what providers give: differences of counters, resets, silence.

Counters are turned into differences here and nowhere else. A counter that shrank, or that belongs
to another series, began again at zero (its process was restarted): its whole value is new.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from attrs import evolve, field, frozen

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
        unknown=new.unknown,
    )


def together(one: Figures, two: Figures) -> Figures:
    """Two windows of one slot as one; values are the later ones."""
    edges = [*one.latency, *(edge for edge in two.latency if edge not in one.latency)]
    return Figures(
        requests=one.requests + two.requests,
        errors=one.errors + two.errors,
        latency={edge: one.latency.get(edge, 0.0) + two.latency.get(edge, 0.0) for edge in edges},
        values={**one.values, **two.values},
        unknown={**one.unknown, **two.unknown},
    )


def parted(figures: Figures, parts: int) -> Figures:
    """One of so many equal parts of a window: its counts evened out, its values as they are."""
    return evolve(
        figures,
        requests=figures.requests / parts,
        errors=figures.errors / parts,
        latency={edge: n / parts for edge, n in figures.latency.items()},
    )


@frozen
class Sound:
    """Figures without what is no number, and what that was, by metric. `counts`: why there are none."""

    figures: Figures
    counts: str = ""
    values: Mapping[str, str] = field(factory=dict)


def sound(figures: Figures) -> Sound:
    """Take out what is NaN, infinite or less than nothing: it is no data, whatever else is there."""
    numbers = {
        "requests": figures.requests,
        "errors": figures.errors,
        **{f"latency up to {edge:g} s": n for edge, n in figures.latency.items()},
    }
    bad = [f"{name} is {n}" for name, n in numbers.items() if not (math.isfinite(n) and n >= 0)]
    values = {
        name: f"{name} is {n}, which is no number"
        for name, n in figures.values.items()
        if not math.isfinite(n)
    }
    kept = {name: n for name, n in figures.values.items() if name not in values}
    why = f"{', '.join(bad)}, which is no number" if bad else figures.unknown.get("requests", "")
    if why:
        unknown = {**figures.unknown, "requests": why}
        return Sound(Figures(values=kept, unknown=unknown), why, values)
    return Sound(evolve(figures, values=kept), "", values)


@frozen(kw_only=True)
class Looked:
    """One look: the window, or why there is none. unusable: metrics that were no numbers, in words.

    begun: what is counted was only begun to be, so that there is none, or one with readings of now alone.
    """

    window: Window | None = None
    nothing: str = ""
    begun: bool = False
    unusable: Mapping[str, str] = field(factory=dict)


class Watcher:
    """Looks at one slot, and at the other one for comparison, again and again.

    A provider with history is asked for the window since the last look that gave one, so that nothing
    is lost in between; one without is sampled, so that its first look only begins a window. Raises
    whatever the provider raises.
    """

    def __init__(
        self,
        provider: MetricProvider,
        *,
        history: bool,
        queries: Mapping[Slot, Query],
        slot: Slot,
        stable: Slot | None,
        share: float | None,
        since: datetime,
    ) -> None:
        self._provider = provider
        self.history = history
        self._queries = queries
        self._slot = slot
        self._stable = stable
        self.share = share
        self._since = self._first = since
        self._samples: dict[Slot, Counters] = {}
        self._begun = False

    @property
    def since(self) -> datetime:
        """When the window begins that the next look ends."""
        return self._since

    def look(self, end: datetime) -> Looked:
        """The window since the last one."""
        start = self._since
        found, beside = self._windows(start, end) if self.history else self._sampled()
        if isinstance(found, NoData):
            if found is BEGINS:
                self._since = end
            return Looked(nothing=found.reason, begun=found is BEGINS)
        begun, self._begun = self._begun, False
        self._since = end
        candidate, stable = sound(found), sound(beside) if isinstance(beside, Figures) else None
        unusable = {
            **candidate.figures.unknown,
            **dict.fromkeys(("requests", "error_rate", "latency"), candidate.counts),
            **candidate.values,
        }
        if why := candidate.figures.unknown.get("latency"):
            unusable["latency"] = why
        unusable = {name: why for name, why in unusable.items() if why}
        if candidate.counts and not candidate.figures.values:
            return Looked(nothing=candidate.counts, unusable=unusable)
        window = Window(
            start=start,
            end=end,
            slot=self._slot,
            candidate=candidate.figures,
            stable=stable.figures if stable and not stable.counts and not candidate.counts else None,
            share=self.share,
        )
        return Looked(window=window, unusable=unusable, begun=begun)

    def before(self, windows: int, seconds: float) -> Sequence[Window]:
        """What the stable slot did in so many windows before now; empty where nobody kept that."""
        if not self.history or self._stable is None:
            return ()
        found = []
        for number in range(windows, 0, -1):
            start = self._first - timedelta(seconds=number * seconds)
            end = start + timedelta(seconds=seconds)
            figures = self._provider.window(self._queries[self._stable], start, end)
            if isinstance(figures, Figures) and not sound(figures).counts:
                found.append(baseline(start, end, self._slot, sound(figures).figures))
        return found

    def _windows(self, start: datetime, end: datetime) -> tuple[Figures | NoData, Figures | NoData | None]:
        found = self._provider.window(self._queries[self._slot], start, end)
        if isinstance(found, NoData) or self._stable is None:
            return found, None
        return found, self._provider.window(self._queries[self._stable], start, end)

    def _sampled(self) -> tuple[Figures | NoData, Figures | NoData | None]:
        now = self._provider.sample(self._queries[self._slot])
        beside = self._provider.sample(self._queries[self._stable]) if self._stable else None
        if isinstance(now, NoData):
            # Both samples of before are kept: the next window spans the gap, in both slots.
            return now, None
        figures = self._since_last(self._slot, now)
        if self._stable is None:
            return figures, None
        if not isinstance(beside, Counters):
            self._samples.pop(self._stable, None)
            return figures, None
        return figures, self._since_last(self._stable, beside)

    def _since_last(self, slot: Slot, now: Counters) -> Figures | NoData:
        before = self._samples.get(slot)
        self._samples[slot] = now
        if before:
            return difference(before, now)
        # Values are readings of now; only what is counted needs a sample of before.
        if not now.figures.values:
            return BEGINS
        self._begun = self._begun or slot is self._slot
        return Figures(values=now.figures.values)


BEGINS = NoData("the first look begins the window")
"""What the first sample of a slot gives."""


def baseline(start: datetime, end: datetime, slot: Slot, stable: Figures) -> Window:
    """A window of the stable slot alone, before the candidate had traffic."""
    return Window(
        start=start, end=end, slot=slot, candidate=Figures(), stable=stable, share=0.0, baseline=True
    )
