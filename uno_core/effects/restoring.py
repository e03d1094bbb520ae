"""The way back: traffic first, on what is already known; then the instances; then the other slot.

Restores what was captured, not what is configured. Never shrinks below what the captured share
needs, waits for no readiness of the bad slot, and asks no provider.
"""

from __future__ import annotations

import math

from attrs import define

from uno_core.effects.drift import show
from uno_core.effects.traffic import pace
from uno_core.effects.world import BRIEF, SPLIT, Tell, World, cleaned
from uno_core.errors import Forbidden, LockLost, PlatformError, UnoError
from uno_core.model import Counts, Slot, Snapshot, Split, same_split, share
from uno_core.rules import protects

MISSING = 0.1
"""The part of its instances that the old slot may lack and gets all of its traffic back: a tenth more for
each of the others hurts less than requests that stay with a release which is being taken back."""

LONGEST_PAUSE = 10.0
"""Seconds at most between two tries."""


def put_traffic_back(world: World, tell: Tell, initial: Snapshot, *, urgent: bool, stands: bool) -> Split:
    """Write the captured split at once, as far as it helps; returns what was written.

    `stands`: as far as the journal knows, the captured slot is as it was captured. Only then is it
    routed to where the world cannot be read; otherwise the problem of the reading is raised.

    After a FAIL verdict (`urgent`) in full. Otherwise as far as ready capacity of the captured slot
    goes, and the rest by `restore`, after scaling up. Where the captured slot has nothing ready and
    the other one serves, nothing is written: the workload comes first.
    """
    live = initial.live
    if live is None:
        return _unroute(world, tell)
    try:
        now = world.clock.within(BRIEF, world.observe)
    except UnoError as problem:
        if not stands:
            raise
        # One bounded reading was tried: on what the journal knows, the captured slot was fine.
        world.logger.warning("going back on what the journal knows", problem=str(problem))
        world.route(initial.split, None)
        return initial.split
    target = _as_far_as_ready(now, initial, live, world.capabilities.granularity, urgent=urgent)
    if target and (not same_split(now.split, target) or may_be_overtaken(world, target)):
        world.route(target, None)
        tell("split_written", {"split": {s.value: target[s] for s in target}})
    return target or now.split


def _unroute(world: World, tell: Tell) -> Split:
    """The way back of a first deployment: nothing was routed before."""
    routed = bool(world.router.observe().split) or may_be_overtaken(world, {})
    if routed and world.capabilities.unroute:
        world.route({}, None)
        tell("split_written", {"split": {}})
    return {}


@protects(
    "the way back writes even where the world looks right, so that an unanswered write fails", otherwise=False
)
def may_be_overtaken(world: World, target: Split) -> bool:
    """Whether a conditional write of another split is still open: only a newer one keeps it from landing."""
    return world.capabilities.cas and world.others(SPLIT, target) > 0


@protects("the way back stays on watch until no unanswered write can land any more", otherwise=False)
def still_open(world: World, idle: Slot | None) -> bool:
    """Whether something that was sent, here or by the driver before, may still land.

    Where writes are conditional the idle slot is left out: that it is emptied forestalls the rest.
    """
    left_out = idle.value if idle is not None and world.capabilities.cas else ""
    return world.ledger.any(world.clock.monotonic(), but=left_out) > 0


def _as_far_as_ready(
    now: Snapshot, initial: Snapshot, live: Slot, finest: float, *, urgent: bool
) -> Split | None:
    """The split to write now; None where nothing better can be written before more is ready."""
    ready = now.slot(live).ready()
    other_ready = now.slot(live.other).ready() > 0
    if ready == 0:
        return None if other_ready and now.split.get(live.other, 0.0) > 0 else initial.split
    if urgent or not other_ready:
        # What cannot take a request gets no share, however few there are that can.
        return initial.split
    size = max(1, sum(cleaned(initial.slot(live).wanted).values()))
    if ready >= math.ceil(size * (1 - MISSING)):
        return initial.split
    possible = math.floor(ready / size * initial.split[live] / finest) * finest
    return share(live, possible) if possible > now.split.get(live, 0.0) else None


def still_visited(world: World, snapshot: Snapshot, slot: Slot) -> bool:
    """Whether clients that stick to the slot are answered there still: emptied, it would fail them all."""
    return world.capabilities.sticky > 0 and snapshot.slot(slot).ready() > 0


