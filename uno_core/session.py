"""What can be done with a configuration: plan, deploy, roll back, look at, speak to what runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
from attrs import define, evolve, field, frozen

from uno_core.assembly import Assembly
from uno_core.config import sections
from uno_core.config.mistakes import nearest
from uno_core.context import Context
from uno_core.contracts.services import Info
from uno_core.contracts.strategy import DeploymentStrategy, StrategyInfo
from uno_core.engine.embedded import Embedded
from uno_core.engine.order import Listener, Order, Outcome, nobody
from uno_core.errors import ConfigError, StateError, Unsettled
from uno_core.journal.lock import FileLock
from uno_core.journal.records import Mark, Record
from uno_core.model import Bounds, DeploymentResult, Json, Release, Slot, Status
from uno_core.planning import Choice, Plan, already, choose, plan
from uno_core.wire import from_json, to_json


@frozen(kw_only=True)
class Target:
    """What a deployment would be made of: all of it read and checked, nothing touched."""

    choice: Choice
    strategy: DeploymentStrategy[Any]
    options: Any
    release: Release


class Restoring(DeploymentStrategy[Any]):
    """The way back of every strategy, where the one that deployed cannot be had any more."""

    def deploy(self, context: Context[Any]) -> DeploymentResult:  # noqa: ARG002 - nothing is deployed with it
        return DeploymentResult(False, "only the way back is left of this strategy")


@define(slots=False)
class Session(Assembly):
    """One application in one environment. `engine` is there while a deployment is driven."""

    listener: Listener = nobody
    engine: Embedded | None = field(init=False, default=None)

    def target(self) -> Target:
        """Everything that a deployment needs, read and checked. Raises ConfigError and PluginError."""
        wanted = self.config.release
        if not wanted.version:
            raise ConfigError(
                "no version is named",
                where=str(self.config.file or "the command line"),
                remedy="--version VERSION, or `release: {version: …}` in the configuration",
            )
        choice = self.choose()
        options = sections.strategy_options(self.config, choice.info, self.registry)
        self._check_thresholds(choice.info, options)
        for url in _urls(options):
            self.check(url)
        self.check(None)
        strategy = self.registry.strategy(choice.info, options, self.logger)
        release = self.world.workload.resolve(Release(wanted.version, wanted.image))
        return Target(choice=choice, strategy=strategy, options=options, release=release)

    def choose(self) -> Choice:
        """The strategy, and why it is this one."""
        infos = dict(self.registry.infos(StrategyInfo))
        self._check_sections(list(infos))
        asked = self.config.strategy
        where = self.config.where("strategy")
        if asked:
            infos[asked] = self.registry.find(StrategyInfo, asked, where=where)
        judged = (
            not asked
            and self.provider is not None
            and any(
                _thresholds(sections.strategy_options(self.config, info, self.registry))
                for info in infos.values()
                if "weights" in info.needs
            )
        )
        return choose(
            infos,
            asked=asked,
            asked_where=where,
            application=self.config.application,
            capabilities=self.world.capabilities,
            evidence=judged,
        )

    def _check_sections(self, installed: Sequence[str]) -> None:
        """A misspelt name under `strategies` would silently drop the options that stand below it."""
        for name in self.config.strategies:
            if name not in installed and name != self.config.strategy and (near := nearest(name, installed)):
                raise ConfigError(
                    f"there is no strategy {name}",
                    found=f"strategies.{name}",
                    expected="one of " + ", ".join(installed),
                    where=self.config.where(f"strategies.{name}"),
                    remedy=near,
                )

    def _check_thresholds(self, info: StrategyInfo, options: Any) -> None:
        metrics = [metric for bounds in _thresholds(options) for metric in bounds]
        if not metrics:
            return
        where = f"strategies.{info.name}.metrics_threshold"
        if self.provider is None:
            raise ConfigError(
                "there are thresholds, but nothing to measure with",
                found=", ".join(metrics),
                expected="a metric provider",
                where=where,
                remedy="`metrics: NAME` in the configuration",
            )
        gives = self.provider[0].gives
        for metric in metrics:
            if gives and metric not in gives and not metric.startswith("latency_p"):
                raise ConfigError(
                    f"{self.provider[0].name} gives no metric {metric}",
                    found=metric,
                    expected="one of " + ", ".join(sorted(gives)),
                    where=where,
                    remedy=nearest(metric, gives),
                )

    def plan(self, target: Target | None = None) -> Plan:
        """What a deployment would do. Writes nothing.

        Raises what the deployment would be refused for: ConfigError, Unsupported, Unsettled.
        """
        target = target or self.target()
        info, options = target.choice.info, target.options
        return plan(
            application=self.config.application,
            choice=target.choice,
            # One of its own: what a strategy keeps in itself must not come from a rehearsal.
            strategy=self.registry.strategy(info, options, self.logger),
            options=options,
            release=target.release,
            snapshot=self.world.observe(),
            capabilities=self.world.capabilities,
            warnings=list(self.warnings(target)),
        )

    def warnings(self, target: Target) -> Iterator[str]:
        """What a person should know before this is deployed, though nothing forbids it."""
        if not any(_thresholds(target.options)):
            yield "no metric is looked at: waits are timed, and only health is watched"
        if self.config.health is None and not list(_urls(target.options)):
            yield "no health check is configured: an instance counts as healthy when it is ready"
        if target.choice.info.outage:
            yield "an outage: the old release stops before the new one starts"

    def deploy(
        self, reason: str = "", target: Target | None = None, *, stable: Slot | None = None
    ) -> Outcome:
        """Deploy what is configured; `target` where that was read already.

        `stable` names the slot that counts as live where the world is not settled. Raises before
        anything is touched; afterwards every end is an Outcome.
        """
        target = target or self.target()
        if stable is None:
            # A rehearsal: what cannot work here is refused before anything is touched.
            try:
                self.plan(target)
            except Unsettled:
                pass  # the engine says so itself, once it knows that nobody else is at work
        order = evolve(self._order(target, reason), stable=stable)
        self.engine = Embedded(
            journal=self.journal, world=self.world, locks=self.locks, listener=self.listener
        )

        return self.engine.deploy(order, already=lambda now: already(now, target.release))

    def _order(self, target: Target, reason: str) -> Order:
        options = target.options
        written: Json = to_json(options) if attrs.has(type(options)) else dict(options)
        return Order(
            application=self.config.application,
            release=target.release,
            strategy_name=target.choice.info.name,
            strategy=target.strategy,
            options=options,
            written=written if isinstance(written, Mapping) else {},
            outage=target.choice.info.outage,
            plugins=self._plugins(target.choice.info),
            reason=reason,
        )

    def _plugins(self, strategy: StrategyInfo) -> Mapping[str, str]:
        infos: list[Info] = [strategy, self.platform_info]
        if self.provider is not None:
            infos.append(self.provider[0])
        return {info.name: self.registry.provider(info) for info in infos}

    def last(self) -> Record:
        """The application's last deployment. Raises ConfigError where there is none."""
        records = self.history()
        application = self.config.application
        if not records:
            raise ConfigError(
                f"{application.name} was never deployed in {application.environment}",
                where=str(self.state_dir),
                remedy="uno deploy",
            )
        return records[0]

    def history(self, limit: int = 1000) -> Sequence[Record]:
        """The deployments of the application, the newest first; empty where there is no journal."""
        if not (self.state_dir / "journal.db").exists():
            return ()
        application = self.config.application
        return self.journal.list(
            application=application.name, environment=application.environment, limit=limit
        )

    def driven(self) -> bool:
        """Whether a living process drives a deployment of the application now."""
        return FileLock(self.locks / f"{self.config.application.key}.lock").held()

    def rollback(self, why: str) -> Outcome:
        """Take the last deployment back to what served before it.

        An attempt that was rolled back by itself is passed over. Raises ConfigError where the last
        one was taken back already, or none ever changed anything.
        """
        record = self._to_take_back()
        if record.status in (Status.ROLLED_BACK, Status.FAILED):
            raise ConfigError(
                f"there is nothing to take back: {record.id} ended {record.status.value}",
                found=record.message,
                remedy="uno history shows all deployments; deploy the version that you want",
            )
        try:
            target = self._recorded(record)
        except Exception as problem:  # noqa: BLE001 - the way back must not need what may be broken
            self.logger.warning(
                "the strategy's own way back cannot be used: what was there before is restored",
                strategy=record.strategy,
                problem=str(problem),
            )
            target = self._plain(record)
        self.engine = Embedded(
            journal=self.journal, world=self.world, locks=self.locks, listener=self.listener
        )
        return self.engine.rollback(self._order(target, why), record, why)

    def _to_take_back(self) -> Record:
        """The newest deployment that took effect: attempts that failed by themselves are passed over.

        One that a person took back already is not: going back twice by mistake must not go two back.
        """
        newest = self.last()
        for record in self.history():
            entries = self.journal.entries(record.id, "deploy")
            served = any(
                e.op in ("verify", "promoted") and e.mark is Mark.RESULT and e.error is None for e in entries
            )
            if served or not record.status.final or record.status not in (Status.ROLLED_BACK, Status.FAILED):
                return record
        return newest

    def _recorded(self, record: Record) -> Target:
        """What made a deployment: its strategy, with the options that it had."""
        info = self.registry.find(StrategyInfo, record.strategy, where=record.id)
        options = self._recorded_options(info, record)
        return Target(
            choice=Choice(info=info, why=f"made {record.id}"),
            strategy=self.registry.strategy(info, options, self.logger),
            options=options,
            release=from_json(record.params["release"], Release),
        )

    def _plain(self, record: Record) -> Target:
        """The same without the strategy's plugin, which is gone, broken, or takes other options now."""
        outage = bool(record.params.get("outage"))
        info = StrategyInfo(name=record.strategy, summary="restores", load=lambda: Restoring, outage=outage)
        return Target(
            choice=Choice(info=info, why=f"made {record.id}"),
            strategy=Restoring(record.strategy, self.logger),
            options=record.params["options"],
            release=from_json(record.params["release"], Release),
        )

    def _recorded_options(self, info: StrategyInfo, record: Record) -> Any:
        """The options that the deployment had, not those of the configuration of today."""
        declared = self.registry.options(info)
        written: Any = record.params["options"]
        return written if declared is None else from_json(written, declared)

    def signal(self, kind: str, payload: Mapping[str, Json], by: str) -> tuple[Record, int]:
        """Leave a word for the driver of the running deployment.

        Raises StateError where nobody drives one.
        """
        record = self.last()
        if record.status.final or not self.driven():
            raise StateError(
                f"no deployment of {record.application} is under way",
                found=f"{record.id} is {record.status.value}"
                + ("" if record.status.final else ", and nobody drives it"),
                remedy="uno rollback takes the last one back"
                if kind == "abort" or not record.status.final
                else "uno deploy begins one",
            )
        return record, self.journal.signal(record.id, kind, payload, by=by, at=self.clock.now())


def _values(options: Any) -> Iterator[tuple[str, Any]]:
    if attrs.has(type(options)):
        yield from attrs.asdict(options, recurse=False).items()
    elif isinstance(options, Mapping):
        yield from options.items()


def _thresholds(options: Any) -> Sequence[Mapping[str, Bounds]]:
    """Every mapping of bounds among the options, whatever it is called."""
    return [
        value
        for _, value in _values(options)
        if isinstance(value, Mapping) and value and all(isinstance(b, Bounds) for b in value.values())
    ]


def _urls(options: Any) -> Iterator[str]:
    """The URLs of health checks among the options."""
    for name, value in _values(options):
        if name == "health_check_url" and isinstance(value, str) and value:
            yield value
