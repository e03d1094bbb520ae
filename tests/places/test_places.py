"""One platform for each slot, as one workload: held to what every workload is held to."""

from __future__ import annotations

import pytest
from attrs import evolve

from uno_core import (
    Capabilities,
    ConfigError,
    Drift,
    Platform,
    PlatformError,
    Probe,
    Release,
    Slot,
    Target,
    Unanswered,
    Unsupported,
    whole,
)
from uno_core.effects.places import CheckInPlaces, Places, Vouched, composed, of_places
from uno_core.simulation.clock import VirtualClock
from uno_core.simulation.platform import Rules, SimulatedPlatform
from uno_core.testing import WorkloadContract

BLUE, GREEN = Slot.BLUE, Slot.GREEN
ONE = Capabilities(mixed=True, granularity=1.0, unroute=True, marks=True, cas=True, bound=5.0, elastic=True)


def composed_of(places, **capable):
    """As the core does, each place able to do what it says."""
    return Places(places, {slot: capable.get(slot.value, ONE) for slot in Slot})


class Both(Platform):
    """What the core composes, as a platform."""

    def __init__(self, places, services):
        super().__init__(None, services)
        self.places = places
        self.workload = composed_of(places)

    def wait_for_change(self, timeout):
        self.services.clock.sleep_until_event(timeout)


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def places(services):
    rules = Rules(
        capabilities=ONE,
        size=3,
        broken={"broken": "exited with code 1"},
        missing=frozenset({"0.0.0-missing"}),
    )
    return {slot: SimulatedPlatform(rules, services) for slot in Slot}


class TestContract(WorkloadContract):
    @pytest.fixture
    def platform(self, places, services):
        return Both(places, services)

    @pytest.fixture
    def capabilities(self):
        # These need no step to get there, which the contract asks of whoever declares that.
        return evolve(of_places(ONE, ONE), steps=False)

    @pytest.fixture
    def unstartable(self):
        return Release("broken")


@pytest.fixture
def both(places):
    return composed_of(places)


def deployed(both, clock, slot, version, count=2):
    release = both.resolve(Release(version))
    both.converge(slot, {release: count})
    clock.sleep(60)
    return release


def test_each_slot_runs_in_its_own_place_and_that_leads_to_it(both, places, clock):
    deployed(both, clock, BLUE, "v1")
    deployed(both, clock, GREEN, "v2")
    assert {str(r) for r in places[BLUE].workload.observe().slots[BLUE].releases} == {"v1"}
    assert not places[BLUE].workload.observe().slots[GREEN].instances
    assert {str(r) for r in places[GREEN].workload.observe().slots[GREEN].releases} == {"v2"}
    assert places[BLUE].router.in_force() == whole(BLUE)
    assert places[GREEN].router.in_force() == whole(GREEN)


def test_nothing_is_ready_before_the_place_itself_leads_to_it(both, places, clock):
    deployed(both, clock, GREEN, "v2")
    places[GREEN].router.impose({BLUE: 50.0, GREEN: 50.0})
    state = both.observe().slots[GREEN]
    assert not state.ready()
    assert "does not lead to it" in state.unready()


def test_what_serves_in_a_place_before_uno_is_that_places_slot(both, places, clock):
    before = places[GREEN].workload.resolve(Release("v1"))
    places[GREEN].workload.converge(BLUE, {before: 3})
    places[GREEN].router.impose(whole(BLUE))
    clock.sleep(60)
    assert both.observe().slots[GREEN].ready() == 3
    deployed(both, clock, GREEN, "v2", 3)
    assert {str(r) for r in places[GREEN].workload.observe().slots[BLUE].releases} == {"v2"}
    assert places[GREEN].router.in_force() == whole(BLUE)


