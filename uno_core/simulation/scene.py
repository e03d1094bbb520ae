"""One schedule, played to its end: the same strategy, context and engine, in a world that goes wrong.

After everything that happens the invariants are checked on what is really there, not on what was
observed. Whatever is against them is kept as a violation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from uno_core.contracts.engine import Order, Outcome
from uno_core.contracts.metrics import Figures
from uno_core.contracts.state import Driver, Record
from uno_core.engine.recorded import Recorded
from uno_core.errors import Nondeterminism, UnoError
from uno_core.model import (
    Counts,
    Slot,
    SlotState,
    Split,
    Status,
    needed,
    same_split,
    share,
    whole,
)
from uno_core.simulation.clock import VirtualClock
from uno_core.simulation.commands import complaints
from uno_core.simulation.faults import (
    LANDS_AFTER,
    NO_ANSWER,
    Crash,
    Fault,
    Trouble,
    TroubledApi,
    TroubledStore,
)
from uno_core.simulation.platform import Sent
from uno_core.simulation.stage import SHOP, FiguresNow, Stage
from uno_core.simulation.subject import Harsh, Place, Subject

RESTART = 5.0
"""Seconds from a crash to the next driver."""

RESTART_LATE = 30.0
"""Seconds from a crash to the next driver, where the release goes bad meanwhile."""

BACK_UP = 8.0
"""Seconds that a crashed instance takes to be ready again."""

GRACE = 3.0
"""Seconds for which nobody can be blamed for what crashed just now."""

HOOK = 12.0
"""Seconds that a hook takes."""

DRIVES = 8
"""Drivers that a schedule may need until its deployment has ended."""

THIEF = Driver(host="elsewhere", pid=2, started="", user="thief")


class Scene:
    """A deployment of v2 over v1, with what the schedule has for it."""

    def __init__(self, subject: Subject, place: Place, schedule: Mapping[int, Fault]) -> None:
        self.subject = subject
        self.place = place
        self.violations: list[str] = []
        self.judge = Harsh()
        self._end = "resume"
        self._stolen_at: int | None = None
        self._thief = False
        self._restart = RESTART
        self._returning = False
        self._foreign = False
        self._interfered = -1.0
        self._theirs: Split = {}
        self._promoted = False
        self._failed_before = False
        self._asked_back = False
        self._gone_on = False
        self._by_a_person = False
        self._fell: dict[Slot, float] = {}
        clock = VirtualClock()
        self.trouble = Trouble(clock, {})
        rates = FiguresNow(clock)
        rates.rates = {} if subject.silent else {slot: Figures(requests=100.0) for slot in Slot}
        self._rates = rates
        self.stage = Stage(
            rules=place.rules,
            clock=clock,
            store=TroubledStore(self.trouble),
            provider=rates,
            judge=self.judge,
        )
        self.stage.react = lambda event: self._hear(event.kind)
        self.stage.commands.dead = lambda: self.trouble.dead
        self.stage.commands.plays = {str(phase): (HOOK, 0) for phase in subject.hooks}
        if not subject.first:
            self.stage.live("v1")
        self.before = self.stage.world.observe()
        conditional = place.rules.capabilities.cas
        api = TroubledApi(self.trouble, conditional=conditional)
        self.stage.platform.workload.api = api
        self.stage.platform.router.api = api
        self.trouble.schedule = schedule
        self.trouble.happens = self._happens
        self.trouble.sent = self._sent
        self.trouble.landed = self._landed

    # What happens

    def _happens(self, fault: Fault) -> None:
        stage, router = self.stage, self.stage.platform.router
        live, idle = self.before.live or Slot.GREEN, self.before.idle
        match fault:
            case Fault.CRASH | Fault.CRASH_AFTER:
                self._end = "resume"
            case Fault.CRASH_BACK:
                self._end, self._asked_back = "rollback", True
            case Fault.CRASH_BAD:
                # What nobody watches goes bad, and the next driver comes late.
                self._end, self._restart = "resume", RESTART_LATE
                self._happens(Fault.BAD)
                self.judge.blind_since = self.stage.clock.now() if self.judge.asked else None
            case Fault.NEW_CRASHES:
                self._fall(idle, 99)
            case Fault.OLD_CRASHES:
                self._fall(live, 1)
            case Fault.CONFLICT:
                router.touch()
            case Fault.FOREIGN:
                self._foreign = True
                self._interfered = self.stage.clock.monotonic()
                fine = self.place.rules.capabilities.weights
                held = router.state().split
                other = share(idle, 37.0) if fine else whole((next(iter(held), live)).other)
                self._theirs = other
                router.impose(other)
            case Fault.STOLEN:
                self._stolen_at = len(self.trouble.points)
                stage.store.acquire(SHOP.key, THIEF, ttl=60.0, take_over=True)
            case Fault.BAD:
                self._rates.rates[idle] = Figures(requests=100.0, errors=50.0)
                self._rates.rates[live] = Figures(requests=100.0, errors=50.0)
            case Fault.ABORT:
                self._asked_back = True
                for record in stage.store.list(limit=1):
                    stage.store.signal(record.id, "abort", {}, by="explorer", at=stage.clock.now())

    def _fall(self, slot: Slot, n: int) -> None:
        self.stage.platform.workload.crash(slot, n, back_after=BACK_UP)
        self._fell[slot] = self.stage.clock.monotonic()

    def _hear(self, kind: str) -> None:
        if kind == "promoted":
            self._promoted, self._failed_before = True, self.judge.failed
        if kind in ("split", "restoring"):
            self._gone_on = True
        elif kind == "step":
            self._gone_on = False
        self._returning = self._returning or kind == "rollback"
        if kind == "rollback" and self._forbidden and not self._by_a_person:
            self._violated(f"it goes back, though that is forbidden after {self.subject.forbid_after}")

    @property
    def _forbidden(self) -> bool:
        """Whether the hook has begun after which nothing may be taken back."""
        after = self.subject.forbid_after
        return any(command.env["UNO_HOOK"] == after for command in self.stage.commands.started)

    # What must hold at every write

    def _violated(self, words: str) -> None:
        self.violations.append(f"at {self.stage.clock.monotonic():g} s: {words}")

    def _sent(self, sent: Sent) -> None:
        if self._stolen_at is not None and not self._thief and len(self.trouble.points) > self._stolen_at:
            self._violated(f"a write after the lock was lost: {sent.what}")
        if sent.split:
            self._gone_on = False
            self._check_route(sent.split)
        elif sent.slot is not None and sent.counts is not None:
            self._check_counts(sent.slot, sent.counts)

    @property
    def _blind(self) -> bool:
        return bool({Fault.BLIND, Fault.THROTTLED, Fault.AWAY} & set(self.trouble.schedule.values()))

    def _state(self, slot: Slot) -> SlotState:
        return self.stage.platform.workload.state().slots[slot]

    def _just_fell(self, slot: Slot) -> bool:
        return self.stage.clock.monotonic() - self._fell.get(slot, -99.0) <= GRACE

    def _check_route(self, split: Split) -> None:
        if abs(sum(split.values()) - 100) > 0.01:
            self._violated(f"a split that does not sum to 100: {_show(split)}")
        held = self.stage.platform.router.state().split
        if self._overwrites(held):
            self._violated(f"{_show(split)} over somebody else's {_show(held)}")
        idle = self.before.idle
        if self.judge.failed and not self._promoted and split.get(idle, 0.0) > held.get(idle, 0.0):
            self._violated(f"{idle} grows to {split[idle]:g} % after a FAIL verdict")
        if self.judge.blind_since is not None and split.get(idle, 0.0) > held.get(idle, 0.0) > 0:
            self._violated(f"{idle} grows to {split[idle]:g} %, and went bad while nobody watched")
        for slot, percent in split.items():
            if percent <= held.get(slot, 0.0) or self._just_fell(slot):
                continue
            ready = self._state(slot).ready()
            if not ready and self._state(slot.other).ready() and not self.subject.outage:
                self._violated(f"{percent:g} % to {slot}, where nothing is ready")
            least = needed(self.place.rules.size, percent) - self.subject.max_unavailable
            # After a FAIL, or on the journal alone where the world cannot be read, all of it goes back.
            back = slot is self.before.live and (self.judge.failed or (self._returning and self._blind))
            alone = not self._state(slot.other).ready()
            if 0 < ready < least and not back and not alone:
                self._violated(f"{percent:g} % to {slot}, where {ready} are ready of {least}")

    def _overwrites(self, held: Split) -> bool:
        """Whether a way forward writes over what somebody else wrote a while ago."""
        theirs = self._foreign and same_split(held, self._theirs)
        if same_split(held, self.before.split):
            return False  # what they wrote is what uno had confirmed: nobody can tell them apart
        return theirs and not self._returning and self._interfered < self.stage.clock.monotonic()

    def _landed(self, sent: Sent) -> None:
        capabilities = self.place.rules.capabilities
        if self.subject.first and not capabilities.unroute:
            return  # nothing can be written over it, and nothing else could serve
        if sent.split and capabilities.cas and self._gone_on:
            self._violated("an unanswered split landed, though a newer write would have forestalled it")

    def _check_counts(self, slot: Slot, counts: Counts) -> None:
        if self.subject.outage or self._just_fell(slot) or self._interfered == self.stage.clock.monotonic():
            return  # nobody can know what somebody else did at this very instant
        if self.subject.first and not self.place.rules.capabilities.unroute:
            return  # nothing else could serve, and what fails is not left running
        state = self._state(slot)
        router = self.stage.platform.router
        percent = max(router.state().split.get(slot, 0.0), router.followed().get(slot, 0.0))
        stay = sum(min(n, state.ready(release)) for release, n in counts.items())
        least = needed(self.place.rules.size, percent) - self.subject.max_unavailable
        if percent and stay < state.ready() and stay < least:
            self._violated(f"{slot} shrinks to {stay} ready instances for {percent:g} %, {least} are needed")

    # Playing

    def play(self) -> Sequence[str]:
        """Play it to its end; what was violated, empty where all held."""
        outcome: Outcome | None = None
        then = "deploy"
        for _ in range(DRIVES):
            outcome, problem = self._drive(then)
            if isinstance(problem, Nondeterminism):
                self._violated(f"resumed, the strategy asked for something else: {problem}")
                break
            then = self._then(outcome)
            if not then:
                break
            self.stage.clock.sleep(self._restart)
        rules = self.place.rules
        self.stage.clock.sleep(rules.capabilities.write_horizon + LANDS_AFTER + NO_ANSWER + rules.propagation)
        self._check_end(outcome)
        return self.violations

    def _drive(self, then: str) -> tuple[Outcome | None, UnoError | None]:
        """One driver, until it ends or dies."""
        self.trouble.dead = False
        engine, order = self.stage.engine(), self._order()
        record = self._record
        self._by_a_person = then not in ("deploy", "resume")
        try:
            if then == "deploy" or record is None:
                return engine.deploy(order), None
            if then == "resume":
                return engine.resume(order, record.id), None
            return engine.rollback(order, record.id, then, take_over=self._thief), None
        except Crash:
            return None, None
        except UnoError as problem:
            return None, problem

    def _order(self) -> Order:
        subject = self.subject
        return self.stage.order(
            subject.make(),
            "v2",
            subject.options,
            outage=subject.outage,
            hooks=subject.hooks,
            forbid_after=subject.forbid_after,
        )

    @property
    def _record(self) -> Record | None:
        return next(iter(self.stage.store.list(limit=1)), None)

    def _then(self, outcome: Outcome | None) -> str:
        """What the next driver does; empty where none is needed."""
        record = self._record
        if record is None:
            return ""  # nothing was begun, and nothing touched
        if outcome is not None and outcome.status is Status.HALTED:
            if not self._foreign:
                self._violated(f"halted, and nobody else wrote: {outcome.message}")
            return "halted"
        if outcome is not None and outcome.status is Status.LOST and self._stolen_at is None:
            self._violated(f"lost, and nobody stole it: {outcome.message}")
        if record.status.final:
            return ""
        if self._stolen_at is not None:
            self._thief = True
            return "stolen"
        return self._end

    # What must hold in the end

    def _check_end(self, outcome: Outcome | None) -> None:
        record = next(iter(self.stage.store.list(limit=1)), None)
        status = record.status if record else None
        if self._stolen_at is None:
            for words in complaints(
                self.stage.commands, self.subject.hooks, whole=status is Status.SUCCESSFUL
            ):
                self._violated(words)
        if status is Status.STOPPED and self._forbidden:
            return  # a person is needed, and was called
        if status is Status.SUCCESSFUL:
            if self._failed_before or (self.judge.failed and not self._promoted):
                self._violated("a release with a FAIL verdict succeeded")
            if self.subject.silent:
                self._violated("a release succeeded without any evidence")
            if self._returning and not self._stolen_at:
                self._violated("a way back was begun, and it ended as a success")
            self._check_serves("v2", self._where("v2"))
        elif status in (None, Status.ROLLED_BACK, Status.FAILED):
            recorded = Recorded(self.stage.store.entries(record.id) if record else ())
            theirs = self._asked_back or self._foreign or self._stolen_at is not None
            if recorded.promoted and not theirs:
                self._violated("what was promoted was taken back, and nobody asked for it")
            if self.before.live is None:
                self._check_removed()
            else:
                self._check_serves("v1", self.before.live)
        else:
            words = outcome.message if outcome else "nothing"
            self._violated(f"it ended {status}, and nobody can say what serves: {words}")

    def _where(self, version: str) -> Slot:
        return next((s for s in Slot if any(str(r) == version for r in self._state(s).releases)), Slot.BLUE)

    def _check_serves(self, version: str, slot: Slot) -> None:
        router = self.stage.platform.router
        if self._foreign and not same_split(router.state().split, whole(slot)):
            return  # somebody else's split is theirs to answer for
        state = self._state(slot)
        good = (
            same_split(router.state().split, whole(slot))
            and same_split(router.followed(), whole(slot))
            and [str(r) for r in state.releases] == [version]
            and state.ready() >= self.place.rules.size
        )
        if not good:
            found = "; ".join(
                f"{s} {router.state().split.get(s, 0.0):g} % ({router.followed().get(s, 0.0):g} %) "
                + ", ".join(
                    f"{self._state(s).ready(r)}/{self._state(s).count(r)} {r}"
                    for r in self._state(s).releases
                )
                for s in Slot
            )
            self._violated(f"it ended with {version} said to serve from {slot}, but: {found}")

    def _check_removed(self) -> None:
        left = [slot for slot in Slot if self._state(slot).instances]
        unroute = self.place.rules.capabilities.unroute and not self._foreign
        if left or (unroute and any(self.stage.platform.router.state().split.values())):
            self._violated(
                f"a first deployment failed, and left something in {', '.join(left) or 'the routing'}"
            )


def _show(split: Split) -> str:
    return ", ".join(f"{slot} {percent:g} %" for slot, percent in split.items())
