"""A split as records: weighted sets where the provider knows weights, else N of M addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from attrs import evolve, frozen

from uno_core import Capabilities, ConfigError, Json, PlatformError, Slot, Split, Unsupported, whole
from uno_platform_dns.options import TYPES, DnsTraffic, Route53Options, value_of
from uno_platform_dns.zone import RecordSet, absolute

NEW_TTL = 60
"""Seconds: what AWS recommends beside aliases, and short enough for a rollback."""

Fit = Callable[[Slot], Sequence[str]]
"""The addresses of a slot that can take requests now."""


class Encoding(Protocol):
    """How a split is written, and read."""

    @property
    def granularity(self) -> float:
        """The finest share, in percent."""

    @property
    def parts(self) -> int:
        """Where shares are ratios of two whole numbers: the greatest of them; else 0."""

    def split(self, sets: Sequence[RecordSet]) -> Split:
        """The shares, of whatever there is: they sum to less than 100 where the name leads elsewhere too.
        Empty where it leads nowhere.
        """

    def check(self, sets: Sequence[RecordSet]) -> None:
        """Raises ConfigError for what is not uno's to write, of all records of the name."""

    def sets(self, now: Sequence[RecordSet], split: Split) -> Sequence[RecordSet]:
        """The sets that say so, made of those that are there. Raises Unsupported, ConfigError."""

    def untouched(self, before: Sequence[RecordSet], now: Sequence[RecordSet]) -> bool:
        """Whether what is there now is what uno makes of what was there before, by whatever shares."""


def routing(sets: Sequence[RecordSet], kind: str) -> Sequence[RecordSet]:
    """Those that lead to the application."""
    return sorted((one for one in sets if one.type == kind), key=lambda one: one.key)


def _check_types(sets: Sequence[RecordSet], kind: str) -> None:
    """Raises ConfigError where the name leads somewhere by another type, which nobody would switch."""
    others = [one for one in sets if one.type in TYPES and one.type != kind]
    if others:
        raise ConfigError(
            f"the name has records of another type than {kind}", found="; ".join(map(str, others)),
            where=others[0].name, expected=f"{kind} records alone",
            remedy="uno switches one type: clients that ask for the other would stay where they are",
        )  # fmt: skip


@frozen(kw_only=True)
class Listed:
    """N addresses of one slot and M of the other: each client takes the first of an order made by chance.

    fit: which of a slot's addresses may be named. running: as many of them run at the most; 0: all.
    """

    traffic: DnsTraffic
    fit: Fit
    running: int = 0

    @property
    def parts(self) -> int:
        return 0

    @property
    def _of(self) -> int:
        """As many addresses are there while both slots have a share."""
        least = min((len(found) for found in self.traffic.addresses.values()), default=1)
        least = min(least, self.running or least)
        return 1 if self.traffic.type == "CNAME" else max(2, least)

    @property
    def granularity(self) -> float:
        return 100.0 / self._of

    def split(self, sets: Sequence[RecordSet]) -> Split:
        named = {value_of(value) for one in routing(sets, self.traffic.type) for value in one.values}
        if not named:
            return {}
        return {slot: 100.0 * len(named & set(self._values(slot))) / len(named) for slot in Slot}

    def check(self, sets: Sequence[RecordSet]) -> None:
        _check_types(sets, self.traffic.type)
        for held in routing(sets, self.traffic.type):
            if held.identifier:
                raise ConfigError("the name has weighted records", found=str(held), where=held.name)
            if strange := self._strange(held):
                raise ConfigError(
                    "the name leads somewhere that belongs to no slot", found=", ".join(strange),
                    where=held.name, expected="the addresses of blue and green alone",
                    remedy="name them in traffic.addresses, or take them out of the record",
                )  # fmt: skip

    def _strange(self, held: RecordSet) -> Sequence[str]:
        known = {one for slot in Slot for one in self._values(slot)}
        return sorted(set(map(value_of, held.values)) - known)

    def _values(self, slot: Slot) -> Sequence[str]:
        return [value_of(one) for one in self.traffic.addresses[slot.value]]

    def sets(self, now: Sequence[RecordSet], split: Split) -> Sequence[RecordSet]:
        held = routing(now, self.traffic.type)
        if not any(split.values()):
            return ()
        values: list[str] = []
        for slot in Slot:
            values += self._some(slot, split.get(slot, 0.0))
        name, kind, ttl = self.traffic.record, self.traffic.type, self._ttl(held)
        return [RecordSet(name=name, type=kind, ttl=ttl, values=values)]

    def _ttl(self, held: Sequence[RecordSet]) -> int:
        return round(self.traffic.ttl) or (held[0].ttl if held and held[0].ttl is not None else NEW_TTL)

    def untouched(self, before: Sequence[RecordSet], now: Sequence[RecordSet]) -> bool:
        """Which of a slot's addresses are named is uno's own choice: not the TTL, and no others."""
        return all(one.ttl == self._ttl(before) and not self._strange(one) for one in now)

    def _some(self, slot: Slot, percent: float) -> Sequence[str]:
        """As many as the share says, in the order of the configuration, in which given machines come too."""
        if not percent:
            return ()
        fit = [value_of(one) for one in self.fit(slot)]
        if percent > 99.995:
            if not fit:
                raise self._too_few(slot, 0, 1)
            return fit
        count = percent / self.granularity
        if abs(count - round(count)) > 1e-6:
            raise Unsupported(
                f"{slot} cannot have {percent:g} % of the traffic with {self._of} addresses",
                found=f"{percent:g} %", expected=f"a multiple of {self.granularity:g} %",
                remedy="the nearest possible share is"
                f" {Capabilities(granularity=self.granularity).nearest(percent):g} %",
            )  # fmt: skip
        chosen = fit[: round(count)]
        if len(chosen) < round(count):
            raise self._too_few(slot, len(chosen), round(count))
        return chosen

    def _too_few(self, slot: Slot, found: int, wanted: int) -> PlatformError:
        return PlatformError(
            f"too few addresses of {slot} can take requests", found=f"{found}", expected=f"{wanted} of"
            f" {len(self.traffic.addresses[slot.value])}", where=self.traffic.record,
            remedy="look at what runs there",
        )  # fmt: skip


