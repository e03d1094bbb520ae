"""Writing a split and reading it back until it is in force."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from uno_core.effects.drift import check_drift, show
from uno_core.effects.instances import least, time_to_land
from uno_core.effects.world import SPLIT, Attention, Tell, World
from uno_core.errors import ConfigError, Drift, Refused, SwitchTimeout, Throttled, Unanswered, Unsupported
from uno_core.model import Snapshot, Split, same_split
from uno_core.rules import protects


def check_split(world: World, split: Split) -> None:
    """Raises ConfigError or Unsupported for a split that cannot be."""
    if any(not 0 <= percent <= 100 for percent in split.values()) or abs(sum(split.values()) - 100) > 0.001:
        raise ConfigError(
            "a split must share out 100 % of the traffic",
            found=show(split),
            expected="percentages from 0 to 100 that sum to 100",
        )
    can = world.capabilities
    for slot, percent in split.items():
        if not can.gives(percent):
            ratios = f"a ratio of whole numbers up to {can.parts}"
            raise Unsupported(
                f"this platform cannot give {slot} {percent:g} % of the traffic",
                found=f"{percent:g} %",
                expected=ratios if can.parts else f"a multiple of {can.granularity:g} %",
                remedy=f"the nearest possible share is {can.nearest(percent):g} %",
            )


@protects("no slot gets a share that its ready instances cannot carry")
def check_capacity(snapshot: Snapshot, split: Split, max_unavailable: int = 0) -> None:
    """Raises Refused where a share would grow beyond the ready instances of its slot."""
    for slot, percent in split.items():
        if percent <= snapshot.split.get(slot, 0.0):
            continue
        ready = snapshot.slot(slot).ready()
        floor = least(
            Snapshot(slots=snapshot.slots, split=split, in_force={}, size=snapshot.size),
            slot,
            max_unavailable,
        )
        if ready < floor:
            raise Refused(
                f"{slot} has too few ready instances for {percent:g} % of the traffic",
                found=f"{ready} ready of {snapshot.size} in all"
                + (f" ({snapshot.slot(slot).unready()})" if snapshot.slot(slot).unready() else ""),
                expected=f"at least {floor}",
                where=f"slot {slot}",
                remedy="bring the slot up before it is routed to",
            )


def set_traffic(
    world: World,
    attention: Attention,
    tell: Tell,
    *,
    split: Split,
    own: Callable[[], Sequence[Split]],
    timeout: float,
) -> Snapshot:
    """Write the split, and return when it is in force.

    `own` are the splits that are uno's: any other in the control plane is somebody else's, and
    raises Drift.
    """
    check_split(world, split)
    end = world.clock.monotonic() + max(timeout, 1.5 * world.capabilities.bound + 30)
    attention.check()
    write(world, attention, split, own, end)
    tell("split_written", {"split": {slot.value: split[slot] for slot in split}})
    pause = 1.0
    while True:
        snapshot = world.observe_patiently(end, attention.check)
        check_drift(snapshot.split, [split])
        if same_split(snapshot.in_force, split):
            tell("split", {"split": {slot.value: split[slot] for slot in split}})
            return snapshot
        if (left := end - world.clock.monotonic()) <= 0:
            raise SwitchTimeout(
                "the split was written but is not in force",
                found=show(snapshot.in_force),
                expected=show(split),
                remedy="raise switch_timeout if the platform only needs longer",
            )
        patiently(world, attention, min(pause, left))
        pause = min(pace(world), pause * 2)


def pace(world: World) -> float:
    """Seconds between two looks at what takes up to `bound` to be in force."""
    return min(SLOWEST, max(1.0, world.capabilities.bound / 20))


def patiently(world: World, attention: Attention, seconds: float) -> None:
    """Wait for a change; what is slow is not asked so often, but people are listened to all the time."""
    attention.check()
    if seconds > 1.0:
        world.clock.sleep(seconds, attention.waiting)
    else:
        world.wait_for_news(seconds, attention.check)


SLOWEST = 15.0
"""Seconds between two looks at the most."""

CONFLICTS = 5
"""Conditional writes in a row that may fail although the split is uno's: somebody touches the object."""


def write(
    world: World, attention: Attention, split: Split, own: Callable[[], Sequence[Split]], end: float
) -> None:
    """One write, conditional on what was read; an unanswered one is read back before it is tried again."""
    conflicts = 0
    while True:
        try:
            # First, since it may take its time: what was ready before the last try may have crashed since.
            check_capacity(world.observe_patiently(end, attention.check), split)
            held = world.router.observe()
            if (seconds := time_to_land(world, SPLIT, split)) > 0:
                attention.check()
                world.wait(min(1.0, seconds))
                continue
            if _there(held.split, split) and not must_move_on(world, split):
                return
            check_drift(held.split, own())
            try:
                world.route(split, held.token)
            except Drift:
                # The object changed, though perhaps not its split: the next reading tells.
                conflicts += 1
                if conflicts > CONFLICTS:
                    raise
                continue
        except (Throttled, Unanswered):
            if (left := end - world.clock.monotonic()) <= 0:
                raise
            attention.check()
            world.wait(min(1.0, left))
        else:
            return


def _there(held: Split, split: Split) -> bool:
    return same_split(held, split) and bool(held) == bool(split)


@protects(
    "a conditional write is made even where the world looks right, so that an unanswered one fails",
    otherwise=False,
)
def must_move_on(world: World, split: Split) -> bool:
    """Whether an unanswered write of another split would still land, unless this one comes before it."""
    return world.capabilities.cas and world.others(SPLIT, split) > 0
