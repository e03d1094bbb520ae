"""A hosted zone of Route 53, on the double of AWS: what is written of a group, and what never is."""

from __future__ import annotations

import json
import sys
import time

import pytest

from uno_core import (
    ConfigError,
    Drift,
    Forbidden,
    PlatformError,
    Slot,
    Throttled,
    Unanswered,
    Unsupported,
    whole,
)
from uno_core import share as part
from uno_platform_dns.options import Alias

pytest_plugins = ["hosted"]

BLUE, GREEN = whole(Slot.BLUE), whole(Slot.GREEN)
ONE, TWO = "192.0.2.1", "192.0.2.2"
FOREVER = 1e6
LEADS = {"Z32O12XQLNTSW2": ("blue-1.eu-west-1.elb.amazonaws.com.", "green-1.eu-west-1.elb.amazonaws.com.")}


@pytest.fixture
def sets():
    return pytest.importorskip("tests.aws.zones")


@pytest.fixture
def simple(hosted, sets):
    """The name leads to blue, by a simple record, as before uno."""
    made = sets.plainly(ONE, name="shop", ttl=300)
    hosted.settled(sets.create(made))
    return made


@pytest.fixture
def pair(hosted, sets):
    """Blue and green with these weights; more of each by keyword."""

    def pair(blue, green, **more):
        usual = {"name": "shop", "ttl": 30, **more}
        made = [sets.weighted("blue", blue, ONE, **usual), sets.weighted("green", green, TWO, **usual)]
        hosted.settled(*map(sets.create, made))
        return made

    return pair


@pytest.fixture
def aliases():
    (zone, names), *_ = LEADS.items()
    return {slot.value: Alias(zone=zone, name=name) for slot, name in zip(Slot, names, strict=True)}


def named(hosted, kind="A"):
    """The record sets of the name, without uno's own."""
    return [one for one in hosted.sets() if one["Name"] == "shop.example.com." and one["Type"] == kind]


def weights(hosted):
    return {one["SetIdentifier"]: one["Weight"] for one in named(hosted)}


def until(holds, deadline=20.0):
    end = time.monotonic() + deadline
    while not holds():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def through_json(value):
    return json.loads(json.dumps(value))


class TestASimpleRecord:
    def test_it_is_whoevers_address_it_has(self, make_hosted, simple):
        assert make_hosted().router.observe().split == BLUE

    def test_it_becomes_two_weighted_ones_in_one_change_and_simple_again(self, make_hosted, hosted, simple):
        platform = make_hosted(ttl=0)
        captured = through_json(platform.router.observe().captured)
        hosted.aws.front.calls.clear()
        platform.router.write(part(Slot.GREEN, 10), None)
        assert weights(hosted) == {"blue": 90, "green": 10}
        assert {one["TTL"] for one in named(hosted)} == {300}
        assert hosted.aws.front.counted()["route53:ChangeResourceRecordSets"] == 1
        platform.router.restore(captured)
        assert named(hosted) == [simple]

    def test_the_plan_tells_it(self, make_hosted, simple):
        told = "\n".join(make_hosted(ttl=0).remarks())
        assert "is a simple record: it becomes two weighted ones, in one change" in told
        assert "ratios of weights up to 255, of resolvers' answers and not of requests" in told

    def test_answers_of_an_alias_are_waited_for_as_long_as_they_are_kept(self, make_hosted, aliases):
        short = make_hosted({"aliases": aliases}, addresses={}, ttl=10, overstay=30).router
        assert short.capabilities.bound >= 60 + 30, "it has no TTL of its own"
        assert any("60 s by their TTL" in told for told in short.remarks())

    def test_an_alias_comes_back_as_it_was(self, make_hosted, hosted, sets, aliases):
        made = sets.alias(aliases["blue"].name, aliases["blue"].zone, name="shop")
        made["AliasTarget"]["EvaluateTargetHealth"] = True
        hosted.settled(sets.create(made))
        router = make_hosted({"aliases": aliases}, addresses={}).router
        captured = through_json(router.observe().captured)
        router.write(GREEN, None)
        blue, green = named(hosted)
        assert blue["AliasTarget"] == made["AliasTarget"], "what it had beside its target stays"
        assert green["AliasTarget"]["DNSName"] == aliases["green"].name
        assert "TTL" not in blue
        router.restore(captured)
        assert named(hosted) == [made]

    def test_a_host_name_is_the_same_however_it_is_written(self, make_hosted, hosted, sets):
        hosted.settled(sets.create(sets.plainly("Blue.example.org", name="shop", kind="CNAME")))
        names = {"blue": ["blue.example.org."], "green": ["green.example.org"]}
        assert make_hosted(addresses=names).router.observe().split == BLUE

    def test_so_is_an_address(self, make_hosted, hosted, sets):
        hosted.settled(sets.create(sets.plainly("2001:db8:0::1", name="shop", kind="AAAA")))
        router = make_hosted(addresses={"blue": ["2001:DB8::1"], "green": ["2001:db8::2"]}).router
        router.write(GREEN, router.observe().token)
        assert router.observe().split == GREEN

    def test_one_of_somebody_else_is_refused(self, make_hosted, hosted, sets):
        hosted.settled(sets.create(sets.plainly("203.0.113.7", name="shop")))
        with pytest.raises(ConfigError, match="belongs to no slot"):
            make_hosted().router.write(BLUE, None)


