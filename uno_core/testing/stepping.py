"""How workloads are brought to what was asked for: some by themselves, some a step at a time."""

from __future__ import annotations

from typing import Any

import pytest

from uno_core.contracts.platform import Capabilities, Platform, Workload, WorkloadState
from uno_core.model import EMPTY, Counts, Release, Slot, SlotState
from uno_core.testing.platform import PlatformContract
from uno_core.testing.waiting import at_once, let_pass, until

BLUE, GREEN = Slot.BLUE, Slot.GREEN


class SteppingContract(PlatformContract):
    """The part of a workload's contract that tells writing from looking. The base of `WorkloadContract`."""

    @pytest.fixture
    def workload(self, platform: Platform[Any]) -> Workload:
        """The workload, ready for writing."""
        platform.prepare()
        assert platform.workload is not None, "the platform has no workload"
        return platform.workload

    @pytest.fixture
    def one(self, workload: Workload, releases: tuple[Release, Release]) -> Release:
        """The first release, resolved."""
        return workload.resolve(releases[0])

    @pytest.fixture
    def two(self, workload: Workload, releases: tuple[Release, Release]) -> Release:
        """The second release, resolved."""
        return workload.resolve(releases[1])

    def bring(self, platform: Platform[Any], slot: Slot, counts: Counts) -> SlotState:
        """Converge, and wait until it is so."""
        assert platform.workload is not None
        platform.workload.converge(slot, counts)
        return self.arrive(platform, slot, counts)

    def arrive(self, platform: Platform[Any], slot: Slot, counts: Counts) -> SlotState:
        """Wait until exactly these counts run in the slot, all of them ready; step by step where it steps."""
        asked = ", ".join(f"{n} of {release}" for release, n in counts.items() if n) or "nothing"
        return until(
            platform,
            lambda: self.look(platform, slot),
            lambda state: state.holds(counts),
            deadline=self.deadline,
            what=f"{asked} in {slot.value}",
        )

    def look(self, platform: Platform[Any], slot: Slot) -> SlotState:
        """The slot as it is now, after a step where the workload goes on by steps."""
        assert platform.workload is not None
        self.go_on(platform, slot)
        return slot_of(platform.workload.observe(), slot)

    def test_looking_changes_nothing(self, platform: Platform[Any], workload: Workload, one: Release) -> None:
        before = ids(self.bring(platform, BLUE, {one: self.instances}))
        for _ in range(3):
            state = workload.observe()
            let_pass(platform, 0.2)
        assert ids(slot_of(state, BLUE)) == before
        assert wanted_of(slot_of(state, BLUE)) == {one: self.instances}
        assert not slot_of(state, GREEN).instances

    def test_a_look_is_no_step(
        self, platform: Platform[Any], workload: Workload, capabilities: Capabilities, one: Release
    ) -> None:
        if not capabilities.steps:
            pytest.skip("`steps` is not declared: the workload goes on by itself")
        clock = platform.services.clock
        begun = clock.monotonic()
        self.bring(platform, BLUE, {one: 1})
        workload.converge(GREEN, {one: 1})
        # As long as it took with steps, and somewhat longer.
        end = 2 * clock.monotonic() - begun + 1.0
        while clock.monotonic() < end:
            state = slot_of(workload.observe(), GREEN)
            assert not state.holds({one: 1}), "nobody has it step: whoever looks writes nothing"
            let_pass(platform, 0.2)
        self.arrive(platform, GREEN, {one: 1})

    def test_a_step_returns_at_once(
        self, platform: Platform[Any], workload: Any, capabilities: Capabilities, one: Release
    ) -> None:
        if not capabilities.steps:
            pytest.skip("`steps` is not declared: the workload goes on by itself")
        workload.converge(BLUE, {one: self.instances})
        with at_once(platform.services.clock, self.prompt, "step"):
            workload.step(BLUE)

    def test_a_step_with_nothing_to_do_changes_nothing(
        self, platform: Platform[Any], workload: Any, capabilities: Capabilities, one: Release
    ) -> None:
        if not capabilities.steps:
            pytest.skip("`steps` is not declared: the workload goes on by itself")
        for slot in Slot:  # nobody has asked for anything yet
            workload.step(slot)
        before = ids(self.bring(platform, BLUE, {one: self.instances}))
        for slot in Slot:
            workload.step(slot)
        let_pass(platform, 0.5)
        state = workload.observe()
        assert ids(slot_of(state, BLUE)) == before, "all was there"
        assert not slot_of(state, GREEN).instances


def slot_of(state: WorkloadState, slot: Slot) -> SlotState:
    """The slot; empty where nothing is told of it."""
    return state.slots.get(slot, EMPTY)


def ids(state: SlotState) -> list[str]:
    """Of all instances, in order."""
    return sorted(i.id for i in state.instances)


def wanted_of(state: SlotState) -> dict[Release, int]:
    """What the slot is asked to run, without the zeros."""
    return {release: n for release, n in state.wanted.items() if n}
