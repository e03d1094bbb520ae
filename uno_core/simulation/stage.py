"""A whole simulated deployment on one stage: clock, platform, journal, engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import define, evolve, field, frozen

from uno_core.analysis.evidence import Evidence
from uno_core.analysis.measuring import Metric
from uno_core.analysis.source import Source
from uno_core.analysis.windows import Watcher
from uno_core.contracts.engine import Order, Outcome
from uno_core.contracts.health import HealthCheck
from uno_core.contracts.judge import Judge, Window
from uno_core.contracts.metrics import Counters, Figures, MetricProvider, NoData, Query
from uno_core.contracts.services import Services
from uno_core.contracts.state import Driver, StateStore
from uno_core.contracts.strategy import DeploymentStrategy
from uno_core.effects.unrouted import Unrouted
from uno_core.effects.world import Policy, Watched, World
from uno_core.engine.attention import Ears
from uno_core.engine.embedded import Embedded
from uno_core.errors import ConfigError, Unsupported
from uno_core.journal.memory import MemoryStore
from uno_core.model import Application, Bounds, Decision, Finding, Json, Kind, Release, Secret, Slot, Verdict
from uno_core.simulation.clock import VirtualClock
from uno_core.simulation.commands import Stagehands
from uno_core.simulation.platform import Rules, SimulatedPlatform

SHOP = Application(name="shop", environment="test", kind=Kind.TESTING)


class Silent:
    """A logger that keeps quiet."""

    def debug(self, event: str, **values: Any) -> None: ...
    def info(self, event: str, **values: Any) -> None: ...
    def warning(self, event: str, **values: Any) -> None: ...
    def error(self, event: str, **values: Any) -> None: ...
    def bind(self, **_: Any) -> Silent:
        return self


class NoSecrets:
    """There are no secrets on a stage."""

    def reveal(self, secret: Secret) -> str:
        raise ConfigError("there are no secrets in a simulation", found=secret.reference)


NOBODY = Driver(host="stage", pid=1, started="", user="nobody")
"""Who drives on a stage, unless somebody else is named."""


class Willing(Ears):
    """Promotes at every gate, as the plan assumes."""

    def decision(self, since: datetime | None = None) -> Decision | None:  # noqa: ARG002 - always willing
        return Decision(promoted=True, by="the plan", at=None)


@frozen(kw_only=True)
class Event:
    """Something that happened on the stage, so many seconds after its beginning."""

    at: float
    kind: str
    data: Mapping[str, Json]


class FiguresNow:
    """A metric provider whose figures a test writes down: per slot, so many a second."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.rates: dict[Slot, Figures | Exception] = {}

    def window(self, query: Query, start: Any, end: Any) -> Figures | NoData:
        rate = self.rates.get(query.slot)
        if isinstance(rate, Exception):
            raise rate
        seconds = (end - start).total_seconds()
        if rate is None or not rate.requests or not seconds:
            return NoData(f"no requests reached {query.slot}")
        return Figures(
            requests=rate.requests * seconds,
            errors=rate.errors * seconds,
            latency={edge: n * seconds for edge, n in rate.latency.items()},
            values=rate.values,
        )

    def sample(self, query: Query) -> Counters | NoData:
        raise Unsupported("this provider keeps history", expected="window", where=query.slot.value)


class Assumed:
    """A judge that passes everything: what a plan assumes."""

    def judge(self, windows: Sequence[Window], bounds: Mapping[str, Bounds]) -> Sequence[Finding]:
        seconds = (windows[-1].end - windows[0].start).total_seconds() if windows else 0.0
        return [
            Finding(verdict=Verdict.PASS, metric=m, reason=f"{m}: assumed", numbers={"seconds": seconds})
            for m in bounds
        ]