@frozen(kw_only=True)
class Weighted:
    """A record set for each slot, with weights."""

    traffic: DnsTraffic
    route53: Route53Options
    greatest: int

    @property
    def parts(self) -> int:
        return self.greatest

    @property
    def granularity(self) -> float:
        return 100.0 / (self.greatest + 1)

    def split(self, sets: Sequence[RecordSet]) -> Split:
        held = routing(sets, self.traffic.type)
        if not held:
            return {}
        if len(held) == 1 and not held[0].identifier:
            own = self._whose(held[0])
            return whole(own) if own is not None else dict.fromkeys(Slot, 0.0)
        # "If you set Weight to 0 for all records in the group, traffic is routed to all resources
        # with equal probability" (Developer Guide, weighted records).
        idle = not any(one.weight for one in held)
        weights = {one.identifier: 1 if idle else one.weight or 0 for one in held}
        total = sum(weights.values())
        owned = {slot: self._own(held, slot) for slot in Slot}
        return {
            slot: 100.0 * weights[found.identifier] / total if found is not None else 0.0
            for slot, found in owned.items()
        }

    def check(self, sets: Sequence[RecordSet]) -> None:
        _check_types(sets, self.traffic.type)
        held = routing(sets, self.traffic.type)
        if strange := self._strange(held):
            raise ConfigError(
                "the name has weighted records that belong to no slot",
                found="; ".join(map(str, strange)), where=strange[0].name,
                expected=f"the identifiers {', '.join(self.route53.identifiers.values())} alone",
                remedy="name them in traffic.route53.identifiers, or take them out",
            )  # fmt: skip
        for slot in Slot:
            found = self._of(held, slot)
            if found is not None and not self._leads(found, slot):
                raise ConfigError(
                    f"the weighted record of {slot} leads elsewhere than is configured", found=str(found),
                    where=found.name, expected=f"{self._made(slot, None)}",
                    remedy="make both alike: traffic.addresses or traffic.route53.aliases, and the record",
                )  # fmt: skip
        for simple in held:
            if not simple.identifier and self._whose(simple) is None:
                raise ConfigError(
                    "the name leads somewhere that belongs to no slot", found=str(simple), where=simple.name,
                    expected="the address or the alias of blue or green",
                    remedy="name it in traffic.addresses, or in traffic.route53.aliases",
                )  # fmt: skip

    def _strange(self, held: Sequence[RecordSet]) -> Sequence[RecordSet]:
        known = {"", *self.route53.identifiers.values()}
        return [one for one in held if one.identifier not in known]

    def _own(self, held: Sequence[RecordSet], slot: Slot) -> RecordSet | None:
        """The set of a slot, where it leads there."""
        found = self._of(held, slot)
        return found if found is not None and self._leads(found, slot) else None

    def _of(self, held: Sequence[RecordSet], slot: Slot) -> RecordSet | None:
        named = self.route53.identifiers[slot.value]
        return next((one for one in held if one.identifier == named), None)

    def _whose(self, simple: RecordSet) -> Slot | None:
        """Whose a record is that was there before uno; None where it is nobody's."""
        return next((slot for slot in Slot if self._configured(slot) and self._leads(simple, slot)), None)

    def _configured(self, slot: Slot) -> bool:
        """Whether it is said where a slot leads; else it leads where its set does that is there."""
        return bool(self.route53.aliases or self.traffic.addresses.get(slot.value))

    def _leads(self, one: RecordSet, slot: Slot) -> bool:
        """Whether a set leads to a slot, and to nothing else."""
        if not self._configured(slot):
            return True
        made = self._made(slot, None)
        if one.values or made.values:
            values = set(map(value_of, one.values))
            return bool(values) and values <= set(map(value_of, made.values))
        return _target(made.more) == _target(one.more)

    def sets(self, now: Sequence[RecordSet], split: Split) -> Sequence[RecordSet]:
        """What belongs to no slot stays as it is, but for a simple set: it cannot stand beside others."""
        held = routing(now, self.traffic.type)
        if not any(split.values()):
            return ()
        simple = next((one for one in held if not one.identifier), None)
        owner = self._whose(simple) if simple is not None else None
        numbers = ratio(split.get(Slot.GREEN, 0.0), self.greatest)
        made = []
        for slot, weight in zip(Slot, numbers, strict=True):
            there = self._own(held, slot) or self._made(slot, simple)
            if simple is not None and owner is slot:
                there = evolve(simple, identifier=self.route53.identifiers[slot.value])
            if not there.values and not there.more:
                raise ConfigError(
                    f"it is not told where {slot} leads", where="traffic",
                    expected="traffic.addresses, or traffic.route53.aliases",
                )  # fmt: skip
            made.append(evolve(there, weight=weight))
        return self._with_one_ttl([*made, *self._strange(held)], simple)

    def untouched(self, before: Sequence[RecordSet], now: Sequence[RecordSet]) -> bool:
        try:
            made = self.sets(before, self.split(now))
        except (Unsupported, ConfigError):
            return False
        return sorted(made, key=lambda one: one.key) == sorted(now, key=lambda one: one.key)

    def _with_one_ttl(self, made: Sequence[RecordSet], simple: RecordSet | None) -> Sequence[RecordSet]:
        """All of a group have one; an alias has none of its own."""
        known = [one.ttl for one in (*made, *([simple] if simple else [])) if one.ttl is not None]
        ttl = round(self.traffic.ttl) or max(known, default=NEW_TTL)
        return [one if one.more and not one.values else evolve(one, ttl=ttl) for one in made]

    def _made(self, slot: Slot, simple: RecordSet | None) -> RecordSet:
        """A set for a slot that has none yet; what the simple record had beside its value stays with it."""
        name, kind = absolute(self.traffic.record), self.traffic.type
        identifier = self.route53.identifiers[slot.value]
        check = self.route53.health_checks.get(slot.value)
        more: dict[str, Json] = {"HealthCheckId": check} if check else {}
        if alias := self.route53.aliases.get(slot.value):
            target: Json = {
                "HostedZoneId": alias.zone, "DNSName": absolute(alias.name),
                "EvaluateTargetHealth": alias.evaluate_target_health,
            }  # fmt: skip
            return RecordSet(
                name=name, type=kind, ttl=None, identifier=identifier, weight=0,
                more={**more, "AliasTarget": target},
            )  # fmt: skip
        values = self.traffic.addresses.get(slot.value, ())
        ttl = simple.ttl if simple else None
        return RecordSet(
            name=name, type=kind, ttl=ttl, values=values, identifier=identifier, weight=0, more=more or None
        )


def _target(more: Json) -> tuple[str, str]:
    """What an alias leads to; AWS writes names with or without the dot."""
    target = more.get("AliasTarget") if isinstance(more, Mapping) else None
    if not isinstance(target, Mapping):
        return "", ""
    return str(target.get("HostedZoneId")), absolute(str(target.get("DNSName")))


def ratio(green: float, greatest: int) -> tuple[int, int]:
    """The weights of blue and green that give green its percent. Raises Unsupported where none do.

    Hundredths where it is whole percents, since a person reads them more easily.
    """
    if greatest >= 100 and abs(green - round(green)) < 1e-9:
        return 100 - round(green), round(green)
    can = Capabilities(granularity=100.0 / (greatest + 1), parts=greatest)
    if abs((nearest := can.nearest(green)) - green) > 0.005:
        raise Unsupported(
            f"green cannot have {green:g} % of the traffic with weights up to {greatest}",
            found=f"{green:g} %", expected="a ratio of two such weights",
            remedy=f"the nearest possible share is {nearest:.4g} %",
        )  # fmt: skip
    mine, others = can.ratio(green)
    return others, mine
