"""What Route 53 makes of a batch of changes: the zone as it is after all of them, or why it takes none.

Sources: the API reference of Route 53 (ChangeResourceRecordSets, Change, ResourceRecordSet), and "Quotas" of
its developer guide. Messages are those that users quote of it; two are worded here: more than one
value where one is taken, and more sets than it takes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import define, field
from moto.route53.exceptions import InvalidActionValue, InvalidInput, NoSuchHealthCheck, Route53ClientError

from tests.aws.records import POLICIES, Key, RecordSet, kept, within, wrong

MOST_RECORDS, MOST_CHARACTERS = 1000, 32_000
"""In one batch. What is upserted counts twice."""
MOST_SETS = 100
"""Weighted ones of one name and type."""
HEAVIEST, LONGEST_IDENTIFIER, LONGEST_VALUE, LONGEST_TTL = 255, 128, 4000, 2_147_483_647

Sets = Mapping[Key, RecordSet]

_CONTENTS = "AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId"
_POLICIES = "Weight, Region, Failover, GeoLocation, or MultiValueAnswer"


class InvalidBatch(Route53ClientError):
    """With the list of messages as boto3 shows it: in brackets.

    The API reference has a list of its own for them. boto3 reads no code of an answer in that shape,
    and users quote its answers with the code and the brackets: Route 53 sends this one.
    """

    def __init__(self, messages: Iterable[str]) -> None:
        super().__init__("InvalidChangeBatch", f"[{', '.join(messages)}]")


@define
class Batch:
    """The changes of one request to a zone. zones: the names and the sets of all zones, by their ID."""

    zone: str
    changes: Sequence[Mapping[str, Any]]
    zones: Mapping[str, tuple[str, Sets]]
    health_checks: Iterable[str] = ()
    wanted: list[tuple[str, RecordSet]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        for number, change in enumerate(self.changes, 1):
            _check_input(number, change)
        self.wanted = [(one["Action"], kept(one["ResourceRecordSet"])) for one in self.changes]

    @property
    def name(self) -> str:
        return self.zones[self.zone][0]

    def applied(self) -> dict[Key, RecordSet]:
        """The zone after it. Raises what Route 53 answers for a batch that it does not take."""
        self._check_size()
        for _, one in self.wanted:
            check = one.told.get("HealthCheckId")
            if check and check not in self.health_checks:
                raise NoSuchHealthCheck(check)
        after = dict(self.zones[self.zone][1])
        messages = [*self._one_by_one(after)]
        messages = messages or [*self._as_a_whole(after)]
        if messages:
            raise InvalidBatch(dict.fromkeys(messages))
        return after

    def _check_size(self) -> None:
        records = characters = 0
        for action, one in self.wanted:
            times = 2 if action == "UPSERT" else 1
            records += times * len(one.values)
            characters += times * sum(map(len, one.values))
        if max(records, len(self.wanted)) > MOST_RECORDS:
            raise Route53ClientError(
                "InvalidChangeBatch", f"Number of records limit of {MOST_RECORDS} exceeded."
            )
        if characters > MOST_CHARACTERS:
            raise Route53ClientError(
                "InvalidChangeBatch", f"Number of characters limit of {MOST_CHARACTERS} exceeded."
            )

    def _one_by_one(self, after: dict[Key, RecordSet]) -> Iterator[str]:
        """Carries them out on `after`, in their order, and says which cannot be."""
        actions: dict[Key, list[str]] = defaultdict(list)
        for action, one in self.wanted:
            actions[one.key].append(action)
            if not within(one.name, self.name):
                yield f"RRSet with DNS name {one.name} is not permitted in zone {self.name}"
            elif actions[one.key] not in ([action], ["DELETE", "CREATE"]):
                yield (
                    "The request contains an invalid set of changes for a resource record set"
                    f" '{one.type} {one.name}'"
                )
            elif action == "DELETE":
                yield from _deleted(after, one)
            else:
                yield from wrong(one)
                if action == "CREATE" and one.key in after:
                    yield f"Tried to create resource record set {one} but it already exists"
                after[one.key] = one

    def _as_a_whole(self, after: Sets) -> Iterator[str]:
        """What of the changed sets may not stand beside the others."""
        if (self.name, "SOA", "") not in after:
            yield "A HostedZone must contain exactly one SOA record."
        if (self.name, "NS", "") not in after:
            yield "A HostedZone must contain at least one NS record for the zone itself."
        for action, one in self.wanted:
            if action == "DELETE":
                continue
            beside = [other for other in after.values() if other.name == one.name]
            yield from self._cname(one, {other.type for other in beside})
            yield from _routing(one, [other for other in beside if other.type == one.type])
            if one.alias:
                yield from self._alias(one, one.alias, after)

    def _cname(self, one: RecordSet, types: set[str]) -> Iterator[str]:
        if one.type == "CNAME" and one.name == self.name:
            yield f"RRSet of type CNAME with DNS name {one.name} is not permitted at apex in zone {self.name}"
        elif one.type == "CNAME" and types != {"CNAME"}:
            yield (
                f"RRSet of type CNAME with DNS name {one.name} is not permitted as it conflicts with other"
                f" records with the same DNS name in zone {self.name}"
            )
        elif "CNAME" in types and one.type != "CNAME":
            yield (
                f"RRSet of type {one.type} with DNS name {one.name} is not permitted because a conflicting"
                f" RRSet of type CNAME with the same DNS name already exists in zone {self.name}"
            )

    def _alias(self, one: RecordSet, target: Mapping[str, Any], after: Sets) -> Iterator[str]:
        zone, name = target["HostedZoneId"], target["DNSName"]
        if zone not in self.zones:
            return  # a load balancer, or something else that has names in a zone of AWS
        tried = f"Tried to create an alias that targets {name}, type {one.type} in zone {zone}, but"
        if not within(name, self.zones[zone][0]):
            yield f"{tried} the alias target name does not lie within the target zone"
        there = after if zone == self.zone else self.zones[zone][1]
        if not any(other.name == name and other.type == one.type for other in there.values()):
            yield f"{tried} that target was not found"


def _deleted(after: dict[Key, RecordSet], one: RecordSet) -> Iterator[str]:
    there = after.get(one.key)
    if there is None:
        yield f"Tried to delete resource record set {one} but it was not found"
    elif there.exact != one.exact:
        yield (
            f"Tried to delete resource record set {one} but the values provided do not match the current"
            " values"
        )
    else:
        del after[one.key]


def _routing(one: RecordSet, group: Sequence[RecordSet]) -> Iterator[str]:
    """`group`: the sets of its name and type, itself among them."""
    policies = {other.policy for other in group}
    if not one.policy:
        if len(group) > 1:
            yield f"{one.titled} cannot be created as other RRSets exist with the same name and type."
        return
    if policies != {one.policy}:
        kind = {"Weight": "weighted", "Region": "latency", "GeoLocation": "GEO"}.get(one.policy, one.policy)
        yield f"{one.titled} cannot be created as a non-{kind} set exists with the same name and type."
    if one.policy != "Weight":
        return
    if len(one.values) > 1:
        yield f"{one.titled} cannot be created as weighted sets must contain one resource record each."
    if len({other.told["TTL"] for other in group if "TTL" in other.told}) > 1 and "TTL" in one.told:
        yield f"{one.titled} cannot be created as weighted sets must contain the same TTL."
    if len(group) > MOST_SETS:
        yield f"{one.titled} cannot be created as {MOST_SETS} sets exist with the same name and type."


def _check_input(number: int, change: Mapping[str, Any]) -> None:
    """Raises what Route 53 answers for a change that is none."""
    action, given = change["Action"], change["ResourceRecordSet"]
    if action not in ("CREATE", "DELETE", "UPSERT"):
        raise InvalidActionValue(action)
    where = f"changeBatch.changes.{number}.member.resourceRecordSet"
    _within(given.get("Weight"), f"{where}.weight", HEAVIEST)
    _within(given.get("TTL"), f"{where}.tTL", LONGEST_TTL)
    _not_long(given.get("SetIdentifier"), f"{where}.setIdentifier", LONGEST_IDENTIFIER)
    for place, one in enumerate(given.get("ResourceRecords") or (), 1):
        _not_long(one["Value"], f"{where}.resourceRecords.{place}.member.value", LONGEST_VALUE)
    identifier = given.get("SetIdentifier", "null")
    whole = f"[Action={action}, Name={given['Name']}, Type={given['Type']}, SetIdentifier={identifier}]"
    values = {"TTL", "ResourceRecords"} & set(given)
    if "AliasTarget" in given and values:
        raise _one_of(_CONTENTS, "more than one", whole)
    if "AliasTarget" not in given and len(values) < 2:
        raise _one_of(_CONTENTS, "none", whole)
    policies = [one for one in POLICIES if one in given]
    if policies and "SetIdentifier" not in given:
        raise InvalidInput(f"Invalid request: Missing field 'SetIdentifier' in Change with {whole}")
    if len(policies) > 1 or ("SetIdentifier" in given and not policies):
        raise _one_of(_POLICIES, "more than one" if policies else "none", whole)


def _one_of(choice: str, found: str, whole: str) -> InvalidInput:
    return InvalidInput(
        f"Invalid request: Expected exactly one of [{choice}], but found {found} in Change with {whole}"
    )


def _within(value: Any, where: str, most: int) -> None:
    if value is None or 0 <= int(value) <= most:
        return
    bound = f"less than or equal to {most}" if int(value) > most else "greater than or equal to 0"
    raise _constraint(value, where, f"Member must have value {bound}")


def _not_long(value: str | None, where: str, most: int) -> None:
    if value is None or 1 <= len(value) <= most:
        return
    bound = f"less than or equal to {most}" if value else "greater than or equal to 1"
    raise _constraint(value, where, f"Member must have length {bound}")


def _constraint(value: Any, where: str, told: str) -> InvalidInput:
    return InvalidInput(
        f"1 validation error detected: Value '{value}' at '{where}' failed to satisfy constraint: {told}"
    )
