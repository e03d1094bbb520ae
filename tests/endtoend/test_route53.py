"""Two machines behind one name of Route 53, on the double of AWS, with every request of clients counted."""

from __future__ import annotations

import time

import pytest
from placed import Placed
from shop import ended, until

from tests.aws.applications import credentials
from tests.aws.zones import create, plainly, weighted

pytest_plugins = ["tests.aws.fixtures"]
pytestmark = pytest.mark.component("envoy")
NAME = "shop.example.com"


@pytest.fixture
def app(zone, tmp_path):
    zone.aws.naming.delay = 1.0
    made = Placed(
        tmp_path, ("127.0.0.1", zone.aws.naming.port), name=NAME, environ={**credentials(), "AWS_REGION": ""}
    )
    asking = {"zone": zone.id, "region": "eu-west-1", "endpoint_url": zone.aws.url, "rate": 1000}
    made.configure(record=NAME, propagation="3s", route53=asking)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def served(app, zone):
    """v1 serves from blue, behind a simple record that knows nothing of uno."""
    app.deploy("blue-green", "v1")
    there = [{"Action": "DELETE", "ResourceRecordSet": one} for one in zone.sets()]
    zone.settled(*there, create(plainly(app.addresses["blue"], name="shop", ttl=2)))
    return app


def routing(zone):
    """The record sets of the name."""
    return [one for one in zone.sets() if one["Name"] == f"{NAME}."]


def weights(zone):
    """The weight of each slot; empty where the name is not split."""
    return {one["SetIdentifier"]: one["Weight"] for one in routing(zone) if "Weight" in one}


def test_there_and_back_nothing_is_lost(served, zone):
    with served.load() as load:
        served.deploy("blue-green", "v2")
        assert weights(zone) == {"blue": 0, "green": 100}
        served.deploy("blue-green", "v3")
        assert weights(zone) == {"blue": 100, "green": 0}
    assert not load.lost(), load.lost()
    assert load.of("v2")
    assert load.of("v3")


def test_a_canary_has_its_share_of_the_answers(served, zone, record_property):
    before = zone.aws.front.counted()
    with served.load(rate=60) as load:
        process = served.start(*served.asking("canary", "v2", "initial_percentage=20"))
        until(lambda: weights(zone) == {"blue": 80, "green": 20})
        zone.aws.naming.settle()
        since = time.monotonic()
        until(lambda: weights(zone) == {"blue": 0, "green": 100})
        left = time.monotonic()
        ended(process)
    assert not load.lost(), load.lost()
    seen = [address == served.addresses["green"] for at, address in load.first if since <= at < left]
    measured = sum(seen) / len(seen)
    record_property(f"share of {len(seen)} first answers at 20 %", round(measured, 3))
    assert abs(measured - 0.2) < 5 * (0.2 * 0.8 / len(seen)) ** 0.5
    calls = zone.aws.front.counted() - before
    record_property("calls of a canary of two steps", dict(calls))
    assert calls["route53:ChangeResourceRecordSets"] < 40, "each is a write of shares, note or lease"


def test_the_first_one_taken_back_leaves_the_simple_record_as_it_was(served, zone):
    before = routing(zone)
    assert "Weight" not in before[0]
    bounds = "metrics_threshold={error_rate: 1%}"
    with served.load() as load:
        served.deploy("canary", "bad", bounds, "increment_interval=60s", code=3)
    assert any(answer.bad for answer in load.answers), "it had a share, by weights"
    assert routing(zone) == before


def test_killed_in_the_middle_it_goes_on(served, zone):
    with served.load() as load:
        process = served.start(*served.asking("canary", "v2"))
        until(lambda: weights(zone) == {"blue": 50, "green": 50})
        process.kill()
        ended(process, code=-9)
        served.uno("resume")
    assert not load.lost(), load.lost()
    assert weights(zone) == {"blue": 0, "green": 100}


def test_weights_that_somebody_resets_stop_it_without_a_jump(served, zone):
    process = served.start(*served.asking("canary", "v2", "increment_interval=60s"))
    until(lambda: weights(zone) == {"blue": 50, "green": 50})
    blue, green = (served.addresses[slot] for slot in ("blue", "green"))
    found = {
        one["SetIdentifier"]: one for one in zone.sets() if one["Name"] == f"{NAME}." and "Weight" in one
    }
    zone.settled(
        *({"Action": "DELETE", "ResourceRecordSet": one} for one in found.values()),
        create(weighted("blue", 100, blue, name="shop", ttl=2)),
        create(weighted("green", 0, green, name="shop", ttl=2)),
    )
    done = ended(process, code=7)
    assert "blue 100 %, green 0 %" in done.err
    assert weights(zone) == {"blue": 100, "green": 0}
    served.uno("rollback")


def test_a_lost_answer_in_the_middle_is_found_out_by_reading(served, zone):
    with served.load() as load:
        process = served.start(*served.asking("canary", "v2"))
        until(lambda: weights(zone) == {"blue": 50, "green": 50})
        lost = zone.aws.front.inject("route53:ChangeResourceRecordSets", lost=True)
        throttled = zone.aws.front.inject("route53:ChangeResourceRecordSets", code="PriorRequestNotComplete")
        ended(process)
    assert lost.hits == 1
    assert throttled.hits == 1
    assert not load.lost(), load.lost()
    assert weights(zone) == {"blue": 0, "green": 100}


def test_a_right_that_is_taken_away_in_the_middle_is_named(served, zone):
    process = served.start(*served.asking("canary", "v2"))
    until(lambda: weights(zone) == {"blue": 50, "green": 50})
    zone.aws.front.denied.add("route53:ChangeResourceRecordSets")
    done = ended(process, code=4)  # it cannot go back either
    assert "AWS does not permit route53:ChangeResourceRecordSets" in done.err
    assert "now: blue 50 %, green 50 %" in done.out
    assert weights(zone) == {"blue": 50, "green": 50}
    zone.aws.front.heal()
    served.uno("rollback")
    (simple,) = routing(zone)
    assert simple["ResourceRecords"] == [{"Value": served.addresses["blue"]}], "as it was before"
    assert not weights(zone)
