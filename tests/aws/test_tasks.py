"""ECS services of the double: their tasks are processes, and say why they ended."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from attrs import define

from tests.aws.dataplane import host
from tests.aws.server import Aws
from tests.cluster.children import until

pytest_plugins = ["tests.aws.fixtures"]
pytestmark = pytest.mark.component("envoy")


@define
class Shop:
    """A service of two tasks behind a target group that gets all requests."""

    aws: Aws
    ecs: Any
    elb: Any
    balancer: Any
    group: str

    def define(self, tag):
        container = {"name": "app", "image": f"example.com/shop:{tag}", "memory": 64}
        made = self.ecs.register_task_definition(family="shop", containerDefinitions=[container])
        return made["taskDefinition"]["taskDefinitionArn"]

    def update(self, **changes):
        self.ecs.update_service(cluster="prod", service="shop", **changes)

    def service(self):
        (found,) = self.ecs.describe_services(cluster="prod", services=["shop"])["services"]
        return found

    def steady(self, running):
        def seen():
            found = self.service()
            state = found["deployments"][0]["rolloutState"]
            return (found["runningCount"], len(found["deployments"]), state)

        until(seen, (running, 1, "COMPLETED"))

    def tasks(self, status="RUNNING"):
        arns = self.ecs.list_tasks(cluster="prod", serviceName="shop", desiredStatus=status)["taskArns"]
        return self.ecs.describe_tasks(cluster="prod", tasks=arns)["tasks"] if arns else []

    def versions(self, number=30):
        asked = [self.aws.ask(host(self.balancer, 80)) for _ in range(number)]
        return Counter(text.split()[0] if status == 200 else str(status) for status, text in asked)


@pytest.fixture
def shop(aws, elb, balancer, group):
    ecs = aws.client("ecs")
    ecs.create_cluster(clusterName="prod")
    made = Shop(aws, ecs, elb, balancer, group("blue"))
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": made.group}],
    )  # fmt: skip
    ecs.create_service(
        cluster="prod", serviceName="shop", taskDefinition=made.define("1.0"), desiredCount=2,
        loadBalancers=[{"targetGroupArn": made.group, "containerName": "app", "containerPort": 8080}],
    )  # fmt: skip
    return made


def test_it_runs_what_it_is_asked_for_and_takes_its_time(shop):
    assert shop.service()["runningCount"] < 2
    shop.steady(2)
    assert {one["lastStatus"] for one in shop.tasks()} == {"RUNNING"}
    until(lambda: set(shop.versions()) == {"1.0"})
    assert any("steady state" in event["message"] for event in shop.service()["events"])


def test_more_and_fewer_follow_and_those_that_go_drain_first(shop):
    shop.steady(2)
    shop.update(desiredCount=3)
    assert shop.service()["runningCount"] == 2, "it is asked for, not there"
    shop.steady(3)
    shop.update(desiredCount=1)

    def health():
        rows = shop.elb.describe_target_health(TargetGroupArn=shop.group)["TargetHealthDescriptions"]
        return Counter(row["TargetHealth"]["State"] for row in rows)

    until(health, {"healthy": 1, "draining": 2})
    shop.steady(1)


def test_another_definition_replaces_them_and_nothing_is_lost(shop):
    shop.steady(2)
    until(lambda: set(shop.versions(5)) == {"1.0"})
    shop.update(taskDefinition=shop.define("2.0"))
    assert len(until(shop.service, lambda found: len(found["deployments"]) == 2)["deployments"]) == 2
    seen = Counter()
    while shop.service()["deployments"][0]["rolloutState"] != "COMPLETED":
        seen += shop.versions(10)
    assert set(seen) <= {"1.0", "2.0"}
    shop.steady(2)
    until(lambda: set(shop.versions(10)) == {"2.0"})


@pytest.mark.parametrize(
    ("tag", "reason", "code"),
    [
        ("2.0-crash", "Essential container in task exited", 1),
        ("2.0-missing", "CannotPullContainerError: pull image manifest: example.com/shop:2.0-missing", None),
        ("2.0-unready", "Task failed ELB health checks", None),
    ],
)
def test_what_cannot_run_says_why_and_the_old_ones_stay(shop, tag, reason, code):
    shop.steady(2)
    shop.update(taskDefinition=shop.define(tag))
    (ended, *_) = until(lambda: [one for one in shop.tasks("STOPPED") if reason in one["stoppedReason"]])
    assert code in (None, ended["containers"][0].get("exitCode"))
    if tag == "2.0-unready":
        told = [event["message"] for event in shop.service()["events"]]
        assert any("is unhealthy in" in one and "[503]" in one for one in told), told
    assert shop.service()["deployments"][0]["failedTasks"] >= 1
    assert shop.service()["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert shop.service()["deployments"][1]["runningCount"] == 2


def test_no_room_is_an_event(shop):
    shop.steady(2)
    shop.aws.tasks.capacity = 2
    shop.update(desiredCount=3)
    until(lambda: "unable to place a task" in shop.service()["events"][0]["message"])
    assert shop.service()["runningCount"] == 2
