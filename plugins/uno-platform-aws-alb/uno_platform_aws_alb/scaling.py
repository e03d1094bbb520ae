"""Scalable targets of services: the least that an autoscaler keeps, raised while a release is under way.

Source: the API reference of Application Auto Scaling (RegisterScalableTarget changes only what it names).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from uno_aws.session import Aws
from uno_platform_aws_alb import tags

NAMESPACE, DIMENSION = "ecs", "ecs:service:DesiredCount"


@frozen
class Scaled:
    """What sizes a service: from `least` tasks to `most`."""

    least: int
    most: int


TOLD = 30.0
"""Seconds for which what sizes a service is told as it was seen: that changes by people's hands only."""


class Scaling:
    """The scalable targets of a cluster's services."""

    def __init__(self, aws: Aws, cluster: str) -> None:
        self.aws, self.cluster = aws, cluster.rpartition("/")[2]
        self._seen: tuple[Mapping[str, Scaled], float] | None = None

    def seen(self, *services: str) -> Mapping[str, Scaled]:
        """As `of`, and perhaps a little old: for telling, not for writing."""
        now = self.aws.clock.monotonic()
        if self._seen is None or now - self._seen[1] > TOLD:
            self._seen = (self.of(*services), now)
        return self._seen[0]

    def of(self, *services: str) -> Mapping[str, Scaled]:
        """By the name of the service; those that nothing scales are left out."""
        ids = {self._id(name): name for name in services}
        rows = self.aws.pages(
            "application-autoscaling", "describe_scalable_targets", "ScalableTargets",
            ServiceNamespace=NAMESPACE, ResourceIds=list(ids), ScalableDimension=DIMENSION,
        )  # fmt: skip
        return {
            ids[row["ResourceId"]]: Scaled(int(row["MinCapacity"]), int(row["MaxCapacity"]))
            for row in rows
            if row["ResourceId"] in ids
        }

    def floor(self, service: Mapping[str, Any], scaled: Scaled, least: int) -> None:
        """Keep no fewer than this; what it was before is written down first, once."""
        if LEAST not in tags.of(service.get("tags")):
            self._note(service, str(scaled.least))
        if scaled.least != least:
            self._register(service, least)

    def let_go(self, service: Mapping[str, Any], scaled: Scaled) -> None:
        """What it was before uno, again."""
        before = tags.of(service.get("tags")).get(LEAST)
        if before is None:
            return
        if scaled.least != int(before):
            self._register(service, int(before))
        self.aws.read("ecs", "untag_resource", resourceArn=service["serviceArn"], tagKeys=[LEAST])

    def _note(self, service: Mapping[str, Any], value: str) -> None:
        rows = [{"key": LEAST, "value": value}]
        self.aws.read("ecs", "tag_resource", resourceArn=service["serviceArn"], tags=rows)

    def _register(self, service: Mapping[str, Any], least: int) -> None:
        self._seen = None
        self.aws.read(
            "application-autoscaling", "register_scalable_target", ServiceNamespace=NAMESPACE,
            ResourceId=self._id(str(service["serviceName"])), ScalableDimension=DIMENSION, MinCapacity=least,
        )  # fmt: skip

    def _id(self, service: str) -> str:
        return f"service/{self.cluster}/{service.rpartition('/')[2]}"


LEAST = tags.LEAST
