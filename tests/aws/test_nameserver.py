"""Route 53 of the double as others see it: what its servers answer and when, its lists, and its faults."""

from __future__ import annotations

import math
import socket
from collections import Counter

import dns.flags
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.aws.zones import BLUE, FOREVER, GREEN, alias, create, plainly, upsert, weighted
from tests.cluster.children import until

pytest_plugins = ["tests.aws.fixtures"]
pytestmark = pytest.mark.component("envoy")


class TestTime:
    def test_a_change_is_pending_and_then_in_sync(self, zone):
        zone.settled(create(plainly(BLUE)))
        zone.aws.naming.delay = FOREVER
        change = zone.change(upsert(plainly(GREEN)))
        assert change["Id"].startswith("/change/C")
        assert (change["Status"], zone.status(change), change["Comment"]) == ("PENDING", "PENDING", "a test")
        assert zone.sets() == [plainly(GREEN)], "what is listed is new at once"
        assert zone.values() == [BLUE], "what is answered is not"
        zone.aws.naming.settle()
        assert (zone.status(change), zone.values()) == ("INSYNC", [GREEN])

    def test_it_takes_as_long_as_it_is_said(self, zone):
        change = zone.change(create(plainly(BLUE)))
        assert change["Status"] == "PENDING"
        until(lambda: zone.status(change), "INSYNC", every=0.02)
        assert zone.values() == [BLUE]

    def test_the_servers_get_changes_in_their_order(self, zone):
        zone.aws.naming.delay = FOREVER
        zone.change(create(plainly(BLUE)))
        zone.aws.naming.delay = 0.0
        assert zone.change(upsert(plainly(GREEN)))["Status"] == "PENDING"
        assert zone.ask().rcode() == dns.rcode.NXDOMAIN

    def test_an_unknown_change(self, zone):
        with pytest.raises(zone.client.exceptions.NoSuchChange) as raised:
            zone.client.get_change(Id="C123")
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404

    def test_a_zone_comes_and_goes_so_too(self, zone):
        zone.aws.naming.delay = FOREVER
        made = zone.client.create_hosted_zone(Name="example.org", CallerReference="b")
        assert zone.status(made["ChangeInfo"]) == "PENDING"
        assert zone.ask("example.org.", "SOA").rcode() == dns.rcode.REFUSED
        zone.aws.naming.settle()
        assert zone.values("example.org.", "SOA")[0].endswith(" 1 7200 900 1209600 86400")
        zone.client.delete_hosted_zone(Id=made["HostedZone"]["Id"])
        assert zone.values("example.org.", "NS")
        zone.aws.naming.settle()
        assert zone.ask("example.org.", "SOA").rcode() == dns.rcode.REFUSED

    def test_a_zone_that_has_something_stays(self, zone):
        zone.change(create(plainly(BLUE)))
        with pytest.raises(zone.client.exceptions.HostedZoneNotEmpty):
            zone.client.delete_hosted_zone(Id=zone.id)


