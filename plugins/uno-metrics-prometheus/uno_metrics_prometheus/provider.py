"""The provider `prometheus`: what happened in a slot in a window."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import ParamSpec, TypeVar

from attrs import define, field

from uno_core import Counters, Figures, NoData, Query, Services, Unsupported
from uno_metrics_prometheus import absence
from uno_metrics_prometheus.api import Api, Series, duration, number
from uno_metrics_prometheus.births import Births
from uno_metrics_prometheus.counting import Span, Unknown, counted, histogram
from uno_metrics_prometheus.options import PrometheusOptions
from uno_metrics_prometheus.template import fill, plain, used

P = ParamSpec("P")
T = TypeVar("T")

REACH = 300.0
"""Seconds before a window in which its first samples are looked for, as Prometheus itself looks back."""


class PrometheusMetrics:
    """Counts by raw samples, so that nothing is extrapolated; values by queries of the user's own."""

    def __init__(self, options: PrometheusOptions, services: Services) -> None:
        """Keep both; do no I/O."""
        self._options = options
        self._services = services

    def sample(self, query: Query) -> Counters | NoData:
        raise Unsupported("Prometheus keeps history: it is asked for windows", found=str(query.slot))

    def window(self, query: Query, start: datetime, end: datetime) -> Figures | NoData:
        """What happened in the window, as far as it is known; what is not is logged with its reason.

        Raises UnoError where Prometheus was not reached or refused, ConfigError for a secret or a file
        that is not there.
        """
        with Api(self._options, self._services) as api:
            look = _Look(self._options, api, query, Span(start=_seconds(start), end=_seconds(end)))
            figures = look.figures()
        if not figures:
            return NoData("; ".join(look.unknown.values()) or "nothing of it was asked")
        for reason in look.unknown.values():
            self._services.logger.warning(
                "Prometheus knows a part only", slot=str(query.slot), unknown=reason
            )
        return figures


