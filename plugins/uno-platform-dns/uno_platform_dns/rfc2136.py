"""A zone by dynamic updates (RFC 2136), signed with TSIG (RFC 8945): BIND, Knot, PowerDNS and others.

A message's prerequisites and updates are one: the server checks the exact old values and writes the new ones
without anybody in between, or writes nothing (RFC 2136, 3). That is the compare-and-swap here.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from uuid import uuid4

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.serial
import dns.tsig
import dns.tsigkeyring
import dns.update

from uno_core import ConfigError, Diagnosis, Forbidden, PlatformError, Services, Unanswered, UnoError
from uno_platform_dns.options import TYPES, Rfc2136Options, host_and_port
from uno_platform_dns.zone import Changed, RecordSet, absolute

TIMEOUT = 5.0
"""Seconds for one question or one update."""

COPIED = 60.0
"""Seconds in which a secondary that hears NOTIFY has the zone, if nothing is wrong."""

UNTRUSTED = (dns.tsig.PeerError, dns.tsig.BadSignature, dns.tsig.BadTime, dns.message.UnknownTSIGKey)
"""What says that the two do not have the same key, or not the same time."""

OTHERWISE = frozenset(
    {dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN}
)  # fmt: skip
"""What a server answers where a prerequisite does not hold (RFC 2136, 3.2)."""


MUTE = frozenset({dns.rcode.REFUSED, dns.rcode.NOTAUTH, dns.rcode.NOTIMP, dns.rcode.FORMERR})
"""What a server answers that does not say whether a prerequisite holds."""


class Rfc2136Zone:
    """One zone of one primary server. The primary is asked everything, so nothing that is read is stale."""

    weights = 0

    def __init__(self, options: Rfc2136Options, services: Services) -> None:
        self.options, self.services = options, services
        self._exists: set[tuple[str, str, str]] = set()
        self._wanted: dict[str, dns.serial.Serial] = {}

    @property
    def where(self) -> str:
        return f"zone {self.options.zone} at {self.options.server}:{self.options.port}"

    @cached_property
    def slowest(self) -> float:
        """Seconds in which all servers answer alike: at once where the zone itself names but one."""
        if self.options.secondaries:
            return COPIED
        try:
            return COPIED if len(self._servers) > 1 else 0.0
        except UnoError as problem:
            self.services.logger.info("the zone does not tell its servers", problem=str(problem))
            return COPIED

    @property
    def _servers(self) -> Sequence[str]:
        question = dns.message.make_query(absolute(self.options.zone), "NS")
        question.flags &= ~dns.flags.RD
        question.use_tsig(self._key)
        answer = self._asked(question, f"the NS records of {self.options.zone}")
        return [one.to_text() for found in answer.answer for one in found]

    @cached_property
    def _address(self) -> str:
        return self._resolved(self.options.server)

    def _resolved(self, host: str) -> str:
        try:
            return str(socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)[0][4][0])
        except OSError as problem:
            raise Unanswered(
                f"{host} has no address", found=str(problem), where=self.where,
                remedy="name the server by its address",
            ) from problem  # fmt: skip

    @cached_property
    def _key(self) -> dict[dns.name.Name, dns.tsig.Key]:
        secret = self.services.secrets.reveal(self.options.secret)
        try:
            key = dns.tsig.Key(self.options.key, secret, f"{self.options.algorithm}.")
        except (ValueError, dns.exception.DNSException) as problem:
            # The text of the problem could show the secret.
            raise ConfigError(
                "this is no secret of a TSIG key", expected="base64, as tsig-keygen writes it",
                where="traffic.rfc2136.secret", remedy="copy it from the server's `key` statement",
            ) from problem  # fmt: skip
        return {key.name: key}

    # The seam

    def read(self, name: str, types: Sequence[str]) -> Sequence[RecordSet]:
        found = []
        for kind in types:
            question = dns.message.make_query(absolute(name), kind)
            question.flags &= ~dns.flags.RD
            question.use_tsig(self._key)
            answer = self._asked(question, f"the {kind} records of {name}")
            for one in answer.answer:
                if one.name == question.question[0].name and one.rdtype == question.question[0].rdtype:
                    if not self._is_there(name, kind):
                        continue
                    values = [value.to_text() for value in one]
                    found.append(RecordSet(name=name, type=kind, ttl=one.ttl, values=values))
        return found

    def _is_there(self, name: str, kind: str) -> bool:
        """Whether there is such a record, and no wildcard was answered with. Only an update can tell.

        Raises ConfigError where a wildcard leads the name somewhere: whatever uno writes there, or below,
        takes the name away from it (RFC 4592, 2.2.1), and clients would be answered with nothing.
        """
        key = absolute(name), kind, ""
        if key in self._exists:
            return True
        asking = dns.update.UpdateMessage(absolute(self.options.zone), keyring=self._key)
        asking.present(absolute(name), kind)
        with self._translated(f"the {kind} records of {name}"):
            answer = dns.query.tcp(asking, self._address, port=self.options.port, timeout=TIMEOUT)
        if answer.rcode() in MUTE:
            return True  # who may not update cannot tell, and takes nothing away either
        if answer.rcode() not in OTHERWISE:
            self._check(answer.rcode(), f"the {kind} records of {name}", [name])
            self._exists.add(key)
            return True
        if kind not in TYPES:
            return False
        raise ConfigError(
            f"{name} is covered by a wildcard, and has no records of its own", where=self.where,
            found=f"{kind} records that the server makes up for it", expected="records of that very name",
            remedy="give it the same ones itself, then uno can change them",
        )  # fmt: skip

    def _refuse_covered(self, name: str) -> None:
        """Raises ConfigError where a record of this name would take one above it away from a wildcard."""
        zone = dns.name.from_text(absolute(self.options.zone))
        above = dns.name.from_text(absolute(name))
        names = []
        while (above := above.parent()) != zone and above.is_subdomain(zone):
            names.append(above.to_text())
        for one in reversed(names):
            self.read(one, TYPES)

    def change(self, removed: Sequence[RecordSet], added: Sequence[RecordSet]) -> str:
        update = dns.update.UpdateMessage(absolute(self.options.zone), keyring=self._key)
        before, after = {one.key for one in removed}, {one.key for one in added}
        for one in added:
            if one.type == "TXT" and one.key not in before:
                self._refuse_covered(one.name)
        _require(update, removed, added)
        for one in removed:
            update.delete(one.name, one.type)
        for one in added:
            for value in one.values:
                update.add(one.name, one.ttl or 0, one.type, value)
        self._exists -= before - after
        self._send(update, removed, added)
        self._exists |= after
        return uuid4().hex

    def _send(
        self, update: dns.update.UpdateMessage, removed: Sequence[RecordSet], added: Sequence[RecordSet]
    ) -> None:
        with self._translated("the update"):
            answer = dns.query.tcp(update, self._address, port=self.options.port, timeout=TIMEOUT)
        code = answer.rcode()
        if code in OTHERWISE:
            raise Changed(
                "something else is in the zone than was read before", where=self.where,
                found=f"{dns.rcode.to_text(code)}, so not what was expected",
                expected="; ".join(map(str, removed)) or _nothing(added),
                remedy="somebody else writes these records: find out who",
            )  # fmt: skip
        self._check(code, "the update", [one.name for one in (*removed, *added)])

    def spread(self, change: str) -> bool | None:
        if not self.options.secondaries:
            return None  # there may be others than are named
        newest = self._wanted.get(change) or self._serial(self.options.server, self.options.port)
        if change:
            # Where others write too the newest one runs away; this one has the change in it.
            self._wanted = {change: newest}
        return all(self._follows(named, newest) for named in self.options.secondaries)

    def _follows(self, named: str, newest: dns.serial.Serial) -> bool:
        """Whether a copy has this serial. One that says nothing may still answer others with what it has."""
        try:
            found = self._serial(*host_and_port(named))
        except UnoError as problem:
            self.services.logger.info("a secondary tells no serial", server=named, problem=problem.found)
            return False
        if found < newest:
            told = {"serial": found.value, "primary": newest.value}
            self.services.logger.info("a secondary lags behind", server=named, **told)
        return bool(found >= newest)

    def _serial(self, host: str, port: int) -> dns.serial.Serial:
        """Of the SOA record, as compared by RFC 1982. A copy need not know the key: it is asked plainly."""
        question = dns.message.make_query(absolute(self.options.zone), "SOA")
        question.flags &= ~dns.flags.RD
        if (host, port) == (self.options.server, self.options.port):
            question.use_tsig(self._key)
        answer = self._asked(question, f"the serial of {self.options.zone}", host, port)
        for one in answer.answer:
            if one.rdtype == dns.rdatatype.SOA:
                return dns.serial.Serial(one[0].serial)
        raise Unanswered(f"{host}:{port} tells no serial", found="no SOA record", where=self.where)

    def diagnose(self) -> Iterable[Diagnosis]:
        """The primary, and each copy beside it."""
        try:
            serial = self._serial(self.options.server, self.options.port)
        except UnoError as problem:
            yield Diagnosis.error(
                "zone", f"{problem.message} ({problem.found})", problem.remedy or f"look at {self.where}",
                forbidden=isinstance(problem, Forbidden),
            )  # fmt: skip
            return
        yield Diagnosis.ok("zone", f"{self.where}, serial {serial.value}, key {self.options.key}")
        if not self.options.secondaries and len(servers := self._servers) > 1:
            yield Diagnosis.warning(
                "secondary", f"{', '.join(servers)} answer for the zone, and nobody looks what with",
                f"name them in traffic.rfc2136.secondaries; else each change waits {COPIED:g} s for them, or"
                " traffic.propagation",
            )  # fmt: skip
        for named in self.options.secondaries:
            try:
                behind = self._serial(*host_and_port(named))
            except UnoError as problem:
                yield Diagnosis.error(
                    "secondary", f"{named}: {problem.message} ({problem.found})",
                    "a deployment waits for its copy of the zone: bring it up, or take it out of secondaries",
                )  # fmt: skip
                continue
            if behind < serial:
                yield Diagnosis.warning(
                    "secondary", f"{named} has the serial {behind.value}, the primary {serial.value}",
                    "see why it does not copy the zone: NOTIFY, allow-transfer",
                )  # fmt: skip
            else:
                yield Diagnosis.ok("secondary", f"{named} has the serial {behind.value}")

    def close(self) -> None:
        """Each question has a connection of its own."""

    # Asking

    def _asked(
        self, question: dns.message.Message, what: str, host: str = "", port: int = 0
    ) -> dns.message.Message:
        """The authoritative answer. Raises Unanswered, Forbidden, ConfigError."""
        address = self._resolved(host) if host else self._address
        with self._translated(what):
            answer = dns.query.tcp(question, address, port=port or self.options.port, timeout=TIMEOUT)
        if answer.rcode() != dns.rcode.NXDOMAIN:
            self._check(answer.rcode(), what, [str(question.question[0].name)])
        if not answer.flags & dns.flags.AA:
            raise ConfigError(
                f"{host or self.options.server} does not hold the zone itself", where=self.where,
                found=f"an answer about {what} that is not authoritative",
                expected="the primary server of the zone",
                remedy="name the server that the zone is edited at",
            )  # fmt: skip
        return answer

    def _check(self, code: int, what: str, names: Sequence[str]) -> None:
        if code == dns.rcode.NOERROR:
            return
        told = dns.rcode.to_text(dns.rcode.Rcode(code))
        if code in (dns.rcode.REFUSED, dns.rcode.NOTAUTH):
            raise Forbidden(
                f"the server refuses {what}", found=told, where=self.where,
                expected=f"the key {self.options.key} permitted for {', '.join(dict.fromkeys(names))}",
                remedy="look at the zone's update-policy and allow-query; docs/dns.md has the least one",
            )  # fmt: skip
        if code == dns.rcode.SERVFAIL:
            raise Unanswered(f"the server failed at {what}", found=told, where=self.where)
        raise PlatformError(f"the server does not take {what}", found=told, where=self.where)

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except UNTRUSTED as problem:
            clocks = isinstance(problem, dns.tsig.PeerBadTime | dns.tsig.BadTime)
            raise Forbidden(
                "the server does not take the TSIG key", found=f"{type(problem).__name__}: {problem}",
                where=self.where, expected=f"{self.options.key} with {self.options.algorithm} known there",
                remedy="set both clocks right" if clocks else "compare name, algorithm and secret of the key",
            ) from problem  # fmt: skip
        except (dns.exception.DNSException, OSError, EOFError) as problem:
            raise Unanswered(
                f"no answer to {what}", found=f"{type(problem).__name__}: {problem}", where=self.where,
                remedy="look whether the server runs, and the network between here and there",
            ) from problem  # fmt: skip


def _require(
    update: dns.update.UpdateMessage, removed: Sequence[RecordSet], added: Sequence[RecordSet]
) -> None:
    """Prerequisites: what is removed is there exactly so, and nothing is where something is only added."""
    keys = {one.key for one in removed}
    for one in removed:
        for value in one.values:
            update.present(one.name, one.type, value)
    for one in added:
        if one.key not in keys and one.type == "CNAME":
            update.absent(one.name)
        elif one.key not in keys:
            update.absent(one.name, one.type)
        for kind in _excluded(one.type):
            if (one.name, kind, "") not in keys:
                update.absent(one.name, kind)


def _nothing(added: Sequence[RecordSet]) -> str:
    """What was expected of those that are put in, in words."""
    return "; ".join(
        f"nothing at {one.name}, where a CNAME stands alone" if one.type == "CNAME" else f"no {one.name}"
        for one in added
    )


def _excluded(kind: str) -> Sequence[str]:
    """What must not be beside it: a server drops such an update without a word (RFC 2136, 3.4.2.2).

    Beside a CNAME there can be nothing, but where one is there already nothing is.
    """
    return {"A": ("CNAME",), "AAAA": ("CNAME",)}.get(kind, ())
