"""What can be done with a configuration: plan, deploy, roll back, look at, speak to what runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import attrs
from attrs import define, evolve, field, frozen

from uno_core.assembly import Assembly
from uno_core.config import sections
from uno_core.config.mistakes import nearest
from uno_core.context import Context
from uno_core.contracts.engine import EXIT_CODES, Listener, Order, Outcome, nobody
from uno_core.contracts.services import Info
from uno_core.contracts.state import Lease, Record, StateStore
from uno_core.contracts.strategy import DeploymentStrategy, StrategyInfo
from uno_core.engine.attention import Ears
from uno_core.engine.embedded import Embedded
from uno_core.engine.port import Driving, Engine
from uno_core.engine.recorded import Recorded
from uno_core.engine.tenure import Tenure, next_turn
from uno_core.errors import ConfigError, Locked, StateError, UnoError, Unsettled
from uno_core.journal.lock import describe, this_process, who
from uno_core.model import Bounds, DeploymentResult, Json, Release, Slot, Snapshot, Status
from uno_core.planning import Agreed, Choice, Plan, UnderWay, already, basis, choose, plan, refused, seen
from uno_core.wire import from_json, to_json

ANSWER = 5.0
"""Seconds that a driver has to answer before it is said not to."""

RESERVED = 3600.0
"""Seconds for which the next turn is reserved at the longest, where a reservation expires at all."""


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
    """One application in one environment. `ears` are there while a deployment is driven here."""

    listener: Listener = nobody
    ears: Ears | None = field(init=False, default=None)

    def target(self, plan: Agreed | None = None) -> Target:
        """Everything that a deployment needs, read and checked. Raises ConfigError and PluginError.

        plan: names the version where nothing else does.
        """
        wanted = self.config.release
        version = wanted.version or (plan.version if plan else "")
        if not version:
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
        release = self.world.workload.resolve(Release(version, wanted.image))
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
        warnings = list(self.warnings(target))
        under_way: UnderWay | None = None
        try:
            under_way = self.under_way()
        except UnoError as problem:  # a plan needs no journal: it only says more where there is one
            warnings.append(f"whether a deployment is under way could not be seen: {problem.message}")
        try:
            return self._rehearse(target, self.world.observe(), warnings=warnings, under_way=under_way)
        except Unsettled as problem:
            if under_way is None:
                raise
            raise refused(problem, under_way) from problem

    def under_way(self) -> UnderWay | None:
        """The deployment of the application that has not ended, and who drives it; None where none is."""
        records = self.history(limit=1)
        if not records or records[0].status.final:
            return None
        record = records[0]
        return UnderWay(
            id=record.id,
            version=record.version,
            status=record.status.value,
            driver=describe(record.driver) if record.driver else "",
            driver_alive=self.driven(),
        )

    def _rehearse(self, target: Target, snapshot: Snapshot, **more: Any) -> Plan:
        info, options = target.choice.info, target.options
        return plan(
            application=self.config.application,
            choice=target.choice,
            # One of its own: what a strategy keeps in itself must not come from a rehearsal.
            make=lambda: self.registry.strategy(info, options, self.logger),
            options=options,
            release=target.release,
            snapshot=snapshot,
            capabilities=self.world.capabilities,
            policy=self.world.policy,
            made_from={**self._basis(target), "world": seen(snapshot)},
            **more,
        )

    def _basis(self, target: Target) -> Mapping[str, Json]:
        return basis(
            application=self.config.application,
            release=target.release,
            strategy=target.choice.info.name,
            options=_written(target.options),
            plugins=self._plugins(target.choice.info),
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
        self,
        reason: str = "",
        target: Target | None = None,
        *,
        stable: Slot | None = None,
        patient: bool = True,
        supersede: bool = False,
        plan: Agreed | None = None,
    ) -> Outcome:
        """Deploy what is configured; `target` where that was read already.

        stable: the slot that counts as live where the world is not settled. patient: whether gates
        are waited at. supersede: what is under way goes back first, and nobody slips in between.
        plan: what this has to be; StalePlan is raised where it is another by now.
        Raises before anything is touched; afterwards every end is an Outcome.
        """
        target = target or self.target()
        if plan is not None:
            plan.check_asked(self._basis(target))

        def nothing_to_do(now: Snapshot) -> bool:
            # The deployment's own first look, under its lock: the world that it really begins from.
            if plan is not None:
                plan.check_world(now)
            return already(now, target.release)

        with self._next_turn() if supersede else nullcontext():
            if supersede:
                self._end_what_runs(target)
            if stable is None:
                # A rehearsal: what cannot work here is refused before anything is touched.
                try:
                    self._rehearse(target, self.world.observe(), measure=False)
                except Unsettled:
                    pass  # the engine says so itself, once it knows that nobody else is at work
            order = evolve(self._order(target, reason), stable=stable)
            return self._driving(patient=patient).deploy(order, already=nothing_to_do)

    def _driving(self, *, patient: bool = True) -> Driving:
        def hearing(store: StateStore, deployment: str, tenure: Tenure) -> Ears:
            self.ears = Ears(store, deployment, tenure=tenure, patient=patient)
            return self.ears

        engine: Engine = self.registry.build(self.engine_info, self.engine_options, self.services)
        return engine.driving(self.world, self.store, self.listener, hearing)

    @contextmanager
    def _next_turn(self) -> Iterator[None]:
        """Reserve the next turn, so that nobody begins between the end of what runs and us."""
        key = next_turn(self.config.application.key)
        lease = self.store.acquire(key, this_process(), ttl=RESERVED)
        try:
            yield
        finally:
            self.store.release(lease)

    def _end_what_runs(self, target: Target) -> None:
        """Have the deployment under way go back; raises Locked unless it is back afterwards."""
        records = self.history(limit=1)
        if not records or records[0].status.final:
            return
        record = records[0]
        why = f"superseded by {target.release.version}"
        outcome = self.take_back(record, why)
        if outcome.status not in (Status.ROLLED_BACK, Status.FAILED):
            raise Locked(
                f"{record.id} did not go back: {target.release.version} is not deployed",
                found=f"it is {outcome.status.value}: {outcome.message}",
                expected=f"it is {Status.ROLLED_BACK.value}",
                remedy="uno status shows what serves; uno rollback tries again",
            )

    def _order(self, target: Target, reason: str) -> Order:
        return Order(
            application=self.config.application,
            release=target.release,
            strategy_name=target.choice.info.name,
            strategy=target.strategy,
            options=target.options,
            written=_written(target.options),
            outage=target.choice.info.outage,
            plugins=self._plugins(target.choice.info),
            reason=reason,
        )

    def _plugins(self, strategy: StrategyInfo) -> Mapping[str, str]:
        infos: list[Info] = [strategy, self.platform_info]
        if self.provider is not None:
            infos.append(self.provider[0])
        versions = {info.name: self.registry.provider(info) for info in infos}
        # Of a strategy its very code counts: a resume asks it again what it asked before.
        return {**versions, f"code of {strategy.name}": self.registry.code(strategy)}

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
        if not self.store.exists():
            return ()
        application = self.config.application
        return self.store.list(application=application.name, environment=application.environment, limit=limit)

    def driven(self) -> bool:
        """Whether a living process drives a deployment of the application now."""
        return self.store.holder(self.config.application.key) is not None

    def holder(self) -> Lease | None:
        """Who holds the lock of the application."""
        return self.store.holder(self.config.application.key)

    def free(self, lease: Lease) -> None:
        """Take a lease away from its owner, who writes nothing more from then on."""
        mine = self.store.acquire(lease.key, this_process(), ttl=1.0, take_over=True)
        self.store.release(mine)

    def resume(
        self, id: str = "", *, reassert: bool = False, changed: bool = False, patient: bool = True
    ) -> Outcome:
        """Go on with a deployment that nobody drives, the last one where none is named.

        reassert: write uno's split over somebody else's. changed: go on although plugins are others
        than it was begun with. Raises Locked, ConfigError and Nondeterminism, with nothing touched.
        """
        record = self.named(id) if id else self.last()
        info = self.registry.find(StrategyInfo, record.strategy, where=record.id)
        if not changed:
            check_same_plugins(record, self._plugins(info))
        target = self._recorded(record)
        return self._driving(patient=patient).resume(
            self._order(target, str(record.params.get("reason", ""))), record.id, reassert=reassert
        )

    def last_seen(self, record: Record) -> Json:
        """What its driver saw last: step, split, evidence; without what only the next driver needs."""
        seen = self.store.last_checkpoint(record.id)
        return {k: v for k, v in seen.items() if k != "memo"} if isinstance(seen, Mapping) else None

    def named(self, id: str) -> Record:
        """A deployment by its id, or by its number alone. Raises ConfigError where there is none."""
        records = self.history()
        for record in records:
            if record.id in (id, f"{self.config.application.key}-{id}"):
                return record
        raise ConfigError(
            f"there is no deployment {id}",
            found=id,
            expected="one of " + ", ".join(r.id for r in records[:5])
            if records
            else "a deployment in the journal",
            where=str(self.state_dir),
            remedy="uno history lists them",
        )

    def rollback(self, why: str, *, take_over: bool = False) -> Outcome:
        """Take the last deployment back to what served before it, in whatever state it is.

        A living driver is asked to; `take_over` ends one that does not answer. An attempt that was
        rolled back by itself is passed over. Raises ConfigError where the last one was taken back
        already, or none ever changed anything.
        """
        record = self._to_take_back()
        if record.status in (Status.ROLLED_BACK, Status.FAILED):
            raise ConfigError(
                f"there is nothing to take back: {record.id} ended {record.status.value}",
                found=record.message,
                remedy="uno history shows all deployments; deploy the version that you want",
            )
        return self.take_back(record, why, take_over=take_over)

    def take_back(self, record: Record, why: str, *, take_over: bool = False) -> Outcome:
        """Take one deployment back: by its driver where that lives, here otherwise.

        Raises Locked where its driver does not answer, and is not to be taken over.
        """
        if not record.status.final and (driver := self.store.holder(self.config.application.key)):
            if self._asked_to_go_back(record, why):
                return self._followed(record)
            if not take_over:
                raise Locked(
                    f"the driver of {record.id} does not answer",
                    found=describe(driver.owner),
                    expected=f"an answer within {ANSWER:g} s",
                    remedy="`uno rollback --take-over` ends it and takes the application back;"
                    " look first whether it only waits for a slow platform",
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
        return self._driving().rollback(self._order(target, why), record.id, why, take_over=take_over)

    def _asked_to_go_back(self, record: Record, why: str) -> bool:
        """Ask the driver; whether it answered in time, or the deployment has ended meanwhile."""
        number = self.store.signal(record.id, "rollback", {"reason": why}, by=who(), at=self.clock.now())

        def heard() -> bool:
            if self.ended(record):
                return True
            now = self.store.get(record.id)
            if now is not None and now.status is Status.ROLLBACK_IN_PROGRESS:
                return True
            return any(s.id == number and s.answer for s in self.store.signals(record.id, unanswered=False))

        self.clock.sleep(ANSWER, heard)
        return heard()

    def ended(self, record: Record) -> bool:
        """Whether it has ended, or nobody drives it any more."""
        now = self.store.get(record.id)
        return now is None or now.status.final or not self.driven()

    def _followed(self, record: Record) -> Outcome:
        """Wait until its own driver has taken it back, and say how that ended."""
        limit = self.config.settings.rollback_timeout
        self.clock.sleep(limit, lambda: self.ended(record))
        now = self.store.get(record.id) or record
        if not now.status.final:
            raise Locked(
                f"{record.id} is still {now.status.value}",
                found="its driver is at work" if self.driven() else "its driver has died",
                remedy="uno status shows it; `uno rollback` again, once nobody drives it",
            )
        return Outcome(
            deployment=now.id,
            status=now.status,
            message=now.message,
            exit_code=EXIT_CODES[now.status],
            snapshot=self.world.observe(),
        )

    def tend(self, why: str) -> Outcome | None:
        """Go on with what nobody drives, or take it back, as configured; and empty what is due.

        None where there was no deployment to tend.
        """
        records = self.history(limit=1)
        if not records or self.driven():
            return None
        record = records[0]
        if record.status.final:
            Embedded(store=self.store, world=self.world).tidy(self.config.application)
            return None
        if self.config.settings.tend == "rollback":
            return self.take_back(record, why)
        return self.resume(record.id, patient=False)

    def _to_take_back(self) -> Record:
        """The newest deployment that took effect: attempts that failed by themselves are passed over.

        One that a person took back already is not: going back twice by mistake must not go two back.
        """
        newest = self.last()
        for record in self.history():
            served = Recorded(self.store.entries(record.id, "deploy")).served
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
                remedy="uno deploy begins one"
                if record.status.final and kind != "abort"
                else "uno rollback takes the last one back"
                + ("" if record.status.final else ", uno resume goes on with it"),
            )
        return record, self.store.signal(record.id, kind, payload, by=by, at=self.clock.now())


def check_same_plugins(record: Record, now: Mapping[str, str]) -> None:
    """Raises ConfigError where a deployment was begun with other plugins than are installed now."""
    then = record.plugins
    others = [
        f"{name}: {then.get(name, 'none')} then, {now.get(name, 'none')} now"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]
    if others:
        raise ConfigError(
            f"{record.id} was begun with other plugins than are installed here",
            found="; ".join(others),
            expected="the same distributions and versions",
            where=record.id,
            remedy="install what it was begun with, or `uno resume --changed-plugins`: it stops where the"
            " strategy asks for something else than before; or `uno rollback`",
        )


def _written(options: Any) -> Mapping[str, Json]:
    """The options of a strategy as JSON, for the journal."""
    written: Json = to_json(options) if attrs.has(type(options)) else dict(options)
    return written if isinstance(written, Mapping) else {}


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
