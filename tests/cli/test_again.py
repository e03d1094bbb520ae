"""Deploying again: the same release or another one, in flight or not, with a driver or without."""

import signal

import pytest

BLUE = {"blue": 100.0, "green": 0.0}
GREEN = {"blue": 0.0, "green": 100.0}
SHORT = ("--option", "strategy.hold=3s")
HOLD = ("--option", "strategy.hold=1h")
GATE = ("--option", "strategy.gate=true")
V2 = ("deploy", "--version", "v2")


def following(shop, *options):
    """A second `uno deploy` of the same release, once it has joined the first."""
    follower = shop.start(*V2, *options)
    for line in follower.stderr:
        if "following" in line:
            return follower
    pytest.fail("it did not follow")


def ids(shop):
    return [d["id"] for d in shop.uno("history", "--output", "json").json["deployments"]]


def test_what_serves_already_is_verified_and_left(shop):
    shop.world.live("v1")
    assert shop.uno(*V2, *SHORT).code == 0
    again = shop.uno(*V2, *SHORT)
    assert again.code == 0
    assert "v2 serves already: nothing to do" in again.out
    assert ids(shop) == ["shop-test-1"]


def test_the_same_release_in_flight_is_followed_to_its_end(shop):
    process = shop.begun(*SHORT)
    said = shop.uno(*V2, *SHORT)
    assert said.code == 0
    assert f"shop-test-1 deploys v2 already: following process {process.pid}" in said.err
    assert "step: a share of the traffic" in said.err
    assert "shop-test-1 successful: " in said.out
    assert shop.end(process).code == 0
    assert ids(shop) == ["shop-test-1"]


def test_whoever_follows_ends_as_it_ends(shop):
    process = shop.begun(*HOLD)
    follower = following(shop)
    assert shop.uno("abort", "--reason", "no").code == 0
    assert shop.end(process).code == 3
    said = shop.end(follower)
    assert said.code == 3
    assert "v1 serves again: no" in said.out


def test_a_gate_is_not_waited_at_by_whoever_follows_without_waiting(shop):
    shop.world.live("v1")
    process = shop.start(*V2, *GATE)
    shop.until_status("paused")
    assert shop.uno(*V2, "--no-wait").code == 6
    assert shop.uno("promote").code == 0
    assert shop.end(process).code == 0


def test_a_signal_ends_the_following_and_not_the_deployment(shop):
    process = shop.begun("--option", "strategy.hold=6s")
    follower = following(shop)
    follower.send_signal(signal.SIGTERM)
    said = shop.end(follower)
    assert said.code == 8
    assert "the deployment goes on" in said.out
    assert shop.end(process).code == 0
    assert shop.world.split() == GREEN


def test_where_the_driver_dies_the_follower_goes_on_in_its_place(shop):
    process = shop.begun("--option", "strategy.hold=4s")
    follower = following(shop)
    process.kill()
    shop.end(process)
    said = shop.end(follower)
    assert said.code == 0
    assert "going on with v2" in said.err
    assert shop.world.split() == GREEN


def test_the_same_release_that_nobody_drives_is_gone_on_with(shop):
    shop.left(*SHORT)
    said = shop.uno(*V2, *SHORT)
    assert said.code == 0
    assert "shop-test-1: going on with v2" in said.err
    assert ids(shop) == ["shop-test-1"]


def test_what_was_rolled_back_before_is_a_new_attempt(shop):
    process = shop.begun(*HOLD)
    process.send_signal(signal.SIGTERM)
    assert shop.end(process).code == 3
    assert shop.uno(*V2, *SHORT).code == 0
    assert ids(shop) == ["shop-test-2", "shop-test-1"]


class TestAnotherVersion:
    def test_it_is_refused_at_once(self, shop):
        process = shop.begun(*HOLD)
        assert shop.uno("deploy", "--version", "v3").code == 5
        process.kill()

    def test_it_waits_as_long_as_it_is_told_to(self, shop):
        process = shop.begun("--option", "strategy.hold=2s")
        said = shop.uno("deploy", "--version", "v3", *SHORT, "--lock-timeout", "1m")
        assert said.code == 0
        assert "shop-test-1 (v2) is under way: waiting 1m for it" in said.err
        assert shop.end(process).code == 0
        assert ids(shop) == ["shop-test-2", "shop-test-1"]

    def test_it_gives_up_then(self, shop):
        process = shop.begun(*HOLD)
        said = shop.uno("deploy", "--version", "v3", "--lock-timeout", "1s")
        assert said.code == 5
        assert ids(shop) == ["shop-test-1"]
        process.kill()

    def test_a_time_that_is_none_is_told(self, shop):
        said = shop.uno("deploy", "--version", "v3", "--lock-timeout", "soon")
        assert said.code == 2
        assert "a duration" in said.err

    def test_nobody_is_waited_for_who_is_gone(self, shop):
        shop.left(*SHORT)
        said = shop.uno("deploy", "--version", "v3")
        assert said.code == 5
        assert "`uno resume` goes on with it" in said.err


class TestExpected:
    @pytest.mark.parametrize("live", ["v0", "none"])
    def test_another_one_that_serves_is_refused(self, shop, live):
        shop.world.live("v1")
        said = shop.uno(*V2, "--expect-live", live)
        assert said.code == 7
        assert f"v2 was to replace {live}, and that does not serve" in said.err
        assert shop.world.split() == BLUE
        assert ids(shop) == []

    def test_the_one_that_serves_is_replaced(self, shop):
        shop.world.live("v1")
        assert shop.uno(*V2, *SHORT, "--expect-live", "v1").code == 0

    def test_a_first_deployment_replaces_nothing(self, shop):
        assert shop.uno(*V2, *SHORT, "--expect-live", "none").code == 0

    def test_a_job_that_runs_twice_is_no_late_one(self, shop):
        shop.world.live("v1")
        for _ in range(2):
            assert shop.uno(*V2, *SHORT, "--expect-live", "v1").code == 0


def test_what_may_not_be_taken_back_is_taken_back_by_nobody_but_a_person_who_means_it(shop):
    shop.left("--option", "strategy.hold=1h", "--option", "rollback.forbid_after=before_traffic")
    half = shop.world.split()
    for words in (("deploy", "--version", "v3", "--supersede"), ("rollback",), ("abort",)):
        said = shop.uno(*words)
        assert said.code == 2, words
        assert "is not taken back: going back is forbidden after before_traffic" in said.err
        assert shop.world.split() == half
    assert shop.uno("rollback", "--even-forbidden").code == 0
    assert shop.world.split() == BLUE


def test_a_living_driver_that_may_not_go_back_stops_and_nobody_goes_back_in_its_place(shop):
    process = shop.begun(*HOLD, "--option", "rollback.forbid_after=before_traffic")
    half = shop.world.split()
    assert shop.uno("deploy", "--version", "v3", "--supersede").code == 2
    assert shop.uno("abort").code == 4
    assert shop.end(process).code == 4
    assert shop.world.split() == half
