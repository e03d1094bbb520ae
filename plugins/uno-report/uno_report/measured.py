"""Lines over time out of what was measured: rates, percentiles, shares, evidence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from attrs import frozen

from uno_core import Figures, Story, Window

Point = tuple[datetime, float]


@frozen(kw_only=True)
class Line:
    """A line of a chart. look: which of the styles it has; steps: it keeps its value until the next."""

    name: str
    points: Sequence[Point]
    look: str
    steps: bool = False


def windows(story: Story) -> Sequence[Window]:
    """The windows that count, of the provider that has most of them."""
    counted = [[seen.window for seen in rows if not seen.skipped] for rows in story.seen.values()]
    mine = max(counted, key=len, default=[])
    return [window for window in mine if not window.baseline]


def split(story: Story) -> Sequence[Line]:
    """The share of the candidate, as it was written."""
    slot = story.stable.other.value if story.stable else "blue"
    points: list[Point] = [(story.record.created, 0.0)] if story.stable else []
    for call in story.calls:
        if call.ended is None or call.error is not None:
            continue
        if call.op == "set_traffic":
            points.append((call.ended, float(call.arguments["split"].get(slot, 0.0))))
        elif call.op == "put_traffic_back" and isinstance(call.value, Mapping):
            share = call.value.get(slot, 0.0)
            points.append((call.ended, float(share) if isinstance(share, int | float) else 0.0))
    if points:
        points.append((story.record.updated, points[-1][1]))
    return [Line(name=story.record.version, points=points, look="candidate", steps=True)] if points else []


def errors(story: Story) -> Sequence[Line]:
    """The share of failed requests in percent, a slot a line; windows without a request leave a gap."""
    return _both(story, lambda f: 100 * f.errors / f.requests if f.requests else math.nan)


def latency(story: Story) -> Sequence[Line]:
    """Median and 95th percentile in milliseconds, a slot two lines."""
    median = _both(story, lambda f: 1000 * percentile(f.latency, 0.5), "median")
    return [*median, *_both(story, lambda f: 1000 * percentile(f.latency, 0.95), "p95", strong=True)]


def evidence(story: Story) -> tuple[Sequence[Line], float]:
    """The log of the evidence over time, and its limit; NaN where nothing compares."""
    points = [(m.at, m.finding.numbers["log_e"]) for m in story.progress if "log_e" in m.finding.numbers]
    limits = [m.finding.numbers["limit"] for m in story.progress if "limit" in m.finding.numbers]
    lines = [Line(name="evidence", points=points, look="candidate strong")] if points else []
    return lines, limits[-1] if limits else math.nan


def _both(
    story: Story, read: Callable[[Figures], float], what: str = "", *, strong: bool = False
) -> Sequence[Line]:
    look = " strong" if strong else ""
    seen = windows(story)
    mine = [(w.end, read(w.candidate)) for w in seen]
    other = [(w.end, read(w.stable)) for w in seen if w.stable is not None]
    names = (f"{story.record.version} {what}".strip(), f"before {what}".strip())
    lines = (Line(name=names[0], points=mine, look=f"candidate{look}"),
             Line(name=names[1], points=other, look=f"stable{look}"))  # fmt: skip
    return [line for line in lines if any(math.isfinite(value) for _, value in line.points)]


def percentile(latency: Mapping[float, float], share: float) -> float:
    """The latency in seconds that this share of the requests kept, interpolated within its bucket.

    As Prometheus' histogram_quantile does; NaN of nothing, and beyond the last finite edge.
    """
    total = math.fsum(latency.values())
    seen, below = 0.0, 0.0
    for edge in sorted(latency):
        count = latency[edge]
        if count and seen + count >= share * total:
            return (
                below + (edge - below) * (share * total - seen) / count if math.isfinite(edge) else math.nan
            )
        seen, below = seen + count, edge
    return math.nan


def marks(story: Story) -> Iterator[tuple[datetime, str]]:
    """When the steps began, and the way back."""
    for call in story.calls:
        if call.op == "step" and call.run == "deploy":
            yield call.begun, str(call.arguments.get("title", ""))
        elif call.run != "deploy" and call.seq == 0:
            yield call.begun, "the way back"
