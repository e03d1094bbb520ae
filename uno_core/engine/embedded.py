"""The embedded engine: one process drives one deployment, on a state store and its lease."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from attrs import define, evolve, field

from uno_core.contracts.engine import Listener, Order, Outcome, nobody
from uno_core.contracts.state import Driver, Record, StateStore
from uno_core.effects.traffic import check_capacity
from uno_core.effects.world import World, only_unos
from uno_core.engine.attention import Ears
from uno_core.engine.book import Book
from uno_core.engine.calling import check_settled
from uno_core.engine.drive import Drive
from uno_core.engine.recorded import Recorded
from uno_core.engine.tenure import TTL, Tenure
from uno_core.errors import ConfigError, Locked, LockLost, StateError, UnoError
from uno_core.journal.lock import describe, this_process
from uno_core.model import Application, Slot, Snapshot, Split, Status, same_split, whole
from uno_core.rules import protects
from uno_core.wire import from_json, to_json

SKEW = 60.0
"""Seconds by which the clock of the machine that wrote last may differ from ours."""

ENDED = frozenset({Status.SUCCESSFUL, Status.ROLLED_BACK, Status.FAILED, Status.STOPPED})
"""States that a resume does not go on from."""

SETTLED = frozenset({Status.SUCCESSFUL, Status.ROLLED_BACK, Status.FAILED})
"""States that leave one release serving, and nothing to be done."""

Hearing = Callable[[StateStore, str, Tenure], Ears]
"""Makes the ears of a deployment."""


@define
class Embedded:
    """Drives deployments of one application in one world.

    owner: who holds the leases. hearing: makes the ears of a deployment; `ears` are those of the
    one that is driven now.
    """

    store: StateStore
    world: World
    listener: Listener = nobody
    owner: Driver = field(factory=this_process)
    ttl: float = TTL
    hearing: Hearing = Ears.listening
    ears: Ears | None = field(init=False, default=None)

    # Deploying

    def deploy(self, order: Order, *, already: Callable[[Snapshot], bool] | None = None) -> Outcome:
        """Take the application to the order's release; or back, when that fails.

        Raises Locked, Unsettled, ConfigError and PlatformErrors before anything is touched; from
        the first write on every end is an Outcome. `already` decides from the first snapshot that
        there is nothing to do.
        """
        with self._tenure(order.application) as tenure:
            before = self._settle_what_crashed(order.application, tenure)
            self._fenced(tenure).prepare()
            initial = self._unmarked(self._in_force())
            found = initial.split
            if order.stable is None:
                check_settled(initial)
            else:
                check_capacity(initial, whole(order.stable))
            # Not before it is known that this one may begin: what stands there may be somebody else's.
            if before is not None:
                self._retire_what_is_due(before, initial, tenure)
            if order.stable is not None:
                initial = evolve(initial, split=whole(order.stable))
            initial = evolve(initial, mark=None)
            if already and already(initial):
                return Outcome(
                    deployment="",
                    status=Status.SUCCESSFUL,
                    message=f"{order.release} serves already: nothing to do",
                    exit_code=0,
                    snapshot=initial,
                )
            record = self._create(order, initial, found, tenure)
            return self._drive(order, initial, record, tenure).forward()

    def _create(self, order: Order, initial: Snapshot, found: Split, tenure: Tenure) -> Record:
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
                "stable": order.stable.value if order.stable else None,
                "hooks": dict(order.hooks),
                "forbid_after": order.forbid_after,
                "companions": list(order.companions),
                "origin": dict(order.origin),
                "found": {slot.value: percent for slot, percent in found.items()},
            },
            plugins=order.plugins,
            driver=self.owner,
            created=now,
            updated=now,
        )
        return self.store.create(record, lease=tenure.lease)

    def _unmarked(self, initial: Snapshot) -> Snapshot:
        """Without the mark of a deployment that has ended, whose last word did not get through.

        Another store may have one of the same id: when it began tells them apart.
        """
        mark = initial.mark
        record = self.store.get(str(mark.get("deployment"))) if isinstance(mark, Mapping) else None
        if record is None or not isinstance(mark, Mapping) or record.status not in SETTLED:
            return initial
        ours = mark.get("since") == record.created.isoformat()
        return evolve(initial, mark=None) if ours else initial

    def _in_force(self) -> Snapshot:
        """The world, once what was written last is in force; as it is, where that takes too long.

        A deployment that has just ended, on another machine perhaps, may still be on its way to everybody:
        what it left is not to be taken for what serves. Where nothing is followed nothing is waited for.
        """
        world = self.world
        end = world.clock.monotonic() + 1.5 * world.capabilities.bound + SKEW
        while True:
            seen = world.observe()
            left = end - world.clock.monotonic()
            if same_split(seen.split, seen.in_force) or not any(seen.in_force.values()) or left <= 0:
                return seen
            world.wait(min(1.0, left))

    def _fenced(self, tenure: Tenure) -> World:
        """The world, in which nothing is written once the lock is lost."""
        return evolve(self.world, fence=tenure.confirm)

    # Going on

    def resume(self, order: Order, id: str, *, reassert: bool = False) -> Outcome:
        """Go on with a deployment that nobody drives any more, from where its journal ends.

        What is recorded is answered from the record; the effect in flight is done again; what was
        going back goes on going back. `reassert` writes uno's split over somebody else's. Raises
        Locked while its driver lives, ConfigError where it has ended, Nondeterminism where the
        strategy asks for something else than is recorded.
        """
        with self._tenure(order.application, begins=False) as tenure:
            record = self._again(id)
            self._fenced(tenure).prepare()
            initial = from_json(record.params["initial"], Snapshot)
            stable = record.params.get("stable")
            order = evolve(order, stable=Slot(str(stable)) if stable else None)
            drive = self._drive(order, initial, record, tenure, resumed=True, reassert=reassert)
            recorded = drive.book.recorded(id)
            if is_going_back(record, recorded):
                later = recorded.promoted or recorded.served
                urgent = recorded.urgent and not later
                return drive.back(record.message or recorded.aborted, urgent=urgent, later=later)
            self.store.update(
                id,
                at=self.world.clock.now(),
                status=Status.IN_PROGRESS,
                driver=self.owner,
                lease=tenure.lease,
            )
            return drive.forward()

    def _again(self, id: str) -> Record:
        """The record, read under the lock: what was read before may have ended since."""
        record = self.store.get(id)
        if record is None:
            raise ConfigError(f"there is no deployment {id}", remedy="uno history lists them")
        newest = self.store.list(application=record.application, environment=record.environment, limit=1)
        if record.status in ENDED or newest[0].id != id:
            found = f"it ended {record.status.value}: {record.message}"
            raise ConfigError(
                f"there is nothing to go on with in {id}",
                found=found if newest[0].id == id else f"{newest[0].id} came after it",
                remedy="uno history shows all deployments",
            )
        return record

    # Going back

    def rollback(self, order: Order, id: str, why: str, *, take_over: bool = False) -> Outcome:
        """Take the application back to what was captured when the deployment began.

        `order` brings the strategy that made it, for its own `rollback`. `take_over` ends a driver
        that does not answer. Raises Locked when another deployment is under way, ConfigError where
        there is nothing to go back to.
        """
        with self._tenure(order.application, take_over=take_over, begins=False) as tenure:
            record = self.store.get(id)
            if record is None:
                raise ConfigError(f"there is no deployment {id}", remedy="uno history lists them")
            self._refuse_overtaken(record)
            self._fenced(tenure).prepare(going_back=True)
            initial = from_json(record.params["initial"], Snapshot)
            if initial.live is None and record.status is Status.SUCCESSFUL:
                raise ConfigError(
                    f"{record.id} was the first deployment of {record.application}",
                    expected="a deployment that replaced another release",
                    remedy="there is nothing to go back to",
                )
            drive = self._drive(order, initial, record, tenure, resumed=True)
            recorded = drive.book.recorded(id)
            later = record.status is Status.SUCCESSFUL or recorded.promoted or recorded.served
            return drive.back(why, urgent=recorded.urgent and not later, later=later)

    def _refuse_overtaken(self, record: Record) -> None:
        others = self.store.list(application=record.application, environment=record.environment)
        other = next((o for o in others if not o.status.final and o.id != record.id), None)
        if other is not None:
            raise Locked(
                f"{other.id} is under way",
                found=describe(other.driver) if other.driver else "",
                remedy="uno rollback takes that one back",
            )

    # Around both

    def _drive(
        self,
        order: Order,
        initial: Snapshot,
        record: Record,
        tenure: Tenure,
        *,
        resumed: bool = False,
        reassert: bool = False,
    ) -> Drive:
        self.ears = self.hearing(self.store, record.id, tenure)
        return Drive(
            world=self.world,
            store=self.store,
            tenure=tenure,
            ears=self.ears,
            listener=self.listener,
            order=order,
            initial=initial,
            record=record,
            resumed=resumed,
            reassert=reassert,
        )

    @contextmanager
    def _tenure(
        self, application: Application, *, take_over: bool = False, begins: bool = True
    ) -> Iterator[Tenure]:
        world = self.world
        tenure = Tenure(
            world.clock,
            world.logger,
            ttl=self.ttl,
            margin=min(world.capabilities.write_horizon, self.ttl / 2),
        )
        locks = [platform.lock for platform in world.platforms if platform.lock is not None]

        def former(driver: Driver) -> bool:
            name, environment = application.name, application.environment
            records = self.store.list(application=name, environment=environment, limit=1)
            return any(record.driver == driver for record in records)

        key = application.key
        held = tenure.hold(
            self.store, locks, key, self.owner, take_over=take_over, begins=begins, former=former
        )
        with held:
            yield tenure

    def _settle_what_crashed(self, application: Application, tenure: Tenure) -> Record | None:
        """The deployment before this one.

        Raises Locked where its driver died (its lock was free): a resume or a rollback ends it.
        """
        book = Book(self.store, self.world.clock, self.world.logger, lambda: tenure.lease)
        records = self.store.list(application=application.name, environment=application.environment)
        for record in records:
            if record.status.final:
                continue
            if book.recorded(record.id).promoted and record.status is not Status.ROLLBACK_IN_PROGRESS:
                # It was a success before its driver died: what it still had to do hurts nobody.
                message = f"{record.version} serves; its driver died afterwards"
                self._fenced(tenure).settle()
                book.note(record.id, status=Status.SUCCESSFUL, message=message, exit_code=0)
                book.dismiss(record.id, Status.SUCCESSFUL.value)
            else:
                raise Locked(
                    f"{record.id} ({record.version}) was left {record.status.value}, and nobody drives it",
                    found=f"its driver was {describe(record.driver)}" if record.driver else "no driver",
                    remedy="`uno resume` goes on with it, `uno rollback` takes the application back to what"
                    " served before",
                )
        return records[0] if records else None

    def adopt(self, application: Application) -> Sequence[str]:
        """Take over what was there before uno, while nobody deploys. Returns what was done, in words."""
        done: list[str] = []
        with self._tenure(application) as tenure:
            self._settle_what_crashed(application, tenure)
            for platform in self.world.platforms:
                tenure.confirm()
                with only_unos(platform, "adopt"):
                    done += platform.adopt()
        return done

    def tidy(self, application: Application) -> None:
        """Empty what deployments before left to be emptied later, where that is due."""
        records = self.store.list(application=application.name, environment=application.environment, limit=1)
        with self._tenure(application) as tenure:
            now = self._unmarked(self.world.observe())
            if records and records[0].status.final and now.mark is None:
                self._retire_what_is_due(records[0], now, tenure)

    def _retire_what_is_due(self, before: Record, now: Snapshot, tenure: Tenure) -> None:
        """What the last deployment left standing, and the platform does not empty by itself."""
        world = self._fenced(tenure)
        for left in Recorded(self.store.entries(before.id)).retirements:
            slot = Slot(str(left["slot"]))
            due = datetime.fromisoformat(str(left["at"])) <= world.clock.now()
            if due and slot not in now.serving:
                self._try(partial(world.ask, slot, {}))

    def _try(self, part: Callable[[], None]) -> None:
        try:
            part()
        except (LockLost, StateError):
            raise
        except UnoError as problem:
            self.world.logger.warning("a slot could not be emptied", problem=str(problem))


@protects("once a way back is recorded, nobody returns to the way forward", otherwise=False)
def is_going_back(record: Record, recorded: Recorded) -> bool:
    """Whether a way back was begun, by the record or by the journal."""
    return record.status in (Status.ROLLBACK_IN_PROGRESS, Status.ROLLBACK_FAILED) or recorded.rollbacks > 0