@define
class Stage:
    """Build it, put a release live, deploy, and look at what happened.

    `provider` and `judge` give evidence wherever thresholds are asked for; without them the plan's
    assumption holds. `health` stands for every health check.
    """

    rules: Rules = field(factory=Rules)
    policy: Policy = field(factory=Policy)
    application: Application = SHOP
    health: Callable[[str | None], HealthCheck | None] = lambda _: None
    judge: Judge = field(factory=Assumed)
    provider: MetricProvider | None = None
    store: StateStore = field(factory=MemoryStore)
    willing: bool = True
    dry: bool = False
    clock: VirtualClock = field(factory=VirtualClock, kw_only=True)
    commands: Stagehands = field(init=False)
    platform: SimulatedPlatform = field(init=False)
    world: World = field(init=False)
    events: list[Event] = field(init=False, factory=list)
    react: Callable[[Event], None] = lambda _: None

    def __attrs_post_init__(self) -> None:
        services = Services(
            application=self.application,
            logger=Silent(),
            clock=self.clock,
            state_dir=Path(),
            secrets=NoSecrets(),
        )
        self.platform = SimulatedPlatform(self.rules, services)
        self.commands = Stagehands(self.clock)
        self.world = World(
            application=self.application,
            workload=self.platform.workload,
            router=self.platform.router
            if self.rules.capabilities.routed
            else Unrouted(self.platform.workload),
            platforms=(self.platform,),
            capabilities=self.rules.capabilities,
            clock=self.clock,
            logger=services.logger,
            checks=self.health,
            look=self._look,
            policy=self.policy,
            companions=self.platform.companions,
            commands=self.commands,
            dry=self.dry,
        )

    def _look(self, watched: Watched) -> Evidence | None:
        if watched.thresholds is None:
            return None
        provider = self.provider
        if provider is None:
            provider = FiguresNow(self.clock)
            provider.rates = {s: Figures(requests=100.0) for s in Slot}
        query = Query(
            application=self.application.name,
            environment=self.application.environment,
            slot=watched.slot,
            metrics=tuple(watched.thresholds),
        )
        watcher = Watcher(
            provider,
            history=True,
            queries={slot: evolve(query, slot=slot) for slot in Slot},
            slot=watched.slot,
            stable=watched.stable,
            share=None,
            since=self.clock.now(),
        )
        source = Source(
            key="simulation",
            name="simulation",
            watcher=watcher,
            clock=self.clock,
            logger=Silent(),
            step=self.policy.look_every if math.isfinite(self.policy.look_every) else 0.0,
        )
        metrics = [
            Metric(name=name, bounds=bounds, source=source, judge=self.judge)
            for name, bounds in watched.thresholds.items()
        ]
        return Evidence([source], metrics, self.clock)

    def engine(self) -> Embedded:
        """An engine on this stage; events are kept, and handed to `react`."""
        return Embedded(
            store=self.store,
            world=self.world,
            listener=self._hear,
            owner=NOBODY,
            hearing=Willing.listening if self.willing else Ears.listening,
        )

    def _hear(self, kind: str, data: Mapping[str, Json]) -> None:
        event = Event(at=self.clock.monotonic(), kind=kind, data=data)
        self.events.append(event)
        self.react(event)

    def order(
        self, strategy: DeploymentStrategy[Any], version: str, options: Any = None, **more: Any
    ) -> Order:
        """An order for a version of the stage's application."""
        release = self.world.workload.resolve(Release(version))
        return Order(
            application=self.application,
            release=release,
            strategy_name=strategy.name or type(strategy).__name__,
            strategy=strategy,
            options={} if options is None else options,
            **more,
        )

    def deploy(
        self, strategy: DeploymentStrategy[Any], version: str, options: Any = None, **more: Any
    ) -> Outcome:
        """Deploy a version with a strategy, from beginning to end."""
        return self.engine().deploy(self.order(strategy, version, options, **more))

    def live(self, version: str) -> Release:
        """Put a version live in blue, whole and ready, as if it had always been there."""
        release = self.world.workload.resolve(Release(version))
        rules = self.rules
        self.platform.workload.converge(Slot.BLUE, {release: rules.size})
        self.clock.sleep(rules.start)
        self.platform.router.write({Slot.BLUE: 100.0, Slot.GREEN: 0.0}, None)
        self.clock.sleep(rules.propagation)
        return release

    def happened(self, kind: str) -> Sequence[Event]:
        """The events of one kind, in order."""
        return [event for event in self.events if event.kind == kind]
