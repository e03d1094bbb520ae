"""The half that splits traffic: records of one name, changed only from what was read, waited for honestly.

What DNS answers is in force when every server of the zone answers it and every cached answer from before has
run out: the TTL that was told with it, and a while more, since some resolvers keep it for longer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from attrs import asdict, evolve, frozen

from uno_core import (
    Capabilities,
    ConfigError,
    Drift,
    Json,
    PlatformError,
    RouterState,
    Services,
    Slot,
    Split,
    Unanswered,
    same_split,
)
from uno_platform_dns.asking import ask
from uno_platform_dns.encoding import NEW_TTL, Encoding, routing
from uno_platform_dns.note import Note, place
from uno_platform_dns.options import TYPES, DnsTraffic, value_of
from uno_platform_dns.plugin import CAPABILITIES
from uno_platform_dns.waiting import Waiting
from uno_platform_dns.zone import Changed, RecordSet, Zone

TURNS = 5
"""So often what may be written over anything is tried, where others write at the same time."""

FRESH = 1.0
"""Seconds for which a reading serves who asks what is in force: it is asked right after it."""

PATIENCE = 2.0
"""Seconds for one resolver; one that does not answer keeps nothing back."""

ALIAS_TTL = 60.0
"""Seconds for which answers of an alias are kept, whatever is configured: "Route 53 uses the default TTL for
the resource" (Developer Guide, alias records), which is this for load balancers."""

SOON = 5.0
"""Seconds in which the core looks again, beyond what DNS itself needs."""


@frozen(kw_only=True)
class Held:
    """One reading: the record sets of the name, those of the note, and what both mean.

    every: whatever the name leads to; sets: by the type that uno switches.
    """

    every: Sequence[RecordSet]
    sets: Sequence[RecordSet]
    noted: Sequence[RecordSet]
    split: Split
    note: Note

    @property
    def named(self) -> set[str]:
        """What the name leads to, as the configuration would have it compared."""
        return {value_of(value) for one in self.sets for value in one.values}


