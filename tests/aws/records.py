"""One record set of Route 53: how it is kept, and which values its types take.

Sources: the API reference of Route 53 (ResourceRecordSet, ResourceRecord), and "DNS domain name format" and
"Supported DNS record types" of its developer guide. Messages are those that users quote of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from attrs import frozen

LONGEST_STRING = 255
POLICIES = ("Weight", "Region", "Failover", "GeoLocation", "GeoProximityLocation", "CidrRoutingConfig",
            "MultiValueAnswer")  # fmt: skip
"""What tells how to choose between sets of one name and type; a set has one of them, or is a simple one."""

Key = tuple[str, str, str]
"""The name, the type, and the set identifier or an empty string."""

_STRING = re.compile(r'\s*"((?:[^"\\]|\\[0-7]{3}|\\.)*)"')
_OCTET = re.compile(r"\\[0-7]{3}|\\.|.", re.DOTALL)


@frozen
class RecordSet:
    """`told` is what ListResourceRecordSets shows of it."""

    told: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.told["Name"])

    @property
    def type(self) -> str:
        return str(self.told["Type"])

    @property
    def identifier(self) -> str:
        return str(self.told.get("SetIdentifier", ""))

    @property
    def key(self) -> Key:
        return self.name, self.type, self.identifier

    @property
    def values(self) -> list[str]:
        return [one["Value"] for one in self.told.get("ResourceRecords", ())]

    @property
    def alias(self) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self.told.get("AliasTarget")
        return found

    @property
    def policy(self) -> str:
        """The one of POLICIES; empty for a simple set."""
        return next((one for one in POLICIES if one in self.told), "")

    @property
    def exact(self) -> Any:
        """What a DELETE has to repeat: everything, the values in whatever order."""
        rest = {key: value for key, value in self.told.items() if key != "ResourceRecords"}
        return rest, frozenset(self.values)

    def __str__(self) -> str:
        """As Route 53 calls it in a message about what exists."""
        more = f", set identifier='{self.identifier}'" if self.identifier else ""
        return f"[name='{self.name}', type='{self.type}'{more}]"

    @property
    def titled(self) -> str:
        """As Route 53 calls it in a message about what may stand beside what."""
        more = f", SetIdentifier {self.identifier}" if self.identifier else ""
        return f"RRSet with DNS name {self.name}, type {self.type}{more}"


def kept(given: Mapping[str, Any]) -> RecordSet:
    """A set of a request as Route 53 keeps it: names in lower case, escaped, and with a dot at the end."""
    told = {**given, "Name": plain(given["Name"])}
    if "AliasTarget" in told:
        target = told["AliasTarget"]
        told["AliasTarget"] = {
            **target,
            "HostedZoneId": target["HostedZoneId"].rpartition("/")[2],
            "DNSName": plain(target["DNSName"]),
        }
    return RecordSet(told)


def plain(name: str) -> str:
    r"""A name as Route 53 shows it: all but a to z, 0 to 9, - and _ is an octal escape, so `*` is `\052`."""
    lowered = name.lower().rstrip(".")
    return re.sub(r"[^a-z0-9\-_.\\]", lambda found: _escaped(ord(found[0])), lowered) + "."


def shown(name: dns.name.Name) -> str:
    """The same of a name in a question."""
    labels = ("".join(_escaped(octet) for octet in label.lower()) for label in name.labels if label)
    return ".".join(labels) + "."


def _escaped(octet: int) -> str:
    return chr(octet) if re.match(r"[a-z0-9\-_]", chr(octet)) else f"\\{octet:03o}"


def reversed_labels(name: str) -> str:
    """By this ListResourceRecordSets sorts: `com.example.www.`, the last dot included."""
    return ".".join(reversed(name.rstrip(".").split("."))) + "."


def within(name: str, zone: str) -> bool:
    return name == zone or name.endswith(f".{zone}")


def strings(value: str) -> list[str] | None:
    """The quoted strings of a TXT value, as they were escaped; None where it is anything else."""
    found, at = [], 0
    while at < len(value.rstrip()):
        match = _STRING.match(value, at)
        if match is None:
            return None
        found.append(match[1])
        at = match.end()
    return found or None


def wrong(one: RecordSet) -> Iterator[str]:
    """What Route 53 says about a name and values that it does not take."""
    yield from _wrong_name(one.name)
    if len(set(one.values)) != len(one.values):
        yield f"Duplicate Resource Record: '{next(v for v in one.values if one.values.count(v) > 1)}'"
    if one.type in ("CNAME", "SOA") and len(one.values) > 1:
        yield f"{one.titled} cannot be created as it has more than one resource record"
    for value in one.values:
        problem = _problem(one.type, value)
        if problem:
            yield f"Invalid Resource Record: 'FATAL problem: {problem} encountered with '{value}''"


def _wrong_name(name: str) -> Iterator[str]:
    labels = name.rstrip(".").split(".")
    sizes = [len(_OCTET.findall(label)) for label in labels]
    if 0 in sizes:
        yield f"FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with '{name}'"
    if max(sizes) > 63:
        yield f"FATAL problem: DomainLabelTooLong (Domain label is too long) encountered with '{name}'"
    if sum(sizes) + len(sizes) + 1 > 255:
        yield f"FATAL problem: DomainNameTooLong (Domain name is too long) encountered with '{name}'"


def _problem(kind: str, value: str) -> str:
    if kind in ("TXT", "SPF"):
        found = strings(value)
        if found is None:
            return "InvalidCharacterString (Value should be enclosed in quotation marks)"
        if any(len(_OCTET.findall(one)) > LONGEST_STRING for one in found):
            return "CharacterStringTooLong (Value is too long)"
        return ""
    try:
        rdata(kind, value)
    except dns.exception.DNSException:
        return {
            "A": "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)",
            "AAAA": "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)",
        }.get(kind, f"{kind}RRDATANotValid (Value is not valid)")
    return ""


def rdata(kind: str, value: str) -> dns.rdata.Rdata:
    """A value on the wire. Names in it are whole ones, with or without a dot at the end."""
    text = value
    if kind in ("TXT", "SPF"):
        # The files of DNS have decimal escapes where Route 53 has octal ones.
        text = " ".join(f'"{_decimal(one)}"' for one in strings(value) or ())
    return dns.rdata.from_text(
        dns.rdataclass.IN, dns.rdatatype.from_text(kind), text, origin=dns.name.root, relativize=False
    )


def _decimal(string: str) -> str:
    octets = (
        int(one[1:], 8) if re.fullmatch(r"\\[0-7]{3}", one) else ord(one[-1])
        for one in _OCTET.findall(string)
    )
    return "".join(f"\\{octet:03d}" for octet in octets)
