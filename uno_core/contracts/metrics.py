"""Metric providers: counts, histograms and values of one slot, for a window or only for now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from attrs import field, frozen

from uno_core.contracts.services import Info
from uno_core.model import Slot


@frozen(kw_only=True)
class Query:
    """What is asked for: the named metrics of one slot of an application."""

    application: str
    environment: str
    slot: Slot
    metrics: Sequence[str] = ()


@frozen(kw_only=True)
class Figures:
    """What happened in one slot in a window.

    latency: how many requests fell up to each upper edge in seconds, not cumulative; the last edge
    may be infinite. values: anything else by name (`cpu`, `memory`, a metric of your own).
    """

    requests: float = 0.0
    errors: float = 0.0
    latency: Mapping[float, float] = field(factory=dict)
    values: Mapping[str, float] = field(factory=dict)


@frozen(kw_only=True)
class Counters:
    """Cumulative counts as they stand now, for providers that keep no history.

    `series` tells the source apart: counters of another series, or smaller ones, mean a reset, and
    the core counts from zero again. latency is cumulative in time, not over the edges.
    """

    at: datetime
    series: str
    figures: Figures


@frozen
class NoData:
    """There was nothing to read, and why. Never a pass."""

    reason: str


class MetricProvider(Protocol):
    """Must read only. Raises Unsupported for the way of reading that it does not have."""

    def window(self, query: Query, start: datetime, end: datetime) -> Figures | NoData:
        """What happened in the window."""

    def sample(self, query: Query) -> Counters | NoData:
        """What was counted up to now."""


@frozen(kw_only=True)
class MetricProviderInfo(Info):
    """A metric provider, as registered. `history`: it has `window`; otherwise it has `sample`.

    `gives` are the names of the metrics that it knows, for error messages and completion; empty
    where any name may be asked for.
    """

    history: bool = False
    gives: frozenset[str] = field(factory=frozenset)
