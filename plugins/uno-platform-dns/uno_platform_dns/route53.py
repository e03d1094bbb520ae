"""A hosted zone of Route 53.

A batch is all or nothing. UPSERT knows no precondition, but DELETE demands the exact current values and
CREATE that there is nothing (API reference, ChangeResourceRecordSets), so the two in one batch are the
compare-and-swap here. A set that only moves its weight is deleted and created too, for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from uno_aws.errors import Refusal
from uno_aws.session import Aws
from uno_core import ConfigError, Diagnosis, Forbidden, Services, UnoError
from uno_platform_dns.options import Route53Options
from uno_platform_dns.zone import Changed, RecordSet, absolute

GREATEST = 255
"""The greatest weight of a record set (API reference, ResourceRecordSet)."""

KNOWN = frozenset({"Name", "Type", "TTL", "ResourceRecords", "SetIdentifier", "Weight"})
"""What a RecordSet has a word for; all else is handed back as it came."""

OTHERS = frozenset(
    {"Failover", "GeoLocation", "GeoProximityLocation", "Region", "MultiValueAnswer", "CidrRoutingConfig"}
)
"""Other ways to route than by weights: they cannot stand beside them."""


class Route53Zone:
    """One hosted zone, as one user of one account."""

    weights = GREATEST
    slowest = 60.0  # "Changes generally propagate to all Route 53 name servers within 60 seconds"

    def __init__(self, options: Route53Options, services: Services) -> None:
        self.options, self.services = options, services
        self.aws = Aws(options, services.clock)

    @property
    def where(self) -> str:
        return f"hosted zone {self.options.zone}, Route 53"

    def read(self, name: str, types: Sequence[str]) -> Sequence[RecordSet]:
        name = absolute(name)
        found: list[RecordSet] = []
        start: dict[str, str] = {"StartRecordName": name}
        while True:
            answer = self.aws.read(
                "route53", "list_resource_record_sets", HostedZoneId=self.options.zone, **start
            )
            rows = answer["ResourceRecordSets"]
            mine = [row for row in rows if _plain(row["Name"]) == name]
            found += [record_of(row) for row in mine if row["Type"] in types]
            # They come in order: whatever follows another name is not of this one.
            if len(mine) < len(rows) or not answer.get("IsTruncated"):
                return found
            start = {
                "StartRecordName": answer["NextRecordName"],
                "StartRecordType": answer["NextRecordType"],
            }
            if answer.get("NextRecordIdentifier"):
                start["StartRecordIdentifier"] = answer["NextRecordIdentifier"]

    def change(self, removed: Sequence[RecordSet], added: Sequence[RecordSet]) -> str:
        changes = [{"Action": "DELETE", "ResourceRecordSet": row_of(one)} for one in removed]
        changes += [{"Action": "CREATE", "ResourceRecordSet": row_of(one)} for one in added]
        batch = {"Comment": "uno", "Changes": changes}
        try:
            answer = self.aws.write(
                "route53", "change_resource_record_sets", HostedZoneId=self.options.zone, ChangeBatch=batch
            )
        except Refusal as problem:
            if problem.reason == "InvalidChangeBatch" and _by_what_is_there(problem.found):
                raise Changed(
                    "something else is in the zone than was read before", found=problem.found,
                    where=self.where, expected="; ".join(map(str, removed)) or "nothing of these names",
                    remedy="somebody else writes these records: CloudTrail has it under"
                    " ChangeResourceRecordSets",
                ) from problem  # fmt: skip
            raise
        return str(answer["ChangeInfo"]["Id"])

    def spread(self, change: str) -> bool | None:
        if not change:
            return None
        answer = self.aws.read("route53", "get_change", Id=change)
        return bool(answer["ChangeInfo"]["Status"] == "INSYNC")

    def diagnose(self) -> Iterable[Diagnosis]:
        """Who asks, and whether the zone is there."""
        try:
            who = self.aws.identity()
            yield Diagnosis.ok("credentials", str(who["Arn"]))
            zone = self.aws.read("route53", "get_hosted_zone", Id=self.options.zone)["HostedZone"]
        except UnoError as problem:
            yield Diagnosis.error(
                "hosted zone", f"{problem.message} ({problem.found})",
                problem.remedy or "look at it in the console of Route 53",
                forbidden=isinstance(problem, Forbidden),
            )  # fmt: skip
            return
        kind = "private" if zone.get("Config", {}).get("PrivateZone") else "public"
        yield Diagnosis.ok("hosted zone", f"{zone['Name']} ({self.options.zone}, {kind})")

    def close(self) -> None:
        self.aws.close()


def record_of(row: Mapping[str, Any]) -> RecordSet:
    """A row of ListResourceRecordSets. Raises ConfigError where it is routed otherwise than by weights."""
    if other := sorted(OTHERS & set(row)):
        raise ConfigError(
            "this name is routed in another way than by weights", found=f"{row['Name']} has {other[0]}",
            expected="a simple record set, or weighted ones",
            where=str(row["Name"]), remedy="choose another name for uno: weights cannot stand beside that",
        )  # fmt: skip
    more = {key: value for key, value in row.items() if key not in KNOWN}
    return RecordSet(
        name=_plain(row["Name"]), type=row["Type"], ttl=row.get("TTL"),
        values=[one["Value"] for one in row.get("ResourceRecords", ())],
        identifier=row.get("SetIdentifier", ""), weight=row.get("Weight"), more=more or None,
    )  # fmt: skip


def row_of(one: RecordSet) -> Mapping[str, Any]:
    """What AWS takes, and gave."""
    row: dict[str, Any] = {"Name": one.name, "Type": one.type}
    if one.ttl is not None:
        row["TTL"] = one.ttl
    if one.values:
        row["ResourceRecords"] = [{"Value": value} for value in one.values]
    if one.identifier:
        row |= {"SetIdentifier": one.identifier, "Weight": one.weight}
    more: Any = one.more or {}
    return row | dict(more)


def _plain(name: str) -> str:
    r"""AWS writes some characters of a name by their number in octal: \052 is the star of a wildcard."""
    return absolute(name.replace("\\052", "*"))


def _by_what_is_there(told: str) -> bool:
    """Whether a batch was refused for what is in the zone, and not for what stands in the batch."""
    return any(
        words in told
        for words in (
            "already exists",
            "exists with the same name",
            "exist with the same name",
            "but it was not found",
            "do not match",
            "conflicts with other records",
            "must contain the same TTL",
        )
    )
