"""What the contract of engines plays on: a small strategy, drivers and people, and what is seen of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from attrs import define, evolve, field

from uno_core.context import Context
from uno_core.contracts.engine import Order, Outcome, nobody
from uno_core.contracts.metrics import Figures
from uno_core.contracts.platform import Router, Workload
from uno_core.contracts.state import Entry, Record, StateStore
from uno_core.contracts.strategy import DeploymentStrategy
from uno_core.engine.attention import Ears
from uno_core.engine.port import Driving, Engine
from uno_core.errors import HookFailed, UnoError
from uno_core.model import Application, Bounds, DeploymentResult, Kind, Slot, Status, share, whole
from uno_core.simulation.clock import VirtualClock
from uno_core.simulation.faults import Crash
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import FiguresNow, Stage
from uno_core.simulation.subject import Harsh
from uno_core.testing.engine_life import Life, Mortal

FIRST, SECOND, CAREFUL, WHOLE = 10.0, 50.0, 30.0, 100.0
"""Percent, in the order in which they are routed; the careful one in the second's place after an error."""

WAIT = 60.0
"""Seconds of the watched wait at the first share."""

GATE = 3600.0
"""Seconds that the gate waits for a person; nobody coming means the way back."""

LOOK = 5.0
"""Seconds between two looks of a watched wait: as exact as a moment can be."""

RESTART = 5.0
"""Seconds from a driver's death to the next one."""

DRIVES = 4
"""Drivers that a deployment may need, of which the first one dies."""

ERRORS = {"error_rate": Bounds(max=0.05)}


class Gradual(DeploymentStrategy[Any]):
    """A canary of a few calls: start, an effect of its own, a share, a watched wait, a gate, the whole.

    done: told when its own effect is performed. first: the first share. fails: its own effect does,
    and it goes on with a smaller second share. stubborn: goes on whatever the first share raises.
    """

    def __init__(
        self, done: list[str], *, first: float = FIRST, fails: bool = False, stubborn: bool = False
    ) -> None:
        super().__init__("gradual")
        self._done = done
        self._first = first
        self._fails = fails
        self._stubborn = stubborn

    def deploy(self, context: Context[Any]) -> DeploymentResult:
        slot, second = context.initial.idle, SECOND
        with context.step("start"):
            context.converge(slot, {context.release: context.initial.size})
        try:
            context.call("warm", slot=slot.value)
        except HookFailed:
            second = CAREFUL
        try:
            context.set_traffic(share(slot, self._first))
        except UnoError:
            if not self._stubborn:
                raise
        context.wait(WAIT, slot=slot, thresholds=ERRORS)
        context.pause("look at it", timeout=GATE)
        context.set_traffic(share(slot, second))
        context.set_traffic(whole(slot))
        context.promoted()
        return DeploymentResult(True, f"{context.release} serves")

    def warm(self, slot: str) -> str:
        """The effect of its own."""
        self._done.append(slot)
        if self._fails:
            raise RuntimeError("it stays cold")
        return slot


