"""Hosted zones for tests: record sets as boto3 takes them, and what the servers answer of them."""

from __future__ import annotations

import http.client
from typing import Any

import dns.message
import dns.query
import pytest
from attrs import define
from botocore.exceptions import ClientError

from tests.aws.server import Aws

BLUE, GREEN = "192.0.2.1", "192.0.2.2"
NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
FOREVER = 1e6
"""A delay that only `settle` of the naming ends."""


def plainly(*values: str, name: str = "app", kind: str = "A", ttl: int = 60, **more: Any) -> dict[str, Any]:
    """A record set of values, in example.com unless the name ends with a dot."""
    whole = name if name.endswith(".") else f"{name}.example.com."
    return {
        "Name": whole,
        "Type": kind,
        "TTL": ttl,
        "ResourceRecords": [{"Value": v} for v in values],
        **more,
    }


def weighted(identifier: str, weight: int, *values: str, **more: Any) -> dict[str, Any]:
    return plainly(*values, SetIdentifier=identifier, Weight=weight, **more)


def alias(target: str, zone: str, name: str = "app", kind: str = "A", **more: Any) -> dict[str, Any]:
    whole = {"HostedZoneId": zone, "DNSName": target, "EvaluateTargetHealth": False}
    return {"Name": f"{name}.example.com.", "Type": kind, "AliasTarget": whole, **more}


def create(found: dict[str, Any]) -> dict[str, Any]:
    return {"Action": "CREATE", "ResourceRecordSet": found}


def delete(found: dict[str, Any]) -> dict[str, Any]:
    return {"Action": "DELETE", "ResourceRecordSet": found}


def upsert(found: dict[str, Any]) -> dict[str, Any]:
    return {"Action": "UPSERT", "ResourceRecordSet": found}


@define
class Zone:
    """A hosted zone, with what its servers answer."""

    aws: Aws
    client: Any
    id: str

    def change(self, *changes: dict[str, Any], comment: str = "a test") -> dict[str, Any]:
        """The answer, once it was taken."""
        batch = {"Changes": list(changes), "Comment": comment}
        answer = self.client.change_resource_record_sets(HostedZoneId=self.id, ChangeBatch=batch)
        return dict(answer["ChangeInfo"])

    def settled(self, *changes: dict[str, Any]) -> None:
        """Change it, and have that be in sync at once."""
        self.change(*changes)
        self.aws.naming.settle()

    def refused(self, *changes: dict[str, Any]) -> tuple[str, str]:
        """The code and the message of what a batch is answered with, of which nothing is applied."""
        before = self.sets()
        with pytest.raises(ClientError) as raised:
            self.change(*changes)
        assert self.sets() == before
        problem = raised.value.response
        assert problem["ResponseMetadata"]["HTTPStatusCode"] == 400
        return problem["Error"]["Code"], problem["Error"]["Message"]

    def raw(self, *changes: str) -> tuple[int, str]:
        """The status and the body of a request that boto3 would not send: changes in XML."""
        root = "ChangeResourceRecordSetsRequest"
        batch = f"<ChangeBatch><Changes>{''.join(changes)}</Changes></ChangeBatch>"
        body = f'<{root} xmlns="{NAMESPACE}">{batch}</{root}>'
        signed = "AWS4-HMAC-SHA256 Credential=AKIAADMIN/20260101/us-east-1/route53/aws4_request, Signature=a"
        connection = http.client.HTTPConnection(self.aws.url.removeprefix("http://"), timeout=20)
        try:
            path = f"/2013-04-01/hostedzone/{self.id}/rrset/"
            connection.request("POST", path, body, {"Authorization": signed, "Content-Type": "text/xml"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def taken(self, *changes: dict[str, Any]) -> bool:
        """Whether it was taken: of those that race for one thing."""
        try:
            self.change(*changes)
        except self.client.exceptions.InvalidChangeBatch:
            return False
        return True

    def sets(self) -> list[dict[str, Any]]:
        """Without the two that every zone has."""
        listed = self.client.list_resource_record_sets(HostedZoneId=self.id)["ResourceRecordSets"]
        return [one for one in listed if one["Type"] not in ("NS", "SOA")]

    def status(self, change: dict[str, Any]) -> str:
        return str(self.client.get_change(Id=change["Id"])["ChangeInfo"]["Status"])

    def ask(
        self, name: str = "app", kind: str = "A", over: Any = dns.query.udp, **more: Any
    ) -> dns.message.Message:
        """The answer of the servers, over UDP unless it is said."""
        whole = name if name.endswith(".") else f"{name}.example.com."
        query = dns.message.make_query(whole, kind, **more)
        return over(query, "127.0.0.1", port=self.aws.naming.port, timeout=10)  # type: ignore[no-any-return]

    def values(self, name: str = "app", kind: str = "A") -> list[str]:
        """What the servers answer, all records of it."""
        return sorted(record.to_text() for found in self.ask(name, kind).answer for record in found)
