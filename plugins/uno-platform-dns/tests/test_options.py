"""What is refused before anything is asked, in words."""

from __future__ import annotations

import re

import pytest
from shelf import NAME, Shelf, platform_of

from uno_core import ConfigError, Secret
from uno_platform_dns.options import (
    Alias,
    DnsOptions,
    DnsTraffic,
    ResolvingOptions,
    Rfc2136Options,
    Route53Options,
    host_and_port,
)
from uno_platform_dns.platform import DnsPlatform

BOTH = {"blue": ["192.0.2.1"], "green": ["192.0.2.2"]}


def rfc2136(**more):
    usual = {"server": "192.0.2.53", "zone": "example.com", "key": "uno", "secret": Secret("TOKEN")}
    return Rfc2136Options(**{**usual, **more})


def alias(name="lb.example.org", zone="Z1"):
    return Alias(name=name, zone=zone)


TRAFFIC = [
    ({"addresses": {"blue": ["192.0.2.1"]}}, "addresses: found blue; expected one of its own for blue and"),
    ({"addresses": {**BOTH, "red": ["192.0.2.3"]}}, "addresses: found blue, green, red; expected one of its"),
    ({"addresses": {"blue": ["192.0.2.1"], "green": ["192.0.2.1"]}}, "expected one of its own for blue and"),
    ({"addresses": {"blue": ["192.0.2.1"], "green": []}}, "addresses: expected some for each slot, and none"),
    (
        {"addresses": {"blue": ["192.0.2.1", "192.0.2.3"], "green": ["192.0.2.2", "192.0.2.3"]}},
        "addresses: expected some for each slot, and none in both",
    ),
    (
        {"addresses": {"blue": ["2001:db8::1"], "green": ["2001:DB8:0::1"]}},
        "addresses: expected some for each slot, and none in both",
    ),
    (
        {"addresses": {"blue": ["a.example.com"], "green": ["A.example.com."]}},
        "addresses: expected some for each slot, and none in both",
    ),
    (
        {"addresses": {"blue": ["192.0.2.1"], "green": ["2001:db8::1"]}},
        "addresses: found A and AAAA; expected one kind: IPv4, IPv6 or names",
    ),
    (
        {"addresses": {"blue": ["192.0.2.1"], "green": ["b.example.com"]}},
        "addresses: found A and CNAME; expected one kind",
    ),
    (
        {"addresses": {"blue": ["a.example.com", "b.example.com"], "green": ["c.example.com"]}},
        "addresses: expected one host name for each slot, since a CNAME has one value",
    ),
    (
        {"addresses": {**BOTH, "blue": ["192.0.2.1", "192.0.2.3"]}, "route53": Route53Options(zone="Z0")},
        "addresses: expected one for each slot: a weighted record set has one value",
    ),
    (
        {"rfc2136": rfc2136(), "route53": Route53Options(zone="Z0")},
        "rfc2136 and route53: expected one of them",
    ),
    ({"ttl": 1.5}, "ttl = 1.5: expected whole seconds"),
    (
        {"record": "shop.example.org", "rfc2136": rfc2136()},
        "record = shop.example.org: expected a name in the zone example.com",
    ),
    ({"record": "shopexample.com", "rfc2136": rfc2136()}, "expected a name in the zone example.com"),
    ({"record": "shop..example.com"}, "record = shop..example.com: expected a name of up to 180 characters"),
    ({"record": "a" * 64 + ".example.com"}, "expected a name of up to 180 characters"),
    ({"record": "a." * 100 + "example.com"}, "expected a name of up to 180 characters"),
    ({"record": "https://shop.example.com"}, "expected a name of up to 180 characters"),
    ({"record": "shop.example.com.."}, "expected a name of up to 180 characters"),
    *[
        (
            {"addresses": {"blue": ["a.example.com"], "green": [wrong]}},
            f"addresses: found {wrong or 'nothing'}; expected an address, or the name of a host",
        )
        for wrong in ("192.0.2.300", "", "grün.example", "a..b.", "http://b.example.com")
    ],
    ({"record": "café.example.com"}, "record = café.example.com: expected a name of up to"),
    (
        {"resolvers": ["dns.example.com"]},
        "resolvers: found dns.example.com; expected ADDRESS or ADDRESS:PORT",
    ),
    ({"resolvers": ["192.0.2.1", "192.0.2.2:many"]}, "resolvers: found 192.0.2.2:many; expected ADDRESS"),
    ({"resolvers": ["192.0.2.2:0"]}, "resolvers: found 192.0.2.2:0; expected ADDRESS or ADDRESS:PORT"),
    ({"resolvers": ["192.0.2.2:65536"]}, "resolvers: found 192.0.2.2:65536; expected ADDRESS"),
]