@define
class Restoration:
    """One try after the other, until what is observed is what was captured."""

    world: World
    tell: Tell
    initial: Snapshot
    urgent: bool
    stands: bool
    told: str = ""
    kept: bool = False
    seen: bool = False

    def run(self, timeout: float) -> Snapshot:
        """Raises the last problem when `timeout` is over: a person is needed."""
        clock = self.world.clock
        end = clock.monotonic() + timeout
        pause, look = 0.1, 1.0
        while True:
            problem: UnoError | None = None
            try:
                snapshot = self._pass()
                if self._restored(snapshot) and not still_open(self.world, self._idle):
                    self._empty_idle(snapshot)
                    self._to_the_letter(snapshot)
                    return snapshot
            except (Forbidden, LockLost):
                raise
            except UnoError as failed:
                problem = failed
                self.world.logger.warning("the way back failed, again soon", problem=str(failed))
                pause = min(pause * 2, LONGEST_PAUSE)
            if (left := end - clock.monotonic()) <= 0:
                raise problem or self._not_restored(snapshot, timeout)
            self.world.wait(min(left, pause if problem else look))
            # What may still be overtaken is looked at every second; what only takes its time, less often.
            look = 1.0 if still_open(self.world, self._idle) else min(pace(self.world), look * 2)

    @property
    def _idle(self) -> Slot | None:
        """The slot that is emptied in the end; None where both are, before that."""
        return self.initial.idle if self.initial.live is not None else None

    def _pass(self) -> Snapshot:
        """One try at everything that is still wrong; each part requests and does not wait.

        A router that fails keeps nobody from bringing up instances: its problem is raised at the end.
        """
        problem: UnoError | None = None
        try:
            # What the journal knows is old once the world was seen: then it is waited for.
            stands = self.stands and not self.seen
            put_traffic_back(self.world, self.tell, self.initial, urgent=self.urgent, stands=stands)
        except LockLost:
            raise
        except UnoError as failed:
            problem = failed
        snapshot = self.world.observe()
        self.seen = True
        live = self.initial.live
        if live is None:
            routed = self.world.capabilities.unroute and any(snapshot.in_force.values())
            for slot in Slot:
                if not routed:  # unrouted first, then stopped
                    self._empty(snapshot, slot)
        else:
            self._keep(snapshot, live, self._next(snapshot, live))
        self._report(snapshot)
        if problem is not None:
            raise problem
        return snapshot

    def _next(self, snapshot: Snapshot, live: Slot) -> Counts:
        """The next counts of the captured slot on its way to what was captured.

        Where it can hold two releases: instances that are not ready go first, what was captured is
        brought up beside the rest, and only then the rest goes. Growing never waits.
        """
        captured = cleaned(self.initial.slot(live).wanted)
        state = snapshot.slot(live)
        complete = all(state.ready(release) >= n for release, n in captured.items())
        if complete or not self.world.capabilities.mixed:
            return captured
        others = {r: state.ready(r) for r in state.releases if r not in captured}
        keep = {r: max(n, cleaned(state.wanted).get(r, 0)) for r, n in captured.items()}
        return {**cleaned(others), **keep}

    def _keep(self, snapshot: Snapshot, live: Slot, counts: Counts) -> None:
        """Ask, and at least once: what is read may be stale, and an unanswered write is forestalled by it.

        A platform that retires slots by itself keeps this one from then on.
        """
        if not self.kept:
            self.world.ask(live, counts)
            self.kept = True
        else:
            self._ask(snapshot, live, counts)

    def _ask(self, snapshot: Snapshot, slot: Slot, counts: Counts) -> None:
        state = snapshot.slot(slot)
        # Whoever has given up is not tried again by itself, and nobody else would ask.
        stuck = any(one.given_up and counts.get(one.release) for one in state.instances)
        if cleaned(state.wanted) != cleaned(counts) or stuck:
            self.world.ask(slot, counts)
        elif not snapshot.slot(slot).holds(cleaned(counts)):
            self.world.step(slot, counts)

    def _empty(self, snapshot: Snapshot, slot: Slot) -> None:
        """Ask for nothing in the slot; even where it is empty, if that forestalls an unanswered write."""
        overtaken = self.world.capabilities.cas and self.world.others(slot.value, {}) > 0
        if overtaken or cleaned(snapshot.slot(slot).wanted):
            self.world.ask(slot, {})
        elif snapshot.slot(slot).instances:
            self.world.step(slot, {})

    def _restored(self, snapshot: Snapshot) -> bool:
        live = self.initial.live
        if live is None:
            routed = any([*snapshot.split.values(), *snapshot.in_force.values()])
            unrouted = not routed or not self.world.capabilities.unroute
            return unrouted and all(not snapshot.slot(slot).instances for slot in Slot)
        captured = cleaned(self.initial.slot(live).wanted)
        return (
            same_split(snapshot.split, self.initial.split)
            and same_split(snapshot.in_force, self.initial.split)
            and snapshot.slot(live).holds(captured)
        )

    def _empty_idle(self, snapshot: Snapshot) -> None:
        """The idle slot holds what failed; that it cannot be emptied hurts nobody: a warning."""
        live = self.initial.live
        if live is None or still_visited(self.world, snapshot, live.other):
            return
        try:
            self._empty(snapshot, live.other)
        except LockLost:
            raise
        except UnoError as problem:
            self.world.logger.warning(
                "could not empty the idle slot", slot=live.other.value, problem=str(problem)
            )

    def _to_the_letter(self, snapshot: Snapshot) -> None:
        """What a router has beside the split is put back too; that it cannot hurts nobody: a warning."""
        captured = self.initial.captured.get("router")
        if self.initial.live is None or captured is None or captured == snapshot.captured.get("router"):
            return
        try:
            self.world.put_routing_back(captured)
        except LockLost:
            raise
        except UnoError as problem:
            self.world.logger.warning(
                "the traffic is back, but the routing is not to the letter as it was", problem=str(problem)
            )

    def _report(self, snapshot: Snapshot) -> None:
        live = self.initial.live
        state = snapshot.slot(live) if live else None
        under_way = "" if same_split(snapshot.split, snapshot.in_force) else " is written, not yet in force"
        words = f"{show(snapshot.split)}{under_way}; {state.ready() if state else 0} ready"
        if words != self.told:
            self.told = words
            self.tell(
                "restoring", {"split": {s.value: p for s, p in snapshot.in_force.items()}, "now": words}
            )

    def _not_restored(self, snapshot: Snapshot, timeout: float) -> PlatformError:
        live = self.initial.live
        return PlatformError(
            f"the way back was not complete within {timeout:g} s",
            found=f"{show(snapshot.in_force)}; "
            + "; ".join(f"{s}: {snapshot.slot(s).ready()} ready {snapshot.slot(s).unready()}" for s in Slot),
            expected=f"{show(self.initial.split)}; "
            + (
                ", ".join(f"{n} of {r}" for r, n in self.initial.slot(live).wanted.items())
                if live
                else "nothing"
            ),
            remedy="put right by hand what is said here, then `uno rollback` again",
        )
