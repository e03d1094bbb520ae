"""One deployment while it is driven: forward through its strategy, or back to what was captured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, evolve, field

from uno_core.context import Calls, Context, Facts
from uno_core.contracts.engine import EXIT_CODES, Listener, Order, Outcome
from uno_core.contracts.state import Record, StateStore
from uno_core.effects.drift import show
from uno_core.effects.ledger import Ledger
from uno_core.effects.perform import Effects
from uno_core.effects.restoring import still_visited
from uno_core.effects.world import BRIEF, PATIENCE, World
from uno_core.engine.attention import AT_A_GATE, Ears
from uno_core.engine.between import Between, back, told
from uno_core.engine.book import Book
from uno_core.engine.bringing_up import bring_up_patiently
from uno_core.engine.calling import run_strategy, run_unwindable
from uno_core.engine.recorded import Recorded, forbidden, remember_open_writes
from uno_core.engine.run import Run
from uno_core.engine.tenure import Tenure
from uno_core.errors import (
    Aborted,
    Breach,
    Drift,
    LockLost,
    Nondeterminism,
    Stopped,
    Suspend,
    Throttled,
    Unanswered,
    UnoError,
    Unwind,
)
from uno_core.model import Json, Slot, Snapshot, Split, Status, whole
from uno_core.rules import protects
from uno_core.wire import counts_to_json, from_json, to_json

NEEDS_A_PERSON = 4
"""The exit code of a deployment that stopped where it was, since it may not go back."""


@define
class Drive:
    """Everything that one deployment needs while this process drives it.

    initial: what was captured when it began. resumed: another driver began it. reassert: a person
    wants uno's split written over somebody else's.
    """

    world: World
    store: StateStore
    tenure: Tenure
    ears: Ears
    listener: Listener
    order: Order
    initial: Snapshot
    record: Record
    resumed: bool = False
    reassert: bool = False
    _seen: dict[str, Json] = field(init=False, factory=dict)
    _memo: Json = field(init=False, default=None)
    _left: Json = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        # Writes of its own: another deployment's may not be counted as this one's.
        self.world = evolve(self.world, fence=self.tenure.confirm, ledger=Ledger())
        if self.resumed:
            clock = self.world.clock
            remember_open_writes(
                self.book.recorded(self.record.id),
                self.world.ledger,
                now=clock.now(),
                monotonic=clock.monotonic(),
                horizon=self.world.horizon,
                conditional=self.world.capabilities.cas,
            )
            seen = self.book.last_checkpoint(self.record.id)
            self._seen = dict(seen) if isinstance(seen, Mapping) else {}
            self._memo = self._seen.get("memo")
            self._left = self._seen.get("hook")

    @property
    def book(self) -> Book:
        return Book(self.store, self.world.clock, self.world.logger, lambda: self.tenure.lease)

    # Forward

    def forward(self) -> Outcome:
        """Take the application to the order's release; or back, when that fails.

        Raises Nondeterminism where the strategy asks for something else than is recorded: nothing
        more was written, and it stays as it is.
        """
        order, record = self.order, self.record
        effects = self._effects()
        calls = Between(
            self._run("deploy", effects),
            order=order,
            initial=self.initial,
            deployment=record.id,
            forbid=self.ears.forbid,
        )
        self._tell(
            "resumed" if self.resumed else "started",
            {"version": order.release.version, "strategy": order.strategy_name, "id": record.id},
        )
        try:
            self._mark()
            calls.begin()
            if order.stable is not None:
                calls("set_traffic", split=to_json(dict(whole(order.stable))), timeout=300.0)
            result = run_unwindable(order.strategy.deploy, self._context(calls), calls)
            if not result.success:
                return self._fail(effects, result.message or "the strategy gave up")
            verified = from_json(calls("verify"), Snapshot)
        except Breach as breach:
            self._tell("verdict", {"analysis": to_json(breach.analysis)})
            return self._fail(effects, breach.analysis.reason, urgent=True)
        except Aborted as aborted:
            return self._fail(effects, aborted.reason, signal=aborted.signal, asked=True)
        except Stopped as stopped:
            # Recorded before it is answered: a word that a crash takes along is heard again.
            self.book.note(record.id, status=Status.STOPPED)
            self.book.answer(stopped.signal, "stopped where it is")
            return self.end(Status.STOPPED, f"stopped where it was: {stopped.reason}")
        except Suspend as left:
            return self._leave(left)
        except Nondeterminism as problem:
            self.book.note(record.id, message=problem.message)
            raise
        except Drift as problem:
            return self.end(Status.HALTED, f"halted, nothing more was written: {problem}")
        except LockLost as problem:
            return self.lost(problem)
        except UnoError as problem:
            return self._fail(effects, str(problem))
        said = [result.message or f"{order.release} serves"]
        said += [f"the companion {name} did not follow: {why}" for name, why in calls.left_behind.items()]
        return self.end(Status.SUCCESSFUL, "; ".join(said), verified)

    def _mark(self) -> None:
        """Say at the routed object itself what goes on, before the first write."""
        initial, end = self.initial, self.world.clock.monotonic() + PATIENCE
        mark: Json = {
            "deployment": self.record.id,
            "since": self.record.created.isoformat(),
            "split": {slot.value: percent for slot, percent in initial.split.items()},
            "releases": {slot.value: counts_to_json(initial.slot(slot).wanted) for slot in initial.slots},
        }
        while True:
            try:
                return self.world.begin(mark, initial)
            except (Throttled, Unanswered):
                if self.world.clock.monotonic() >= end:
                    raise
                self.ears.check()
                self.world.wait(1.0)

    def _leave(self, left: Suspend) -> Outcome:
        """Stop here, and stay resumable."""
        status = Status.PAUSED if left.exit_code == AT_A_GATE else None
        kept = status or self.book.status(self.record.id) or self.record.status
        try:
            self.book.note(self.record.id, status=status, message=left.why)
        except LockLost as problem:
            return self.lost(problem)
        self._tell("left", {"why": left.why, "exit_code": left.exit_code})
        return Outcome(
            deployment=self.record.id,
            status=kept,
            message=left.why,
            exit_code=left.exit_code,
            until=left.until,
        )

    def _fail(
        self,
        effects: Effects,
        why: str,
        *,
        urgent: bool = False,
        signal: int | None = None,
        asked: bool = False,
    ) -> Outcome:
        """What failed goes back, unless it was promoted (then it serves) or nothing was written.

        `asked`: a person wanted it back, and has what they wanted where nothing was written yet.
        """
        if self._stays(effects):
            self._logger.warning("failed after promotion; the release serves", why=why)
            return self.end(Status.SUCCESSFUL, f"{self.order.release} serves; afterwards: {why}")
        # A driver before may have written, even where the replay has not come so far.
        if not effects.changed and not self.resumed:
            serving = ", ".join(map(str, self.initial.releases))
            still = f"{serving} serves as before" if serving else "nothing was started"
            self.book.answer(signal, "going back")
            status = Status.ROLLED_BACK if asked and serving else Status.FAILED
            return self.end(status, f"{why}; {still}", self.initial)
        if after := self._forbidden(effects):
            return self._stop(f"{why}; {after}", signal)
        return self.back(why, urgent=urgent, signal=signal)

    @protects("after the hook that forbids it nothing is taken back", otherwise="")
    def _forbidden(self, effects: Effects) -> str:
        """Why nothing is taken back any more; empty where it may be. Known also where the store is away."""
        after = self.order.forbid_after
        if after in effects.reached:
            return forbidden(after)
        return self.book.recorded(self.record.id).forbidden(after)

    def _stop(self, why: str, signal: int | None) -> Outcome:
        """Hold where it is: a person is needed, since going back would hurt."""
        self.book.answer(signal, f"stopped where it is: {why}")
        message = f"stopped where it was, a person is needed: {why}"
        return self.end(Status.STOPPED, message, code=NEEDS_A_PERSON)

    @protects("what fails after promotion takes nothing back", otherwise=False)
    def _stays(self, effects: Effects) -> bool:
        return effects.promoted or self.book.recorded(self.record.id).promoted

    # Back

    def back(
        self, why: str, *, urgent: bool = False, later: bool = False, signal: int | None = None
    ) -> Outcome:
        """The way back, in the order of the design: traffic, the strategy's own, whatever still differs.

        later: it was a success before, and what serves serves well.
        """
        initial = self.initial
        try:
            self.book.note(self.record.id, status=Status.ROLLBACK_IN_PROGRESS, message=why)
        except LockLost as problem:
            return self.lost(problem)
        self.book.answer(signal, "going back")
        self._tell("rollback", {"why": why})
        self.ears.returning()
        recorded = self.book.recorded(self.record.id)
        captured = sum(initial.slot(initial.live).wanted.values()) if initial.live else 0
        stands = not later and recorded.stands(initial.live, captured, urgent=urgent)
        effects = self._effects(urgent=urgent, stands=stands, way_back=True)
        calls = Calls(self._run(f"rollback {recorded.rollbacks + 1}", effects))
        try:
            if later:
                bring_up_patiently(self.world, calls, initial)
            self._quietly(lambda: calls("put_traffic_back"))
            calls.unwound = None
            context = self._context(calls)
            self._quietly(lambda: run_strategy(self.order.strategy.rollback, context))
            # What unwound the strategy's own way back (a verdict, a gate) does not end the engine's.
            calls.unwound = None
            snapshot = from_json(calls("restore"), Snapshot)
        except LockLost as problem:
            return self.lost(problem)
        except UnoError as problem:
            return self.end(Status.ROLLBACK_FAILED, self._by_hand(why, problem))
        self._quietly(lambda: self._beside_back(calls, recorded, snapshot))
        if initial.live is None:
            return self.end(Status.FAILED, f"{why}; what was started is removed", snapshot)
        back = ", ".join(map(str, initial.releases))
        return self.end(Status.ROLLED_BACK, f"{back} serves again: {why}", snapshot)

    def _quietly(self, part: Callable[[], Any]) -> None:
        """A part of the way back whose failure the last part mends."""
        try:
            part()
        except LockLost:
            raise
        except (UnoError, Unwind) as problem:
            self._logger.warning("a part of the way back failed", problem=str(problem))

    def _beside_back(self, calls: Calls, recorded: Recorded, snapshot: Snapshot) -> None:
        """What clients stick to, companions, and the user's hook: nothing blocks the traffic."""
        calls.unwound = None
        idle = self.initial.idle
        if self.initial.live is not None and still_visited(self.world, snapshot, idle):
            calls("retire", slot=idle.value, after=0.0)
        if noted := recorded.companions:
            calls("companions_back", noted=noted)
        if asked := back(self.order, self.record.id, self.initial):
            calls("hook", **asked)

    def _by_hand(self, why: str, problem: UnoError) -> str:
        try:
            now = self.world.clock.within(BRIEF, self.world.observe)
            seen = f"{show(now.in_force)}: {', '.join(map(str, now.releases)) or 'nothing'} serves"
        except UnoError as blind:
            seen = f"what serves could not be seen ({blind.message})"
        return f"the way back failed after: {why}\n  now: {seen}\n  {problem}"

    # The end

    def end(
        self, status: Status, message: str, snapshot: Snapshot | None = None, *, code: int | None = None
    ) -> Outcome:
        """Record how it ended, and tell it. The mark goes where nothing is left to be done."""
        code = EXIT_CODES[status] if code is None else code
        try:
            if status in (Status.SUCCESSFUL, Status.ROLLED_BACK, Status.FAILED):
                self._unmark()
            self.book.note(self.record.id, status=status, message=message, exit_code=code)
        except LockLost as problem:
            return self.lost(problem)
        self.book.dismiss(self.record.id, status.value)
        self._tell("finished", {"status": status.value, "message": message, "exit_code": code})
        return Outcome(
            deployment=self.record.id, status=status, message=message, exit_code=code, snapshot=snapshot
        )

    def _unmark(self) -> None:
        try:
            self.world.settle()
        except LockLost:
            raise
        except UnoError as problem:
            self._logger.warning("what marks this deployment could not be taken away", problem=str(problem))

    def lost(self, problem: LockLost) -> Outcome:
        """Somebody else drives it now, or may: nothing more is written, not even this."""
        code = EXIT_CODES[Status.LOST]
        self._tell("finished", {"status": Status.LOST.value, "message": str(problem), "exit_code": code})
        return Outcome(deployment=self.record.id, status=Status.LOST, message=str(problem), exit_code=code)

    # Around both

    def _effects(self, *, urgent: bool = False, stands: bool = False, way_back: bool = False) -> Effects:
        return Effects(
            world=self.world,
            attention=self.ears,
            tell=self._hear,
            strategy=self.order.strategy,
            release=self.order.release,
            initial=self.initial,
            outage=self.order.outage,
            urgent=urgent,
            stands=stands,
            way_back=way_back,
            resumed=self.resumed,
            reassert=self.reassert,
            memo=self._memo,
            told=told(self.order, self.initial, self.record.id),
            left=self._left,
            remember=self._remember,
            found=self._found,
        )

    @property
    def _found(self) -> Split:
        """What was routed before a person said which slot is stable: not somebody else's write."""
        found = self.record.params.get("found")
        split = found if isinstance(found, Mapping) else {}
        return {Slot(slot): float(str(percent)) for slot, percent in split.items()}

    def _run(self, name: str, effects: Effects) -> Run:
        return Run(
            self.store,
            self.record.id,
            name,
            effects=effects,
            clock=self.world.clock,
            logger=self._logger,
            lease=lambda: self.tenure.lease,
            way_back=name != "deploy",
        )

    def _context(self, calls: Calls) -> Context[Any]:
        facts: Facts[Any] = Facts(
            application=self.order.application,
            release=self.order.release,
            initial=self.initial,
            options=self.order.options,
            capabilities=self.world.capabilities,
        )
        return Context(facts, calls, self._logger)

    def _remember(self, memo: Json) -> None:
        """What the next driver needs of this wait; written with the evidence that follows."""
        self._seen["memo"] = memo

    def _hear(self, kind: str, data: Mapping[str, Json]) -> None:
        """What effects tell goes to the listener; what another process may ask for, beside the journal."""
        self.listener(kind, data)
        if kind in ("paused", "continued"):
            status = Status.PAUSED if kind == "paused" else Status.IN_PROGRESS
            self.book.note(self.record.id, status=status, message=str(data.get("reason", "")))
        if kind in ("hook", "step", "split", "evidence", "waiting", "paused", "restoring", "health"):
            self._seen[kind] = dict(data)
            self.book.checkpoint(self.record.id, self._seen)

    def _tell(self, kind: str, data: Mapping[str, Json]) -> None:
        self.listener(kind, data)

    @property
    def _logger(self) -> Any:
        return self.world.logger.bind(deployment=self.record.id, application=self.record.application)