class TestAnswers:
    def shares(self, zone, times=2000):
        return Counter(value for _ in range(times) for value in zone.values())

    @pytest.mark.parametrize(
        ("blue", "green", "share"), [(3, 1, 0.75), (255, 1, 255 / 256), (0, 0, 0.5), (1, 0, 1.0)]
    )
    def test_weights_are_shares_of_the_sum(self, zone, blue, green, share):
        zone.settled(create(weighted("blue", blue, BLUE)), create(weighted("green", green, GREEN)))
        seen = self.shares(zone)
        assert seen.total() == 2000, "one record an answer"
        assert abs(seen[BLUE] / 2000 - share) <= 5 * math.sqrt(share * (1 - share) / 2000)

    def test_an_alias_has_what_its_target_has(self, zone):
        zone.settled(
            create(plainly(BLUE, GREEN, name="other", ttl=7)), create(alias("other.example.com", zone.id))
        )
        (found,) = zone.ask().answer
        assert (found.name.to_text(), found.ttl, zone.values()) == ("app.example.com.", 7, [BLUE, GREEN])
        assert zone.ask(kind="AAAA").answer == []

    def test_weighted_aliases(self, zone):
        sets = [plainly(BLUE, name="blue"), plainly(GREEN, name="green")]
        sets += [
            alias(f"{one}.example.com", zone.id, SetIdentifier=one, Weight=weight)
            for one, weight in (("blue", 0), ("green", 9))
        ]
        zone.settled(*map(create, sets))
        assert set(self.shares(zone, 50)) == {GREEN}

    def test_an_alias_of_a_load_balancer(self, zone):
        zone.settled(create(alias("web-1.eu-west-1.elb.amazonaws.com", "Z32O12XQLNTSW2")))
        assert zone.values() == []
        zone.aws.naming.elsewhere["web-1.eu-west-1.elb.amazonaws.com."] = [BLUE]
        assert (zone.values(), zone.ask().answer[0].ttl) == ([BLUE], 60)

    def test_a_cname_is_followed_as_long_as_it_is_in_the_zone(self, zone):
        zone.settled(
            create(plainly("b.example.com", kind="CNAME")), create(plainly(BLUE, name="b")),
            create(plainly("www.example.org", name="away", kind="CNAME")),
        )  # fmt: skip
        assert zone.values() == [BLUE, "b.example.com."]
        assert zone.values(kind="CNAME") == ["b.example.com."]
        assert zone.values("away") == ["www.example.org."]

    def test_no_such_name(self, zone):
        answer = zone.ask("none")
        (soa,) = answer.authority
        assert (answer.rcode(), answer.answer) == (dns.rcode.NXDOMAIN, [])
        assert (soa.name.to_text(), soa.rdtype, soa.ttl) == ("example.com.", dns.rdatatype.SOA, 900)

    def test_no_such_type(self, zone):
        zone.settled(create(plainly(BLUE, name="deep.below.app")))
        for name in ("deep.below.app", "below.app", "app"):
            answer = zone.ask(name, "TXT")
            assert (answer.rcode(), answer.answer) == (dns.rcode.NOERROR, []), name
            assert answer.authority[0].rdtype == dns.rdatatype.SOA

    def test_a_wildcard_is_for_names_that_are_not_there(self, zone):
        zone.settled(create(plainly(BLUE, name="*")), create(plainly('"a"', name="a", kind="TXT")))
        assert (zone.values("some"), zone.values("some.more"), zone.values("a")) == ([BLUE], [BLUE], [])

    def test_texts(self, zone):
        zone.settled(create(plainly(r'"a\"b" "c\\101\101"', '""', kind="TXT")))
        assert zone.values(kind="TXT") == ['""', r'"a\"b" "c\\101A"']

    def test_it_is_the_authority_whatever_the_case(self, zone):
        zone.settled(create(plainly(BLUE)))
        answer = zone.ask("APP.Example.COM.")
        assert answer.flags & dns.flags.AA
        assert not answer.flags & dns.flags.RA
        assert answer.answer[0].name.to_text() == "APP.Example.COM."

    def test_names_of_no_zone(self, zone):
        assert zone.ask("www.example.org.").rcode() == dns.rcode.REFUSED

    def test_the_longest_zone_answers(self, zone):
        zone.change(create(plainly(BLUE, name="a.sub")))
        zone.client.create_hosted_zone(Name="sub.example.com", CallerReference="b")
        zone.aws.naming.settle()
        assert zone.ask("a.sub").rcode() == dns.rcode.NXDOMAIN

    def test_over_tcp_and_where_udp_is_too_short(self, zone):
        zone.settled(create(plainly(*(f"192.0.2.{n}" for n in range(100)))))
        assert zone.ask(use_edns=False).flags & dns.flags.TC
        assert len(zone.ask(over=dns.query.tcp).answer[0]) == 100
        assert len(zone.ask(payload=4096).answer[0]) == 100

    def test_what_is_no_question_is_not_answered(self, zone):
        zone.settled(create(plainly(BLUE)))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as talk:
            talk.sendto(b"hello", ("127.0.0.1", zone.aws.naming.port))
        assert zone.values() == [BLUE]


