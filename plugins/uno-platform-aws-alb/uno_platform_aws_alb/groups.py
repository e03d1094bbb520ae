"""Given instances, as the target groups of the slots know them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from uno_core import Member, Slot
from uno_platform_aws_alb.balancer import Balancer, why


class GroupMembers:
    """Who is registered with the target group of a slot takes part in it."""

    def __init__(self, balancer: Balancer) -> None:
        self.balancer, self.aws = balancer, balancer.aws
        self.port = balancer.options.workload.port
        self._addresses: dict[str, str] = {}

    def of(self, slot: Slot) -> Mapping[str, Member]:
        return {
            str(row["Target"]["Id"]): Member(
                reason=why(row["TargetHealth"]), leaving=row["TargetHealth"]["State"] == "draining"
            )
            for row in self.balancer.health(self.balancer.groups[slot])
        }

    def join(self, slot: Slot, targets: Sequence[str]) -> None:
        self._change(slot, "register_targets", targets)

    def leave(self, slot: Slot, targets: Sequence[str]) -> None:
        self._change(slot, "deregister_targets", targets)

    def _change(self, slot: Slot, operation: str, targets: Sequence[str]) -> None:
        port = {"Port": self.port} if self.port else {}
        rows = [{"Id": target, **port} for target in targets]
        # Once more is the same.
        self.aws.read("elbv2", operation, TargetGroupArn=self.balancer.groups[slot], Targets=rows)

    def address(self, target: str) -> str:
        """The private one of an EC2 instance; an address is its own."""
        if not target.startswith("i-"):
            return target
        if target not in self._addresses:
            answer = self.aws.read("ec2", "describe_instances", InstanceIds=[target])
            self._addresses[target] = str(answer["Reservations"][0]["Instances"][0]["PrivateIpAddress"])
        return self._addresses[target]
