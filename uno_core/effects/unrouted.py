"""Applications without traffic: workers, schedulers. Their instances are their split."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from uno_core.contracts.platform import Capabilities, RouterState, Workload
from uno_core.effects.drift import show
from uno_core.effects.world import World
from uno_core.errors import NotServing
from uno_core.model import Json, Release, Slot, Split

STEADY = 10.0
"""Seconds for which every instance has to run without a restart, before that counts as a success."""


class Unrouted:
    """Stands for the router that such an application does not have.

    What uno asked for holds while this process drives; whoever comes later reads it off the counts
    that each slot is wanted to have. Nothing is written anywhere.
    """

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._asked: Split | None = None

    def write(self, split: Split, expect: Json) -> None:  # noqa: ARG002 - the contract's argument: nobody else writes
        """Remember what was asked for."""
        self._asked = split

    def observe(self) -> RouterState:
        """What was asked for, or how the instances are shared out."""
        split = self.in_force()
        return RouterState(split=split, captured={slot.value: percent for slot, percent in split.items()})

    def in_force(self) -> Split:
        """The same: instances follow at once."""
        return self._shared_out() if self._asked is None else self._asked

    def _shared_out(self) -> Split:
        slots = self._workload.observe().slots
        counts = {slot: sum(slots[slot].wanted.values()) if slot in slots else 0 for slot in Slot}
        every = sum(counts.values())
        return {slot: 100.0 * n / every for slot, n in counts.items()} if every else {}

    def restore(self, captured: Json) -> None:  # noqa: ARG002 - the contract's argument
        """What was captured follows from the instances."""
        self._asked = None


def without_traffic(capabilities: Capabilities) -> Capabilities:
    """What a platform can do where nothing is routed: any share, at once, and no mark beside it."""
    return evolve(capabilities, routed=False, granularity=1e-6, unroute=True, marks=False, bound=0.0)


def watch_steadily(world: World, release: Release, listen: Callable[[], None]) -> None:
    """Look for a while whether every instance of the release goes on running. Raises NotServing."""
    clock = world.clock
    end = clock.monotonic() + STEADY
    before = _restarts(world, release)
    while clock.monotonic() < end:
        listen()
        clock.sleep(1.0)
        snapshot = world.observe_patiently()
        unready = "; ".join(filter(None, (snapshot.slot(slot).unready() for slot in snapshot.serving)))
        again = _restarts(world, release) - before
        if unready or again > 0:
            restarted = f"{again} restarts" if again > 0 else ""
            raise NotServing(
                f"{release} does not go on running",
                found="; ".join(filter(None, (restarted, unready))),
                expected=f"every instance runs for {STEADY:g} s without a restart",
                where=show(snapshot.in_force),
                remedy="look at the logs of its instances",
            )


def _restarts(world: World, release: Release) -> int:
    slots = world.workload.observe().slots.values()
    return sum(i.restarts for state in slots for i in state.instances if i.release == release)
