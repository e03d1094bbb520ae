"""Changes to Route 53 of the double: what it refuses, and what it does as one."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.aws.batches import Batch
from tests.aws.zones import BLUE, GREEN, Zone, alias, create, delete, plainly, upsert, weighted

pytest_plugins = ["tests.aws.fixtures"]
pytestmark = pytest.mark.component("envoy")

INVALID = "InvalidChangeBatch"
A = "[name='app.example.com.', type='A'"


@pytest.fixture
def slow(monkeypatch):
    """It takes a while from the look at what is there until something else is: others come meanwhile."""
    real = Batch.applied

    def slow(self):
        after = real(self)
        time.sleep(0.01)
        return after

    monkeypatch.setattr(Batch, "applied", slow)


class TestOneChange:
    def test_what_exists_is_not_created(self, zone):
        zone.change(create(plainly(BLUE)))
        told = f"[Tried to create resource record set {A}] but it already exists]"
        assert zone.refused(create(plainly(GREEN))) == (INVALID, told)
        zone.change(delete(plainly(BLUE)), create(weighted("blue", 1, BLUE)))
        told = f"[Tried to create resource record set {A}, set identifier='blue'] but it already exists]"
        assert zone.refused(create(weighted("blue", 2, GREEN))) == (INVALID, told)

    def test_boto3_has_an_exception_for_it(self, zone):
        zone.change(create(plainly(BLUE)))
        with pytest.raises(zone.client.exceptions.InvalidChangeBatch, match="already exists"):
            zone.change(create(plainly(BLUE)))

    def test_what_is_not_there_is_not_deleted(self, zone):
        told = f"[Tried to delete resource record set {A}] but it was not found]"
        assert zone.refused(delete(plainly(BLUE))) == (INVALID, told)
        zone.change(create(weighted("blue", 1, BLUE)))
        told = f"[Tried to delete resource record set {A}, set identifier='red'] but it was not found]"
        assert zone.refused(delete(weighted("red", 1, BLUE))) == (INVALID, told)

    @pytest.mark.parametrize(
        "wrong",
        [{"TTL": 61}, {"Weight": 2}, {"ResourceRecords": [{"Value": GREEN}]}, {"HealthCheckId": "other"}],
        ids=lambda wrong: next(iter(wrong)),
    )
    def test_a_delete_says_exactly_what_there_is(self, zone, wrong):
        config = {"Type": "HTTP", "IPAddress": BLUE, "Port": 80}
        checks = [
            zone.client.create_health_check(CallerReference=one, HealthCheckConfig=config)["HealthCheck"][
                "Id"
            ]
            for one in "ab"
        ]
        if "HealthCheckId" in wrong:
            wrong = {"HealthCheckId": checks[1]}
        found = weighted("blue", 1, BLUE, HealthCheckId=checks[0])
        zone.change(create(found))
        told = (
            f"[Tried to delete resource record set {A}, set identifier='blue'] but the values provided do not"
            " match the current values]"
        )
        assert zone.refused(delete({**found, **wrong})) == (INVALID, told)
        without = {key: value for key, value in found.items() if key != "HealthCheckId"}
        assert zone.refused(delete(without)) == (INVALID, told)
        zone.change(delete(found))
        assert zone.sets() == []

    def test_a_delete_says_the_target_of_an_alias(self, zone):
        zone.change(create(plainly(BLUE, name="blue")), create(plainly(GREEN, name="green")))
        zone.change(create(alias("blue.example.com", zone.id)))
        assert "do not match" in zone.refused(delete(alias("green.example.com", zone.id)))[1]
        zone.change(delete(alias("BLUE.example.com.", zone.id)))

    def test_values_are_a_set(self, zone):
        zone.change(create(plainly(BLUE, GREEN)))
        assert "do not match" in zone.refused(delete(plainly(BLUE)))[1]
        zone.change(delete(plainly(GREEN, BLUE)))
        assert "Duplicate Resource Record: '192.0.2.1'" in zone.refused(create(plainly(BLUE, BLUE)))[1]

    def test_an_upsert_takes_all(self, zone):
        zone.change(upsert(plainly(BLUE)))
        zone.change(upsert(plainly(GREEN, ttl=5)))
        assert zone.sets() == [plainly(GREEN, ttl=5)]

    def test_names_have_no_case_and_a_dot_at_the_end(self, zone):
        zone.change(create({**plainly(BLUE), "Name": "APP.Example.com"}))
        assert zone.sets() == [plainly(BLUE)]
        zone.change(create(plainly(BLUE, name="*")))
        assert zone.sets()[0]["Name"] == r"\052.example.com."

    def test_nor_have_the_names_of_zones(self, zone):
        made = zone.client.create_hosted_zone(Name="Example.ORG", CallerReference="b")
        other = Zone(zone.aws, zone.client, made["HostedZone"]["Id"].rpartition("/")[2])
        other.settled(create(plainly(BLUE, name="app.example.org.")))
        assert other.values("app.example.org.") == [BLUE]

    def test_names_of_other_zones(self, zone):
        for name in ("app.example.org.", "notexample.com."):
            told = f"[RRSet with DNS name {name} is not permitted in zone example.com.]"
            assert zone.refused(create(plainly(BLUE, name=name))) == (INVALID, told)

    def test_names_have_limits(self, zone):
        assert "DomainLabelTooLong" in zone.refused(create(plainly(BLUE, name="a" * 64)))[1]
        assert "DomainNameTooLong" in zone.refused(create(plainly(BLUE, name=".".join(["a" * 60] * 4))))[1]
        assert "DomainLabelEmpty" in zone.refused(create(plainly(BLUE, name="a..b")))[1]

    def test_values_are_of_their_type(self, zone):
        told = (
            "[Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4"
            " address) encountered with '1.2.3'']"
        )
        assert zone.refused(create(plainly("1.2.3"))) == (INVALID, told)
        assert "IPv6" in zone.refused(create(plainly(BLUE, kind="AAAA")))[1]
        assert INVALID in zone.refused(create(plainly("mail.example.com", kind="MX")))
        zone.change(create(plainly("10 mail.example.com", kind="MX")))

    @pytest.mark.parametrize(
        "value",
        ['"a"', '"a" "b"', '"a""b"', r'"a\"b\\"', f'"{"a" * 255}"', " ".join([f'"{"a" * 247}"'] * 16), '""'],
    )
    def test_texts_that_it_takes(self, zone, value):
        zone.change(create(plainly(value, kind="TXT")))
        assert zone.sets() == [plainly(value, kind="TXT")]

    @pytest.mark.parametrize("value", ["a", '"a', 'a"', '"a" b', '"a"b"'])
    def test_texts_stand_in_quotes(self, zone, value):
        code, told = zone.refused(create(plainly(value, kind="TXT")))
        assert code == INVALID
        assert "InvalidCharacterString (Value should be enclosed in quotation marks)" in told

    def test_texts_have_limits(self, zone):
        code, told = zone.refused(create(plainly(f'"{"a" * 256}"', kind="TXT")))
        assert (code, "CharacterStringTooLong (Value is too long)" in told) == (INVALID, True)
        code, told = zone.refused(create(plainly(" ".join([f'"{"a" * 250}"'] * 16), kind="TXT")))
        assert (code, "length less than or equal to 4000" in told) == ("InvalidInput", True)

    def test_a_set_has_values_or_an_alias(self, zone):
        both = plainly(BLUE) | alias("blue.example.com", zone.id)
        neither = {"Name": "app.example.com", "Type": "A", "TTL": 60}
        for found, told in ((both, "more than one"), (neither, "none")):
            code, message = zone.refused(create(found))
            assert code == "InvalidInput"
            assert f"TrafficPolicyInstanceId], but found {told} in Change with" in message

    def test_an_alias_of_this_zone_has_a_target(self, zone):
        told = f"that targets blue.example.com., type A in zone {zone.id}, but that target was not found"
        assert told in zone.refused(create(alias("blue.example.com", zone.id)))[1]
        told = "the alias target name does not lie within the target zone"
        assert told in zone.refused(create(alias("blue.example.org", zone.id)))[1]
        zone.change(create(alias("blue.example.com", zone.id)), create(plainly(BLUE, name="blue")))
        zone.change(create(alias("web-1.eu-west-1.elb.amazonaws.com", "Z32O12XQLNTSW2", name="shop")))

    def test_a_health_check_exists(self, zone):
        with pytest.raises(zone.client.exceptions.NoSuchHealthCheck):
            zone.change(create(weighted("blue", 1, BLUE, HealthCheckId="none")))

    def test_unknown_actions_and_zones(self, zone):
        code, _ = zone.refused({"Action": "REPLACE", "ResourceRecordSet": plainly(BLUE)})
        assert code == "InvalidInput"
        with pytest.raises(zone.client.exceptions.NoSuchHostedZone):
            Zone(zone.aws, zone.client, "ZNONE").change(create(plainly(BLUE)))


class TestWeights:
    @pytest.mark.parametrize("weight", [0, 255])
    def test_weights_that_it_takes(self, zone, weight):
        zone.change(create(weighted("blue", weight, BLUE)))
        assert zone.sets() == [weighted("blue", weight, BLUE)]

    def test_weights_that_it_does_not(self, zone):
        code, told = zone.refused(create(weighted("blue", 256, BLUE)))
        assert (code, "Member must have value less than or equal to 255" in told) == ("InvalidInput", True)

    @pytest.mark.parametrize(("weight", "status"), [("7", 200), ("1.5", 400), ("-1", 400), ("much", 400)])
    def test_weights_are_whole_numbers_whoever_sends_them(self, zone, weight, status):
        change = (
            "<Change><Action>CREATE</Action><ResourceRecordSet><Name>app.example.com</Name><Type>A</Type>"
            f"<SetIdentifier>blue</SetIdentifier><Weight>{weight}</Weight><TTL>60</TTL><ResourceRecords>"
            f"<ResourceRecord><Value>{BLUE}</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change>"
        )
        answered, body = zone.raw(change)
        assert (answered, "<Code>InvalidInput</Code>" in body) == (status, status == 400)
        assert zone.sets() == ([weighted("blue", 7, BLUE)] if status == 200 else [])

    def test_identifiers_have_a_length(self, zone):
        zone.change(create(weighted("b" * 128, 1, BLUE)))
        code, told = zone.refused(create(weighted("b" * 129, 1, BLUE)))
        assert (code, "length less than or equal to 128" in told) == ("InvalidInput", True)

    def test_a_weight_and_an_identifier_come_together(self, zone):
        code, told = zone.refused(create(plainly(BLUE, Weight=1)))
        assert (code, "Missing field 'SetIdentifier'" in told) == ("InvalidInput", True)
        code, told = zone.refused(create(plainly(BLUE, SetIdentifier="blue")))
        assert (code, "Expected exactly one of [Weight, Region" in told) == ("InvalidInput", True)
        code, told = zone.refused(create(weighted("blue", 1, BLUE, Region="eu-west-1")))
        assert (code, "but found more than one" in told) == ("InvalidInput", True)

    def test_a_weighted_set_has_one_record(self, zone):
        code, told = zone.refused(create(weighted("blue", 1, BLUE, GREEN)))
        assert (code, "one resource record each" in told) == (INVALID, True)

    def test_weighted_sets_share_a_ttl(self, zone):
        zone.change(create(weighted("blue", 1, BLUE)))
        told = (
            "[RRSet with DNS name app.example.com., type A, SetIdentifier green cannot be created as weighted"
            " sets must contain the same TTL.]"
        )
        assert zone.refused(create(weighted("green", 1, GREEN, ttl=5))) == (INVALID, told)
        zone.change(create(weighted("green", 1, GREEN)))
        assert "the same TTL" in zone.refused(upsert(weighted("green", 1, GREEN, ttl=5)))[1]
        zone.change(*(upsert(weighted(one, 1, BLUE, ttl=5)) for one in ("blue", "green")))
        assert {one["TTL"] for one in zone.sets()} == {5}

    def test_an_alias_has_none(self, zone):
        zone.change(create(plainly(BLUE, name="blue")), create(weighted("green", 1, GREEN)))
        zone.change(create(alias("blue.example.com", zone.id, SetIdentifier="blue", Weight=1)))
        zone.change(upsert(weighted("green", 1, GREEN, ttl=5)))

    def test_no_weighted_set_stands_beside_a_simple_one(self, zone):
        zone.change(create(plainly(BLUE)))
        title = "[RRSet with DNS name app.example.com., type A"
        told = (
            f"{title}, SetIdentifier green cannot be created as a non-weighted set exists with the same name"
        )
        assert zone.refused(create(weighted("green", 1, GREEN))) == (INVALID, f"{told} and type.]")
        zone.change(create(weighted("text", 1, '"a"', kind="TXT")))
        zone.change(
            delete(plainly(BLUE)), create(weighted("blue", 1, BLUE)), create(weighted("green", 0, GREEN))
        )
        told = f"{title} cannot be created as other RRSets exist with the same name and type.]"
        assert zone.refused(upsert(plainly(BLUE))) == (INVALID, told)

    def test_nor_beside_another_routing_policy(self, zone):
        zone.change(create(plainly(BLUE, SetIdentifier="here", Region="eu-west-1")))
        assert "non-weighted" in zone.refused(create(weighted("green", 1, GREEN)))[1]

    def test_a_hundred_of_them(self, zone):
        zone.change(*(create(weighted(f"n{number}", 1, BLUE)) for number in range(100)))
        assert zone.refused(create(weighted("more", 1, BLUE)))[0] == INVALID


class TestBatches:
    def test_nothing_of_a_refused_one_is_applied(self, zone):
        zone.change(create(plainly(BLUE)))
        code, told = zone.refused(
            delete(plainly(BLUE)), create(plainly(GREEN, name="other")), delete(plainly(BLUE, name="none")),
            create(plainly("1.2.3", name="wrong")),
        )  # fmt: skip
        assert code == INVALID
        assert "none.example.com.', type='A'] but it was not found, Invalid Resource" in told, (
            "all that is wrong"
        )
        zone.aws.naming.settle()
        assert (zone.values(), zone.values("other")) == ([BLUE], [])

    def test_a_set_is_changed_once(self, zone):
        zone.change(create(plainly(BLUE)))
        told = (
            "[The request contains an invalid set of changes for a resource record set 'A app.example.com.']"
        )
        assert zone.refused(delete(plainly(BLUE)), delete(plainly(BLUE))) == (INVALID, told)
        assert zone.refused(upsert(plainly(GREEN)), upsert(plainly(BLUE))) == (INVALID, told)

    def test_a_delete_and_a_create_compare_and_swap(self, zone):
        zone.change(create(plainly(BLUE)))
        zone.change(delete(plainly(BLUE)), create(plainly(GREEN)))
        assert zone.sets() == [plainly(GREEN)]
        assert "do not match" in zone.refused(delete(plainly(BLUE)), create(plainly("192.0.2.3")))[1]

    @pytest.mark.usefixtures("slow")
    def test_of_many_that_swap_one_wins(self, zone):
        old = plainly('"0"', kind="TXT")
        zone.change(create(old))
        with ThreadPoolExecutor(20) as threads:
            swaps = [(delete(old), create(plainly(f'"{n}"', kind="TXT"))) for n in range(1, 21)]
            won = list(threads.map(lambda swap: zone.taken(*swap), swaps))
        assert won.count(True) == 1
        assert zone.sets() == [swaps[won.index(True)][1]["ResourceRecordSet"]]

    @pytest.mark.usefixtures("slow")
    def test_of_many_that_create_one_wins(self, zone):
        with ThreadPoolExecutor(20) as threads:
            locks = [plainly(f'"holder {n}"', kind="TXT") for n in range(20)]
            won = list(threads.map(lambda lock: zone.taken(create(lock)), locks))
        assert won.count(True) == 1
        assert zone.sets() == [locks[won.index(True)]]

    def test_a_cname_is_alone(self, zone):
        zone.change(create(plainly(BLUE)))
        told = (
            "[RRSet of type CNAME with DNS name app.example.com. is not permitted as it conflicts with other"
            " records with the same DNS name in zone example.com.]"
        )
        assert zone.refused(create(plainly("b.example.com", kind="CNAME"))) == (INVALID, told)
        zone.change(delete(plainly(BLUE)), create(plainly("b.example.com", kind="CNAME")))
        told = (
            "[RRSet of type A with DNS name app.example.com. is not permitted because a conflicting RRSet of"
            " type CNAME with the same DNS name already exists in zone example.com.]"
        )
        assert zone.refused(upsert(plainly(BLUE))) == (INVALID, told)
        told = zone.refused(create(plainly("b.example.com", name="example.com.", kind="CNAME")))[1]
        assert "not permitted at apex" in told

    def test_a_zone_keeps_its_own(self, zone):
        for own in zone.client.list_resource_record_sets(HostedZoneId=zone.id)["ResourceRecordSets"]:
            assert "A HostedZone must contain" in zone.refused(delete(own))[1]

    def test_records_are_counted(self, zone):
        many = [plainly(BLUE, name=f"n{number}") for number in range(1001)]
        told = "Number of records limit of 1000 exceeded."
        assert zone.refused(*map(create, many)) == (INVALID, told)
        assert zone.refused(*map(upsert, many[:501])) == (INVALID, told), "what is upserted counts twice"
        zone.change(*map(create, many[:1000]))

    def test_characters_are_counted(self, zone):
        text = " ".join([f'"{"a" * 247}"'] * 16)
        sets = [plainly(text, name=f"n{number}", kind="TXT") for number in range(9)]
        told = "Number of characters limit of 32000 exceeded."
        assert zone.refused(*map(create, sets)) == (INVALID, told)
        assert zone.refused(*map(upsert, sets[:5])) == (INVALID, told)
        zone.change(*map(upsert, sets[:4]))
