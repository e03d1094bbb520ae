"""The provider `cloudwatch`: what happened in a slot in the whole periods of a window."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar

from attrs import define, field

from uno_aws.session import Aws
from uno_core import ConfigError, Counters, Figures, NoData, Query, Services, Unsupported
from uno_metrics_cloudwatch import alarms, data
from uno_metrics_cloudwatch.data import Asked, Series
from uno_metrics_cloudwatch.figures import BALANCED, Counting, Unknown, value
from uno_metrics_cloudwatch.options import COUNTED, LATENCIES, CloudWatchOptions
from uno_metrics_cloudwatch.places import Places, places
from uno_metrics_cloudwatch.spans import Seams, Span
from uno_metrics_cloudwatch.template import fill

P = ParamSpec("P")
T = TypeVar("T")


class CloudWatchMetrics:
    """Counts of a target group, metrics of one's own, and alarms. Reads only; safe for several threads."""

    def __init__(self, options: CloudWatchOptions, services: Services) -> None:
        """Keep both; do no I/O."""
        self._options = options
        self._services = services
        self._seams = Seams(options.period, options.delay)
        self._known: tuple[Places, Aws] | None = None
        self._guard = threading.Lock()

    def sample(self, query: Query) -> Counters | NoData:
        raise Unsupported("CloudWatch keeps history: it is asked for windows", found=str(query.slot))

    def window(self, query: Query, start: datetime, end: datetime) -> Figures | NoData:
        """What happened in the whole periods of the window, as far as it is known.

        NoData where no period fits, where the last is not complete yet, and where nothing is known.
        Raises UnoError where AWS refused or was not reached, ConfigError where nobody said whose
        requests to count.
        """
        known, aws = self._place()
        look = _Look(self._options, known, aws, query)
        if look.periods:
            whose = (query.application, query.environment, query.slot)
            span = self._seams.span(whose, start, end, self._services.clock.now())
            if isinstance(span, NoData):
                # Alarms too: a window that goes by them alone would be the one that counts for nothing.
                return span
            look.read(span)
        look.alarmed()
        figures = look.figures()
        if figures is None:
            return NoData("; ".join(look.unknown.values()) or "nothing of it was asked")
        for reason in look.unknown.values():
            self._services.logger.warning(
                "CloudWatch knows a part only", slot=str(query.slot), unknown=reason
            )
        return figures

    def assure(self) -> None:
        """Raises ConfigError where there is nothing to count or no such alarm; UnoError as AWS refuses."""
        known, aws = self._place()
        own = bool(self._options.metrics or self._options.alarms)
        if not own:
            known.need()
        if not known.missing or self._options.metrics:
            now = self._services.clock.now().replace(second=0, microsecond=0)
            last = int((now - timedelta(seconds=self._options.delay)).timestamp()) // 60 * 60
            # Whatever it finds: it shows that it may be asked.
            data.ask(
                aws, [Asked(BALANCED, "RequestCount", "Sum")], Span(first=last - 60, last=last, period=60)
            )
        wanted = [name for metric in self._options.alarms for name in self._options.watched(metric)]
        if absent := sorted(set(wanted) - set(alarms.states(aws, wanted))):
            raise ConfigError(
                f"there is no alarm {absent[0]}", found=", ".join(absent), where=aws.where,
                expected="the name of an alarm of CloudWatch, of this account and region",
                remedy="correct `alarms` of the provider cloudwatch, or create the alarm first",
            )  # fmt: skip

    def _place(self) -> tuple[Places, Aws]:
        with self._guard:
            if self._known is None:
                known = places(self._options, self._services.platform_options)
                self._known = known, Aws(known.options, self._services.clock)
            return self._known