@define(eq=False, repr=False)
class Play:
    """One application: v1 is live in blue, and drivers take it to v2 in green.

    What was done is counted at the platform. `died`: told the store of a driver after its death, or
    before it is taken over. `settled`: called when a driver has ended or died.
    """

    engine: Engine
    store: StateStore
    name: str
    died: Callable[[StateStore], None]
    settled: Callable[[], None]
    clock: VirtualClock = field(factory=VirtualClock)
    done: list[str] = field(factory=list)
    strategy: Mapping[str, Any] = field(factory=dict)
    stage: Stage = field(init=False)
    _rates: FiguresNow = field(init=False)
    _before: tuple[int, int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._rates = FiguresNow(self.clock)
        self._rates.rates = {slot: Figures(requests=100.0) for slot in Slot}
        self.stage = Stage(
            rules=Rules(size=4, start=3.0, propagation=0.5),
            application=Application(name=self.name, environment="testing", kind=Kind.TESTING),
            judge=Harsh(),
            provider=self._rates,
            store=self.store,
            willing=False,
            clock=self.clock,
        )
        self.stage.live("v1")
        platform = self.stage.platform
        self._before = len(platform.workload.writes), len(platform.router.writes)

    # Driving

    def life(self, dies_at: int | None = None) -> Life:
        """A driver's life, to be handed to `deploy`, `resume` or `rollback`."""
        return Life(self.clock, dies_at)

    def deploy(self, life: Life | None = None) -> Outcome | None:
        """Deploy v2; None where the driver died."""
        return self._drive(life, lambda driving: driving.deploy(self.order()))

    def resume(self, life: Life | None = None, **changed: Any) -> Outcome | None:
        """Go on with it, by the strategy with some changes; None where the driver died."""
        return self._drive(life, lambda driving: driving.resume(self.order(**changed), self.id))

    def rollback(
        self, life: Life | None = None, *, take_over: bool = False, **changed: Any
    ) -> Outcome | None:
        """Take it back; None where the driver died."""
        return self._drive(
            life,
            lambda driving: driving.rollback(
                self.order(**changed), self.id, "a person asked for it", take_over=take_over
            ),
        )

    def _drive(self, life: Life | None, drive: Callable[[Driving], Outcome]) -> Outcome | None:
        life = life or self.life()
        world = self.stage.world
        world = evolve(
            world,
            workload=cast("Workload", Mortal("workload", world.workload, life)),
            router=cast("Router", Mortal("router", world.router, life)),
        )
        store = cast("StateStore", Mortal("store", self.store, life))
        try:
            return drive(self.engine.driving(world, store, nobody, Ears.listening))
        except Crash:
            return None
        finally:
            if life.dead:
                self.died(self.store)
            self.settled()

    def order(self, **changed: Any) -> Order:
        """v2, by the strategy of this play with some changes."""
        return self.stage.order(Gradual(self.done, **{**self.strategy, **changed}), "v2")

    def to_the_end(self) -> Outcome | None:
        """What a person does whose driver died: deploy where nothing was begun, otherwise resume."""
        outcome: Outcome | None = None
        for _ in range(DRIVES):
            if self.records and self.record.status.final:
                break
            self.clock.sleep(RESTART)
            outcome = self.resume() if self.records else self.deploy()
        return outcome

    def killed_in_the_wait(self, seconds: float = 10.0, **changed: Any) -> Play:
        """Deploy, and die so many seconds after the first share was written, looking at the platform."""
        self.strategy = {**self.strategy, **changed}
        life = self.life()
        self.at_the_first_share(life, lambda: life.later(seconds, life.die))
        outcome = self.deploy(life)
        assert life.dead, f"it ended before it waited for {seconds:g} s: {outcome}"
        return self

    def at_the_first_share(self, life: Life, happens: Callable[[], object]) -> None:
        """Let something happen once the first share is written, when the driver looks at the platform."""

        def look() -> None:
            if self.splits:
                happens()
            else:
                life.later(0.0, look)

        life.later(0.0, look)

    # People, and the release

    def say(self, kind: str) -> int:
        """Leave a word for the driver, whoever that is."""
        return self.store.signal(self.id, kind, {}, by="ann@kit", at=self.clock.now())

    def say_and_die(self, kind: str, life: Life, point: int) -> None:
        """Leave a word, and let the driver die so many points later."""
        self.say(kind)
        life.dies_at = len(life.points) + point

    def say_after(self, seconds: float, kind: str) -> None:
        """Leave a word so many seconds from now, also while the driver sleeps."""

        def say() -> None:
            self.say(kind)

        self.clock.later(seconds, say)

    def answered(self, word: int) -> str:
        """What came of a word; empty where nobody heard it."""
        return next(s.answer for s in self.store.signals(self.id, unanswered=False) if s.id == word)

    def promote_always(self) -> None:
        """Somebody promotes, again and again: a word that is lost is said once more."""

        def promote() -> None:
            if self.records and not self.record.status.final and not self.store.signals(self.id):
                self.say("promote")
            if self.clock.monotonic() < GATE / 2:
                self.clock.later(20.0, promote)

        self.clock.later(20.0, promote)

    def spoil(self) -> None:
        """The new release answers with errors from now on."""
        self._rates.rates[Slot.GREEN] = Figures(requests=100.0, errors=90.0)

    # What is seen

    @property
    def records(self) -> Sequence[Record]:
        """The deployments of this application, the newest first."""
        return self.store.list(application=self.name)

    @property
    def record(self) -> Record:
        """The newest deployment."""
        return self.records[0]

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def told(self) -> str:
        """How it stands, in the words of its record."""
        return f"{self.record.status}: {self.record.message}"

    @property
    def journal(self) -> Sequence[Entry]:
        return list(self.store.entries(self.id))

    @property
    def splits(self) -> Sequence[tuple[float, float]]:
        """When a split was written, and what green got by it, since the play began."""
        writes = self.stage.platform.router.writes[self._before[1] :]
        return [(at, split.get(Slot.GREEN, 0.0)) for at, split in writes]

    @property
    def shares(self) -> Sequence[float]:
        """The percent of green, as they were written."""
        return [percent for _, percent in self.splits]

    @property
    def first_lasted(self) -> float:
        """Seconds from the write of the first share to the next one."""
        assert len(self.splits) > 1, f"nothing was routed after the first share; {self.told}"
        return self.splits[1][0] - self.splits[0][0]

    @property
    def counts(self) -> Sequence[tuple[str, int]]:
        """What was asked of the workload: the slot, and how many instances."""
        writes = self.stage.platform.workload.writes[self._before[0] :]
        return [(slot.value, sum(counts.values())) for _, slot, counts in writes]

    def written(self) -> Sequence[object]:
        """All that is there of the drivers: at the platform, in the journal, in the record."""
        return [self.splits, self.counts, self.journal, self.record.status]

    def serves(self, version: str) -> bool:
        """Whether all traffic is at ready instances of a version, and of nothing else."""
        now = self.stage.world.observe()
        (slot,) = now.serving if len(now.serving) == 1 else (None,)
        if slot is None or now.in_force.get(slot) != WHOLE:
            return False
        state = now.slot(slot)
        return [str(r) for r in state.releases] == [version] and state.ready() == now.size

    def grows(self, since: int = 0) -> bool:
        """Whether a split gave green more than the one before did, from that one of `splits` on."""
        shares = [0.0, *self.shares]
        return any(b > a for a, b in zip(shares[since:-1], shares[since + 1 :], strict=True))

    def ended(self, status: Status) -> bool:
        """Whether the record says so."""
        return self.record.status is status


def once(values: Sequence[Any]) -> Sequence[Any]:
    """Values without those that repeat the one before."""
    return [value for n, value in enumerate(values) if not n or value != values[n - 1]]