def test_a_place_that_cannot_lead_there_yet_is_asked_again_by_the_next_step(both, places, clock):
    router = places[GREEN].router
    write, router.write = router.write, lambda split, expect: None
    deployed(both, clock, GREEN, "v2")
    assert not both.observe().slots[GREEN].ready()
    router.write = write
    both.step(GREEN)
    clock.sleep(60)
    assert both.observe().slots[GREEN].ready() == 2
    written = len(router.writes)
    both.step(GREEN)
    assert len(router.writes) == written
    both.converge(GREEN, {})
    router.impose({})
    both.step(GREEN)
    assert not router.observe().split, "nobody asked for anything there"


def test_a_release_is_the_same_one_in_both_places_and_in_another_process(both, places, clock):
    release = deployed(both, clock, BLUE, "v1")
    deployed(both, clock, GREEN, "v1")
    for one in (both, composed_of(places)):
        assert [list(one.observe().slots[slot].wanted) for slot in Slot] == [[release], [release]]


def test_what_runs_in_a_place_is_kept_though_it_is_configured_otherwise_by_now(both, places, clock):
    own = Release("v1", "artifact:v1", "of then")
    places[BLUE].workload.converge(BLUE, {own: 2})
    places[BLUE].router.impose(whole(BLUE))
    clock.sleep(60)
    composed_of(places).converge(BLUE, {Release("v1", "v1"): 3})
    assert places[BLUE].workload.observe().slots[BLUE].wanted == {own: 3}


def test_a_release_that_needs_more_than_its_version_to_be_known_again_is_refused(both):
    with pytest.raises(ConfigError, match="more than the version"):
        both.resolve(Release("v1", "elsewhere.example.com/shop:v1"))


def test_one_that_a_place_lacks_is_refused(both):
    with pytest.raises(ConfigError, match=r"0\.0\.0-missing"):
        both.resolve(Release("0.0.0-missing"))


def test_the_size_is_the_greater_one_and_what_was_captured_is_each_places_own(both, places, clock):
    deployed(both, clock, BLUE, "v1")
    places[GREEN].workload.rules = Rules(size=7)
    seen = both.observe()
    assert seen.size == 7
    both.converge(BLUE, {})
    both.restore(seen.captured, BLUE)
    assert places[BLUE].workload.observe().slots[BLUE].wanted
    with pytest.raises(PlatformError, match="not captured of two places"):
        both.restore({"blue": {}}, GREEN)


def test_a_place_without_a_workload_is_refused(services):
    class Names(Platform):
        pass

    with pytest.raises(Unsupported, match="the platform of blue runs no releases"):
        composed_of({slot: Names(None, services) for slot in Slot}).observe()


def test_two_places_do_not_promise_what_one_of_them_cannot_know():
    able = of_places(*2 * [Capabilities(retires=True, elastic=True, recalls=True, mixed=True)])
    assert (able.retires, able.recalls) == (False, False)
    assert (able.mixed, able.steps) == (True, True)


def test_two_places_can_what_both_can():
    quick = Capabilities(mixed=True, cas=True, least_ready=1.0, elastic=True)
    slow = Capabilities(write_horizon=20.0, least_ready=9.0)
    for able in (of_places(quick, slow), of_places(slow, quick)):
        assert (able.mixed, able.cas) == (False, False)
        assert able.write_horizon >= 20
        assert able.elastic, "one of them may be sized by an autoscaler"
        assert able.least_ready == 1, "the shortest time there is"


class Stepped:
    """A workload that goes on, and can be held."""

    def __init__(self, workload):
        self.workload, self.did = workload, []

    def __getattr__(self, name):
        return getattr(self.workload, name)

    def step(self, slot):
        self.did.append(("step", slot))

    def hold(self, slot, count):
        self.did.append(("hold", slot, count))

    def let_go(self, slot):
        self.did.append(("let go", slot))


def test_only_the_place_that_can_is_stepped_and_held(places):
    for place in places.values():
        place.workload = Stepped(place.workload)
    places[GREEN].router.impose(whole(BLUE))
    both = composed_of(places, blue=evolve(ONE, elastic=False), green=evolve(ONE, elastic=True, steps=True))
    for slot in Slot:
        both.step(slot)
        both.hold(slot, 3)
        both.let_go(slot)
    assert not places[BLUE].workload.did
    assert places[GREEN].workload.did == [("step", BLUE), ("hold", BLUE, 3), ("let go", BLUE)], "its own slot"