class TestWeights:
    def test_ttls_and_health_checks_come_back_as_they_were(self, make_hosted, hosted, sets, pair):
        config = {"IPAddress": ONE, "Port": 80, "Type": "HTTP", "ResourcePath": "/"}
        check = hosted.client.create_health_check(CallerReference="c", HealthCheckConfig=config)
        before = pair(255, 0, HealthCheckId=check["HealthCheck"]["Id"])
        platform = make_hosted(ttl=7)
        assert "blue, green has a health check" in "\n".join(platform.remarks())
        captured = through_json(platform.router.observe().captured)
        platform.router.write(part(Slot.GREEN, 25), None)
        assert {(one["TTL"], one["HealthCheckId"]) for one in named(hosted)} == {
            (7, check["HealthCheck"]["Id"])
        }
        platform.router.restore(captured)
        assert named(hosted) == before

    def test_a_health_check_that_was_changed_meanwhile_is_left_alone(
        self, make_hosted, hosted, sets, pair, logger
    ):
        before = pair(1, 0)
        router = make_hosted(ttl=30).router
        captured = router.observe().captured
        router.write(GREEN, None)
        config = {"IPAddress": ONE, "Port": 80, "Type": "HTTP", "ResourcePath": "/"}
        check = hosted.client.create_health_check(CallerReference="c", HealthCheckConfig=config)
        blue = {**before[0], "Weight": 0, "HealthCheckId": check["HealthCheck"]["Id"]}
        hosted.settled(sets.upsert(blue))
        router.restore(captured)
        assert router.observe().split == BLUE
        assert named(hosted)[0]["HealthCheckId"] == check["HealthCheck"]["Id"]
        assert "only the shares are put back" in str(logger.lines)

    def test_all_zero_is_read_as_route_53_answers_it(self, make_hosted, pair):
        pair(0, 0)
        assert make_hosted().router.observe().split == part(Slot.GREEN, 50)

    def test_a_zero_alone_has_everything(self, make_hosted, hosted, sets):
        hosted.settled(sets.create(sets.weighted("green", 0, TWO, name="shop")))
        router = make_hosted().router
        assert router.observe().split == GREEN
        router.write(BLUE, None)
        assert weights(hosted) == {"blue": 100, "green": 0}

    @pytest.mark.parametrize("green", [0, 0.390625, 1, 5, 33, 50, 99, 99.609375, 100])
    def test_all_zero_is_never_written(self, make_hosted, hosted, pair, green):
        pair(0, 0)
        router = make_hosted().router
        router.write(part(Slot.GREEN, green), None)
        assert sum(weights(hosted).values()) > 0
        assert router.observe().split[Slot.GREEN] == pytest.approx(green)

    def test_the_finest_share(self, make_hosted, hosted, pair):
        pair(1, 0)
        router = make_hosted().router
        router.write(part(Slot.GREEN, 100 / 256), None)
        assert weights(hosted) == {"blue": 255, "green": 1}

    def test_a_canary_in_percent_is_easy_to_read(self, make_hosted, hosted, pair):
        pair(1, 0)
        make_hosted().router.write(part(Slot.GREEN, 5), None)
        assert weights(hosted) == {"blue": 95, "green": 5}

    def test_a_share_that_no_ratio_gives_names_the_nearest(self, make_hosted, hosted, pair):
        pair(1, 0)
        with pytest.raises(Unsupported) as raised:
            make_hosted().router.write(part(Slot.GREEN, 0.3), None)
        assert "the nearest possible share is 0.3906 %" in raised.value.remedy
        assert weights(hosted) == {"blue": 1, "green": 0}

    def test_what_stands_beside_them_is_left_alone(self, make_hosted, hosted, sets, pair):
        pair(1, 0)
        beside = sets.weighted("here", 3, '"text"', name="shop", kind="TXT")
        far = sets.plainly('"far"', name="shop", kind="SPF", SetIdentifier="eu", Region="eu-west-1")
        hosted.settled(sets.create(beside), sets.create(far))
        make_hosted().router.write(GREEN, None)
        assert named(hosted, "TXT") + named(hosted, "SPF") == [beside, far]


