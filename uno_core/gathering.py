"""What evidence is gathered with: the metric providers and judges that a configuration names.

A metric is measured by the first provider that knows it, `metrics:` before `more_metrics:`, and judged
by `judge:`. Where a provider counts per slot, a judge that compares the slots stands beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from attrs import define, evolve, field, frozen

from uno_core.analysis.before import Before
from uno_core.analysis.evidence import Evidence
from uno_core.analysis.measuring import Metric
from uno_core.analysis.source import Source
from uno_core.analysis.windows import Watcher, sound
from uno_core.config import sections
from uno_core.config.document import Choice, Config
from uno_core.config.mistakes import nearest
from uno_core.contracts.judge import Foreseeing, Judge, JudgeInfo, Traffic
from uno_core.contracts.metrics import (
    Assuring,
    Counters,
    Figures,
    MetricProvider,
    MetricProviderInfo,
    NoData,
    Query,
    Reads,
)
from uno_core.contracts.services import Services
from uno_core.effects.world import Watched
from uno_core.errors import ConfigError
from uno_core.model import Bounds, Compare, Slot
from uno_core.registry import Registry

BY_BOUNDS = "threshold"
"""The judge of bounds where none is named."""

BESIDE = "sequential"
"""The judge that compares, wherever it is installed and nothing else is said: silent with too little data."""

LATELY = 600.0
"""Seconds of traffic by which it is foreseen what would be caught."""

BASELINE = 180
"""Windows of the stable slot that are asked of a provider with a memory, from before the deployment.