class TestLists:
    def pages(self, zone, size):
        """The names, types and identifiers of the sets of each page."""
        pager = zone.client.get_paginator("list_resource_record_sets")
        for page in pager.paginate(HostedZoneId=zone.id, PaginationConfig={"PageSize": size}):
            yield [
                (one["Name"].removesuffix("example.com."), one["Type"], one.get("SetIdentifier", ""))
                for one in page["ResourceRecordSets"]
            ]

    def test_sets_are_in_order_whatever_the_page(self, zone):
        sets = [plainly(BLUE, name=name) for name in ("b", "a-b", "z.a", "a")]
        sets += [plainly('"a"', name="a", kind="TXT"), plainly(BLUE, name="*")]
        zone.change(*map(create, [*sets, *(weighted(one, 1, BLUE, name="w") for one in "cab")]))
        wanted = [
            ("", "NS", ""), ("", "SOA", ""), ("\\052.", "A", ""), ("a-b.", "A", ""), ("a.", "A", ""),
            ("a.", "TXT", ""), ("z.a.", "A", ""), ("b.", "A", ""), ("w.", "A", "a"), ("w.", "A", "b"),
            ("w.", "A", "c"),
        ]  # fmt: skip
        for size in (1, 2, 3, 100):
            pages = list(self.pages(zone, size))
            assert [one for page in pages for one in page] == wanted
            assert {len(page) for page in pages[:-1]} <= {size}

    def test_a_list_begins_where_it_is_said(self, zone):
        zone.change(create(plainly(BLUE, name="a")), *(create(weighted(one, 1, BLUE)) for one in "ab"))

        def begin(**more):
            listed = zone.client.list_resource_record_sets(HostedZoneId=zone.id, MaxItems="1", **more)
            (found,) = listed["ResourceRecordSets"]
            return found["Name"].partition(".")[0], found.get("SetIdentifier"), listed["IsTruncated"]

        whole = {"StartRecordName": "app.example.com", "StartRecordType": "A"}
        assert begin(StartRecordName="A.example.com") == ("a", None, True)
        assert begin(StartRecordName="aa.example.com") == ("app", "a", True)
        assert begin(**whole, StartRecordIdentifier="b") == ("app", "b", False)
        for wrong in ({"StartRecordType": "A"}, {"StartRecordName": "a", "StartRecordIdentifier": "b"}):
            with pytest.raises(zone.client.exceptions.InvalidInput):
                begin(**wrong)

    def test_a_page_has_300_at_most(self, zone):
        zone.change(*(create(plainly(BLUE, name=f"n{number}")) for number in range(301)))
        listed = zone.client.list_resource_record_sets(HostedZoneId=zone.id, MaxItems="1000")
        assert (len(listed["ResourceRecordSets"]), listed["MaxItems"]) == (300, "300")
        assert listed["NextRecordName"] == "n97.example.com."

    def test_zones_by_name_begin_there_and_go_on(self, zone):
        for number, name in enumerate(("example.org", "a.example.com", "example.com")):
            zone.client.create_hosted_zone(Name=name, CallerReference=f"b{number}")

        def listed(**more):
            answer = zone.client.list_hosted_zones_by_name(**more)
            return [one["Name"] for one in answer["HostedZones"]], answer

        everything = ["example.com.", "example.com.", "a.example.com.", "example.org."]
        assert listed()[0] == everything
        assert listed(DNSName="a.example.com")[0] == everything[2:], "not only those of that name"
        assert listed(DNSName="example.net")[0] == ["example.org."]
        first, answer = listed(MaxItems="1")
        rest, _ = listed(DNSName=answer["NextDNSName"], HostedZoneId=answer["NextHostedZoneId"])
        assert (first + rest, answer["IsTruncated"]) == (everything, True)

    def test_a_zone_is_counted(self, zone):
        zone.change(create(plainly(BLUE)))
        assert zone.client.get_hosted_zone(Id=zone.id)["HostedZone"]["ResourceRecordSetCount"] == 3


CHANGE = "route53:ChangeResourceRecordSets"


class TestFaults:
    def test_an_answer_is_lost_after_it_took_effect(self, zone):
        zone.aws.front.inject(CHANGE, lost=True)
        with pytest.raises(ConnectionClosedError):
            zone.change(create(plainly(BLUE)))
        assert zone.sets() == [plainly(BLUE)]
        assert "already exists" in zone.refused(create(plainly(BLUE)))[1]

    def test_a_change_before_the_one_before_is_complete(self, zone):
        zone.aws.front.inject(CHANGE, code="PriorRequestNotComplete", status=400)
        with pytest.raises(zone.client.exceptions.PriorRequestNotComplete):
            zone.change(create(plainly(BLUE)))
        assert zone.sets() == []
        zone.change(create(plainly(BLUE)))

    def test_a_bucket_runs_empty_and_fills(self, zone):
        zone.aws.front.throttle(CHANGE, rate=2.0, burst=1)
        zone.change(upsert(plainly(BLUE)))
        assert zone.refused(upsert(plainly(BLUE))) == ("Throttling", "Rate exceeded")

        def passes():
            try:
                zone.change(upsert(plainly(GREEN)))
            except ClientError:
                return False
            return True

        until(passes)

    def test_a_right_that_is_missing_is_named(self, zone):
        zone.aws.front.denied.add(CHANGE)
        with pytest.raises(ClientError, match=f"not authorized to perform: {CHANGE}") as raised:
            zone.change(create(plainly(BLUE)))
        assert raised.value.response["Error"]["Code"] == "AccessDenied"
        assert zone.sets() == []

    def test_a_session_ends(self, zone):
        zone.aws.front.expired.add("ASIAOLD")
        with pytest.raises(ClientError, match="ExpiredToken"):
            zone.aws.client("route53", key="ASIAOLD").list_hosted_zones()

    def test_calls_are_counted_by_their_rights(self, zone):
        change = zone.change(create(plainly(BLUE)))
        zone.aws.front.calls.clear()
        zone.status(change)
        zone.sets()
        zone.change(upsert(plainly(BLUE)))
        zone.client.get_hosted_zone(Id=zone.id)
        zone.client.list_hosted_zones()
        zone.client.list_hosted_zones_by_name()
        assert zone.aws.front.counted() == dict.fromkeys(
            [
                "route53:GetChange", "route53:ListResourceRecordSets", CHANGE, "route53:GetHostedZone",
                "route53:ListHostedZones", "route53:ListHostedZonesByName",
            ],
            1,
        )  # fmt: skip
