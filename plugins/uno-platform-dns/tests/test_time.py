"""When a change of DNS is in force: no earlier than anybody may still be answered by what was before."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from attrs import evolve
from bind import NAME
from shelf import Shelf, options, platform_of

from uno_core import Slot, Throttled, Unanswered, share, whole
from uno_core.simulation.clock import VirtualClock
from uno_core.testing import LockContract, RouterContract

pytest_plugins = ["zones"]

BLUE, GREEN = whole(Slot.BLUE), whole(Slot.GREEN)
TTL, OVERSTAY = 60.0, 30.0


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def shelf():
    return Shelf()


class Elsewhere:
    """The clock of a machine whose wall clock is wrong by some seconds."""

    def __init__(self, clock, ahead):
        self.clock, self.ahead = clock, ahead

    def now(self):
        return self.clock.now() + timedelta(seconds=self.ahead)

    def __getattr__(self, name):
        return getattr(self.clock, name)


@pytest.fixture
def make(shelf, services):
    """One more process: with what is left of the options, the clock of its machine so many seconds ahead.

    near: on the same machine as all others that are.
    """

    numbers = itertools.count()

    def make(ahead=0.0, slowest=0.0, *, near=False, **traffic):
        there = evolve(services, clock=Elsewhere(services.clock, ahead))
        made = platform_of(shelf, slowest=slowest)(options(**traffic), there).router
        if not near:
            made.waiting.host = f"machine-{next(numbers)}"
        return made

    return make


@pytest.fixture
def blue(shelf):
    """Blue has everything, and had before uno."""
    shelf.put(shelf.record("192.0.2.1", ttl=60))


class OnAShelf:
    """The provider of a third party, in simulated time."""

    weights = 0

    @pytest.fixture
    def platform_class(self, shelf):
        return platform_of(shelf, self.weights)

    @pytest.fixture
    def platform(self, platform_class, services):
        return platform_class(options(), services)

    @pytest.fixture
    def capabilities(self, platform):
        return platform.capable()

    @pytest.fixture
    def open(self, platform_class, services):
        return lambda: platform_class(options(), services).lock

    @pytest.fixture
    def wait(self, clock):
        return clock.sleep


class TestAddresses(OnAShelf, RouterContract):
    pass


class TestWeights(OnAShelf, RouterContract):
    weights = 10


class TestLock(OnAShelf, LockContract):
    pass


@pytest.mark.usefixtures("blue")
class TestOneProcess:
    def test_what_was_there_before_uno_is_in_force(self, make):
        assert make().in_force() == BLUE

    def test_the_old_answers_have_to_run_out_first(self, make, clock):
        router = make()
        router.write(GREEN, None)
        assert router.in_force() == BLUE
        clock.sleep(TTL + OVERSTAY - 0.1)
        assert router.in_force() == BLUE, "some resolvers keep an answer for longer than its TTL"
        clock.sleep(0.1)
        assert router.in_force() == GREEN

    def test_that_counts_from_when_all_servers_have_it(self, make, shelf, clock):
        router, shelf.everywhere = make(), False
        router.write(GREEN, None)
        clock.sleep(1000)
        assert router.in_force() == BLUE
        shelf.everywhere = True
        clock.sleep(5)
        assert router.in_force() == BLUE
        clock.sleep(TTL + OVERSTAY)
        assert router.in_force() == GREEN

    def test_where_nobody_can_tell_they_take_as_long_as_they_may(self, make, shelf, clock):
        router, shelf.everywhere = make(slowest=40.0), None
        router.write(GREEN, None)
        clock.sleep(39)
        assert router.in_force() == BLUE
        clock.sleep(1)
        assert router.in_force() == BLUE
        clock.sleep(TTL + OVERSTAY - 0.1)
        assert router.in_force() == BLUE
        clock.sleep(0.1)
        assert router.in_force() == GREEN

    def test_a_lower_ttl_waits_for_the_longer_one_once(self, make, shelf, clock):
        shelf.put(shelf.record("192.0.2.1", ttl=3600))
        router = make(ttl=60)
        router.write(GREEN, None)
        clock.sleep(3600 + OVERSTAY - 1)
        assert router.in_force() == BLUE
        clock.sleep(1)
        assert router.in_force() == GREEN
        router.write(BLUE, None)
        clock.sleep(TTL + OVERSTAY)
        assert router.in_force() == BLUE

    def test_a_second_write_does_not_shorten_the_wait_for_the_first(self, make, shelf, clock):
        shelf.put(shelf.record("192.0.2.1", ttl=3600))
        router = make(ttl=60)
        router.write(share(Slot.GREEN, 50), None)
        clock.sleep(10)
        assert router.capabilities.bound >= 3590 + OVERSTAY, "what is declared is waited for"
        router.write(GREEN, None)
        clock.sleep(3590 + OVERSTAY - 1)
        assert router.in_force() != GREEN
        clock.sleep(1)
        assert router.in_force() == GREEN

    def test_nor_where_the_first_was_not_everywhere_by_then(self, make, shelf, clock):
        shelf.put(shelf.record("192.0.2.1", ttl=3600))
        router, shelf.everywhere = make(ttl=60, slowest=60.0), None
        router.write(share(Slot.GREEN, 50), None)
        clock.sleep(30)
        router.write(GREEN, None)
        clock.sleep(30)  # the servers have the first change now
        assert router.in_force() != GREEN
        clock.sleep(3600 + OVERSTAY - 1)
        assert router.in_force() != GREEN

    def test_the_same_shares_by_other_addresses_keep_what_was_before_them(self, make, clock):
        many = {"blue": ["192.0.2.1"], "green": ["198.51.100.1", "198.51.100.2"]}
        router = make(addresses=many)
        router.encoding = evolve(router.encoding, fit=lambda slot: many[slot.value][:1])
        router.write(GREEN, None)
        clock.sleep(10)
        router.encoding = evolve(router.encoding, fit=lambda slot: many[slot.value])
        router.write(GREEN, None)
        assert router.in_force() == BLUE, "clients have had ten seconds to hear of it"
        clock.sleep(TTL + OVERSTAY)
        assert router.in_force() == GREEN
        router.encoding = evolve(router.encoding, fit=lambda slot: many[slot.value][:1])
        router.write(GREEN, None)
        assert router.in_force() == GREEN, "and everybody follows it since"

    def test_a_mark_begins_no_wait(self, make, clock):
        router = make()
        router.write(GREEN, None)
        clock.sleep(TTL + OVERSTAY)
        router.mark({"deployment": "7"})
        assert router.in_force() == GREEN

    def test_what_was_not_written_changes_no_time(self, make, shelf, clock):
        router = make(slowest=60.0)
        router.write(GREEN, None)
        assert router.in_force() == BLUE
        clock.sleep(TTL + OVERSTAY)
        shelf.fails.append(Throttled("too fast"))
        with pytest.raises(Throttled):
            router.write(BLUE, None)
        assert router.in_force() == GREEN

    def test_a_write_whose_answer_was_lost_is_waited_for(self, make, shelf, clock):
        router = make()
        shelf.fails.append((Unanswered("lost"), True))
        with pytest.raises(Unanswered):
            router.write(GREEN, None)
        assert (router.observe().split, router.in_force()) == (GREEN, BLUE)
        clock.sleep(TTL + OVERSTAY)
        assert router.in_force() == GREEN

    def test_one_that_lands_late_counts_from_when_it_is_seen(self, make, shelf, clock):
        router = make()
        router.write(BLUE, None)
        clock.sleep(200)
        before = dict(shelf.held)
        shelf.fails.append((Unanswered("lost"), True))
        with pytest.raises(Unanswered):
            router.write(GREEN, None)
        after, shelf.held = shelf.held, before
        clock.sleep(TTL + OVERSTAY + 5)
        assert router.observe().split == BLUE, "it is on its way still"
        shelf.held = after
        assert router.observe().split == GREEN
        assert router.in_force() == BLUE, "cached answers are as old as the landing, not as the sending"
        clock.sleep(TTL + OVERSTAY + 5)
        assert router.in_force() == GREEN

    def test_the_plan_tells_the_time(self, make, shelf):
        shelf.put(shelf.record("192.0.2.1", ttl=3600))
        told = "\n".join(make(ttl=60, slowest=45.0).remarks())
        assert "(up to 45 s)" in told
        assert "3600 s by their TTL, 30 s for resolvers that keep them longer" in told
        assert "has a TTL of 3600 s now and will have 60 s" in told
        assert "shares are multiples of 50 %" in told


@pytest.mark.usefixtures("blue")
class TestOtherProcesses:
    def test_a_change_of_a_minute_ago(self, make, clock):
        make().write(GREEN, None)
        clock.sleep(60)
        later = make()
        assert later.in_force() == BLUE
        clock.sleep(TTL + OVERSTAY)
        assert later.in_force() == GREEN, "it has seen it for so long itself"

    def test_a_change_of_an_hour_ago(self, make, clock):
        make(slowest=60.0).write(GREEN, None)
        clock.sleep(3600)
        assert make(slowest=60.0).in_force() == GREEN

    @pytest.mark.parametrize("ahead", [60.0, -60.0])
    def test_clocks_that_differ_by_a_minute_tell_no_lie(self, make, clock, ahead):
        make(ahead).write(GREEN, None)
        clock.sleep(TTL + OVERSTAY - 1)
        assert make().in_force() == BLUE, "it is not yet so long ago"
        clock.sleep(200)
        assert make().in_force() == GREEN

    def test_nor_is_anybody_waited_for_by_a_clock_that_is_hours_ahead(self, make, shelf, clock):
        shelf.everywhere = None
        make(ahead=7200.0).write(GREEN, None)
        here = make(slowest=40.0)
        assert here.in_force() == BLUE
        clock.sleep(40)
        assert here.in_force() == BLUE
        clock.sleep(TTL + OVERSTAY)
        assert here.in_force() == GREEN

    def test_a_process_that_only_looks_sees_each_change_anew(self, make, clock):
        looking, driving = make(), make()
        driving.write(GREEN, None)
        assert looking.in_force() == BLUE
        clock.sleep(200)
        assert looking.in_force() == GREEN
        driving.write(BLUE, None)
        clock.sleep(2)
        assert looking.in_force() == GREEN, "the new change has not been waited for"
        clock.sleep(200)
        assert looking.in_force() == BLUE

    def test_a_server_that_lags_is_waited_for_by_them_too(self, make, shelf, clock):
        make().write(GREEN, None)
        shelf.everywhere = False
        clock.sleep(3600)
        assert make().in_force() == BLUE

    def test_the_declared_bound_holds_for_who_takes_over(self, make, shelf, clock):
        shelf.put(shelf.record("192.0.2.1", ttl=3600))
        make(ttl=60).write(GREEN, None)
        clock.sleep(10)
        later = make(ttl=60)
        assert later.capabilities.bound >= 3590 + OVERSTAY
        later.write(BLUE, None)
        clock.sleep(3580)
        assert later.in_force() == GREEN, "some may have got green for an hour, so far as anybody knows"
        clock.sleep(later.capabilities.bound)
        assert later.in_force() == BLUE


@pytest.mark.component("bind")
class TestResolvers:
    """The primary of a test stands for a resolver: it answers what it has, whatever the shelf holds."""

    @pytest.fixture
    def resolved(self, bind, make, shelf):
        shelf.held.clear()
        found = {"blue": ["192.0.2.1"], "green": ["198.51.100.1"]}
        router = make(record=NAME, addresses=found, resolvers=[f"{bind.address}:{bind.port}"])
        router.write(BLUE, None)
        self.answer(bind, "192.0.2.1")
        return router

    def answer(self, bind, *values):
        bind.replace(*(("A", 5, value) for value in values))

    def test_one_that_answers_the_old_one_holds_a_whole_switch_back(self, resolved, bind, clock, logger):
        clock.sleep(1000)
        resolved.write(GREEN, None)
        clock.sleep(1000)
        assert resolved.in_force() == BLUE
        assert f"{bind.address}:{bind.port} still answers 192.0.2.1" in str(logger.lines)
        self.answer(bind, "192.0.2.1", "198.51.100.1")
        assert resolved.in_force() == BLUE
        self.answer(bind, "198.51.100.1")
        assert resolved.in_force() == GREEN

    def test_for_other_processes_too(self, resolved, bind, make, clock):
        clock.sleep(1000)
        resolved.write(GREEN, None)
        clock.sleep(3600)
        assert make(**_of(resolved)).in_force() == BLUE

    def test_a_share_is_not_held_back(self, resolved, clock):
        clock.sleep(1000)
        resolved.write(share(Slot.GREEN, 50), None)
        clock.sleep(1000)
        assert resolved.in_force() == share(Slot.GREEN, 50)

    def test_nor_does_a_silent_one_hold_anything_back(self, resolved, bind, clock):
        clock.sleep(1000)
        resolved.write(GREEN, None)
        clock.sleep(1000)
        bind.stop(kill=True)
        assert resolved.in_force() == GREEN


def _of(router):
    return {
        "record": NAME, "addresses": router.traffic.addresses, "resolvers": router.traffic.resolvers,
    }  # fmt: skip


def test_shares_that_somebody_else_wrote_count_once_they_were_seen_for_as_long_as_a_change_takes(
    make, shelf, clock, blue
):
    router = make()
    router.write(GREEN, None)
    clock.sleep(TTL + OVERSTAY)
    assert router.in_force() == GREEN
    shelf.put(shelf.record("192.0.2.1", ttl=60))
    for one in (router, make()):
        assert one.observe().split == BLUE
        assert one.in_force() == GREEN, "nobody knows how long ago that was"
        clock.sleep(TTL + OVERSTAY - 2)
        assert one.in_force() == GREEN
        clock.sleep(2)
        assert one.in_force() == BLUE


def test_another_process_of_the_same_machine_believes_its_clock(make, clock, blue):
    make(near=True).write(GREEN, None)
    clock.sleep(TTL + OVERSTAY - 2)
    assert make(near=True).in_force() == BLUE
    clock.sleep(2)
    assert make(near=True).in_force() == GREEN
    assert make().in_force() == BLUE, "whose clock may be a minute ahead"
