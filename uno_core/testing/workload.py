"""What a workload must do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from uno_core.contracts.platform import Capabilities, Platform, Workload
from uno_core.errors import ConfigError, UnoError
from uno_core.model import Instance, Release, Slot, SlotState
from uno_core.testing.platform import through_json
from uno_core.testing.stepping import BLUE, GREEN, SteppingContract, ids, slot_of, wanted_of
from uno_core.testing.waiting import at_once, let_pass, until


class WorkloadContract(SteppingContract):
    """What every workload must do::

        class TestWorkload(WorkloadContract):
            @pytest.fixture
            def platform(self, services):
                return MyPlatform(MyOptions(), services)

    May override: `capabilities` (tests of `mixed`, `elastic`, `retires` and `steps` run where declared),
    `releases`, `missing` (a version that has no artifact), `unstartable` (one that exists and never
    becomes ready), `spoil` (makes a running instance unready, for good).
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

    def test_nothing_runs_at_first(self, platform: Platform[Any]) -> None:
        assert platform.workload is not None, "the platform has no workload"
        state = platform.workload.observe()  # before prepare: a plan observes too, and prepares nothing
        for slot in Slot:
            assert not slot_of(state, slot).instances
            assert not wanted_of(slot_of(state, slot))
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
        before = ids(self.bring(platform, BLUE, {one: 1}))
        workload.resolve(releases[1])
        let_pass(platform, 0.5)
        state = workload.observe()
        assert (ids(slot_of(state, BLUE)), wanted_of(slot_of(state, BLUE))) == (before, {one: 1})
        assert not slot_of(state, GREEN).instances

    def test_a_missing_artifact_is_a_config_error(self, workload: Workload, missing: Release) -> None:
        with pytest.raises(ConfigError):
            workload.resolve(missing)
        state = workload.observe()
        assert not any(slot_of(state, slot).instances or wanted_of(slot_of(state, slot)) for slot in Slot)

    def test_only_uno_errors_are_raised(
        self, platform: Platform[Any], workload: Workload, missing: Release
    ) -> None:
        try:
            workload.converge(BLUE, {missing: 1})
        except UnoError:
            return
        # It was asked for, then: what does not exist is reported, but never as ready.
        let_pass(platform, 0.5)
        assert slot_of(workload.observe(), BLUE).ready() == 0

    def test_converge_brings_up_what_was_asked_for(self, platform: Platform[Any], one: Release) -> None:
        state = self.bring(platform, BLUE, {one: self.instances})
        assert wanted_of(state) == {one: self.instances}
        assert len(set(ids(state))) == self.instances, "every instance has an id of its own"
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
        before = ids(self.bring(platform, BLUE, {one: self.instances}))
        workload.converge(BLUE, {one: self.instances})
        let_pass(platform, 1.0)
        assert ids(self.arrive(platform, BLUE, {one: self.instances})) == before, "none was replaced"

    def test_growing_replaces_nothing(self, platform: Platform[Any], one: Release) -> None:
        before = ids(self.bring(platform, BLUE, {one: 1}))
        after = ids(self.bring(platform, BLUE, {one: 1 + self.instances}))
        assert set(before) < set(after)

    def test_shrinking_keeps_some_of_those_that_run(self, platform: Platform[Any], one: Release) -> None:
        before = ids(self.bring(platform, BLUE, {one: self.instances}))
        after = self.bring(platform, BLUE, {one: 1})
        assert set(ids(after)) < set(before)
        assert wanted_of(after) == {one: 1}

    @pytest.mark.parametrize("zero", [False, True], ids=["not named", "a count of 0"])
    def test_nothing_asked_for_empties_the_slot(
        self, platform: Platform[Any], one: Release, zero: bool
    ) -> None:
        self.bring(platform, BLUE, {one: self.instances})
        state = self.bring(platform, BLUE, {one: 0} if zero else {})
        assert not state.instances
        assert not wanted_of(state)

    def test_a_slot_changes_its_release(self, platform: Platform[Any], one: Release, two: Release) -> None:
        before = ids(self.bring(platform, BLUE, {one: 1}))
        after = self.bring(platform, BLUE, {two: 1})
        assert after.releases == (two,)
        assert not set(before) & set(ids(after)), "another release is another instance"

    def test_slots_are_independent(self, platform: Platform[Any], one: Release, two: Release) -> None:
        blue = ids(self.bring(platform, BLUE, {one: self.instances}))
        self.bring(platform, GREEN, {two: 1})
        assert ids(self.arrive(platform, BLUE, {one: self.instances})) == blue
        self.bring(platform, GREEN, {})
        assert ids(self.arrive(platform, BLUE, {one: self.instances})) == blue

    def test_a_slot_holds_two_releases(
        self, platform: Platform[Any], capabilities: Capabilities, one: Release, two: Release
    ) -> None:
        if not capabilities.mixed:
            pytest.skip("`mixed` is not declared: a slot holds one release")
        before = ids(self.bring(platform, BLUE, {one: 2}))
        state = self.bring(platform, BLUE, {one: 1, two: 1})
        assert wanted_of(state) == {one: 1, two: 1}
        assert len(set(before) & set(ids(state))) == 1, "the instance that was to stay has stayed"

    def test_those_that_are_not_ready_go_first(
        self,
        platform: Platform[Any],
        one: Release,
        spoil: Callable[[Instance], None] | None,
    ) -> None:
        if spoil is None:
            pytest.skip("the fixture `spoil` is not given: no instance can be made unready")
        bad = self.bring(platform, BLUE, {one: 3}).instances[1]
        spoil(bad)
        state = until(
            platform,
            lambda: self.look(platform, BLUE),
            lambda s: s.ready() == 2,
            deadline=self.deadline,
            what=f"{bad.id} reported as not ready",
        )
        good = {i.id for i in state.instances if i.ready}
        assert all(i.reason for i in state.instances if not i.ready), "the reason stands in words"
        assert set(ids(self.bring(platform, BLUE, {one: 2}))) == good

    def test_what_cannot_start_is_reported(
        self, platform: Platform[Any], workload: Workload, unstartable: Release | None
    ) -> None:
        if unstartable is None:
            pytest.skip("the fixture `unstartable` is not given: every release starts")
        release = workload.resolve(unstartable)
        workload.converge(BLUE, {release: 1})

        def look() -> SlotState:
            state = self.look(platform, BLUE)
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
        assert wanted_of(self.arrive(platform, BLUE, {one: self.instances})) == {one: self.instances}
        workload.restore(captured, GREEN)
        assert wanted_of(self.arrive(platform, GREEN, {two: 1})) == {two: 1}

    def test_restore_of_a_slot_leaves_the_other_alone(
        self, platform: Platform[Any], workload: Workload, one: Release, two: Release
    ) -> None:
        self.bring(platform, BLUE, {one: 1})
        captured = through_json(workload.observe().captured, "captured")
        self.bring(platform, BLUE, {one: 1 + self.instances})
        green = ids(self.bring(platform, GREEN, {two: 1}))
        workload.restore(captured, BLUE)
        self.arrive(platform, BLUE, {one: 1})
        let_pass(platform, 0.5)
        assert ids(self.arrive(platform, GREEN, {two: 1})) == green

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
        before = ids(self.bring(platform, BLUE, {one: self.instances}))
        workload.restore(through_json(workload.observe().captured, "captured"), BLUE)
        let_pass(platform, 1.0)
        assert ids(self.arrive(platform, BLUE, {one: self.instances})) == before

    def test_what_is_held_stays_and_letting_go_changes_nothing(
        self, platform: Platform[Any], workload: Any, capabilities: Capabilities, one: Release
    ) -> None:
        if not capabilities.elastic:
            pytest.skip("`elastic` is not declared: nothing but uno sizes a slot")
        before = ids(self.bring(platform, BLUE, {one: 1}))
        with at_once(platform.services.clock, self.prompt, "hold"):
            workload.hold(BLUE, 1)
        workload.let_go(BLUE)
        workload.let_go(GREEN)  # where nothing ever was
        let_pass(platform, 0.5)
        assert ids(self.arrive(platform, BLUE, {one: 1})) == before

    def test_less_than_is_held_is_made_up(
        self, platform: Platform[Any], workload: Any, capabilities: Capabilities, one: Release
    ) -> None:
        if not capabilities.elastic:
            pytest.skip("`elastic` is not declared: nothing but uno sizes a slot")
        self.bring(platform, BLUE, {one: 1})
        workload.hold(BLUE, 1 + self.instances)
        assert wanted_of(self.arrive(platform, BLUE, {one: 1 + self.instances})) == {one: 1 + self.instances}

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
        before = ids(self.bring(platform, BLUE, {one: 1}))
        workload.retire(BLUE, 1.0)
        workload.converge(BLUE, {one: 1})
        let_pass(platform, 2.0)
        assert ids(self.arrive(platform, BLUE, {one: 1})) == before
