"""The lock in a zone, beyond the contract: lost answers, records that are none, names that make no labels."""

from __future__ import annotations

import re

import pytest
from bind import ZONE
from shelf import Shelf, options, platform_of

from uno_core import (
    ConfigError,
    Driver,
    Forbidden,
    Locked,
    LockLost,
    PlatformError,
    StateError,
    Throttled,
    Unanswered,
)
from uno_core.simulation.clock import VirtualClock
from uno_platform_dns.platform import DnsPlatform
from uno_platform_dns.zone import Changed, RecordSet

pytest_plugins = ["zones", "hosted"]

KEY = "shop-testing"
PLACE = f"{KEY}._uno.shop.example.com."
LOST = Unanswered("no answer", found="silence")


def owner(number=1, user="ann"):
    return Driver(host=f"ci-{number}", pid=number, started="2026-01-01", user=user, born=str(number))


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture(name="open")
def another(shelf, services):
    return lambda: platform_of(shelf)(options(), services).lock


@pytest.fixture
def lock(open):
    return open()


def put(shelf, *values, name=PLACE):
    shelf.put(RecordSet(name=name, type="TXT", ttl=5, values=values))


class TestLostAnswers:
    def test_of_the_taking_which_took_effect(self, lock, open, shelf):
        shelf.fails.append((LOST, True))
        lease = lock.acquire(KEY, owner(), ttl=600)
        assert (lease.epoch, shelf.changes) == (1, 1), "it is found to be ours, and not taken again"
        assert open().holder(KEY).owner == owner()
        lock.renew(lease, ttl=600)

    def test_of_the_taking_which_did_not(self, lock, open, shelf):
        shelf.fails.append(LOST)
        assert lock.acquire(KEY, owner(), ttl=600).epoch == 1
        assert open().holder(KEY).owner == owner()

    def test_of_a_taking_that_somebody_else_was_faster_with(self, lock, open, shelf):
        class Faster(list):
            def pop(self, _):
                self.clear()
                open().acquire(KEY, owner(2), ttl=600)
                raise LOST

        shelf.fails = Faster([LOST])
        with pytest.raises(Locked, match="another uno"):
            lock.acquire(KEY, owner(1), ttl=600)

    def test_of_taking_it_over(self, lock, open, shelf):
        former = lock.acquire(KEY, owner(1), ttl=600)
        shelf.fails.append((LOST, True))
        lease = open().acquire(KEY, owner(2), ttl=600, take_over=True)
        assert lease.epoch == former.epoch + 1
        with pytest.raises(LockLost):
            lock.renew(former, ttl=600)

    def test_of_renewing_and_of_giving_up(self, lock, open, shelf, clock):
        lease = lock.acquire(KEY, owner(), ttl=600)
        shelf.fails += [(LOST, True), None, (LOST, True)]
        lock.renew(lease, ttl=600)
        lock.release(lease)
        assert open().holder(KEY) is None

    def test_too_fast_is_tried_again(self, lock, shelf):
        shelf.fails += [Throttled("too fast"), Changed("not yet")]
        assert lock.acquire(KEY, owner(), ttl=600).epoch == 1


def test_where_somebody_took_the_record_out_the_former_owner_has_lost_it(lock, open, shelf, clock):
    former = lock.acquire(KEY, owner(1), ttl=600)
    shelf.held.clear()
    clock.sleep(1)
    lease = open().acquire(KEY, owner(2), ttl=600)
    assert lease.epoch == former.epoch
    with pytest.raises(LockLost):
        lock.renew(former, ttl=600)
    lock.release(former)
    assert open().renew(lease, ttl=600).owner == owner(2)