class TestRefused:
    def test_identifiers_of_others(self, make_hosted, hosted, sets, pair):
        pair(1, 0)
        hosted.settled(sets.create(sets.weighted("purple", 1, "192.0.2.3", name="shop", ttl=30)))
        with pytest.raises(ConfigError, match="weighted records that belong to no slot") as raised:
            make_hosted().router.write(GREEN, None)
        assert "purple" in raised.value.found
        assert weights(hosted) == {"blue": 1, "green": 0, "purple": 1}

    def test_what_somebody_adds_is_no_hindrance_to_go_back_and_stays(self, make_hosted, hosted, sets, pair):
        pair(1, 0)
        router = make_hosted().router
        router.write(GREEN, router.observe().token)
        ttl = router.observe().captured["sets"][0]["ttl"]
        hosted.settled(sets.create(sets.weighted("purple", 100, "192.0.2.3", name="shop", ttl=ttl)))
        state = router.observe()
        assert state.split == {Slot.BLUE: 0.0, Slot.GREEN: 50.0}, "the rest is somebody else's"
        with pytest.raises(Drift, match="somebody else changed"):
            router.write(GREEN, state.token)
        router.write(BLUE, None)
        assert weights(hosted) == {"blue": 100, "green": 0, "purple": 100}

    def test_they_may_be_named(self, make_hosted, hosted, sets):
        hosted.settled(sets.create(sets.weighted("old", 1, ONE, name="shop")))
        router = make_hosted({"identifiers": {"blue": "old", "green": "new"}}).router
        router.write(GREEN, None)
        assert weights(hosted) == {"old": 0, "new": 100}

    def test_a_set_of_a_slot_that_leads_elsewhere(self, make_hosted, hosted, sets):
        hosted.settled(sets.create(sets.weighted("green", 0, "203.0.113.7", name="shop")))
        with pytest.raises(ConfigError, match="record of green leads elsewhere") as raised:
            make_hosted().router.write(GREEN, None)
        assert ("203.0.113.7" in raised.value.found, TWO in raised.value.expected) == (True, True)

    def test_a_slot_that_leads_nowhere(self, make_hosted, hosted, sets):
        hosted.settled(sets.create(sets.weighted("blue", 1, ONE, name="shop")))
        with pytest.raises(ConfigError, match="not told where green leads"):
            make_hosted(addresses={}).router.write(part(Slot.GREEN, 10), None)

    @pytest.mark.parametrize(
        "policy",
        [
            {"Region": "eu-west-1"}, {"Failover": "PRIMARY"}, {"GeoLocation": {"CountryCode": "DE"}},
            {"MultiValueAnswer": True},
        ],
    )  # fmt: skip
    def test_other_ways_to_route(self, make_hosted, hosted, sets, policy):
        hosted.settled(sets.create(sets.plainly(ONE, name="shop", SetIdentifier="blue", **policy)))
        with pytest.raises(ConfigError, match="routed in another way than by weights") as raised:
            make_hosted().router.observe()
        assert next(iter(policy)) in raised.value.found

    def test_another_type(self, make_hosted, hosted, sets, simple):
        hosted.settled(sets.create(sets.plainly("2001:db8::1", name="shop", kind="AAAA")))
        with pytest.raises(ConfigError, match="another type than A"):
            make_hosted().router.write(GREEN, None)

    def test_the_doctor_tells_it(self, make_hosted, hosted, sets):
        hosted.settled(sets.create(sets.plainly("203.0.113.7", name="shop")))
        *_, last = make_hosted().diagnose()
        assert (last.about, "203.0.113.7" in last.found) == ("record", True)


class TestInForce:
    def test_pending_is_not_and_in_sync_is_after_the_ttl(self, make_hosted, hosted, pair):
        pair(1, 0, ttl=1)
        hosted.aws.naming.delay = FOREVER
        router = make_hosted(overstay=0.5).router
        router.write(GREEN, None)
        time.sleep(1.7)
        assert router.in_force() == BLUE
        hosted.aws.naming.settle()
        assert router.in_force() == BLUE
        synced = time.monotonic()
        until(lambda: router.in_force() == GREEN)
        assert time.monotonic() - synced >= 1.4
        assert hosted.values("shop") == [TWO]