class DnsRouter:
    """Leads a name to blue and green by the shares that are asked for."""

    def __init__(self, zone: Zone, encoding: Encoding, traffic: DnsTraffic, services: Services) -> None:
        self.zone, self.encoding, self.traffic, self.services = zone, encoding, traffic, services
        self.waiting = Waiting(zone, services.clock, lambda: self.propagation)
        self._seen: tuple[Held, float] | None = None
        self._told: dict[Json, str] = {}
        self._others: tuple[object, float] | None = None

    # Reading

    @property
    def propagation(self) -> float:
        """Seconds until the servers of the zone answer alike, at most."""
        return self.traffic.propagation or self.zone.slowest

    @property
    def capabilities(self) -> Capabilities:
        """With the times that the record as it is now asks for."""
        bound = self.propagation + self._lasts(self.read()) + self.traffic.overstay + SOON
        return evolve(
            CAPABILITIES, granularity=self.encoding.granularity, parts=self.encoding.parts, bound=bound
        )

    def _ttl(self, sets: Sequence[RecordSet]) -> float:
        """The longest that an answer is kept: as it is, or as it will be."""
        known = [float(one.ttl) for one in sets if one.ttl is not None]
        route53 = self.traffic.route53
        if (route53 and route53.aliases) or any("AliasTarget" in str(one.more) for one in sets):
            known.append(ALIAS_TTL)
        return max([*known, float(self.traffic.ttl or (0 if known else NEW_TTL))])

    def read(self) -> Held:
        """What the zone holds, be it uno's to change or not."""
        every = self.zone.read(self.traffic.record, TYPES)
        sets = routing(every, self.traffic.type)
        noted = self.zone.read(place(self.traffic.record), ("TXT",))
        held = Held(
            every=every, sets=sets, noted=noted, split=self.encoding.split(sets),
            note=Note.of(noted, self.traffic.record),
        )  # fmt: skip
        self._seen = (held, self.services.clock.monotonic())
        return held

    def check(self, held: Held) -> None:
        """Raises ConfigError for what is not uno's to switch; Drift where uno has switched it before."""
        problem = self._strange(held)
        if problem is not None and held.note.at is not None:
            raise self._drift(held, f"{problem.expected}: {problem.message}") from problem
        if problem is not None:
            raise problem

    def _strange(self, held: Held) -> ConfigError | None:
        try:
            self.encoding.check(held.every)
        except ConfigError as problem:
            return problem
        return None

    def recent(self) -> Held:
        """What was read a moment ago, or is read now."""
        if self._seen is None or self.services.clock.monotonic() - self._seen[1] > FRESH:
            return self.read()
        return self._seen[0]

    def observe(self) -> RouterState:
        held = self.read()
        captured: Json = {
            "sets": [asdict(one) for one in held.sets],
            "split": {slot.value: percent for slot, percent in held.split.items()},
        }
        token = _fingerprint(held.sets)
        self._told[token] = told(held.sets)
        return RouterState(split=held.split, token=token, captured=captured, mark=held.note.mark)

    def in_force(self) -> Split:
        """What clients follow: what was there before, until the last answer of before has run out."""
        held = self.recent()
        if self.settled(held):
            return held.split
        return held.note.shares if self._foreign(held) else held.note.before

    def settled(self, held: Held) -> bool:
        """Whether nobody is answered any more by what was there before the last change."""
        note = held.note
        if note.at is None:
            return True  # nobody has changed it by uno
        if self._foreign(held):
            return self._watched(held) and not self._left_behind(held)
        waited = self.waiting.waited(note.at, note.host)
        return (
            waited is not None
            and waited >= note.lasts + self.traffic.overstay
            and not self._left_behind(held)
        )

    def _foreign(self, held: Held) -> bool:
        """Whether somebody else has changed the shares since uno wrote them: nobody has noted when."""
        return held.note.at is not None and not same_split(held.split, held.note.shares)

    def _watched(self, held: Held) -> bool:
        """Whether they have been so, as far as this process has seen, for as long as a change takes."""
        now, shares = self.services.clock.monotonic(), tuple(sorted(held.split.items()))
        if self._others is None or self._others[0] != shares:
            self._others = (shares, now)
        patience = self.propagation + self._ttl(held.sets) + self.traffic.overstay
        return now - self._others[1] >= patience

    def _left_behind(self, held: Held) -> str:
        """Who of the resolvers that were named still answers with a slot that has no share any more."""
        if not self.traffic.resolvers or not self.traffic.addresses:
            return ""
        idle = [slot for slot in Slot if held.split and not held.split.get(slot)]
        gone = {value_of(one) for slot in idle for one in self.traffic.addresses[slot.value]}
        for resolver in self.traffic.resolvers if gone else ():
            answer = ask(resolver, self.traffic.record, self.traffic.type, PATIENCE)
            if old := sorted(gone & set(map(value_of, answer.values))):
                told = f"{resolver} still answers {', '.join(old)}, for {answer.ttl:g} s more"
                self.services.logger.info("a resolver does not follow yet", told=told)
                return told
        return ""

    # Writing

    def write(self, split: Split, expect: Json) -> None:
        for turn in range(TURNS):
            held = self.read()
            if expect is not None and _fingerprint(held.sets) != expect:
                raise self._drift(held, self._told.get(expect, "the records as they were read before"))
            sets = self.encoding.sets(held.sets, split)
            if expect is not None or held.note.at is None:
                self.check(held)
            elif self._strange(held):  # on the way back nothing that somebody adds is in the way
                self._tell_of_others(held)
            try:
                return self._put(held, sets)
            except Changed as problem:
                # Where it was our own note that changed, the records are still what was expected.
                if turn == TURNS - 1:
                    raise self._drift(self.read(), problem.expected) from problem
        raise AssertionError("unreachable")

    def _put(self, held: Held, sets: Sequence[RecordSet], leaving: Sequence[str] | None = None) -> None:
        """Replace what was read; even by the same, so that an unanswered write from before cannot fit."""
        note = held.note if leaving is None else evolve(held.note, leaving=leaving)
        if sorted(held.sets, key=_key) == sorted(sets, key=_key):
            self._swap(held, note, held.sets, sets)
            return
        before = held.split
        shares = self.encoding.split(sets)
        if same_split(before, shares) and not self.settled(held):
            before = note.before  # the shares stay: what clients still hold is older than they are
        note = note.changed(self.services.clock.now(), self._lasts(held), before, shares)
        note = evolve(note, host=self.waiting.host)
        try:
            change = self._swap(held, note, held.sets, sets)
        except Unanswered:
            self.waiting.lost(note.at)
            raise
        self.waiting.wrote(note.at, change)

    def _lasts(self, held: Held) -> float:
        """How long caches may still hold what was answered until now."""
        lasts, note = self._ttl(held.sets), held.note
        if note.at is not None:
            lasts = max(lasts, note.lasts - self.waiting.surely(note.at, note.host))
        return lasts

    def _swap(self, held: Held, note: Note, removed: Sequence[RecordSet], added: Sequence[RecordSet]) -> str:
        self._seen = None
        note = evolve(note, turn=held.note.turn + 1)
        record = note.record(self.traffic.record)
        return self.zone.change([*removed, *held.noted], [*added, record])

    def note(self, change: Callable[[Note], Note]) -> None:
        """Write the note anew, whatever else there is."""

        def noted() -> None:
            held = self.read()
            self._swap(held, change(held.note), [], [])

        self._again(noted)

    def exchange(self, gone: Sequence[str], others: Sequence[str]) -> None:
        """Name other addresses of a slot in place of some, as many: the shares stay as they are.

        Raises PlatformError where there are not as many others.
        """
        self._again(lambda: self._exchanged(self.read(), gone, others))

    def name_also(self, others: Sequence[str]) -> None:
        """Name these beside what is named, where a record may name several."""
        if self.encoding.parts or self.traffic.type == "CNAME":
            return

        def put() -> None:
            held = self.read()
            fresh = [one for one in map(value_of, others) if one not in held.named]
            if fresh and held.sets:
                self._put(held, [evolve(one, values=[*one.values, *fresh]) for one in held.sets])

        self._again(put)

    def _again(self, work: Callable[[], None]) -> None:
        """Read, decide and write, anew where others wrote in between."""
        for turn in range(TURNS):
            try:
                return work()
            except Changed:
                if turn == TURNS - 1:
                    raise
        raise AssertionError("unreachable")

    def _exchanged(self, held: Held, gone: Sequence[str], others: Sequence[str]) -> None:
        out = {value_of(one) for one in gone}
        named = held.named
        fresh = [value for value in map(value_of, others) if value not in named]
        whole = any(percent > 99.9 for percent in held.split.values())
        if len(fresh) < len(out) and not (whole and len(named) > len(out)):
            raise PlatformError(
                f"the name leads to {', '.join(sorted(out))}, and nothing could be named instead",
                found=told(held.sets), expected=f"{len(out)} others of the slot that run",
                where=self.traffic.record, remedy="move the traffic away first",
            )  # fmt: skip
        sets = []
        for one in held.sets:
            staying = [value for value in one.values if value_of(value) not in out]
            sets.append(evolve(one, values=[*staying, *fresh[: len(one.values) - len(staying)]]))
        leaving = [] if self.settled(held) else held.note.leaving
        self._put(held, sets, [*leaving, *(one for one in gone if one not in leaving)])

    def mark(self, value: Json) -> None:
        self.note(lambda note: evolve(note, mark=value))

    def restore(self, captured: Json) -> None:
        """The records as they were captured; only the shares, and said so, where others changed them."""
        if not isinstance(captured, Mapping) or "sets" not in captured:
            raise PlatformError("that was not captured by this platform", found=str(captured)[:200])
        rows: Any = captured["sets"]
        before = routing([RecordSet(**row) for row in rows], self.traffic.type)
        for turn in range(TURNS):
            held = self.read()
            split = self.encoding.split(before)
            try:
                if self._only_ours(before, held):
                    return self._put(held, before)
                self._tell_of_others(held)
                return self._put(held, self.encoding.sets(held.sets, split))
            except Changed as problem:
                if turn == TURNS - 1:
                    raise self._drift(self.read(), problem.expected) from problem
        raise AssertionError("unreachable")

    def _tell_of_others(self, held: Held) -> None:
        self.services.logger.warning(
            "somebody changed the records meanwhile: only the shares are put back",
            record=self.traffic.record, now=told(held.every),
        )  # fmt: skip

    def _only_ours(self, before: Sequence[RecordSet], held: Held) -> bool:
        """Whether what is there is what uno makes of what was captured, and nothing of anybody else's."""
        if not held.sets or list(before) == list(held.sets):
            return True
        return self.encoding.untouched(before, held.sets)

    def _drift(self, held: Held, expected: str) -> Drift:
        return Drift(
            "somebody else changed the records", found=told(held.every), expected=expected,
            where=f"{self.traffic.record}, {self.zone.where}",
            remedy="find out who writes them besides uno; then `uno resume --reassert`, or `uno rollback`",
        )  # fmt: skip

    # Telling

    def remarks(self) -> Iterator[str]:
        """What a plan tells of it."""
        held = self.read()
        if held.note.mark is None:
            self.encoding.check(held.every)
        ttl = self._lasts(held)
        now = max((float(one.ttl) for one in held.sets if one.ttl is not None), default=0.0)
        spread = (
            f"every server of the zone has it (up to {self.propagation:g} s) and " if self.propagation else ""
        )
        yield (
            f"DNS: a change of the shares counts once {spread}the answers from before have run out"
            f" ({ttl:g} s by their TTL, {self.traffic.overstay:g} s for resolvers that keep them longer)"
        )
        if self.traffic.ttl and now > self.traffic.ttl:
            yield (
                f"{self.traffic.record} has a TTL of {now:g} s now and will have {self.traffic.ttl:g} s: the"
                f" first change waits for the old one. Lower it {now:g} s before a deployment to save that"
            )
        if held.sets and not held.sets[0].identifier and self.encoding.parts:
            yield (
                f"{self.traffic.record} is a simple record: it becomes two weighted ones, in one change;"
                " a rollback of this deployment makes it a simple one again"
            )
        if checked := [one.identifier for one in held.sets if one.more and "HealthCheckId" in str(one.more)]:
            yield (
                f"{', '.join(checked)} has a health check of Route 53: where everything with a weight is"
                " sick, those with the weight 0 are answered too"
            )
        if self.encoding.granularity < 100:
            parts = self.encoding.parts
            yield (
                f"shares are ratios of weights up to {parts}, of resolvers' answers and not of requests"
                if parts
                else f"shares are multiples of {self.encoding.granularity:g} %, by how many of the addresses"
                " are the slot's; a client may try another one of them"
            )


def told(sets: Sequence[RecordSet]) -> str:
    """For a person."""
    return "; ".join(map(str, sets)) or "no record"


def _key(one: RecordSet) -> tuple[str, str, str]:
    return one.key


def _fingerprint(sets: Sequence[RecordSet]) -> str:
    text = json.dumps([asdict(one) for one in sorted(sets, key=lambda one: one.key)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
