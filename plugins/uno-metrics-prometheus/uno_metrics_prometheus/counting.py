"""Counts and histograms of one window out of raw samples. Whatever is unknown has its reason in words."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from attrs import frozen

from uno_core import grown
from uno_metrics_prometheus.api import Series
from uno_metrics_prometheus.births import Births


@frozen(kw_only=True)
class Span:
    """A window, in seconds since 1970."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


class Unknown(Exception):
    """Nothing can be said of the window: there is no data, for the reason that it holds."""


def counted(found: Sequence[Series], span: Span, births: Births) -> float:
    """How much all series grew together. Raises Unknown where that is not known of any, or wrong of one."""
    known, left_out = [], []
    for series in found:
        growth = grown(series.samples, span.start, span.end, from_zero=_new(series, span, births))
        if growth.amount is not None:
            known.append(growth.amount)
            left_out += [growth.why] if growth.why else []
        elif any(span.start < at <= span.end for at, _ in series.samples):
            raise Unknown(f"{named(series)}: {growth.why}")
    if not known:
        last = max((at for series in found for at, _ in series.samples), default=-math.inf)
        ago = (
            f"the last sample is {span.end - last:.0f} s older than its end"
            if found
            else "there is no series"
        )
        raise Unknown(f"nothing was scraped within the window of {span.seconds:g} s: {ago}")
    if len(left_out) == len(known) and not any(known):
        raise Unknown(f"nothing is known yet but that {left_out[0]}")
    return math.fsum(known)


def histogram(found: Sequence[Series], span: Span, births: Births, unit: float) -> Mapping[float, float]:
    """Counts between edges in seconds. Raises Unknown as `counted` does, and where buckets do not fit.

    Where histograms have different edges those that all of them have are taken.
    """
    parts: dict[tuple[tuple[str, str], ...], list[Series]] = defaultdict(list)
    for series in found:
        parts[tuple(sorted((k, v) for k, v in series.labels.items() if k != "le"))].append(series)
    grew = [one for part in parts.values() if (one := _buckets(part, span, births))]
    if not grew:
        counted(found, span, births)  # which knows why
        raise Unknown("the buckets have no edges: the series lack the label le")
    edges = sorted(set.intersection(*(set(one) for one in grew)))
    if not edges or edges[-1] != math.inf:
        raise Unknown('the buckets lack the edge le="+Inf", so that nobody knows how many there were')
    result, below = {}, 0.0
    for edge in edges:
        total = math.fsum(one[edge] for one in grew)
        if total < below:
            raise Unknown(f'the bucket le="{edge:g}" grew by less than the one below it')
        result[edge * unit] = total - below
        below = total
    return result


def _buckets(part: Sequence[Series], span: Span, births: Births) -> Mapping[float, float]:
    """How much each bucket of one histogram grew; empty where it was not scraped."""
    result = {}
    for series in part:
        growth = grown(series.samples, span.start, span.end, from_zero=_new(series, span, births))
        if growth.amount is not None:
            result[_edge(series)] = growth.amount
        elif any(span.start < at <= span.end for at, _ in series.samples):
            raise Unknown(f"{named(series)}: {growth.why}")
    return result


def _edge(series: Series) -> float:
    try:
        edge = float(series.labels["le"])
    except (KeyError, ValueError):
        raise Unknown(f"{named(series)} is no bucket: its label le is no number") from None
    if math.isnan(edge):
        raise Unknown(f"{named(series)} is no bucket: its label le is no number")
    return edge


def _new(series: Series, span: Span, births: Births) -> bool:
    """Whether it is new in the window and began at zero; asked of new ones only."""
    old = bool(series.samples) and series.samples[0][0] <= span.start
    return not old and births.from_zero(series)


def named(series: Series) -> str:
    name = series.labels.get("__name__", "")
    inside = ", ".join(f'{k}="{v}"' for k, v in sorted(series.labels.items()) if k != "__name__")
    return f"{name}{{{inside}}}"