class TestOthers:
    def test_a_foreign_weight_between_read_and_write_is_drift(self, make_hosted, hosted, sets, pair):
        blue, _ = pair(1, 0)
        router = make_hosted().router
        token = router.observe().token
        hosted.settled(sets.upsert({**blue, "Weight": 7}))
        before = hosted.sets()
        with pytest.raises(Drift) as raised:
            router.write(GREEN, token)
        assert ("weight 7" in raised.value.found, "weight 1" in raised.value.expected) == (True, True)
        assert hosted.sets() == before

    @pytest.mark.parametrize("there", ["a weighted one", "a simple one"])
    def test_one_that_came_in_the_same_moment(self, make_hosted, hosted, sets, there, monkeypatch):
        platform = make_hosted()
        token, zone = platform.router.observe().token, platform.zone
        change = zone.change
        came = sets.plainly(ONE, name="shop")
        if there == "a weighted one":
            came = sets.weighted("blue", 3, ONE, name="shop")

        def late(removed, added):
            monkeypatch.setattr(zone, "change", change)
            hosted.settled(sets.create(came))
            return change(removed, added)

        monkeypatch.setattr(zone, "change", late)
        with pytest.raises(Drift):
            platform.router.write(GREEN, token)
        assert named(hosted) == [came]

    def test_an_alias_of_nothing_is_nobodys_drift(self, make_hosted, hosted):
        lost = {slot.value: Alias(zone=hosted.id, name=f"{slot}.example.com") for slot in Slot}
        with pytest.raises(PlatformError, match="ChangeResourceRecordSets was refused") as raised:
            make_hosted({"aliases": lost}, addresses={}).router.write(GREEN, None)
        assert "that target was not found" in raised.value.found

    @pytest.mark.parametrize("code", ["PriorRequestNotComplete", "Throttling"])
    def test_too_fast_is_told_and_nothing_is_lost(self, make_hosted, hosted, pair, code):
        pair(1, 0)
        router = make_hosted().router
        token = router.observe().token
        hosted.aws.front.inject("route53:ChangeResourceRecordSets", code=code, times=9)
        with pytest.raises(Throttled):
            router.write(GREEN, token)
        hosted.aws.front.heal()
        assert weights(hosted) == {"blue": 1, "green": 0}
        router.write(GREEN, token)
        assert router.observe().split == GREEN

    def test_what_is_denied_is_named(self, make_hosted, hosted, pair):
        pair(1, 0)
        hosted.aws.front.denied.add("route53:ChangeResourceRecordSets")
        with pytest.raises(Forbidden) as raised:
            make_hosted().router.write(GREEN, None)
        assert "route53:ChangeResourceRecordSets" in str(raised.value)
        hosted.aws.front.denied.add("route53:*")
        found = list(make_hosted().diagnose())
        assert "route53:GetHostedZone" in str(found[-1]), "the doctor goes no further, and raises nothing"

    def test_a_lost_answer_is_found_out_by_reading(self, make_hosted, hosted, pair):
        pair(1, 0, ttl=1)
        router = make_hosted().router
        token = router.observe().token
        hosted.aws.front.inject("route53:ChangeResourceRecordSets", lost=True)
        with pytest.raises(Unanswered):
            router.write(GREEN, token)
        held = router.observe()
        assert held.split == GREEN
        with pytest.raises(Drift):
            router.write(GREEN, token)
        router.write(GREEN, held.token)
        assert router.in_force() == BLUE, "clients still follow what was before"
        until(lambda: router.in_force() == GREEN)


class TestWhoPays:
    def test_one_write_is_two_lists_and_a_change(self, make_hosted, hosted, pair):
        pair(1, 0)
        router = make_hosted().router
        token = router.observe().token
        hosted.aws.front.calls.clear()
        router.write(GREEN, token)
        assert hosted.aws.front.counted() == {
            "route53:ListResourceRecordSets": 2, "route53:ChangeResourceRecordSets": 1,
        }  # fmt: skip
        hosted.aws.front.calls.clear()
        router.in_force()
        assert hosted.aws.front.counted() == {"route53:ListResourceRecordSets": 2, "route53:GetChange": 1}

    def test_lists_of_more_than_one_page(self, make_hosted, hosted, sets, pair, monkeypatch):
        pair(1, 0)
        for name, kind, value in (("app", "A", ONE), ("shop", "MX", "1 mail"), ("tail", "A", ONE)):
            hosted.settled(sets.create(sets.plainly(value, name=name, kind=kind)))
        monkeypatch.setattr(sys.modules["tests.aws.naming"], "MOST_LISTED", 1)
        router = make_hosted().router
        hosted.aws.front.calls.clear()
        assert router.observe().split == BLUE
        assert hosted.aws.front.counted()["route53:ListResourceRecordSets"] > 3
        router.write(part(Slot.GREEN, 30), router.observe().token)
        assert router.observe().split == part(Slot.GREEN, 30)