class TestUnreachable:
    def test_nothing_is_held_for_long(self, lock, shelf, clock):
        shelf.silent = LOST
        for call in (
            lambda: lock.acquire(KEY, owner(), ttl=600),
            lambda: lock.holder(KEY),
        ):
            began = clock.monotonic()
            with pytest.raises(StateError, match="cannot be read or written") as raised:
                call()
            assert clock.monotonic() - began < 30
            assert (raised.value.found, PLACE.rstrip(".") in raised.value.where) == (
                "no answer: silence",
                True,
            )

    @pytest.mark.parametrize("problem", [PlatformError("FORMERR"), ConfigError("not authoritative")])
    def test_whatever_else_a_zone_says_is_no_word_of_its_own_for_who_holds_it(self, lock, shelf, problem):
        lease = lock.acquire(KEY, owner(), ttl=600)
        shelf.silent = problem
        for call in (
            lambda: lock.renew(lease, ttl=600),
            lambda: lock.release(lease),
            lambda: lock.holder(KEY),
        ):
            with pytest.raises(StateError, match="cannot be read or written") as raised:
                call()
            assert problem.message in raised.value.found
        with pytest.raises(ConfigError if isinstance(problem, ConfigError) else StateError):
            lock.acquire(KEY, owner(2), ttl=600)

    def test_it_goes_on_once_the_zone_answers(self, lock, shelf, clock):
        shelf.silent = LOST
        clock.at(5, lambda: setattr(shelf, "silent", None))
        assert lock.acquire(KEY, owner(), ttl=600).owner == owner()

    def test_what_is_forbidden_is_not_tried_again(self, lock, shelf, clock):
        shelf.silent = Forbidden("no")
        with pytest.raises(Forbidden):
            lock.acquire(KEY, owner(), ttl=600)
        assert clock.monotonic() == 0

    @pytest.mark.component("bind")
    def test_a_server_that_is_not_there(self, bind, configured, services):
        platform = DnsPlatform(configured(), services)
        bind.stop(kill=True)
        with pytest.raises(StateError, match="cannot be read or written") as raised:
            platform.lock.acquire(KEY, owner(), ttl=600)
        assert f"zone {ZONE} at {bind.address}" in raised.value.where


class TestRecordsThatAreNone:
    @pytest.mark.parametrize(
        "text",
        ['"v=spf1 -all"', '""', '"[]"', '"[1]"', '"5"', '"null"', '"{}"', r'"{\"owner\":5}"', "unquoted"],
    )
    def test_they_are_told_and_left_alone(self, lock, shelf, text):
        put(shelf, text)
        for call in (lambda: lock.holder(KEY), lambda: lock.acquire(KEY, owner(), ttl=600, take_over=True)):
            with pytest.raises(StateError, match="cannot be read") as raised:
                call()
            assert raised.value.where == PLACE
        assert shelf.changes == 0

    def test_one_beside_it_is_not_thrown_away(self, lock, shelf):
        lock.acquire(KEY, owner(), ttl=600)
        ((_, found),) = shelf.held.items()
        put(shelf, *found.values, '"theirs"')
        with pytest.raises(StateError, match="cannot be read"):
            lock.acquire(KEY, owner(2), ttl=600, take_over=True)

    def test_one_without_values(self, lock, shelf):
        put(shelf)
        with pytest.raises(StateError, match="cannot be read"):
            lock.holder(KEY)

    def test_a_policy_of_route_53_at_its_place(self, make_hosted, hosted):
        zones = pytest.importorskip("tests.aws.zones")
        there = zones.plainly('"x"', name=f"{KEY}._uno.shop", kind="TXT")
        hosted.settled(zones.create(there))
        with pytest.raises(StateError, match="cannot be read"):
            make_hosted().lock.holder(KEY)
        assert hosted.sets() == [there]


class TestNames:
    KEYS = (
        "Shop-testing",
        "shop_testing",
        "shop.testing",
        "-shop-testing",
        "магазин",
        "кофе",
        "___",
        "a" * 80,
    )

    @pytest.mark.parametrize("key", KEYS)
    def test_each_makes_one_label(self, lock, shelf, key):
        lock.acquire(key, owner(), ttl=600)
        ((name, _, _),) = shelf.held
        label = name.removesuffix("._uno.shop.example.com.")
        assert re.fullmatch("[a-z0-9-]{1,63}", label)
        assert not label.startswith("-")

    def test_none_is_in_the_way_of_another(self, lock):
        for number, key in enumerate((*self.KEYS, KEY, "a" * 79), 1):
            lock.acquire(key, owner(number), ttl=600)
        assert lock.holder("кофе").owner.pid == 1 + self.KEYS.index("кофе")

    def test_a_key_that_is_a_label_is_the_label(self, lock, shelf):
        lock.acquire(KEY, owner(), ttl=600)
        assert [name for name, _, _ in shelf.held] == [PLACE]

    @pytest.mark.component("bind")
    def test_owners_of_any_name_on_a_real_server(self, configured, services):
        platform = DnsPlatform(configured(), services)
        who = owner(user='Jürgen "der\\Chef" 漢字' + "x" * 300)
        platform.lock.acquire("___", who, ttl=600)
        assert DnsPlatform(configured(), services).lock.holder("___").owner == who

    def test_owners_of_any_name_on_route_53(self, make_hosted):
        who = owner(user='Jürgen "der\\Chef" 漢字' + "x" * 300)
        make_hosted().lock.acquire(KEY, who, ttl=600)
        assert make_hosted().lock.holder(KEY).owner == who
