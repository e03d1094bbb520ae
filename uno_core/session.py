"""What can be done with a configuration: plan, deploy, go on, go back, tend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from attrs import define, evolve, field, frozen

from uno_core.announcing import Announcing, announced
from uno_core.contracts.engine import Outcome
from uno_core.contracts.state import Record, StateStore
from uno_core.engine.attention import Ears, standing_hold
from uno_core.engine.embedded import Embedded
from uno_core.engine.port import Driving, Engine
from uno_core.engine.recorded import Recorded
from uno_core.engine.tenure import Tenure, next_turn
from uno_core.errors import ConfigError, Locked, StalePlan, StateError, UnoError, Unsettled
from uno_core.journal.lock import describe, this_process
from uno_core.journal.origin import who
from uno_core.model import Release, Slot, Snapshot, Status
from uno_core.planning import Agreed, Plan, UnderWay, already, plan, refused, seen
from uno_core.records import check_same_plugins
from uno_core.targeting import Target, beside
from uno_core.wire import from_json

ANSWER = 5.0
"""Seconds that a driver has to answer before it is said not to."""

RESERVED = 3600.0
"""Seconds for which the next turn is reserved at the longest, where a reservation expires at all."""


AT_ONCE = 2.0
"""Seconds for which a lock is asked for again while nobody knows yet what its owner deploys."""


@frozen(kw_only=True)
class Beginning:
    """How a deployment is to begin."""

    reason: str
    target: Target
    stable: Slot | None
    patient: bool
    plan: Agreed | None
    expect_live: str

    def check_live(self, now: Snapshot) -> None:
        """Raises StalePlan where another version serves than was expected."""
        serving = [str(release) for release in now.releases] or ["none"]
        if self.expect_live and serving != [self.expect_live]:
            raise StalePlan(
                f"{self.target.release} was to replace {self.expect_live}, and that does not serve",
                found=", ".join(serving),
                expected=self.expect_live,
                where="--expect-live",
                remedy="somebody deployed meanwhile: look at `uno history`, and deploy from what is newest",
            )


@define(slots=False)
class Session(Announcing):
    """One application in one environment. `ears` are there while a deployment is driven here."""

    ears: Ears | None = field(init=False, default=None)

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
            beside=beside(target),
            runs_on=self.runs_on,
            **more,
        )

    @announced(strict=True)
    def deploy(
        self,
        reason: str = "",
        target: Target | None = None,
        *,
        stable: Slot | None = None,
        patient: bool = True,
        supersede: bool = False,
        plan: Agreed | None = None,
        expect_live: str = "",
    ) -> Outcome:
        """Deploy what is configured; `target` where that was read already.

        The same release in flight is followed, or gone on with where nobody drives it; for another
        one the configured `lock_timeout` is waited. stable: the slot that counts as live where the
        world is not settled. patient: whether gates are waited at. supersede: what is under way goes
        back first, and nobody slips in between. plan: what this has to be; StalePlan is raised where
        it is another by now. expect_live: the version that has to serve before (`none` for nothing).

        Raises before anything is touched; afterwards every end is an Outcome.
        """
        target = target or self.target()
        self.asked_for(version=target.release.version, strategy=target.choice.info.name, reason=reason)
        if plan is not None:
            plan.check_asked(self._basis(target))
        begin = Beginning(
            reason=reason, target=target, stable=stable, patient=patient, plan=plan, expect_live=expect_live
        )
        if supersede:
            with self._next_turn():
                self._end_what_runs(target)
                return self._begin(begin)
        return self._begin_or_join(begin)

    def _begin_or_join(self, begin: Beginning) -> Outcome:
        """Begin, or go on with the same release that is under way already; or wait for another's end."""
        began = self.clock.monotonic()
        told = False
        while True:
            record = self._in_flight()
            try:
                if record is not None and self._is_same(record, begin.target):
                    joined = self._join(record, patient=begin.patient)
                    if joined is not None:
                        return joined
                    continue
                return self._begin(begin)
            except Locked:
                waited = self.clock.monotonic() - began
                # Who holds the lock and has no record yet begins, perhaps the very same, at this moment.
                patience = (
                    self.config.settings.lock_timeout
                    if record
                    else max(AT_ONCE, self.config.settings.lock_timeout)
                )
                if waited >= patience:
                    raise
                if not told and record is not None:
                    told = True
                    self.listener(
                        "locked", {"id": record.id, "version": record.version, "seconds": patience - waited}
                    )
                self.clock.sleep(min(0.5, patience - waited))

    def _in_flight(self) -> Record | None:
        records = self.history(limit=1)
        return records[0] if records and not records[0].status.final else None

    @staticmethod
    def _is_same(record: Record, target: Target) -> bool:
        """Whether it deploys the very same release: version, artifact and configuration."""
        return from_json(record.params["release"], Release) == target.release

    def _join(self, record: Record, *, patient: bool) -> Outcome | None:
        """Follow its driver, or go on in the place of one that is gone; None where it has ended meanwhile."""
        if self.driven():
            followed = self.follow(record, patient=patient)
            if followed is not None:
                return followed
        now = self.store.get(record.id)
        if now is None or now.status.final:
            return None
        return self.resume(record.id, patient=patient)

    def _begin(self, begin: Beginning) -> Outcome:
        target, plan = begin.target, begin.plan

        def nothing_to_do(now: Snapshot) -> bool:
            # The deployment's own first look, under its lock: the world that it really begins from.
            if plan is not None:
                plan.check_world(now)
            if already(now, target.release):
                return True
            begin.check_live(now)
            return False

        if begin.stable is None:
            # A rehearsal: what cannot work here is refused before anything is touched.
            try:
                self._rehearse(target, self.world.observe(), measure=False)
            except Unsettled:
                pass  # the engine says so itself, once it knows that nobody else is at work
        order = evolve(self._order(target, begin.reason), stable=begin.stable)
        return self._driving(patient=begin.patient).deploy(order, already=nothing_to_do)

    def _driving(self, *, patient: bool = True) -> Driving:
        def hearing(store: StateStore, deployment: str, tenure: Tenure) -> Ears:
            self.ears = Ears(store, deployment, tenure=tenure, patient=patient)
            return self.ears

        engine: Engine = self.registry.build(self.engine_info, self.engine_options, self.services)
        return engine.driving(self.world, self.store, self.tell, hearing)

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

    @announced()
    def resume(
        self, id: str = "", *, reassert: bool = False, changed: bool = False, patient: bool = True
    ) -> Outcome:
        """Go on with a deployment that nobody drives, the last one where none is named.

        reassert: write uno's split over somebody else's. changed: go on although plugins are others
        than it was begun with. Raises Locked, ConfigError and Nondeterminism, with nothing touched.
        """
        record = self.named(id) if id else self.last()
        target = self._recorded(record)
        if not changed:
            check_same_plugins(record, self._plugins(target.choice.info))
        self.note_deed(record, "resumed", reassert=reassert, changed_plugins=changed)
        return self._driving(patient=patient).resume(
            self._order(target, str(record.params.get("reason", ""))), record.id, reassert=reassert
        )

    @announced(back=True)
    def rollback(
        self, why: str, *, take_over: bool = False, to: str = "", forbidden: bool = False
    ) -> Outcome:
        """Take the last deployment back to what served before it, in whatever state it is.

        A living driver is asked to; `take_over` ends one that does not answer. An attempt that was
        rolled back by itself is passed over. to: a version that served before, which is started and
        checked, and then gets all traffic. forbidden: also where the configuration forbade it. Raises
        ConfigError where the last one was taken back already, or none ever changed anything, and
        where what to go back to cannot be started any more.
        """
        if to and not self._stands_before(to):
            return self._begin_or_join(
                Beginning(
                    reason=why,
                    target=self._straight_back(to, forbidden=forbidden),
                    stable=None,
                    patient=True,
                    plan=None,
                    expect_live="",
                )
            )
        record = self._to_take_back()
        if record.status in (Status.ROLLED_BACK, Status.FAILED):
            raise ConfigError(
                f"there is nothing to take back: {record.id} ended {record.status.value}",
                found=record.message,
                remedy="uno history shows all deployments; deploy the version that you want",
            )
        if record.status.final:
            before = from_json(record.params["initial"], Snapshot)
            self._check_recalled(before.releases)
        return self.take_back(record, why, take_over=take_over, forbidden=forbidden)

    def _stands_before(self, version: str) -> bool:
        """Whether it is what served before the last deployment: then that one is simply taken back."""
        records = self.history(limit=1)
        if not records or records[0].status is not Status.SUCCESSFUL:
            return False
        before = from_json(records[0].params["initial"], Snapshot)
        return [release.version for release in before.releases] == [version]

    @announced(back=True)
    def take_back(
        self, record: Record, why: str, *, take_over: bool = False, forbidden: bool = False
    ) -> Outcome:
        """Take one deployment back: by its driver where that lives, here otherwise.

        Raises Locked where its driver does not answer, and is not to be taken over; ConfigError where going
        back is forbidden by its configuration, unless `forbidden` says that it is meant all the same.
        """
        if not forbidden:
            self._refuse_forbidden(record)
        if not record.status.final and (driver := self.store.holder(self.config.application.key)):
            if self._asked_to_go_back(record, why, take_over=take_over):
                if (outcome := self._followed_back(record, why)) is not None:
                    return outcome
            elif not take_over:
                raise Locked(
                    f"the driver of {record.id} does not answer",
                    found=describe(driver.owner),
                    expected=f"an answer within {ANSWER:g} s",
                    remedy="`uno rollback --take-over` ends it and takes the application back;"
                    " look first whether it only waits for a slow platform",
                )
        if not forbidden:
            self._refuse_forbidden(record)  # its driver may have come so far meanwhile, and stopped
        self.note_deed(record, "took over" if take_over else "rolled back", reason=why)
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

    def _asked_to_go_back(self, record: Record, why: str, *, take_over: bool) -> bool:
        """Ask the driver; whether it answered in time, or the deployment has ended meanwhile."""
        try:
            number = self.store.signal(record.id, "rollback", {"reason": why}, by=who(), at=self.clock.now())
        except StateError as problem:
            # A driver that was stopped in the middle of a write keeps everybody else from writing.
            self.logger.warning("no word could be left for the driver", problem=str(problem))
            return False

        def heard() -> bool:
            if self.ended(record):
                return True
            now = self.store.get(record.id)
            if now is not None and now.status is Status.ROLLBACK_IN_PROGRESS and not take_over:
                return True
            return any(s.id == number and s.answer for s in self.store.signals(record.id, unanswered=False))

        self.clock.sleep(ANSWER, heard)
        return heard()

    def adopt(self) -> Sequence[str]:
        """Take over what was there before uno, and deploy nothing. Raises Locked where somebody deploys."""
        return Embedded(store=self.store, world=self.world).adopt(self.config.application)

    @announced()
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
        recorded = Recorded(self.store.entries(record.id))
        # What is promoted serves, what waits for a person is theirs, and what is forbidden stays so.
        held = standing_hold(self.store.signals(record.id, unanswered=False)) is not None
        theirs = held or record.status is Status.PAUSED
        stays = recorded.promoted or theirs or self._forbidden(record)
        if self.config.settings.tend == "rollback" and not stays:
            return self.take_back(record, why)
        return self.resume(record.id, patient=False)
