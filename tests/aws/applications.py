"""An application in the double as somebody has it who never heard of uno: services, groups, a rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import define

from tests.aws.dataplane import host
from tests.aws.server import REGION, Aws


def credentials() -> Mapping[str, str]:
    """The environment of somebody who may do everything."""
    return {
        "AWS_ACCESS_KEY_ID": "AKIADEPLOYER", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere/credentials",
        "AWS_CONFIG_FILE": "/nowhere/config",
    }  # fmt: skip


@define
class Application:
    """`shop`: two services of no tasks, each behind its group; a rule that leads to blue, green beside."""

    aws: Aws
    elb: Any
    ecs: Any
    balancer: Any
    groups: dict[str, str]
    services: dict[str, str]
    listener: str
    rule: str

    @classmethod
    def make(cls, aws: Aws, *, delay: int = 20, **sticky: Any) -> Application:
        """delay: seconds that targets drain for, at the double's pace. sticky: of the rule's groups."""
        elb, ecs = aws.client("elbv2"), aws.client("ecs")
        balancer = _balancer(aws, elb)
        groups = {slot: _group(elb, balancer, f"shop-{slot}", delay) for slot in ("blue", "green")}
        response = {"StatusCode": "404", "ContentType": "text/plain"}
        (listener,) = elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": response}],
        )["Listeners"]  # fmt: skip
        (rule,) = elb.create_rule(
            ListenerArn=listener["ListenerArn"], Priority=10,
            Conditions=[{"Field": "path-pattern", "Values": ["*"]}],
            Actions=[forward(groups, 1, 0, **sticky)],
            Tags=[{"Key": "app", "Value": "shop"}],
        )["Rules"]  # fmt: skip
        ecs.create_cluster(clusterName="prod")
        services = {slot: f"shop-{slot}" for slot in groups}
        made = cls(aws, elb, ecs, balancer, groups, services, listener["ListenerArn"], rule["RuleArn"])
        for slot, name in services.items():
            ecs.create_service(
                cluster="prod", serviceName=name, taskDefinition=made.define("0.1"), desiredCount=0,
                loadBalancers=[
                    {"targetGroupArn": groups[slot], "containerName": "app", "containerPort": 8080}
                ],
            )  # fmt: skip
        return made

    def define(self, tag: str) -> str:
        """A task definition of a version."""
        container = {"name": "app", "image": f"example.com/shop:{tag}", "memory": 64}
        made = self.ecs.register_task_definition(family="shop", containerDefinitions=[container])
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def plain_listener(self) -> str:
        """Another listener, whose default action leads to blue; it knows of no other group."""
        (made,) = self.elb.create_listener(
            LoadBalancerArn=self.balancer["LoadBalancerArn"], Protocol="HTTP", Port=8080,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.groups["blue"]}],
        )["Listeners"]  # fmt: skip
        return str(made["ListenerArn"])

    @property
    def host(self) -> str:
        """By which its requests are sent through the data plane."""
        return host(self.balancer, 80)

    def actions(self) -> list[dict[str, Any]]:
        """Of its rule."""
        (rule,) = self.elb.describe_rules(RuleArns=[self.rule])["Rules"]
        found: list[dict[str, Any]] = rule["Actions"]
        return found

    def weights(self) -> dict[str, int]:
        """Of the slots."""
        slots = {arn: slot for slot, arn in self.groups.items()}
        (last,) = [one for one in self.actions() if one["Type"] == "forward"]
        rows = last["ForwardConfig"]["TargetGroups"]
        return {slots[row["TargetGroupArn"]]: int(row["Weight"]) for row in rows}

    def weigh(self, blue: int, green: int) -> None:
        """Somebody else's hand."""
        self.elb.modify_rule(RuleArn=self.rule, Actions=[forward(self.groups, blue, green)])

    def run(self, slot: str, tag: str, count: int) -> None:
        """Have a service run a version, as before uno."""
        self.ecs.update_service(
            cluster="prod", service=self.services[slot], taskDefinition=self.define(tag), desiredCount=count
        )

    def service(self, slot: str) -> dict[str, Any]:
        (found,) = self.ecs.describe_services(
            cluster="prod", services=[self.services[slot]], include=["TAGS"]
        )["services"]
        return dict(found)

    def healthy(self, slot: str) -> int:
        """Targets of a slot that get requests."""
        rows = self.elb.describe_target_health(TargetGroupArn=self.groups[slot])["TargetHealthDescriptions"]
        return sum(row["TargetHealth"]["State"] == "healthy" for row in rows)


def forward(groups: Mapping[str, str], blue: int, green: int, **sticky: Any) -> dict[str, Any]:
    """A forward action; `sticky=60` has clients stay for a minute."""
    rows = [
        {"TargetGroupArn": groups["blue"], "Weight": blue},
        {"TargetGroupArn": groups["green"], "Weight": green},
    ]
    config: dict[str, Any] = {"TargetGroups": rows}
    if seconds := sticky.get("sticky"):
        config["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": seconds}
    return {"Type": "forward", "ForwardConfig": config}


def _balancer(aws: Aws, elb: Any) -> Any:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnets = []
    for number, zone in ((1, "a"), (2, "b")):
        block = {"CidrBlock": f"10.1.{number}.0/24", "AvailabilityZone": f"{REGION}{zone}"}
        subnets.append(ec2.create_subnet(VpcId=vpc, **block)["Subnet"]["SubnetId"])
    (made,) = elb.create_load_balancer(Name="web", Subnets=subnets)["LoadBalancers"]
    return made


def _group(elb: Any, balancer: Any, name: str, delay: int) -> str:
    (made,) = elb.create_target_group(
        Name=name, Protocol="HTTP", Port=8080, VpcId=balancer["VpcId"], TargetType="ip",
        HealthCheckPath="/ready", HealthCheckIntervalSeconds=5, HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
    )["TargetGroups"]  # fmt: skip
    arn = str(made["TargetGroupArn"])
    attribute = {"Key": "deregistration_delay.timeout_seconds", "Value": str(delay)}
    elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[attribute])
    return arn
