"""The embedded engine: one process drives one deployment, on the journal of this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from attrs import define, evolve, field

from uno_core.context import Calls, Context, Facts
from uno_core.effects.perform import Effects
from uno_core.effects.traffic import check_capacity, show
from uno_core.effects.world import World
from uno_core.engine.attention import Ears
from uno_core.engine.book import Book
from uno_core.engine.calling import check_settled, run_strategy, run_unwindable
from uno_core.engine.order import EXIT_CODES, Listener, Order, Outcome, nobody
from uno_core.engine.run import Run
from uno_core.errors import (
    Aborted,
    Breach,
    ConfigError,
    Drift,
    Locked,
    LockLost,
    Unhealthy,
    UnoError,
    Unwind,
)
from uno_core.journal.lock import FileLock, describe, this_process
from uno_core.journal.records import Mark, Record
from uno_core.journal.sqlite import Journal
from uno_core.model import (
    Application,
    HealthReport,
    Json,
    Release,
    Slot,
    Snapshot,
    Status,
    whole,
)
from uno_core.wire import counts_from_json, counts_to_json, from_json, to_json


@define
class Embedded:
    """Drives deployments of one application in one world.

    locks: the directory of the lock files; None where nobody else can be there (the simulation).
    """

    journal: Journal
    world: World
    locks: Path | None = None
    listener: Listener = nobody
    ears: Ears | None = None
    _current: str = field(init=False, default="")
    _seen: dict[str, Json] = field(init=False, factory=dict)

    @property
    def _book(self) -> Book:
        return Book(self.journal, self.world.clock, self.world.logger)

    # Deploying

    def deploy(self, order: Order, *, already: Callable[[Snapshot], bool] | None = None) -> Outcome:
        """Take the application to the order's release; or back, when that fails.

        Raises Locked, Unsettled, ConfigError and PlatformErrors before anything is touched; from
        the first write on every end is an Outcome. `already` decides from the first snapshot that
        there is nothing to do.
        """
        with self._locked(order.application):
            before = self._settle_what_crashed(order.application)
            self.world.prepare()
            initial = self.world.observe()
            if before is not None:
                self._retire_what_is_due(before, initial)
            if order.stable is None:
                check_settled(initial)
            else:
                check_capacity(initial, whole(order.stable))
                initial = evolve(initial, split=whole(order.stable))
            if already and already(initial):
                return Outcome(
                    deployment="",
                    status=Status.SUCCESSFUL,
                    message=f"{order.release} serves already: nothing to do",
                    exit_code=0,
                    snapshot=initial,
                )
            record = self._create(order, initial)
            return self._drive(order, initial, record)

    def _create(self, order: Order, initial: Snapshot) -> Record:
        now = self.world.clock.now()
        record = Record(
            id="",
            application=order.application.name,
            environment=order.application.environment,
            strategy=order.strategy_name,
            version=order.release.version,
            status=Status.IN_PROGRESS,
            params={
                "kind": order.application.kind.value,
                "release": to_json(order.release),
                "initial": to_json(initial),
                "options": dict(order.written),
                "outage": order.outage,
                "reason": order.reason,
            },
            plugins=order.plugins,
            driver=this_process(),
            created=now,
            updated=now,
        )
        return self.journal.create(record)

    def _drive(self, order: Order, initial: Snapshot, record: Record) -> Outcome:
        self.ears = self.ears or Ears(self.journal, record.id)
        effects = self._effects(order.strategy, order.release, initial, outage=order.outage)
        calls = Calls(self._run(record, "deploy", effects))
        context = self._context(order, initial, calls, record)
        self._tell(
            record,
            "started",
            {"version": order.release.version, "strategy": order.strategy_name, "id": record.id},
        )
        try:
            if order.stable is not None:
                effects.confirmed = self.world.router.observe().split
                calls("set_traffic", split=to_json(dict(whole(order.stable))), timeout=300.0)
            result = run_unwindable(order.strategy.deploy, context, calls)
            if not result.success:
                return self._fail(order, initial, record, effects, result.message or "the strategy gave up")
            verified = from_json(calls("verify"), Snapshot)
        except Breach as breach:
            self._tell(record, "verdict", {"analysis": to_json(breach.analysis)})
            return self._fail(order, initial, record, effects, breach.analysis.reason, urgent=True)
        except Aborted as aborted:
            return self._fail(order, initial, record, effects, aborted.reason)
        except Drift as problem:
            return self._end(record, Status.HALTED, f"halted, nothing more was written: {problem}")
        except LockLost as problem:
            return self._end(record, Status.LOST, str(problem))
        except UnoError as problem:
            return self._fail(order, initial, record, effects, str(problem))
        return self._end(record, Status.SUCCESSFUL, result.message or f"{order.release} serves", verified)

    def _fail(
        self,
        order: Order,
        initial: Snapshot,
        record: Record,
        effects: Effects,
        why: str,
        *,
        urgent: bool = False,
    ) -> Outcome:
        """What failed goes back, unless it was promoted (then it serves) or nothing was written."""
        if effects.promoted or self._book.promoted(record.id):
            self._logger(record).warning("failed after promotion; the release serves", why=why)
            return self._end(record, Status.SUCCESSFUL, f"{order.release} serves; afterwards: {why}")
        if not effects.changed:
            serving = ", ".join(map(str, initial.releases))
            still = f"{serving} serves as before" if serving else "nothing was started"
            return self._end(record, Status.FAILED, f"{why}; {still}", initial)
        return self._go_back(order.strategy, order, initial, record, why, urgent=urgent)

    # Going back

    def rollback(self, order: Order, record: Record, why: str) -> Outcome:
        """Take the application back to what was captured when the deployment of `record` began.

        `order` brings the strategy that made it, for its own `rollback`. Raises Locked when another
        deployment is under way, ConfigError where there is nothing to go back to.
        """
        with self._locked(order.application):
            self.world.prepare()
            initial = from_json(record.params["initial"], Snapshot)
            if initial.live is None and record.status is Status.SUCCESSFUL:
                raise ConfigError(
                    f"{record.id} was the first deployment of {record.application}",
                    expected="a deployment that replaced another release",
                    remedy="there is nothing to go back to",
                )
            later = record.status is Status.SUCCESSFUL
            return self._go_back(order.strategy, order, initial, record, why, later=later)

    def _go_back(
        self,
        strategy: Any,
        order: Order,
        initial: Snapshot,
        record: Record,
        why: str,
        *,
        urgent: bool = False,
        later: bool = False,
    ) -> Outcome:
        """The way back, in the order of the design: traffic, the strategy's own, whatever still differs."""
        self._book.note(record.id, status=Status.ROLLBACK_IN_PROGRESS, message=why)
        self._tell(record, "rollback", {"why": why})
        self.ears = self.ears or Ears(self.journal, record.id)
        self.ears.returning()
        stands = not later and self._stands(record, initial, urgent=urgent)
        effects = self._effects(
            strategy, order.release, initial, outage=order.outage, urgent=urgent, stands=stands
        )
        calls = Calls(self._run(record, f"rollback {self._book.rollbacks(record.id) + 1}", effects))
        try:
            if later:
                self._bring_up(initial, calls)
            self._quietly(record, lambda: calls("put_traffic_back"))
            context = self._context(order, initial, calls, record)
            self._quietly(record, lambda: run_strategy(strategy.rollback, context))
            # What unwound the strategy's own way back (a verdict, a gate) does not end the engine's.
            calls.unwound = None
            snapshot = from_json(calls("restore"), Snapshot)
        except LockLost as problem:
            return self._end(record, Status.LOST, str(problem))
        except UnoError as problem:
            return self._end(record, Status.ROLLBACK_FAILED, self._by_hand(why, problem))
        if initial.live is None:
            return self._end(record, Status.FAILED, f"{why}; what was started is removed", snapshot)
        back = ", ".join(map(str, initial.releases))
        return self._end(record, Status.ROLLED_BACK, f"{back} serves again: {why}", snapshot)

    def _stands(self, record: Record, initial: Snapshot, *, urgent: bool) -> bool:
        """Whether the captured slot is as it was captured, as far as the journal knows.

        After a bad verdict it is enough that it was not emptied: a few good ones serve better.
        """
        live = initial.live
        captured = sum(initial.slot(live).wanted.values()) if live else 0
        for entry in self._book.entries(record.id):
            asked = entry.value if entry.mark is Mark.INTENT and entry.op in ("converge", "retire") else None
            if not isinstance(asked, Mapping) or asked["slot"] != live:
                continue
            left = sum(counts_from_json(asked["counts"]).values()) if entry.op == "converge" else 0
            if not left or (left < captured and not urgent):
                return False
        return True

    def _bring_up(self, initial: Snapshot, calls: Calls) -> None:
        """The way back from what serves well: a slot that is gone is started and checked before it is used.

        Raises NotReady and Unhealthy: nothing was switched, and what serves goes on.
        """
        live, now = initial.live, from_json(calls("observe"), Snapshot)
        if live is None or live in now.serving or now.slot(live).holds(initial.slot(live).wanted):
            return
        if not any(now.slot(slot).ready() for slot in now.serving):
            return  # nothing serves: then the first that is ready is better than nothing
        counts = counts_to_json(initial.slot(live).wanted)
        calls("converge", slot=live.value, counts=counts, deadline=600.0, max_unavailable=0)
        found = calls("check_health", slot=live.value, url=None, timeout=60.0, successes=1)
        report = from_json(found, HealthReport)
        if not report.healthy:
            raise Unhealthy(
                f"{live} is not healthy: nothing was switched to it",
                found=report.reason,
                expected="every target healthy within 60 s",
                remedy="look at its logs; what served goes on serving",
            )

    def _quietly(self, record: Record, part: Callable[[], Any]) -> None:
        """A part of the way back whose failure the last part mends."""
        try:
            part()
        except LockLost:
            raise
        except (UnoError, Unwind) as problem:
            self._logger(record).warning("a part of the way back failed", problem=str(problem))

    def _by_hand(self, why: str, problem: UnoError) -> str:
        try:
            now = self.world.observe()
            seen = f"{show(now.in_force)}: {', '.join(map(str, now.releases)) or 'nothing'} serves"
        except UnoError as blind:
            seen = f"what serves could not be seen ({blind.message})"
        return f"the way back failed after: {why}\n  now: {seen}\n  {problem}"

    # Around both

    def _effects(
        self,
        strategy: Any,
        release: Release,
        initial: Snapshot,
        *,
        outage: bool,
        urgent: bool = False,
        stands: bool = False,
    ) -> Effects:
        assert self.ears is not None  # noqa: S101 - both callers made them
        return Effects(
            self.world,
            self.ears,
            self._hear,
            strategy=strategy,
            release=release,
            initial=initial,
            outage=outage,
            urgent=urgent,
            stands=stands,
        )

    def _run(self, record: Record, name: str, effects: Effects) -> Run:
        clock = self.world.clock
        return Run(
            self.journal,
            record.id,
            name,
            effects=effects,
            clock=clock,
            logger=self._logger(record),
            way_back=name != "deploy",
        )

    def _context(self, order: Order, initial: Snapshot, calls: Calls, record: Record) -> Context[Any]:
        facts: Facts[Any] = Facts(
            application=order.application,
            release=order.release,
            initial=initial,
            options=order.options,
            capabilities=self.world.capabilities,
        )
        return Context(facts, calls, self._logger(record))

    def _hear(self, kind: str, data: Mapping[str, Json]) -> None:
        """What effects tell goes to the listener; what another process may ask for, beside the journal."""
        self.listener(kind, data)
        if kind in ("paused", "continued") and self._current:
            status = Status.PAUSED if kind == "paused" else Status.IN_PROGRESS
            self._book.note(self._current, status=status, message=str(data.get("reason", "")))
        kept = ("step", "split", "evidence", "waiting", "paused", "restoring", "health")
        if kind in kept and self._current:
            self._seen = {**self._seen, kind: dict(data)}
            self._book.checkpoint(self._current, self._seen)

    def _tell(self, record: Record, kind: str, data: Mapping[str, Json]) -> None:
        self._current = record.id
        self.listener(kind, data)

    def _logger(self, record: Record) -> Any:
        return self.world.logger.bind(deployment=record.id, application=record.application)

    def _end(self, record: Record, status: Status, message: str, snapshot: Snapshot | None = None) -> Outcome:
        code = EXIT_CODES[status]
        self._book.note(record.id, status=status, message=message, exit_code=code)
        self._book.dismiss(record.id, status.value)
        self._tell(record, "finished", {"status": status.value, "message": message, "exit_code": code})
        return Outcome(
            deployment=record.id, status=status, message=message, exit_code=code, snapshot=snapshot
        )

    def _locked(self, application: Application) -> AbstractContextManager[None]:
        if self.locks is None:
            return nullcontext()
        return FileLock(self.locks / f"{application.key}.lock").hold(this_process())

    def _settle_what_crashed(self, application: Application) -> Record | None:
        """The deployment before this one.

        Raises Locked where its driver died (its lock was free): only a rollback may end it.
        """
        records = self.journal.list(application=application.name, environment=application.environment)
        for record in records:
            if record.status.final:
                continue
            if self._book.promoted(record.id) and record.status is Status.IN_PROGRESS:
                # It was a success before its driver died: what it still had to do hurts nobody.
                self._end(record, Status.SUCCESSFUL, f"{record.version} serves; its driver died afterwards")
            else:
                raise Locked(
                    f"{record.id} ({record.version}) was left {record.status.value}, and nobody drives it",
                    found=f"its driver was {describe(record.driver)}" if record.driver else "no driver",
                    remedy="uno rollback takes the application back to what served before",
                )
        return records[0] if records else None

    def _retire_what_is_due(self, before: Record, now: Snapshot) -> None:
        """What the last deployment left standing, and the platform does not empty by itself."""
        for entry in self.journal.entries(before.id):
            left = entry.value if entry.op == "retire" and entry.mark is Mark.RESULT else None
            if not isinstance(left, Mapping) or left["done"]:
                continue
            due = datetime.fromisoformat(str(left["at"])) <= self.world.clock.now()
            slot = Slot(str(left["slot"]))
            if due and slot not in now.serving:
                self._quietly(before, partial(self.world.workload.converge, slot, {}))