@define
class _Look:
    """One window of one slot. unknown: why something cannot be told, by what it is."""

    options: CloudWatchOptions
    places: Places
    aws: Aws
    query: Query
    unknown: dict[str, str] = field(init=False, factory=dict)
    _values: dict[str, float] = field(init=False, factory=dict)
    _counts: tuple[float, float] | None = field(init=False, default=None)

    def wants(self, name: str) -> bool:
        """Whether it is asked for; without any names everything is."""
        return not self.query.metrics or name in self.query.metrics

    @property
    def _latencies(self) -> Mapping[str, str]:
        return {name: statistic for name, statistic in LATENCIES.items() if self.wants(name)}

    @property
    def _counted(self) -> bool:
        return any(map(self.wants, (*COUNTED, *LATENCIES)))

    @property
    def _counting(self) -> Counting | None:
        """None where it is not known whose requests to count."""
        if self.places.missing:
            return None
        return Counting(
            load_balancer=self.places.load_balancer,
            target_group=self.places.target_groups[self.query.slot.value],
        )

    @property
    def periods(self) -> bool:
        """Whether anything is asked that has periods; alarms have none."""
        return self._counting is not None or self._counted or any(map(self.wants, self.options.metrics))

    def read(self, span: Span) -> None:
        """Ask for everything at once. Raises ConfigError where there is nothing that could be asked for."""
        counting, asked = self._counting, self._own()
        if counting is None and self._counted:
            if not (self.options.metrics or self.options.alarms):
                self.places.need()
            self.unknown["requests"] = f"nobody said whose requests to count; {self.places.missing}"
        wanted = list(asked.values())
        if counting is not None:
            wanted += [counting.requests, *counting.failed, *map(counting.latency, self._latencies.values())]
        found = data.ask(self.aws, wanted, span) if wanted else {}
        if counting is not None:
            self._counts = self._known("requests", counting.counts, found, span)
            self._timed(counting, found, span)
        for name, one in asked.items():
            self._keep(name, self._known(name, value, one, found, span))

    def _timed(self, counting: Counting, found: Mapping[Asked, Series], span: Span) -> None:
        if self._counts is None:
            return  # what is not known of the requests covers their latencies
        for name, statistic in self._latencies.items():
            self._keep(name, self._known(name, counting.percentile, statistic, found, span))

    def alarmed(self) -> None:
        """Read the alarms that are asked for, as they stand now."""
        watched = {name: self.options.watched(name) for name in self.options.alarms if self.wants(name)}
        if not watched:
            return
        known = alarms.states(self.aws, [name for several in watched.values() for name in several])
        for name, several in watched.items():
            told = alarms.burning(several, known)
            if isinstance(told, str):
                self.unknown[name] = told
            else:
                self._values[name] = told

    def figures(self) -> Figures | None:
        """All that is known; None where that is nothing."""
        if self._counts is None and not self._values:
            return None
        requests, errors = self._counts or (0.0, 0.0)
        return Figures(requests=requests, errors=errors, values=self._values, unknown=self.unknown)

    def _own(self) -> Mapping[str, Asked]:
        """Metrics of one's own that are asked for, with what their dimensions stand for."""
        wanted = {name: one for name, one in self.options.metrics.items() if self.wants(name)}
        standing = {
            "slot": self.query.slot.value,
            "version": self.query.version,
            "app": self.query.application,
            "environment": self.query.environment,
            "load_balancer": self.places.load_balancer,
            "target_group": self.places.target_groups.get(self.query.slot.value, ""),
        }
        asked = {}
        for name, one in wanted.items():
            try:
                filled = sorted((key, fill(text, standing)) for key, text in one.dimensions.items())
            except ValueError as why:
                self.unknown[name] = str(why)
                continue
            asked[name] = Asked(one.namespace, one.metric, one.statistic, tuple(filled))
        return asked

    def _keep(self, name: str, told: float | None) -> None:
        if told is not None:
            self._values[name] = told

    def _known(self, name: str, read: Callable[P, T], *args: P.args, **more: P.kwargs) -> T | None:
        """What is read, or None where it is unknown; the reason is kept under the name."""
        try:
            return read(*args, **more)
        except Unknown as why:
            self.unknown[name] = str(why)
            return None
