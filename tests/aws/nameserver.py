"""The servers of Route 53: they answer over UDP and TCP by the zones as they are in sync.

Sources: "Choosing a routing policy" (weighted: by the weight over the sum of all, all zero: each as likely)
and "Choosing between alias and non-alias records" of Route 53's developer guide; RFC 1034 and RFC 2308 for
what a server has no records for.
"""

from __future__ import annotations

import random
import socketserver
import struct
import threading
import traceback
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from attrs import define, field

from tests.aws.records import RecordSet, rdata, shown

ALIAS_TTL = 60
"""Of an alias for a load balancer, as "TTL" of the developer guide's page on aliases has it."""
MOST_ANSWERS = 8
"""Of multivalue answer routing."""
LONGEST_CHAIN = 16

Row = tuple[str, int, Sequence[str]]
"""The type, the TTL and the values of what a name has."""


@define(eq=False)
class Snapshot:
    """A zone as the servers know it at a time."""

    zone: str
    sets: Sequence[RecordSet]
    by_name: dict[tuple[str, str], list[RecordSet]] = field(init=False)
    names: set[str] = field(init=False)
    """Those that exist: with those between them and the zone, which have no records of their own."""

    def __attrs_post_init__(self) -> None:
        self.by_name, self.names = defaultdict(list), {self.zone}
        for one in self.sets:
            self.by_name[one.name, one.type].append(one)
            name = one.name
            while name not in self.names:
                self.names.add(name)
                name = name.partition(".")[2]

    def source(self, name: str) -> str:
        """Whose records a name has: its own, or those of a wildcard; empty where there is no such name."""
        if name in self.names:
            return name
        encloser = name
        while encloser not in self.names:
            encloser = encloser.partition(".")[2]
        wildcard = rf"\052.{encloser}"
        return wildcard if wildcard in self.names else ""


@define
class Answers:
    """find: the zone that a name is in. elsewhere: addresses of names of others, which aliases lead to."""

    find: Callable[[str], Snapshot | None]
    elsewhere: Mapping[str, Sequence[str]]

    def to(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            answer.set_rcode(dns.rcode.NOTIMP)
            return answer
        (asked,) = query.question
        zone = self.find(shown(asked.name))
        if zone is None or asked.rdclass != dns.rdataclass.IN:
            answer.set_rcode(dns.rcode.REFUSED)
            return answer
        answer.flags |= dns.flags.AA
        self._fill(answer, zone, asked.name, dns.rdatatype.to_text(asked.rdtype))
        return answer

    def _fill(self, answer: dns.message.Message, zone: Snapshot, owner: dns.name.Name, kind: str) -> None:
        for _ in range(LONGEST_CHAIN):
            rows = self._rows(shown(owner), kind)
            for row in rows or ():
                answer.answer.append(_rrset(owner, row))
            if not rows:
                if rows is None:
                    answer.set_rcode(dns.rcode.NXDOMAIN)
                answer.authority.append(_absent(zone))
                return
            if kind == "CNAME" or rows[0][0] != "CNAME":
                return
            owner = answer.answer[-1][0].target
            there = self.find(shown(owner))
            if there is None or there.zone != zone.zone:
                return  # whoever asked follows it

    def _rows(self, name: str, kind: str, depth: int = 0) -> list[Row] | None:
        """What a name has of a type, or its CNAME; None where there is no such name."""
        if name in self.elsewhere:
            addresses = [one for one in self.elsewhere[name] if kind == ("AAAA" if ":" in one else "A")]
            return [(kind, ALIAS_TTL, addresses)] if addresses else []
        zone = self.find(name)
        source = zone.source(name) if zone else ""
        if not zone or not source:
            return None
        found = zone.by_name.get((source, kind)) or zone.by_name.get((source, "CNAME")) or []
        rows: list[Row] = []
        for one in _chosen(found):
            if one.alias is None:
                rows.append((one.type, int(one.told["TTL"]), one.values))
            elif depth < LONGEST_CHAIN:
                rows += self._rows(one.alias["DNSName"], one.type, depth + 1) or []
        return rows


def _chosen(sets: Sequence[RecordSet]) -> Sequence[RecordSet]:
    """Those of one name and type that this answer has. Of policies that are not simulated it is the first."""
    if not sets or not sets[0].policy:
        return sets
    if sets[0].policy == "MultiValueAnswer":
        return random.sample(sets, min(len(sets), MOST_ANSWERS))
    if sets[0].policy == "Weight":
        weights = [int(one.told["Weight"]) for one in sets]
        return random.choices(sets, weights if any(weights) else None)
    return sets[:1]


def _rrset(owner: dns.name.Name, row: Row) -> dns.rrset.RRset:
    kind, ttl, values = row
    return dns.rrset.from_rdata_list(owner, ttl, [rdata(kind, value) for value in values])


def _absent(zone: Snapshot) -> dns.rrset.RRset:
    """The SOA, with the time for which it may be remembered that there is nothing."""
    (one,) = zone.by_name[zone.zone, "SOA"]
    found = _rrset(dns.name.from_text(zone.zone), ("SOA", int(one.told["TTL"]), one.values))
    found.ttl = min(found.ttl, found[0].minimum)
    return found


class _OverUdp(socketserver.BaseRequestHandler):
    server: Any

    def handle(self) -> None:
        data, ours = self.request
        query = _read(data)
        if query is None:
            return
        answer = self.server.answers.to(query)
        try:
            wire = answer.to_wire(max_size=max(512, query.payload))
        except dns.exception.TooBig:
            short = dns.message.make_response(query)
            short.flags |= dns.flags.AA | dns.flags.TC
            wire = short.to_wire()
        ours.sendto(wire, self.client_address)


class _OverTcp(socketserver.StreamRequestHandler):
    server: Any
    timeout = 5.0

    def handle(self) -> None:
        try:
            while size := self.rfile.read(2):
                query = _read(self.rfile.read(*struct.unpack("!H", size)))
                if query is None:
                    return
                wire = self.server.answers.to(query).to_wire(max_size=65535)
                self.wfile.write(struct.pack("!H", len(wire)) + wire)
        except OSError:
            pass  # whoever asked went away, or says no more


def _read(data: bytes) -> dns.message.Message | None:
    try:
        return dns.message.from_wire(data)
    except dns.exception.DNSException:
        return None


class _Server(socketserver.BaseServer):
    answers: Answers
    failures: list[str]

    def handle_error(self, request: Any, client_address: Any) -> None:
        self.failures.append(traceback.format_exc())


class _Udp(_Server, socketserver.UDPServer):
    max_packet_size = 65535


class _Tcp(_Server, socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@define
class Nameserver:
    """Listens at one port of 127.0.0.1 for both."""

    answers: Answers
    failures: list[str] = field(init=False, factory=list)
    _servers: list[_Server] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._servers = _both()
        for one in self._servers:
            one.answers, one.failures = self.answers, self.failures

    @property
    def port(self) -> int:
        address: Any = self._servers[0].server_address
        return int(address[1])

    def start(self) -> None:
        for one in self._servers:
            threading.Thread(target=one.serve_forever, args=(0.05,), name="dns", daemon=True).start()

    def stop(self) -> None:
        for one in self._servers:
            one.shutdown()
            one.server_close()


def _both() -> list[_Server]:
    """Servers at a port that is free for both: that it is for one says nothing about the other."""
    for _ in range(20):
        tcp = _Tcp(("127.0.0.1", 0), _OverTcp)
        try:
            return [tcp, _Udp(tcp.server_address, _OverUdp)]
        except OSError:
            tcp.server_close()
    raise OSError("no port is free for both UDP and TCP")