Three hours, at a minute each: with less, errors that come in bursts are taken for a regression more often.
"""


@frozen(kw_only=True)
class Provided:
    """A configured metric provider. key: tells it apart from another of the same name."""

    key: str
    info: MetricProviderInfo
    provider: MetricProvider
    reads: Reads


@frozen(kw_only=True)
class Comparing:
    """A judge that compares the slots. quiet: nobody asked for it, so that too little data is no matter."""

    name: str
    judge: Judge
    quiet: bool


@frozen
class InPlaces:
    """One metric provider for the platform of each slot, where they are two, each for its own slot."""

    providers: Mapping[Slot, MetricProvider]

    def window(self, query: Query, start: datetime, end: datetime) -> Figures | NoData:
        """What happened in the window, in the place of the slot."""
        return self.providers[query.slot].window(query, start, end)

    def sample(self, query: Query) -> Counters | NoData:
        """What was counted up to now, in the place of the slot."""
        return self.providers[query.slot].sample(query)

    def assure(self) -> None:
        """Raises UnoError where one of them could measure nothing."""
        for one in self.providers.values():
            if isinstance(one, Assuring):
                one.assure()


@define(slots=False)
class Gathering:
    """Providers and judges of one configuration, each made when it is first needed.

    own: the name of the platform's own metric provider; empty where it has none. places: the options of the
    platform of each slot, where they are two.
    """

    config: Config
    registry: Registry
    services: Services
    own: str
    places: Mapping[Slot, Any] = field(factory=dict)

    @cached_property
    def providers(self) -> Sequence[Provided]:
        """Every provider, the first one first. Raises ConfigError, and PluginError that names its plugin."""
        first = self.config.metrics or (Choice(name=self.own) if self.own else None)
        named = [
            *([("metrics", first)] if first else []),
            *((c.options.path, c) for c in self.config.more_metrics),
        ]
        return [self._provided(key, choice) for key, choice in named]

    def _provided(self, key: str, choice: Choice) -> Provided:
        info = self.registry.find(MetricProviderInfo, choice.name, where=choice.where)
        options = sections.choice_options(choice, info, self.registry)
        around = {slot: evolve(self.services, platform_options=one) for slot, one in self.places.items()}
        made: MetricProvider = (
            InPlaces({slot: self.registry.build(info, options, one) for slot, one in around.items()})
            if around
            else self.registry.build(info, options, self.services)
        )
        return Provided(key=key, info=info, provider=made, reads=info.reads(options))

    def measures(self, metric: str, bounds: Bounds, where: str = "") -> Provided:
        """Who measures a metric. Raises ConfigError where nobody does."""
        if not self.providers:
            raise ConfigError(
                "there are thresholds, but nothing to measure with", found=metric,
                expected="a metric provider", where=where, remedy="`metrics: NAME` in the configuration",
            )  # fmt: skip
        asked = [one for one in self.providers if bounds.provider in ("", one.info.name)]
        if not asked:
            names = [one.info.name for one in self.providers]
            raise ConfigError(
                f"{metric} is to be measured by a provider that is not configured", found=bounds.provider,
                expected="one of " + ", ".join(names), where=where,
                remedy=nearest(bounds.provider, names) or "name it under `more_metrics`",
            )  # fmt: skip
        for provided in (*(one for one in asked if one.reads.names), *asked):
            if provided.reads.knows(metric):
                return provided
        known = sorted({name for one in asked for name in one.reads.names})
        raise ConfigError(
            f"{' and '.join(one.info.name for one in asked)} gives no metric {metric}", found=metric,
            expected="one of " + ", ".join(known), where=where, remedy=nearest(metric, known),
        )  # fmt: skip

    @cached_property
    def judge(self) -> Judge:
        """Who judges bounds."""
        named = self.config.judge
        if named is None or self._info(named).compares:
            named = Choice(name=BY_BOUNDS)
        return self._judge(named)

    @cached_property
    def comparing(self) -> Sequence[Comparing]:
        """The judges that compare. Raises ConfigError for one that does not."""
        named = self.config.judge
        asked = [named] if named is not None and self._info(named).compares else []
        if self.config.more_judges is not None:
            asked += self.config.more_judges
        elif not asked and BESIDE in self.registry.infos(JudgeInfo):
            return [Comparing(name=BESIDE, judge=self._judge(Choice(name=BESIDE)), quiet=True)]
        for choice in asked:
            if not self._info(choice).compares:
                raise ConfigError(
                    f"{choice.name} judges bounds, and does not compare the slots", found=choice.name,
                    expected="a judge that compares, such as sequential", where=choice.where,
                    remedy=f"write judge: {choice.name}",
                )  # fmt: skip
        return [Comparing(name=c.name, judge=self._judge(c), quiet=False) for c in asked]

    def _info(self, choice: Choice) -> JudgeInfo:
        return self.registry.find(JudgeInfo, choice.name, where=choice.where)

    def _judge(self, choice: Choice) -> Judge:
        info = self._info(choice)
        options = sections.choice_options(choice, info, self.registry)
        made: Judge = self.registry.build(info, options, self.services)
        return made

    @property
    def counting(self) -> Provided | None:
        """The first provider that counts per slot."""
        return next((one for one in self.providers if one.reads.counts), None)

    @property
    def compares(self) -> bool:
        """Whether slots are compared at all: there is a judge for that, and counts of both."""
        return self.counting is not None and bool(self.comparing)

    def compared(self) -> str:
        """What is compared by default though nobody asked for it, for plans; empty where nothing is."""
        counting = self.counting
        told = [one.name for one in self.comparing if one.quiet]
        if counting is None or not told:
            return ""
        return (
            f"{counting.info.name} counts per slot, so {told[0]} compares the new release with the old one"
            " too, silent with too little data (`more_judges: []` leaves it out)"
        )

    def foreseen(self, slot: Slot, version: str, shares: Sequence[float], interval: float) -> Sequence[str]:
        """What the judges that compare would catch at the traffic of now, in words.

        Empty where nobody knows the traffic: a provider without history, or one that has no answer.
        """
        counting = self.counting
        told = [one.judge for one in self.comparing if isinstance(one.judge, Foreseeing)]
        if counting is None or not counting.info.history or not told or not shares:
            return ()
        end = self.services.clock.now() - timedelta(seconds=counting.reads.lag)
        query = evolve(self._query(slot, version), metrics=("error_rate",))
        try:
            seen = counting.provider.window(query, end - timedelta(seconds=LATELY), end)
        except Exception as problem:  # noqa: BLE001 - a provider is a plugin, and a plan goes without it
            self.services.logger.warning("the traffic is not known", problem=str(problem))
            return ()
        if not isinstance(seen, Figures) or sound(seen).counts or not seen.requests:
            return ()
        traffic = Traffic(
            rps=seen.requests / LATELY,
            # Half an error more: nobody never fails.
            error_rate=min(0.5, (seen.errors + 0.5) / (seen.requests + 1)),
            shares=shares,
            interval=interval,
            window=self._step(counting),
        )
        return [line for judge in told for line in judge.foresee(traffic)]

    # Looking

    def look(self, watched: Watched) -> Evidence | None:
        """Begin to gather evidence; None where nothing is measured."""
        thresholds = watched.thresholds or {}
        measured = {name: self.measures(name, bounds) for name, bounds in thresholds.items()}
        # Without traffic there is nothing to compare yet.
        compared = watched.stable and self.counting and watched.share != 0.0
        comparing = self.comparing if compared else ()
        keys = {by.key: by for by in (*measured.values(), *([self.counting] if comparing else [])) if by}
        sources = {
            key: self._source(by, watched, [m for m, one in measured.items() if one is by], bool(comparing))
            for key, by in keys.items()
        }
        metrics = [
            Metric(name=name, bounds=bounds, source=sources[measured[name].key], judge=self.judge)
            for name, bounds in thresholds.items()
        ]
        for one in comparing:
            source = sources[self.counting.key]  # type: ignore[union-attr]  # asked above
            metrics.append(
                Metric(
                    name=one.name,
                    bounds=Bounds(),
                    source=source,
                    judge=one.judge,
                    compares=True,
                    quiet=one.quiet,
                )
            )
        return Evidence(tuple(sources.values()), metrics, self.services.clock) if metrics else None

    def before(self, slot: Slot, version: str) -> Before | None:
        """Begin to see what the stable slot does, where its provider keeps no history of that."""
        counting = self.counting
        if counting is None or counting.info.history:
            return None
        query = evolve(self._query(slot, version), metrics=("error_rate",))
        clock = self.services.clock
        return Before(counting.provider, query, clock, self._step(counting))

    def _source(self, provided: Provided, watched: Watched, asked: Sequence[str], comparing: bool) -> Source:
        clock, thresholds = self.services.clock, watched.thresholds or {}
        compares = comparing or any(thresholds[one].compare is not Compare.VALUE for one in asked)
        if comparing and provided.reads.counts:
            more = ["error_rate", *(["latency_p95"] if provided.reads.latency else [])]
            asked = list(dict.fromkeys([*asked, *more]))
        slots = [watched.slot, *([watched.stable] if watched.stable else [])]
        queries = {
            slot: evolve(self._query(slot, watched.versions.get(slot, "")), metrics=tuple(asked))
            for slot in slots
        }
        watcher = Watcher(
            provided.provider,
            history=provided.info.history,
            queries=queries,
            slot=watched.slot,
            stable=watched.stable,
            share=watched.share,
            since=clock.now(),
        )
        return Source(
            key=provided.key,
            name=provided.info.name,
            watcher=watcher,
            clock=clock,
            logger=self.services.logger,
            step=self._step(provided),
            lag=provided.reads.lag,
            counts=provided.reads.counts,
            before=BASELINE if compares and provided.reads.counts else 0,
        )

    def _step(self, provided: Provided) -> float:
        return max(self.config.settings.look_every, provided.reads.shortest)

    def _query(self, slot: Slot, version: str) -> Query:
        application = self.config.application
        return Query(
            application=application.name, environment=application.environment, slot=slot, version=version
        )