@define
class _Look:
    """One window of one slot."""

    options: PrometheusOptions
    api: Api
    query: Query
    span: Span
    unknown: dict[str, str] = field(init=False, factory=dict)
    _births: Births = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._births = Births(self.span.start, self._series)

    def figures(self) -> Figures | None:
        """All that is known; None where that is nothing."""
        asked = set(self.query.metrics)
        reads = self.options.reads()
        counts = self._known("requests", self._counts) if "requests" in reads.names else None
        latency = None
        if counts and reads.latency and (not asked or any(name.startswith("latency_") for name in asked)):
            latency = self._known("latency", self._latency)
        wanted = [name for name in self.options.queries if not asked or name in asked]
        read = {name: self._known(name, self._value, name) for name in wanted}
        values = {name: value for name, value in read.items() if value is not None}
        if counts is None and not values:
            return None
        requests, errors = counts or (0.0, 0.0)
        return Figures(
            requests=requests, errors=errors, latency=latency or {}, values=values, unknown=dict(self.unknown)
        )

    def _known(self, name: str, read: Callable[P, T], *args: P.args, **more: P.kwargs) -> T | None:
        """What is read, or None where it is unknown; the reason is kept under the name."""
        try:
            return read(*args, **more)
        except Unknown as why:
            # It may name series, which are a server's words too.
            self.unknown[name] = self.api.veil(str(why))
            return None

    # What is counted

    def _counts(self) -> tuple[float, float]:
        selectors = self.options.selectors()
        texts = self._filled(selectors.requests)
        found = self._found(texts)
        requests = self._growth(found, texts)
        errors = self._errors(selectors.errors, texts, found)
        if errors > requests:
            raise Unknown(
                f"{errors:g} errors of {requests:g} requests: the errors are no part of the requests"
            )
        return requests, errors

    def _errors(self, templates: Sequence[str], requests: Sequence[str], beside: Sequence[Series]) -> float:
        """How many failed. What was not scraped counts 0 only where it is known that nothing failed."""
        if not templates:
            return 0.0
        texts = self._filled(templates)
        found = self._all(texts)
        alike = absence.of_one_metric(texts[0], requests[0])
        absence.check(found, beside, self.span, self._births, alike=alike)
        if told := absence.fresh(found, self.span):
            return self._growth(told, texts)
        # By what is scraped now: an old release that is gone had its own names and labels.
        absence.would_be_found(texts[0], requests[0], absence.fresh(beside, self.span))
        return 0.0

    def _latency(self) -> Mapping[float, float]:
        selectors = self.options.selectors()
        found = self._found(self._filled(selectors.latency))
        self._births.note(found)
        return histogram(found, self.span, self._births, selectors.unit)

    def _growth(self, found: Sequence[Series], texts: Sequence[str]) -> float:
        self._births.note(found)
        try:
            return counted(found, self.span, self._births)
        except Unknown as why:
            raise Unknown(f"{_or(texts)}: {why}") from None

    def _found(self, texts: Sequence[str]) -> Sequence[Series]:
        found = self._all(texts)
        if not found:
            raise Unknown(f"there is no series of {_or(texts)}")
        return found

    def _all(self, texts: Sequence[str]) -> Sequence[Series]:
        return [series for text in texts for series in self._series(text)]

    def _series(self, text: str) -> Sequence[Series]:
        reach = max(REACH, 4 * self.options.interval)
        return self.api.series(text, self.span.start, self.span.end, reach)

    # Values

    def _value(self, name: str) -> float:
        """A number of the user's own. Raises Unknown where the answer is anything else."""
        try:
            (promql,) = self._filled([self.options.queries[name]], preset=False)
            return self._number(promql)
        except Unknown as why:
            raise Unknown(f"{name}: {why}") from None

    def _number(self, promql: str) -> float:
        answer = self.api.query(promql, self.span.end)
        rows = answer.result
        if answer.kind != "vector" or not isinstance(rows, list):
            hint = ", without scalar()" if answer.kind == "scalar" else ""
            raise Unknown(f"{promql} gives a {answer.kind}: expected a vector with one series{hint}")
        if not rows:
            raise Unknown(f"there is no series of {promql}")
        if len(rows) > 1:
            raise Unknown(f"{promql} gives {len(rows)} series, expected one: {_listed(rows)}")
        try:
            value = number(rows[0]["value"][1])
        except (KeyError, IndexError, TypeError, ValueError):
            raise Unknown(f"{promql} gives no number: {str(rows[0])[:160]}") from None
        if not math.isfinite(value):
            raise Unknown(f"{promql} is {value:g}, which is no number to go by")
        return value

    # Placeholders

    def _filled(self, templates: Sequence[str], *, preset: bool = True) -> Sequence[str]:
        query = self.query
        values = {
            "app": query.application,
            "environment": query.environment,
            "version": query.version,
            "window": duration(self.span.seconds),
        }
        names = set().union(*(used(text) for text in templates))
        called = self.options.called(query.slot, preset=preset)
        if "slot" in names:
            names |= {name for name in ("app", "environment", "version") if f"{{{name}}}" in called}
        # An empty label matches every series that lacks it, which are all the others.
        if empty := sorted(name for name in names - {"slot"} if not values[name]):
            raise Unknown(f"nobody knows the {empty[0]} of {query.slot}, which {templates[0]} goes by")
        values["slot"] = plain(called, {**values, "slot": query.slot.value})
        return [fill(text, values) for text in templates]


def _or(texts: Sequence[str]) -> str:
    return " or ".join(texts)


def _listed(rows: Sequence[object]) -> str:
    named = [str(row.get("metric", {})) if isinstance(row, dict) else str(row) for row in rows]
    return ", ".join(named[:5]) + (", …" if len(named) > 5 else "")


def _seconds(moment: datetime) -> float:
    # As exact as Prometheus is, so that windows that touch have one border.
    return round(moment.timestamp(), 3)