@pytest.mark.parametrize(("given", "told"), TRAFFIC)
def test_of_traffic(given, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        DnsTraffic(**given)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda: rfc2136(secondaries=["ns2:x"]),
            "secondaries: found ns2:x; expected ADDRESS or",
        ),
        (
            lambda: Route53Options(zone="Z0", identifiers={"blue": "a", "green": "a"}),
            "identifiers: found blue, green; expected one of its own for blue and for green",
        ),
        (
            lambda: Route53Options(zone="Z0", identifiers={}),
            "identifiers: found nothing; expected one of its own for blue and for green",
        ),
        (
            lambda: Route53Options(zone="Z0", aliases={"blue": alias()}),
            "aliases: found blue; expected one of its own for blue and for green",
        ),
        (
            lambda: Route53Options(zone="Z0", aliases={"blue": alias(), "green": alias()}),
            "aliases: found blue, green; expected one of its own for blue and for green",
        ),
        (
            lambda: Route53Options(zone="Z0", health_checks={"purple": "x"}),
            "health_checks: found purple; expected blue or green",
        ),
        (
            lambda: ResolvingOptions(url="https://example.com"),
            "url = https://example.com: expected dns://NAME",
        ),
        (lambda: ResolvingOptions(resolvers=["x"]), "resolvers: found x; expected ADDRESS or ADDRESS:PORT"),
        (
            lambda: ResolvingOptions(expect={"blue": ["192.0.2.1"]}),
            "expect: found blue; expected one of its own for blue and for green",
        ),
        (lambda: ResolvingOptions(expect={**BOTH, "blue": []}), "expect: expected some for each slot"),
        (
            lambda: DnsOptions(version_url="ftp://example.com"),
            "version_url = ftp://example.com: expected http://… or https://…",
        ),
    ],
)
def test_of_the_others(make, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        make()


@pytest.mark.parametrize(
    "traffic",
    [
        {"record": "shop.example.com.", "rfc2136": rfc2136(zone="EXAMPLE.com")},
        {"record": "example.com", "rfc2136": rfc2136()},
        {"addresses": {"blue": ["a.example.com"], "green": ["b.example.com"]}},
        {"resolvers": ["192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353", "[2001:db8::1]"]},
        {
            "addresses": {**BOTH, "blue": ["192.0.2.1", "192.0.2.3"]},
            "route53": Route53Options(zone="Z0", aliases={"blue": alias("a"), "green": alias("b")}),
        },
    ],
)
def test_what_is_taken(traffic):
    DnsTraffic(**traffic)


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)), ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)), ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
    ],
)  # fmt: skip
def test_servers_and_their_ports(named, found):
    assert host_and_port(named) == found


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda s: DnsPlatform(DnsOptions(traffic=DnsTraffic(record=NAME)), s), "who answers for the name"),
        (lambda s: platform_of(Shelf())(DnsOptions(), s), "name that clients ask for is not told"),
        (
            lambda s: platform_of(Shelf())(DnsOptions(traffic=DnsTraffic(record=NAME)), s),
            "not told where the name leads",
        ),
    ],
)
def test_what_a_platform_cannot_be_made_of(services, made, told):
    with pytest.raises(ConfigError, match=told) as raised:
        made(services)
    assert raised.value.where == "traffic"
