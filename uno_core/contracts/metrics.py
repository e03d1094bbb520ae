"""Metric providers: counts, histograms and values of one slot, for a window or only for now."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from attrs import field, frozen

from uno_core.contracts.services import Info
from uno_core.model import Slot


@frozen(kw_only=True)
class Query:
    """What is asked for: the named metrics of one slot of an application.

    version: of the release that the slot holds; empty where that is not known.
    """

    application: str
    environment: str
    slot: Slot
    version: str = ""
    metrics: Sequence[str] = ()


@frozen(kw_only=True)
class Figures:
    """What happened in one slot in a window.

    latency: how many requests fell up to each upper edge in seconds, not cumulative; the last edge
    may be infinite. values: anything else by name (`cpu`, `memory`, a metric of your own). unknown: what
    was asked for and could not be told beside the rest, and why: `requests` for all counts, `latency`, or
    the name of a value. It is no pass while it is unknown, whatever was seen before.
    """

    requests: float = 0.0
    errors: float = 0.0
    latency: Mapping[float, float] = field(factory=dict)
    values: Mapping[str, float] = field(factory=dict)
    unknown: Mapping[str, str] = field(factory=dict)


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
    """Must read only. Raises Unsupported for the way of reading that it does not have.

    It is asked from threads of the core, by two at once at the most: what is now, and what was before.
    """

    def window(self, query: Query, start: datetime, end: datetime) -> Figures | NoData:
        """What happened in the window."""

    def sample(self, query: Query) -> Counters | NoData:
        """What was counted up to now."""


@runtime_checkable
class Assuring(Protocol):
    """A metric provider that can tell beforehand that it could measure nothing here. Optional."""

    def assure(self) -> None:
        """Raises UnoError where there is nothing to measure with: `uno plan` and `uno deploy` end by it.

        Called once before a plan or a deployment that it is to measure something for; nothing was touched
        by then. Must read only, and answer within seconds.
        """


@frozen(kw_only=True)
class Reads:
    """What a provider can read with the options that it was given.

    names: the metrics that it knows by name; `latency_p…` is known wherever `latency` is. Empty:
    nobody can tell before it was asked. counts: requests and errors per slot, so that a slot can be
    compared with the other one. latency: histograms. shortest: seconds, the shortest window that
    means anything, such as the interval between two scrapes. lag: seconds, how late it can be read
    what happened; windows end so long ago.
    """

    names: frozenset[str] = field(factory=frozenset)
    counts: bool = False
    latency: bool = False
    shortest: float = 0.0
    lag: float = 0.0

    def knows(self, metric: str) -> bool:
        """Whether a metric may be asked for."""
        return not self.names or metric in self.names or (self.latency and is_percentile(metric))


_PERCENTILE = re.compile(r"latency_p(\d{1,2}(?:\.\d+)?)$")


def is_percentile(metric: str) -> bool:
    """Whether it is the name of a percentile of the latencies: `latency_p95`, `latency_p99.9`."""
    return _PERCENTILE.match(metric) is not None


@frozen(kw_only=True)
class MetricProviderInfo(Info):
    """A metric provider, as registered. `history`: it has `window`; otherwise it has `sample`.

    reads: what it can read, by its options.
    """

    history: bool = False
    reads: Callable[[Any], Reads] = field(default=lambda _options: Reads())
