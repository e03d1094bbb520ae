"""Going back from the end of a step, in the simulated world: how long that takes at the worst."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, evolve, field, frozen

from uno_core.contracts.engine import Order
from uno_core.contracts.platform import Platform
from uno_core.contracts.state import Entry, Record
from uno_core.effects.world import Policy, World
from uno_core.errors import UnoError
from uno_core.journal.memory import MemoryStore
from uno_core.model import Application, Slot, Snapshot, same_split
from uno_core.planning.plan import WayBack
from uno_core.simulation.clock import VirtualClock
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import Stage

WRITE = 1.0
"""Seconds given to a reading and a write of the split, which take no time in the simulated world."""

LEAP = 60.0
"""Seconds that may pass at once on the way to what happens by itself: readiness, propagation."""


@frozen(kw_only=True)
class Moment:
    """The end of a step in a rehearsal: when it was, what was there, and what the journal held."""

    at: float
    snapshot: Snapshot
    record: Record
    entries: Sequence[Entry]


def _nobody() -> None:
    """Nobody looks."""


class Leaping(Platform[Any]):
    """What a world waits on in a rehearsal: it goes straight to what happens next, and has it looked at.

    Where something was just written and nothing is to come, no time passes: the plan's least is meant
    to hold what the platform needs, not how often uno looks.
    """

    def __init__(self, world: World, clock: VirtualClock, look: Callable[[], None] = _nobody) -> None:
        self._world = world
        self._clock = clock
        self._look = look
        self._before: Snapshot | None = None

    def wait_for_change(self, timeout: float) -> None:
        self._look()
        now, before = self._world.observe(), self._before
        self._before = now
        to_come = now.in_force != now.split or any(
            not i.ready for slot in Slot for i in now.slot(slot).instances
        )
        if to_come:
            self._clock.sleep_until_event(max(timeout, LEAP))
        elif now == before:
            self._clock.sleep_until_event(timeout)
        self._look()


@define
class Since:
    """Since when each of three things has held without a break; what does not hold now is not there."""

    world: World
    initial: Snapshot
    times: dict[str, float] = field(factory=dict)

    def look(self) -> None:
        now: Snapshot = self.world.observe()
        initial, live = self.initial, self.initial.live
        wanted = initial.slot(live).wanted if live else {}
        for name, holds in (
            ("written", same_split(now.split, initial.split)),
            ("in_force", same_split(now.in_force, initial.split)),
            ("whole", all(now.slot(live or Slot.BLUE).ready(r) >= n for r, n in wanted.items())),
        ):
            if not holds:
                self.times.pop(name, None)
            else:
                self.times.setdefault(name, self.world.clock.monotonic())


def go_back(
    moment: Moment,
    *,
    initial: Snapshot,
    order: Order,
    rules: Rules,
    policy: Policy,
    application: Application,
) -> WayBack:
    """Take a copy of the world as it was at that moment back, as `uno rollback` would, and time it.

    `rules` are the worst that is known: a split is in force only after the router's bound, and an
    instance needs all the time that the strategy would give it.
    """
    store = MemoryStore()
    record = store.create(moment.record)
    for entry in moment.entries:
        store.append(record.id, entry)
    stage = Stage(rules=rules, application=application, dry=True, store=store, policy=policy)
    stage.clock.sleep(moment.at)
    stage.platform.start_from(moment.snapshot)
    since = Since(stage.world, initial)
    stage.world = evolve(stage.world, platforms=(Leaping(stage.world, stage.clock, since.look),))
    since.look()
    begin = since.times.copy()
    try:
        stage.engine().rollback(order, record.id, "planned")
    except UnoError:
        return WayBack(written=None, in_force=None, whole=None)
    since.look()

    def took(name: str) -> float | None:
        if name not in since.times:
            return None
        return 0.0 if since.times[name] == begin.get(name) else since.times[name] - moment.at

    def routed(name: str) -> float | None:
        seconds = took(name)
        moved = "written" not in begin or "in_force" not in begin
        return seconds + WRITE if seconds is not None and moved else seconds

    return WayBack(written=routed("written"), in_force=routed("in_force"), whole=took("whole"))
