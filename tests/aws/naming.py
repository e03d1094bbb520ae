"""Route 53 as strict as it is: whole batches or nothing, one at a time, and PENDING before it is INSYNC.

moto 5.2 checks little of what a batch says, applies a refused one by half, and is INSYNC at once; here it
keeps the zones, and this is what changes and lists them. Sources: the API reference of Route 53
(ChangeResourceRecordSets, GetChange, ListResourceRecordSets, ListHostedZonesByName, CreateHostedZone).
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import define, field
from moto.core.responses import ActionResult
from moto.route53.exceptions import InvalidInput, Route53ClientError
from moto.route53.responses import Route53

from tests.aws.batches import Batch
from tests.aws.nameserver import Answers, Nameserver, Snapshot
from tests.aws.records import RecordSet, plain, reversed_labels

DELAY = 0.3
"""Seconds until a change is in sync. With Route 53 it is generally within 60."""
MOST_LISTED, MOST_ZONES = 300, 100

_real = {
    name: getattr(Route53, name)
    for name in (
        "create_hosted_zone", "delete_hosted_zone", "list_hosted_zones_by_name",
        "change_resource_record_sets", "list_resource_record_sets", "get_change", "parse_parameters",
    )
}  # fmt: skip


@define
class Change:
    """One that was taken. due: the moment from which it is in sync."""

    id: str
    submitted: datetime
    due: float
    comment: str | None = None

    def told(self) -> dict[str, Any]:
        """As GetChange answers."""
        told = {
            "Id": f"/change/{self.id}",
            "Status": "INSYNC" if time.monotonic() >= self.due else "PENDING",
            "SubmittedAt": self.submitted,
        }
        return {**told, "Comment": self.comment} if self.comment is not None else told


@define
class Naming:
    """delay: seconds until a change is in sync.

    elsewhere: addresses of load balancers, for their aliases, by the name with a dot at the end.
    """

    delay: float = DELAY
    elsewhere: dict[str, Sequence[str]] = field(factory=dict)
    _changes: dict[str, Change] = field(init=False, factory=dict)
    _served: dict[str, list[tuple[Change, Snapshot | None]]] = field(init=False, factory=dict)
    """By the ID of a zone what it became with each change; None where it was deleted."""
    _guard: threading.RLock = field(init=False, factory=threading.RLock)
    _server: Nameserver = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._server = Nameserver(Answers(self.find, self.elsewhere))

    @property
    def port(self) -> int:
        """Where the servers of all zones answer, over UDP and TCP."""
        return self._server.port

    @property
    def failures(self) -> list[str]:
        return self._server.failures

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def reset(self) -> None:
        with self._guard:
            self.delay = DELAY
            self.elsewhere.clear()
            self._changes.clear()
            self._served.clear()

    def settle(self) -> None:
        """Have every change be in sync now, whatever its delay."""
        with self._guard:
            for change in self._changes.values():
                change.due = min(change.due, time.monotonic())

    def find(self, name: str) -> Snapshot | None:
        """The zone that a name is in, as it is in sync: the longest; of several, the first that was made."""
        with self._guard:
            now = time.monotonic()
            found: Snapshot | None = None
            for history in self._served.values():
                while len(history) > 1 and history[1][0].due <= now:
                    del history[0]
                change, zone = history[0]
                if zone is None or change.due > now or not f".{name}".endswith(f".{zone.zone}"):
                    continue
                if found is None or len(zone.zone) > len(found.zone):
                    found = zone
            return found

    def create(self, request: Any) -> ActionResult:
        with self._guard:
            result = _result(_real["create_hosted_zone"](request))
            zone = result["HostedZone"]
            zone.rrsets = _first_sets(zone)
            return ActionResult({**result, "ChangeInfo": self._taken(zone).told()})

    def delete(self, request: Any) -> ActionResult:
        with self._guard:
            zone = request.backend.get_hosted_zone(request._get_param("Id"))
            result = _result(_real["delete_hosted_zone"](request))
            return ActionResult({**result, "ChangeInfo": self._taken(zone, gone=True).told()})

    def change(self, request: Any) -> ActionResult:
        """The whole batch or nothing of it, while no other is looked at."""
        with self._guard:
            zone = request.backend.get_hosted_zone(request._get_param("HostedZoneId"))
            zones = {
                one.resource_id: (plain(one.name), {each.key: each for each in one.rrsets})
                for one in request.backend.zones.values()
            }
            changes = request._get_param("ChangeBatch.Changes")
            if not changes:
                raise InvalidInput(
                    f"Invalid XML ; {request.params.get('unreadable', 'there are no changes')}"
                )
            batch = Batch(zone.resource_id, changes, zones, request.backend.health_checks)
            zone.rrsets = list(batch.applied().values())
            comment = request._get_param("ChangeBatch.Comment")
            return ActionResult({"ChangeInfo": self._taken(zone, comment).told()})

    def changed(self, request: Any) -> ActionResult:
        asked = request._get_param("Id").rpartition("/")[2]
        with self._guard:
            if asked not in self._changes:
                raise Route53ClientError("NoSuchChange", f"Could not find resource with ID: {asked}")
            return ActionResult({"ChangeInfo": self._changes[asked].told()})

    def _taken(self, zone: Any, comment: str | None = None, *, gone: bool = False) -> Change:
        history = self._served.setdefault(zone.resource_id, [])
        # The servers get the changes of a zone in their order.
        due = max([time.monotonic() + self.delay, *(change.due for change, _ in history)])
        change = Change(f"C{uuid.uuid4().hex[:20].upper()}", datetime.now(UTC), due, comment)
        self._changes[change.id] = change
        if not zone.private_zone:
            history.append((change, None if gone else Snapshot(plain(zone.name), tuple(zone.rrsets))))
        else:
            self._served.pop(zone.resource_id)
        return change


def _result(answer: ActionResult) -> dict[str, Any]:
    found: Any = answer.result
    return dict(found)


def _first_sets(zone: Any) -> list[RecordSet]:
    """Those that a zone has from the beginning; moto has the values of one nested, and no dots at the end."""
    servers = [f"{one}." for one in zone.delegation_set.name_servers]
    soa = f"{servers[0]} awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
    name = plain(zone.name)
    return [
        RecordSet(
            {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": one} for one in values]}
        )
        for kind, ttl, values in (("NS", 172800, servers), ("SOA", 900, [soa]))
    ]


def _list_sets(request: Any) -> ActionResult:
    """A page, by the labels of the name from its end, then the type, then the set identifier."""
    asked = request._get_params()
    name, kind, identifier = (asked.get(f"StartRecord{one}") for one in ("Name", "Type", "Identifier"))
    if (kind and not name) or (identifier and not kind):
        raise InvalidInput("The input is not valid")
    most = _page(asked, MOST_LISTED)

    def place(one: RecordSet) -> tuple[str, str, str]:
        return reversed_labels(one.name), one.type, one.identifier

    begin = (reversed_labels(plain(name)) if name else "", kind or "", identifier or "")
    zone = request.backend.get_hosted_zone(request._get_param("HostedZoneId"))
    found = sorted((one for one in zone.rrsets if place(one) >= begin), key=place)
    result = {
        "ResourceRecordSets": [one.told for one in found[:most]],
        "IsTruncated": len(found) > most,
        "MaxItems": str(most),
    }
    if len(found) > most:
        later = found[most]
        result |= {"NextRecordName": later.name, "NextRecordType": later.type}
        if later.identifier:
            result["NextRecordIdentifier"] = later.identifier
    return ActionResult(result)


def _list_zones(request: Any) -> ActionResult:
    """A page of all zones from a name on: the first one need not be of that name, and moto lists no other."""
    asked = request._get_params()
    name, zone = asked.get("DNSName"), asked.get("HostedZoneId")
    if zone and not name:
        raise InvalidInput("The input is not valid")
    most = _page(asked, MOST_ZONES)

    def place(one: Any) -> tuple[str, str]:
        return reversed_labels(plain(one.name)), one.resource_id

    begin = (reversed_labels(plain(name)) if name else "", (zone or "").rpartition("/")[2])
    found = sorted((one for one in request.backend.zones.values() if place(one) >= begin), key=place)
    result = {key: value for key, value in (("DNSName", name), ("HostedZoneId", zone)) if value}
    result |= {"HostedZones": found[:most], "IsTruncated": len(found) > most, "MaxItems": str(most)}
    if len(found) > most:
        result |= {"NextDNSName": found[most].name, "NextHostedZoneId": found[most].resource_id}
    return ActionResult(result)


def _parse(request: Any, sent: Any) -> None:
    """As moto does; a number that is none, which boto3 does not send, is for the action to refuse."""
    try:
        _real["parse_parameters"](request, sent)
    except ValueError as problem:
        request.params = {"HostedZoneId": request.uri_match["Id"], "unreadable": problem}


def _page(asked: Mapping[str, Any], most: int) -> int:
    wanted = str(asked.get("MaxItems") or most)
    if not wanted.isdecimal() or int(wanted) < 1:
        raise InvalidInput(f"The value {wanted} of maxitems is not valid")
    return min(int(wanted), most)


def install(naming: Naming) -> None:
    """Have moto answer so."""
    answers: Mapping[str, Callable[[Any], ActionResult]] = {
        "create_hosted_zone": naming.create,
        "delete_hosted_zone": naming.delete,
        "change_resource_record_sets": naming.change,
        "get_change": naming.changed,
        "list_resource_record_sets": _list_sets,
        "list_hosted_zones_by_name": _list_zones,
    }
    for name, answer in answers.items():
        setattr(Route53, name, lambda self, answer=answer: answer(self))
    Route53.parse_parameters = _parse  # type: ignore[assignment, method-assign]


def uninstall() -> None:
    for name, method in _real.items():
        setattr(Route53, name, method)