def test_what_a_hand_leads_elsewhere_in_a_place_is_drift_and_not_overwritten(both, places, clock):
    deployed(both, clock, GREEN, "v2")
    both.step(GREEN)
    places[GREEN].router.impose(whole(BLUE))
    state = both.observe().slots[GREEN]
    assert not state.ready(), "nobody gets there"
    assert [str(one) for one in state.releases] == ["v2"], "what was started is still seen"
    with pytest.raises(Drift, match="the place of green") as caught:
        both.step(GREEN)
    assert (caught.value.found, caught.value.expected) == (
        "blue 100 %, green 0 %", "blue 0 %, green 100 %",
    )  # fmt: skip
    assert places[GREEN].router.observe().split == whole(BLUE)


def test_what_is_split_in_a_place_already_is_not_overwritten(both, places):
    places[GREEN].router.impose({BLUE: 50.0, GREEN: 50.0})
    with pytest.raises(Drift, match="the place of green"):
        both.converge(GREEN, {both.resolve(Release("v2")): 2})
    assert not places[GREEN].workload.observe().slots[GREEN].wanted, "nothing was started under it"


class Doubting:
    """A router that vouches for blue alone."""

    def unfit(self, slot):
        return "" if slot is BLUE else "it does not answer"


def test_what_the_router_does_not_vouch_for_is_not_ready(both, clock):
    for slot in Slot:
        deployed(both, clock, slot, "v1")
    vouched = Vouched(both, Doubting())
    seen = vouched.observe().slots
    assert seen[BLUE].ready() == 2
    assert not seen[GREEN].ready()
    assert "it does not answer" in seen[GREEN].unready()
    vouched.converge(GREEN, {})
    assert not vouched.observe().slots[GREEN].instances


def test_a_write_of_two_is_conditional_only_where_both_are():
    sure, late = Capabilities(cas=True), Capabilities(write_horizon=30)
    assert composed(sure, sure).cas
    assert composed(sure, sure).write_horizon == 0
    for one, other in ((sure, late), (late, sure)):
        assert not composed(one, other).cas
        assert composed(one, other).write_horizon == 60
    assert composed(late, Capabilities(write_horizon=45)).write_horizon == 45
    split = composed(Capabilities(mixed=True, least_ready=7, bound=1), Capabilities(granularity=10, bound=90))
    assert (split.mixed, split.least_ready, split.granularity, split.bound) == (True, 7, 10, 90)


def test_a_place_that_cannot_be_read_hides_nothing_of_the_other_one(both, places, clock):
    for slot in Slot:
        deployed(both, clock, slot, "v1")
    both.observe()

    def dead():
        raise Unanswered("the apiserver does not answer")

    places[GREEN].workload.observe = dead
    for one in (both, composed_of(places)):
        seen = one.observe().slots
        assert seen[BLUE].ready() == 2
        assert seen[GREEN].wanted, "never as if nothing were there"
        assert not seen[GREEN].ready()
        assert "the place of green cannot be read" in seen[GREEN].unready()
    places[BLUE].workload.observe = dead
    with pytest.raises(Unanswered):
        both.observe()


class Counting:
    """A health check that tells what it was asked about."""

    per_instance = True

    def __init__(self, name):
        self.name = name

    def check(self, target, timeout):
        return Probe(target=str(target), healthy=True, answer=f"{self.name} {target.release!r}")


def test_a_check_is_made_where_the_slot_runs():
    checks = CheckInPlaces({BLUE: Counting("east"), GREEN: Counting("west")})
    assert checks.per_instance
    target = Target(application="shop", slot=GREEN, release=Release("v1", "v1"))
    assert checks.check(target, 1.0).answer == f"west {Release('v1')!r}"
