"""Bringing a slot to counts: asked for, watched, asked for again where it was undone, never too few."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from uno_core.effects.drift import check_drift
from uno_core.effects.world import Attention, Tell, World, cleaned
from uno_core.errors import ConfigError, LockLost, NotReady, Refused, Throttled, Unanswered, UnoError
from uno_core.model import Counts, Slot, Snapshot, Split, needed
from uno_core.rules import protects
from uno_core.wire import counts_to_json


def least(snapshot: Snapshot, slot: Slot, max_unavailable: int) -> int:
    """The ready instances that a slot must keep for the share that it has, by either reading."""
    percent = max(snapshot.split.get(slot, 0.0), snapshot.in_force.get(slot, 0.0))
    if percent <= 0:
        return 0
    return max(1, needed(snapshot.size, percent) - max_unavailable)


@protects("a slot keeps the ready instances that its share needs")
def check_shrinking(snapshot: Snapshot, slot: Slot, counts: Counts, max_unavailable: int) -> None:
    """Raises Refused where the counts would leave too few ready instances. Growing is always allowed."""
    state = snapshot.slot(slot)
    stay = sum(min(n, state.ready(release)) for release, n in counts.items())
    floor = least(snapshot, slot, max_unavailable)
    if stay < state.ready() and stay < floor:
        raise Refused(
            f"too few instances would stay in {slot} for {snapshot.split.get(slot, 0.0):g} % of the traffic",
            found=f"{stay} ready instances would stay of {state.ready()}",
            expected=f"at least {floor}",
            where=f"slot {slot}",
            remedy="start the new instances first, move the traffic first, or allow max_unavailable",
        )


@protects("a slot with a share of the traffic is not emptied")
def check_unused(snapshot: Snapshot, slot: Slot) -> None:
    """Raises Refused where the slot still has a share, by either reading."""
    if least(snapshot, slot, 0):
        raise Refused(
            f"{slot} carries traffic: it is not emptied",
            found=f"{snapshot.in_force.get(slot, 0.0):g} % of the traffic",
            expected="no share",
            where=f"slot {slot}",
            remedy="move the traffic first",
        )


def check_counts(world: World, slot: Slot, counts: Counts) -> None:
    """Raises ConfigError for counts that make no sense here."""
    if any(n < 0 for n in counts.values()):
        raise ConfigError(
            f"a count for {slot} is negative", found=str(dict(counts)), expected="zero or more instances"
        )
    if len(counts) > 1 and not world.capabilities.mixed:
        raise ConfigError(
            f"this platform cannot hold two releases in {slot}",
            found=", ".join(map(str, counts)),
            expected="one release a slot",
            remedy="shift between the slots, or use a platform that declares `mixed`",
        )


@protects(
    "forward, a different write to the same object waits until an unanswered one cannot land", otherwise=0.0
)
def time_to_land(world: World, place: str, value: Any) -> float:
    """Seconds until no other unanswered write can land there; 0 where a new write forestalls it."""
    return 0.0 if world.capabilities.cas else world.others(place, value)


def _sent(world: World, send: Callable[[Slot, Counts], None], slot: Slot, counts: Counts) -> bool:
    """Ask for the counts, or for a step on the way to them; False where it is to be tried again soon."""
    try:
        send(slot, counts)
    except (Throttled, Unanswered) as problem:
        world.logger.warning("asked for instances, again soon", slot=slot.value, problem=str(problem))
        return False
    return True


def converge(
    world: World,
    attention: Attention,
    tell: Tell,
    *,
    slot: Slot,
    counts: Counts,
    deadline: float,
    max_unavailable: int,
    outage: bool,
    own: Callable[[], Sequence[Split]],
) -> Snapshot:
    """Ask for the counts until they are there and ready; `deadline` starts with this work.

    `own` are the splits that are uno's: any other is somebody else's, and raises Drift.
    """
    counts = cleaned(counts)
    check_counts(world, slot, counts)
    end = world.clock.monotonic() + deadline
    told = ""
    asked = False
    waited: Snapshot | None = None
    while True:
        attention.check()
        snapshot = world.observe_patiently(end, attention.check, before=waited)
        check_drift(snapshot.split, own())
        state = snapshot.slot(slot)
        wanted = cleaned(state.wanted) == counts
        given_up = any(i.given_up and i.release in counts for i in state.instances)
        if waited and (not wanted or state.holds(counts)):
            # The end of the wait: before a write, and for what follows, the routing is read as well.
            waited = None
            continue
        # Asked for at least once: a reading may be stale, and a platform that retires slots by itself
        # keeps one that is asked for.
        if not wanted or not asked:
            if (seconds := time_to_land(world, slot.value, counts)) > 0:
                world.wait(min(1.0, seconds))
                continue
            if not outage:
                check_shrinking(snapshot, slot, counts, max_unavailable)
            asked = _sent(world, world.ask, slot, counts) or asked
        elif not given_up and not state.holds(counts):
            _sent(world, world.step, slot, counts)
        complete = asked and wanted and state.holds(counts)
        ready = sum(state.ready(release) for release in counts)
        now = f"{ready}/{sum(counts.values())} {state.unready()}"
        if now != told and (told or not complete):
            told = now
            tell(
                "instances",
                {
                    "slot": slot.value,
                    "ready": ready,
                    "wanted": sum(counts.values()),
                    "counts": counts_to_json(counts),
                    "unready": state.unready(),
                },
            )
        if complete:
            return snapshot
        left = end - world.clock.monotonic()
        if left <= 0 or (given_up and wanted):
            raise not_ready(snapshot, slot, counts, deadline - left)
        if asked:
            # A step is a write: before each of them the routing is read as well.
            waited = None if world.capabilities.steps else snapshot
            world.wait_for_news(left, attention.check)
        else:
            world.wait(min(1.0, left))


def not_ready(snapshot: Snapshot, slot: Slot, counts: Counts, seconds: float) -> NotReady:
    """What is missing, in words."""
    state = snapshot.slot(slot)
    found = [f"{n} of {r}, {state.ready(r)} ready" for r in state.releases if (n := state.count(r))]
    expected = [f"{n} of {release}" for release, n in counts.items()] or ["no instance"]
    return NotReady(
        f"{slot} was not ready within {round(seconds, 1):g} s",
        found="; ".join([", ".join(found) or "no instance", *filter(None, [state.unready()])]),
        expected=", ".join(expected) + ", every one ready",
        where=f"slot {slot}",
        remedy="look at the instances' logs, or raise ready_timeout if they only need longer",
    )


def retire(world: World, slot: Slot, after: float) -> bool:
    """Have a slot emptied `after` seconds from now; False where that stays to be done.

    At once where nothing is waited for. That it fails hurts nobody: a warning.
    """
    try:
        if world.capabilities.retires:
            world.retire(slot, after)
            return True
        if after <= 0:
            check_unused(world.observe_patiently(), slot)
            world.ask(slot, {})
            return True
    except LockLost:
        raise
    except UnoError as problem:
        world.logger.warning("could not retire a slot", slot=slot.value, problem=str(problem))
    return False
