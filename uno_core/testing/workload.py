"""What a workload must do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from uno_core.contracts.platform import Capabilities, Platform, Workload, WorkloadState
from uno_core.errors import ConfigError, UnoError
from uno_core.model import EMPTY, Counts, Instance, Release, Slot, SlotState
from uno_core.testing.platform import PlatformContract, through_json
from uno_core.testing.waiting import at_once, let_pass, until

BLUE, GREEN = Slot.BLUE, Slot.GREEN


class WorkloadContract(PlatformContract):
    """What every workload must do::

        class TestWorkload(WorkloadContract):
            @pytest.fixture
            def platform(self, services):
                return MyPlatform(MyOptions(), services)

    May override: `capabilities` (tests of `mixed`, `elastic` and `retires` run where declared), `releases`,
    `missing` (a version that has no artifact), `unstartable` (one that exists and never becomes
    ready), `spoil` (makes a running instance unready, for good).
    """

    @pytest.fixture
    def missing(self) -> Release:
        """A release without an artifact."""
        return Release("0.0.0-missing")

    @pytest.fixture
    def unstartable(self) -> Release | None:
        """A release that can be resolved, and whose instances never become ready."""
        return None

    @pytest.fixture
    def spoil(self) -> Callable[[Instance], None] | None:
        """Makes an instance unready, so that it stays so."""
        return None

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
        """Wait until exactly these counts run in the slot, all of them ready."""
        asked = ", ".join(f"{n} of {release}" for release, n in counts.items() if n) or "nothing"

        def look() -> SlotState:
            assert platform.workload is not None
            return _slot(platform.workload.observe(), slot)

        return until(
            platform,
            look,
            lambda state: state.holds(counts),
            deadline=self.deadline,
            what=f"{asked} in {slot.value}",
        )

    def test_nothing_runs_at_first(self, platform: Platform[Any]) -> None:
        assert platform.workload is not None, "the platform has no workload"
        state = platform.workload.observe()  # before prepare: a plan observes too, and prepares nothing
        for slot in Slot:
            assert not _slot(state, slot).instances
            assert not _wanted(_slot(state, slot))
        assert state.size >= 1, "size is the number of instances wanted when one slot carries everything"

    def test_resolving_identifies_the_artifact(
        self, platform: Platform[Any], releases: tuple[Release, Release]
    ) -> None:
        assert platform.workload is not None
        for release in releases:
            resolved = platform.workload.resolve(release)
            assert resolved.version == release.version
            assert resolved.artifact, "the identity of the artifact is what makes two releases the same"
            assert platform.workload.resolve(release) == resolved, "the same artifact, the same release"
            assert platform.workload.resolve(resolved) == resolved, "what is resolved stays as it is"
        assert len({platform.workload.resolve(release) for release in releases}) == len(releases)

    def test_resolving_writes_nothing(
        self, platform: Platform[Any], workload: Workload, releases: tuple[Release, Release]
    ) -> None:
        one = workload.resolve(releases[0])
        before = _ids(self.bring(platform, BLUE, {one: 1}))
        workload.resolve(releases[1])
        let_pass(platform, 0.5)
        state = workload.observe()
        assert (_ids(_slot(state, BLUE)), _wanted(_slot(state, BLUE))) == (before, {one: 1})
        assert not _slot(state, GREEN).instances

    def test_a_missing_artifact_is_a_config_error(self, workload: Workload, missing: Release) -> None:
        with pytest.raises(ConfigError):
            workload.resolve(missing)
        state = workload.observe()
        assert not any(_slot(state, slot).instances or _wanted(_slot(state, slot)) for slot in Slot)

    def test_only_uno_errors_are_raised(
        self, platform: Platform[Any], workload: Workload, missing: Release
    ) -> None:
        try:
            workload.converge(BLUE, {missing: 1})
        except UnoError:
            return
        # It was asked for, then: what does not exist is reported, but never as ready.
        let_pass(platform, 0.5)
        assert _slot(workload.observe(), BLUE).ready() == 0

    def test_converge_brings_up_what_was_asked_for(self, platform: Platform[Any], one: Release) -> None:
        state = self.bring(platform, BLUE, {one: self.instances})
        assert _wanted(state) == {one: self.instances}
        assert len(set(_ids(state))) == self.instances, "every instance has an id of its own"
        assert not any(i.reason for i in state.instances), "an instance that is ready has no reason not to be"

    def test_converge_returns_at_once(
        self, platform: Platform[Any], workload: Workload, one: Release
    ) -> None:
        with at_once(platform.services.clock, self.prompt, "converge"):
            workload.converge(BLUE, {one: self.instances})
        self.arrive(platform, BLUE, {one: self.instances})
        with at_once(platform.services.clock, self.prompt, "converge"):
            workload.converge(BLUE, {})

    def test_converge_again_changes_nothing(
        self, platform: Platform[Any], workload: Workload, one: Release
    ) -> None:
        before = _ids(self.bring(platform, BLUE, {one: self.instances}))
        workload.converge(BLUE, {one: self.instances})
        let_pass(platform, 1.0)
        assert _ids(self.arrive(platform, BLUE, {one: self.instances})) == before, "none was replaced"

    def test_growing_replaces_nothing(self, platform: Platform[Any], one: Release) -> None:
        before = _ids(self.bring(platform, BLUE, {one: 1}))
        after = _ids(self.bring(platform, BLUE, {one: 1 + self.instances}))
        assert set(before) < set(after)

    def test_shrinking_keeps_some_of_those_that_run(self, platform: Platform[Any], one: Release) -> None:
        before = _ids(self.bring(platform, BLUE, {one: self.instances}))
        after = self.bring(platform, BLUE, {one: 1})
        assert set(_ids(after)) < set(before)
        assert _wanted(after) == {one: 1}

    @pytest.mark.parametrize("zero", [False, True], ids=["not named", "a count of 0"])
    def test_nothing_asked_for_empties_the_slot(
        self, platform: Platform[Any], one: Release, zero: bool
    ) -> None:
        self.bring(platform, BLUE, {one: self.instances})
        state = self.bring(platform, BLUE, {one: 0} if zero else {})
        assert not state.instances
        assert not _wanted(state)

    def test_a_slot_changes_its_release(self, platform: Platform[Any], one: Release, two: Release) -> None:
        before = _ids(self.bring(platform, BLUE, {one: 1}))
        after = self.bring(platform, BLUE, {two: 1})
        assert after.releases == (two,)
        assert not set(before) & set(_ids(after)), "another release is another instance"

    def test_slots_are_independent(self, platform: Platform[Any], one: Release, two: Release) -> None:
        blue = _ids(self.bring(platform, BLUE, {one: self.instances}))
        self.bring(platform, GREEN, {two: 1})
        assert _ids(self.arrive(platform, BLUE, {one: self.instances})) == blue
        self.bring(platform, GREEN, {})
        assert _ids(self.arrive(platform, BLUE, {one: self.instances})) == blue

    def test_a_slot_holds_two_releases(
        self, platform: Platform[Any], capabilities: Capabilities, one: Release, two: Release
    ) -> None:
        if not capabilities.mixed:
            pytest.skip("`mixed` is not declared: a slot holds one release")
        before = _ids(self.bring(platform, BLUE, {one: 2}))
        state = self.bring(platform, BLUE, {one: 1, two: 1})
        assert _wanted(state) == {one: 1, two: 1}
        assert len(set(before) & set(_ids(state))) == 1, "the instance that was to stay has stayed"

    def test_those_that_are_not_ready_go_first(
        self,
        platform: Platform[Any],
        workload: Workload,
        one: Release,
        spoil: Callable[[Instance], None] | None,
    ) -> None:
        if spoil is None:
            pytest.skip("the fixture `spoil` is not given: no instance can be made unready")
        bad = self.bring(platform, BLUE, {one: 3}).instances[1]
        spoil(bad)

        def look() -> SlotState:
            return _slot(workload.observe(), BLUE)

        state = until(
            platform,
            look,
            lambda s: s.ready() == 2,
            deadline=self.deadline,
            what=f"{bad.id} reported as not ready",
        )
        good = {i.id for i in state.instances if i.ready}
        assert all(i.reason for i in state.instances if not i.ready), "the reason stands in words"
        assert set(_ids(self.bring(platform, BLUE, {one: 2}))) == good

    def test_what_cannot_start_is_reported(
        self, platform: Platform[Any], workload: Workload, unstartable: Release | None
    ) -> None:
        if unstartable is None:
            pytest.skip("the fixture `unstartable` is not given: every release starts")
        release = workload.resolve(unstartable)
        workload.converge(BLUE, {release: 1})

        def look() -> SlotState:
            state = _slot(workload.observe(), BLUE)
            assert state.ready(release) == 0, "what cannot take requests is not ready"
            return state

        until(
            platform,
            look,
            lambda s: s.unready(),
            deadline=self.deadline,
            what="an instance that is not ready",
        )
        until(
            platform,
            look,
            lambda s: any(i.reason for i in s.instances),
            deadline=self.deadline,
            what="the reason why it is not ready",
        )
        workload.converge(BLUE, {})
        until(
            platform, look, lambda s: not s.instances, deadline=self.deadline, what="the slot emptied again"
        )

    def test_restore_brings_back_what_was_captured(
        self, platform: Platform[Any], workload: Workload, one: Release, two: Release
    ) -> None:
        self.bring(platform, BLUE, {one: self.instances})
        self.bring(platform, GREEN, {two: 1})
        captured = through_json(workload.observe().captured, "captured")
        self.bring(platform, BLUE, {one: 1})
        self.bring(platform, GREEN, {})
        workload.restore(captured, BLUE)
        assert _wanted(self.arrive(platform, BLUE, {one: self.instances})) == {one: self.instances}
        workload.restore(captured, GREEN)
        assert _wanted(self.arrive(platform, GREEN, {two: 1})) == {two: 1}

    def test_restore_of_a_slot_leaves_the_other_alone(
        self, platform: Platform[Any], workload: Workload, one: Release, two: Release
    ) -> None:
        self.bring(platform, BLUE, {one: 1})
        captured = through_json(workload.observe().captured, "captured")
        self.bring(platform, BLUE, {one: 1 + self.instances})
        green = _ids(self.bring(platform, GREEN, {two: 1}))
        workload.restore(captured, BLUE)
        self.arrive(platform, BLUE, {one: 1})
        let_pass(platform, 0.5)
        assert _ids(self.arrive(platform, GREEN, {two: 1})) == green

    def test_restore_of_nothing_removes_what_came(
        self, platform: Platform[Any], workload: Workload, one: Release
    ) -> None:
        captured = through_json(workload.observe().captured, "captured")
        self.bring(platform, BLUE, {one: 1})
        workload.restore(captured, BLUE)
        assert not self.arrive(platform, BLUE, {}).instances

    def test_restore_of_what_is_there_changes_nothing(
        self, platform: Platform[Any], workload: Workload, one: Release
    ) -> None:
        before = _ids(self.bring(platform, BLUE, {one: self.instances}))
        workload.restore(through_json(workload.observe().captured, "captured"), BLUE)
        let_pass(platform, 1.0)
        assert _ids(self.arrive(platform, BLUE, {one: self.instances})) == before

    def test_what_is_held_stays_and_letting_go_changes_nothing(
        self, platform: Platform[Any], workload: Any, capabilities: Capabilities, one: Release
    ) -> None:
        if not capabilities.elastic:
            pytest.skip("`elastic` is not declared: nothing but uno sizes a slot")
        before = _ids(self.bring(platform, BLUE, {one: 1}))
        with at_once(platform.services.clock, self.prompt, "hold"):
            workload.hold(BLUE, 1)
        workload.let_go(BLUE)
        workload.let_go(GREEN)  # where nothing ever was
        let_pass(platform, 0.5)
        assert _ids(self.arrive(platform, BLUE, {one: 1})) == before

    def test_less_than_is_held_is_made_up(
        self, platform: Platform[Any], workload: Any, capabilities: Capabilities, one: Release
    ) -> None:
        if not capabilities.elastic:
            pytest.skip("`elastic` is not declared: nothing but uno sizes a slot")
        self.bring(platform, BLUE, {one: 1})
        workload.hold(BLUE, 1 + self.instances)
        assert _wanted(self.arrive(platform, BLUE, {one: 1 + self.instances})) == {one: 1 + self.instances}

    def test_a_slot_retires_by_itself(
        self, platform: Platform[Any], workload: Any, capabilities: Capabilities, one: Release
    ) -> None:
        if not capabilities.retires:
            pytest.skip("`retires` is not declared: uno empties the slot when its time has come")
        self.bring(platform, BLUE, {one: 1})
        workload.retire(BLUE, 0.5)
        self.arrive(platform, BLUE, {})

    def test_a_slot_in_use_again_does_not_retire(
        self, platform: Platform[Any], workload: Any, capabilities: Capabilities, one: Release
    ) -> None:
        if not capabilities.retires:
            pytest.skip("`retires` is not declared: uno empties the slot when its time has come")
        before = _ids(self.bring(platform, BLUE, {one: 1}))
        workload.retire(BLUE, 1.0)
        workload.converge(BLUE, {one: 1})
        let_pass(platform, 2.0)
        assert _ids(self.arrive(platform, BLUE, {one: 1})) == before


def _slot(state: WorkloadState, slot: Slot) -> SlotState:
    return state.slots.get(slot, EMPTY)


def _ids(state: SlotState) -> list[str]:
    return sorted(i.id for i in state.instances)


def _wanted(state: SlotState) -> dict[Release, int]:
    return {release: n for release, n in state.wanted.items() if n}
