"""What is configured of a name, and of the server that holds it. Imports no SDK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from attrs import frozen

from uno_aws.options import AwsOptions
from uno_core import Secret, Slot, option

ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512")
"""Of TSIG; the older ones are not to be used any more (RFC 8945, 6)."""

TYPES = ("A", "AAAA", "CNAME")

LONGEST = 180
"""Characters of the name: below it stand the note and the locks, and a name has 253 in all (RFC 1035)."""


@frozen(kw_only=True)
class Rfc2136Options:
    """A server that takes dynamic updates (RFC 2136): BIND, Knot, PowerDNS and others."""

    server: str = option(help="the primary server, by address or name")
    port: int = option(default=53, gt=0, le=65535, help="its port")
    zone: str = option(help="the zone that the name lies in")
    key: str = option(help="the name of the TSIG key")
    secret: Secret = option(help="the secret of the TSIG key, in base64")
    algorithm: str = option(default="hmac-sha256", choices=ALGORITHMS, help="the algorithm of the TSIG key")
    secondaries: Sequence[str] = option(
        default=(),
        help="the servers that copy the zone, as ADDRESS or ADDRESS:PORT: their serials are waited for",
    )

    def __attrs_post_init__(self) -> None:
        _check_servers(self.secondaries, "secondaries")


@frozen(kw_only=True)
class Alias:
    """A record set that answers with what another name has: of Route 53 alone."""

    name: str = option(help="the name that is answered for, such as a load balancer's")
    zone: str = option(help="the hosted zone of that name; of a load balancer its CanonicalHostedZoneId")
    evaluate_target_health: bool = option(
        default=False, help="whether Route 53 leaves it out while it thinks it sick"
    )


@frozen(kw_only=True)
class Route53Options(AwsOptions):
    """A hosted zone of Route 53."""

    zone: str = option(help="the id of the hosted zone: Z0123456789ABC")
    identifiers: Mapping[str, str] = option(
        factory=lambda: {slot.value: slot.value for slot in Slot},
        help="the SetIdentifier of each slot's record set",
    )
    aliases: Mapping[str, Alias] = option(
        factory=dict, help="what each slot's set is an alias of, instead of an address"
    )
    health_checks: Mapping[str, str] = option(
        factory=dict, help="the id of a health check of Route 53 for a slot's set, where it is made anew"
    )

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        of_both(self.identifiers, "identifiers")
        if self.aliases:
            of_both({slot: f"{one.zone} {one.name}" for slot, one in self.aliases.items()}, "aliases")
        if unknown := sorted(set(self.health_checks) - {slot.value for slot in Slot}):
            raise ValueError(f"health_checks: found {', '.join(unknown)}; expected blue or green")


@frozen(kw_only=True)
class DnsTraffic:
    """The name that is asked for, and what it leads to."""

    record: str = option(default="", help="the name that clients ask for: shop.example.com")
    addresses: Mapping[str, Sequence[str]] = option(
        factory=dict,
        help="what the name leads to for each slot: addresses, or one host name (a CNAME):"
        " {blue: [192.0.2.1], green: [192.0.2.2]}",
    )
    ttl: float = option(
        default=0.0,
        ge=0,
        le=2**31 - 1,  # RFC 2181, 8
        unit="s",
        help="how long answers are kept; 0: as they are now, or 60 s for a new name",
    )
    overstay: float = option(
        default=30.0, ge=0, unit="s", help="how much longer than the TTL some resolvers keep an answer"
    )
    propagation: float = option(
        default=0.0, ge=0, unit="s",
        help="how long the servers of the zone take at most to answer alike; 0: what is usual for them",
    )  # fmt: skip
    resolvers: Sequence[str] = option(
        default=(),
        help="resolvers that have to follow before a switch of everything counts, as ADDRESS or ADDRESS:PORT",
    )
    rfc2136: Rfc2136Options | None = option(default=None, help="a server that takes dynamic updates")
    route53: Route53Options | None = option(default=None, help="a hosted zone of Route 53")

    def __attrs_post_init__(self) -> None:
        if self.rfc2136 and self.route53:
            raise ValueError("rfc2136 and route53: expected one of them")
        if self.addresses:
            of_both({slot: " ".join(found) for slot, found in self.addresses.items()}, "addresses")
            self._check_addresses([one for found in self.addresses.values() for one in found])
        if self.record and not _is_name(self.record):
            raise ValueError(f"record = {self.record}: expected a name of up to {LONGEST} characters")
        _check_servers(self.resolvers, "resolvers")
        if self.ttl != round(self.ttl):
            raise ValueError(f"ttl = {self.ttl:g}: expected whole seconds")
        if self.record and self.rfc2136 and not _within(self.record, self.rfc2136.zone):
            raise ValueError(f"record = {self.record}: expected a name in the zone {self.rfc2136.zone}")

    def _check_addresses(self, named: Sequence[str]) -> None:
        if len({value_of(one) for one in named}) != len(named) or not all(self.addresses.values()):
            raise ValueError("addresses: expected some for each slot, and none in both")
        kinds = {kind_of(one) for one in named}
        if strange := [one for one in named if kind_of(one) == "CNAME" and not _is_host(one)]:
            raise ValueError(
                f"addresses: found {strange[0] or 'nothing'}; expected an address, or the name of a host of"
                " letters, digits and hyphens (other letters as xn--…)"
            )
        if len(kinds) > 1:
            raise ValueError(
                f"addresses: found {' and '.join(sorted(kinds))}; expected one kind: IPv4, IPv6 or names"
            )
        if kinds == {"CNAME"} and len(named) > len(Slot):
            raise ValueError("addresses: expected one host name for each slot, since a CNAME has one value")
        if self.route53 and not self.route53.aliases and len(named) > len(Slot):
            raise ValueError("addresses: expected one for each slot: a weighted record set has one value")

    @property
    def type(self) -> str:
        """The type of the records."""
        named = [one for found in self.addresses.values() for one in found]
        return kind_of(named[0]) if named else "A"


@frozen(kw_only=True)
class ResolvingOptions:
    """The health check `dns`: who answers what for a name."""

    url: str = option(default="", help="the name as a URL: dns://shop.example.com; by default traffic.record")
    resolvers: Sequence[str] = option(
        default=(),
        help="who is asked, as ADDRESS or ADDRESS:PORT: the zone's servers, recursive ones; by default the"
        " machine's own",
    )
    expect: Mapping[str, Sequence[str]] = option(
        factory=dict, help="what each slot's answers are; by default traffic.addresses"
    )
    only: bool = option(
        default=False, help="whether a slot is healthy only once nobody answers with the other one any more"
    )

    def __attrs_post_init__(self) -> None:
        if self.url and not self.url.startswith("dns://"):
            raise ValueError(f"url = {self.url}: expected dns://NAME")
        _check_servers(self.resolvers, "resolvers")
        if self.expect:
            of_both({slot: " ".join(found) for slot, found in self.expect.items()}, "expect")
            if not all(self.expect.values()):
                raise ValueError("expect: expected some for each slot")


@frozen(kw_only=True)
class DnsOptions:
    """One application behind one name."""

    command: Sequence[str] = option(
        default=(),
        help="what puts a release on one of the addresses; {host}, {slot}, {version} are filled in",
    )
    version_url: str = option(
        default="", help="where one of them says which version runs, as http://{host}:8080/version"
    )
    port: int = option(default=0, ge=0, le=65535, help="the port that health checks find instances at")
    instances: int = option(
        default=0, ge=0, help="instances when one slot carries everything; 0: as many as it has addresses"
    )
    traffic: DnsTraffic = option(factory=DnsTraffic, help="the name that is asked for, and who answers it")

    def __attrs_post_init__(self) -> None:
        if self.version_url and not self.version_url.lower().startswith(("http://", "https://")):
            raise ValueError(f"version_url = {self.version_url}: expected http://… or https://…")


def kind_of(value: str) -> str:
    """The type of a record that leads there: A, AAAA or CNAME."""
    try:
        return "A" if ip_address(value).version == 4 else "AAAA"
    except ValueError:
        return "CNAME"


def value_of(named: str) -> str:
    """An address or a name as it is compared: there are several ways to write an IPv6 address or a name."""
    try:
        return str(ip_address(named))
    except ValueError:
        return named.lower().rstrip(".") + "."


def host_and_port(named: str) -> tuple[str, int]:
    """`192.0.2.1`, `192.0.2.1:5353`, `[2001:db8::1]:53`, or an address alone for the port 53.

    Raises ValueError where the port is no number.
    """
    if named.startswith("["):
        host, _, port = named[1:].partition("]")
        return host, int(port.removeprefix(":") or 53)
    host, colon, port = named.rpartition(":")
    if not colon or ":" in host:
        return named, 53
    return host, int(port)


def _check_servers(named: Sequence[str], what: str) -> None:
    """Raises ValueError where one could not be asked: found now, and not while a switch is waited for."""
    for one in named:
        try:
            host, port = host_and_port(one)
            ip_address(host)
            right = 0 < port < 65536
        except ValueError:
            right = False
        if not right:
            raise ValueError(f"{what}: found {one}; expected ADDRESS or ADDRESS:PORT")


def of_both(named: Mapping[str, str], what: str) -> None:
    """Raises ValueError where it is not one for each slot, of its own."""
    wanted: Sequence[str] = [slot.value for slot in Slot]
    if sorted(named) != sorted(wanted) or len(set(named.values())) != len(wanted):
        raise ValueError(
            f"{what}: found {', '.join(named) or 'nothing'}; expected one of its own for blue and for green"
        )


def _is_name(name: str) -> bool:
    labels = name.removesuffix(".").split(".")
    fit = all(0 < len(one) < 64 and one.isascii() and not set(one) & set("/:@ ") for one in labels)
    return len(name) <= LONGEST and fit


def _is_host(name: str) -> bool:
    """Whether it can be a host's: no number, as a mistyped address is one, and nothing that is encoded."""
    plain = all(one.isalnum() or one in "-_." for one in name)
    return _is_name(name) and plain and not name.rstrip(".").rpartition(".")[2].isdigit()


def _within(name: str, zone: str) -> bool:
    name, zone = name.lower().rstrip("."), zone.lower().rstrip(".")
    return name == zone or name.endswith(f".{zone}")
