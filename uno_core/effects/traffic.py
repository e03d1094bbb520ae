"""Writing a split and reading it back until it is in force."""

from __future__ import annotations

from collections.abc import Sequence

from uno_core.effects.instances import least
from uno_core.effects.world import Attention, Tell, World
from uno_core.errors import ConfigError, Drift, Refused, SwitchTimeout, Throttled, Unanswered, Unsupported
from uno_core.model import Slot, Snapshot, Split, same_split


def show(split: Split) -> str:
    """A split for a person: `blue 90 %, green 10 %`."""
    return ", ".join(f"{slot} {split.get(slot, 0.0):g} %" for slot in Slot) if split else "no route"


def check_split(world: World, split: Split) -> None:
    """Raises ConfigError or Unsupported for a split that cannot be."""
    if any(not 0 <= percent <= 100 for percent in split.values()) or abs(sum(split.values()) - 100) > 0.001:
        raise ConfigError(
            "a split must share out 100 % of the traffic",
            found=show(split),
            expected="percentages from 0 to 100 that sum to 100",
        )
    finest = world.capabilities.granularity
    for slot, percent in split.items():
        steps = percent / finest
        if abs(steps - round(steps)) > 1e-6:
            raise Unsupported(
                f"this platform cannot give {slot} {percent:g} % of the traffic",
                found=f"{percent:g} %",
                expected=f"a multiple of {finest:g} %",
                remedy=f"the nearest possible share is {round(steps) * finest:g} %",
            )


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
    own: Sequence[Split],
    timeout: float,
) -> Snapshot:
    """Write the split, and return when it is in force.

    `own` is what uno last saw in force, and what it has asked for since without seeing it in force:
    anything else in the control plane is somebody else's write, and raises Drift.
    """
    check_split(world, split)
    end = world.clock.monotonic() + max(timeout, 1.5 * world.capabilities.bound + 30)
    check_capacity(world.observe_patiently(end, attention.check), split)
    attention.check()
    write(world, attention, split, own, end)
    tell("split_written", {"split": {slot.value: split[slot] for slot in split}})
    while True:
        snapshot = world.observe_patiently(end, attention.check)
        if not same_split(snapshot.split, split):
            raise drift(split, snapshot.split)
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
        attention.check()
        world.wait(min(1.0, left))


def write(world: World, attention: Attention, split: Split, own: Sequence[Split], end: float) -> None:
    """One write, conditional on what was read; an unanswered one is read back before it is tried again."""
    unanswered = False
    while True:
        try:
            held = world.router.observe()
            if same_split(held.split, split) and bool(held.split) == bool(split):
                return
            if not any(same_split(held.split, one) for one in own):
                raise drift(own[0], held.split)
            try:
                world.router.write(split, held.token)
            except Drift:
                if not unanswered:
                    raise
                # It may be the unanswered one that landed in between: the next reading tells.
                unanswered = False
                continue
        except (Throttled, Unanswered) as problem:
            unanswered = unanswered or isinstance(problem, Unanswered)
            if (left := end - world.clock.monotonic()) <= 0:
                raise
            attention.check()
            world.wait(min(1.0, left))
        else:
            return


def drift(expected: Split, found: Split) -> Drift:
    """Somebody else wrote the split: both sides."""
    return Drift(
        "somebody else changed the split",
        found=show(found),
        expected=show(expected),
        remedy="find out who did, then `uno rollback`, or deploy again once one release serves",
    )
