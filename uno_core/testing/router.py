"""What a router must do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from uno_core.contracts.platform import Capabilities, Marking, Platform, Router, WorkloadState
from uno_core.errors import Drift, Unsupported
from uno_core.model import Json, Release, Slot, Split, same_split, share, whole
from uno_core.testing.platform import PlatformContract, through_json
from uno_core.testing.waiting import at_once, let_pass, until

BLUE, GREEN = Slot.BLUE, Slot.GREEN


class RouterContract(PlatformContract):
    """What every router must do::

        class TestRouter(RouterContract):
            @pytest.fixture
            def platform(self, services):
                return MyPlatform(MyOptions(), services)

            @pytest.fixture
            def capabilities(self):
                return Capabilities(granularity=1, cas=True, bound=5)

    May override: `routable`, which makes both slots fit to take traffic. Where the platform has a
    workload too, it starts one instance in each; `releases` says of what. And `another`, where the
    platform cannot be made a second time of its options and services.
    """

    slack: float = 5.0
    """Seconds beyond the declared bound before a split that is not in force fails a test."""

    @pytest.fixture
    def routable(self, platform: Platform[Any], releases: tuple[Release, Release]) -> Platform[Any]:
        """The platform, both slots fit to take traffic."""
        platform.prepare()
        workload = platform.workload
        if workload is None:
            return platform
        wanted = {slot: workload.resolve(release) for slot, release in zip(Slot, releases, strict=True)}
        for slot, release in wanted.items():
            workload.converge(slot, {release: 1})

        def look() -> WorkloadState:
            for slot in wanted:
                self.go_on(platform, slot)
            return workload.observe()

        until(
            platform,
            look,
            lambda state: all(s in state.slots and state.slots[s].holds({r: 1}) for s, r in wanted.items()),
            deadline=self.deadline,
            what="an instance in each slot",
        )
        return platform

    @pytest.fixture
    def router(self, routable: Platform[Any]) -> Router:
        """The router, with something to route to."""
        assert routable.router is not None, "the platform has no router"
        return routable.router

    @pytest.fixture
    def another(self, platform: Platform[Any]) -> Platform[Any]:
        """The same platform, as another process has it."""
        return type(platform)(platform.options, platform.services)

    def put(self, platform: Platform[Any], split: Split, capabilities: Capabilities) -> None:
        """Write, and wait until it is in force."""
        assert platform.router is not None
        platform.router.write(split, None)
        self.arrive(platform, split, capabilities)

    def arrive(self, platform: Platform[Any], split: Split, capabilities: Capabilities) -> None:
        """Wait until the split is held, and in force."""
        router = platform.router
        assert router is not None
        held = router.observe().split
        assert _same(held, split), f"held is {_text(held)}, written was {_text(split)}"
        until(
            platform,
            router.in_force,
            lambda force: _same(force, split),
            deadline=capabilities.bound + self.slack,
            what=f"{_text(split)} in force (the bound that is declared is {capabilities.bound:g} s)",
        )

    def test_nothing_is_routed_at_first(self, platform: Platform[Any]) -> None:
        assert platform.router is not None, "the platform has no router"
        assert not platform.router.observe().split  # before prepare: a plan observes too
        assert not platform.router.in_force()

    @pytest.mark.usefixtures("router")
    def test_a_write_is_held_and_comes_into_force(
        self, platform: Platform[Any], capabilities: Capabilities
    ) -> None:
        self.put(platform, whole(BLUE), capabilities)
        self.put(platform, whole(GREEN), capabilities)
        self.put(platform, whole(BLUE), capabilities)

    def test_a_write_returns_at_once(
        self, platform: Platform[Any], router: Router, capabilities: Capabilities
    ) -> None:
        with at_once(platform.services.clock, self.prompt, "write"):
            router.write(whole(BLUE), None)
        self.arrive(platform, whole(BLUE), capabilities)

    def test_observing_changes_nothing(
        self, platform: Platform[Any], router: Router, capabilities: Capabilities
    ) -> None:
        self.put(platform, whole(BLUE), capabilities)
        seen = router.observe()
        router.in_force()
        assert router.observe() == seen

    @pytest.mark.usefixtures("router")
    def test_shares_are_as_fine_as_declared(
        self, platform: Platform[Any], capabilities: Capabilities
    ) -> None:
        if not capabilities.weights:
            pytest.skip("a granularity of 100 % is declared: the router switches only")
        step = capabilities.granularity
        steps = int(100 / step)
        for number in sorted({1, steps // 2, steps - 1} - {0}):
            self.put(platform, share(GREEN, step * number), capabilities)

    def test_no_finer_share_is_made_up(
        self, platform: Platform[Any], router: Router, capabilities: Capabilities
    ) -> None:
        step = capabilities.granularity
        if step < 0.02:
            pytest.skip(f"a granularity of {step:g} % is declared: any share can be told")
        self.put(platform, whole(BLUE), capabilities)
        finer = share(GREEN, step / 2)
        try:
            router.write(finer, None)
        except Unsupported:
            assert _same(router.observe().split, whole(BLUE)), "what is unsupported is not written"
            return
        held = router.observe().split
        rest = held.get(GREEN, 0.0) % step
        assert min(rest, step - rest) < 0.005, f"held is {_text(held)}, though {step:g} % is the finest share"
        self.arrive(platform, held, capabilities)

    def test_writing_the_same_again_changes_nothing(
        self, platform: Platform[Any], router: Router, capabilities: Capabilities
    ) -> None:
        self.put(platform, whole(BLUE), capabilities)
        router.write(whole(BLUE), router.observe().token)
        router.write(whole(BLUE), None)
        assert _same(router.observe().split, whole(BLUE))
        assert _same(router.in_force(), whole(BLUE)), "no request was to notice"

    def test_a_write_that_expects_what_is_there_goes_through(
        self, platform: Platform[Any], router: Router, capabilities: Capabilities
    ) -> None:
        router.write(whole(BLUE), through_json(router.observe().token, "the token"))
        self.arrive(platform, whole(BLUE), capabilities)
        router.write(whole(GREEN), through_json(router.observe().token, "the token"))
        self.arrive(platform, whole(GREEN), capabilities)

    def test_a_write_that_expects_what_is_gone_is_drift(
        self, platform: Platform[Any], router: Router, capabilities: Capabilities
    ) -> None:
        if not capabilities.cas:
            pytest.skip("`cas` is not declared: a write goes through whatever is there")
        self.put(platform, whole(BLUE), capabilities)
        stale: Json = through_json(router.observe().token, "the token")
        self.put(platform, whole(GREEN), capabilities)
        with pytest.raises(Drift):
            router.write(whole(BLUE), stale)
        let_pass(platform, min(capabilities.bound, 1.0))
        assert _same(router.observe().split, whole(GREEN)), "what raised Drift was not written"

    @pytest.mark.usefixtures("router")
    def test_the_routing_can_be_removed(self, platform: Platform[Any], capabilities: Capabilities) -> None:
        if not capabilities.unroute:
            pytest.skip("`unroute` is not declared: once routed, always routed")
        self.put(platform, whole(BLUE), capabilities)
        self.put(platform, {}, capabilities)
        self.put(platform, whole(GREEN), capabilities)

    def test_restore_puts_back_what_was_captured(
        self, platform: Platform[Any], router: Router, capabilities: Capabilities
    ) -> None:
        before = share(GREEN, capabilities.granularity) if capabilities.weights else whole(GREEN)
        self.put(platform, before, capabilities)
        captured = through_json(router.observe().captured, "captured")
        self.put(platform, whole(BLUE), capabilities)
        router.restore(captured)
        self.arrive(platform, before, capabilities)
        router.restore(captured)
        self.arrive(platform, before, capabilities)

    def test_restore_of_nothing_removes_the_routing(
        self, platform: Platform[Any], router: Router, capabilities: Capabilities
    ) -> None:
        if not capabilities.unroute:
            pytest.skip("`unroute` is not declared: once routed, always routed")
        captured = through_json(router.observe().captured, "captured")
        self.put(platform, whole(BLUE), capabilities)
        router.restore(captured)
        self.arrive(platform, {}, capabilities)

    def test_it_vouches_for_a_slot_that_can_take_requests_and_no_other(
        self, platform: Platform[Any], router: Router, capabilities: Capabilities
    ) -> None:
        workload = platform.workload
        if not capabilities.vouches or workload is None:
            pytest.skip("`vouches` is not declared, or there is nothing to vouch for")
        vouching: Any = router

        def unfit(slot: Slot) -> str:
            self.go_on(platform, slot)
            return str(vouching.unfit(slot))

        fit = "both slots to be vouched for"
        until(
            platform, lambda: [unfit(slot) for slot in Slot], lambda why: not any(why),
            deadline=self.deadline, what=fit,
        )  # fmt: skip
        workload.converge(GREEN, {})
        until(platform, lambda: unfit(GREEN), bool, deadline=self.deadline, what="a word against nothing")
        assert not vouching.unfit(BLUE), "what is there still can"

    def test_a_mark_stays_until_it_is_taken_away(
        self, platform: Platform[Any], router: Router, capabilities: Capabilities
    ) -> None:
        marking = _marking(router, capabilities)
        assert router.observe().mark is None, "nobody has marked it yet"
        self.put(platform, whole(BLUE), capabilities)
        for mark in (MARK, {**MARK, "deployment": "shop-testing-8"}):
            marking.mark(mark)
            assert router.observe().mark == mark
        self.put(platform, whole(GREEN), capabilities)
        router.restore(through_json(router.observe().captured, "captured"))
        assert router.observe().mark == mark, "whoever writes a split does not unmark"
        marking.mark(None)
        assert router.observe().mark is None
        marking.mark(None)

    def test_a_mark_leaves_the_routing_alone(
        self, platform: Platform[Any], router: Router, capabilities: Capabilities
    ) -> None:
        marking = _marking(router, capabilities)
        before = router.observe().split
        marking.mark(MARK)
        assert _same(router.observe().split, before), "what was not routed is not routed by a mark"
        self.put(platform, whole(GREEN), capabilities)
        for mark in (MARK, None):
            marking.mark(mark)
            let_pass(platform, min(capabilities.bound, 1.0))
            assert _same(router.observe().split, whole(GREEN))
            assert _same(router.in_force(), whole(GREEN)), "no request was to notice"

    def test_a_mark_is_seen_by_another_process(
        self, router: Router, another: Platform[Any], capabilities: Capabilities
    ) -> None:
        _marking(router, capabilities).mark(MARK)
        assert another.router is not None, "the platform has no router"
        assert another.router.observe().mark == MARK, "it must outlive the process that wrote it"
        _marking(another.router, capabilities).mark(None)
        assert router.observe().mark is None


MARK: Mapping[str, Json] = {
    "deployment": "shop-testing-7",
    "since": "2025-01-01T00:00:00+00:00",
    "split": {"blue": 100.0},
    "releases": {"blue": [{"version": "1.0.0", "count": 2}]},
}
"""Of the form of uno's own; a router takes any JSON."""


def _marking(router: Any, capabilities: Capabilities) -> Marking:
    if not capabilities.marks:
        pytest.skip("`marks` is not declared: what is under way is known to the state store only")
    marking: Marking = router
    return marking


def _same(one: Split, two: Split) -> bool:
    """Equal, both empty or both summing to 100."""
    return bool(one) == bool(two) and all(_sums(s) for s in (one, two)) and same_split(one, two)


def _sums(split: Split) -> bool:
    return not split or abs(sum(split.values()) - 100.0) < 0.01


def _text(split: Split) -> str:
    return ", ".join(f"{slot.value} {percent:g} %" for slot, percent in split.items()) or "no routing"
