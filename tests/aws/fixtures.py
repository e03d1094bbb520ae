"""The double of AWS as fixtures. Opt in by `pytest_plugins = ["tests.aws.fixtures"]`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aws.server import REGION, Aws
from tests.aws.servers import Servers
from tests.aws.zones import Zone


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    running = Aws(tmp_path_factory.mktemp("aws"))
    running.start()
    yield running
    running.stop()
    assert running.failures == []


@pytest.fixture
def aws(account: Aws) -> Iterator[Aws]:
    """An account in which nothing is yet."""
    account.reset()
    yield account
    account.reset()


@pytest.fixture
def elb(aws: Aws) -> Any:
    return aws.client("elbv2")


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    made = Servers(tmp_path)
    yield made
    made.close()


@pytest.fixture
def zone(aws: Aws) -> Zone:
    """The hosted zone example.com, in sync."""
    client = aws.client("route53")
    made = client.create_hosted_zone(Name="example.com", CallerReference="a")
    aws.naming.settle()
    return Zone(aws, client, made["HostedZone"]["Id"].rpartition("/")[2])


@pytest.fixture
def balancer(aws: Aws, elb: Any) -> Any:
    """A load balancer in a VPC of its own."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnets = []
    for number, zone in ((1, "a"), (2, "b")):
        block = {"CidrBlock": f"10.1.{number}.0/24", "AvailabilityZone": f"{REGION}{zone}"}
        subnets.append(ec2.create_subnet(VpcId=vpc, **block)["Subnet"]["SubnetId"])
    (made,) = elb.create_load_balancer(Name="web", Subnets=subnets)["LoadBalancers"]
    return made


@pytest.fixture
def group(elb: Any, balancer: Any) -> Callable[..., str]:
    """Make a target group of addresses, checked every 5 s, healthy after 2 checks; its ARN."""

    def group(name: str, **more: Any) -> str:
        settings = {
            "Protocol": "HTTP", "Port": 8080, "VpcId": balancer["VpcId"], "TargetType": "ip",
            "HealthCheckPath": "/ready", "HealthCheckIntervalSeconds": 5, "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 2, **more,
        }  # fmt: skip
        (made,) = elb.create_target_group(Name=name, **settings)["TargetGroups"]
        arn = str(made["TargetGroupArn"])
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "20"}
        elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[delay])
        return arn

    return group
