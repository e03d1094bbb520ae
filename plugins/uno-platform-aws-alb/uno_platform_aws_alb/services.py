"""The half that runs releases: an ECS service for each slot, behind the slot's target group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from uno_core import (
    ConfigError,
    Counts,
    Instance,
    Json,
    Looks,
    PlatformError,
    Release,
    Slot,
    SlotState,
    WorkloadState,
)
from uno_platform_aws_alb import tags
from uno_platform_aws_alb.actions import short
from uno_platform_aws_alb.balancer import Balancer, why
from uno_platform_aws_alb.definitions import Definitions
from uno_platform_aws_alb.scaling import LEAST, Scaled, Scaling

Service = Mapping[str, Any]

CRASHES = 3
"""Tasks of a deployment that failed, after which nobody waits for it any more: two were replaced by then."""


class EcsWorkload:
    """Updates services; what runs is read from their tasks, and whether it is ready from the targets."""

    def __init__(self, balancer: Balancer) -> None:
        self.balancer, self.aws = balancer, balancer.aws
        self.options = balancer.options.workload
        self.definitions = Definitions(self.aws, self.options.container)
        self.scaling = Scaling(self.aws, self.options.cluster)
        self._looks = Looks(balancer.options.healthy_looks)
        self._ready: set[str] = set()

    # What is to run

    @cached_property
    def names(self) -> Mapping[Slot, str]:
        """The service of each slot. Raises ConfigError where they are not named."""
        named = self.options.services
        if not named:
            raise ConfigError(
                "the services of the slots are not named", where="platform.workload.services",
                expected="{blue: …, green: …}",
                remedy="make one for each slot, each with its target group, and name both",
            )  # fmt: skip
        return {slot: named[slot.value] for slot in Slot}

    def services(self) -> Mapping[Slot, Service]:
        """Both, as they are. Raises ConfigError where one is missing, or is not behind its target group."""
        answer = self.aws.read(
            "ecs", "describe_services", cluster=self.options.cluster, services=list(self.names.values()),
            include=["TAGS"],
        )  # fmt: skip
        found = {one["serviceName"]: one for one in answer["services"] if one["status"] == "ACTIVE"}
        made = {}
        for slot, name in self.names.items():
            bare = name.rpartition("/")[2]
            if bare not in found:
                raise ConfigError(
                    f"there is no service {bare} in the cluster {self.options.cluster}",
                    found=", ".join(found) or "neither of the two", where="platform.workload.services",
                    expected="a service for each slot, each with its target group",
                    remedy="make it like the other one, with its own target group and a desired count of 0",
                )  # fmt: skip
            made[slot] = found[bare]
        return made

    def check(self) -> None:
        """Raises ConfigError for services that somebody else deploys, or that are not behind their group."""
        for slot, service in self.services().items():
            controller = str((service.get("deploymentController") or {}).get("type", "ECS"))
            strategy = str((service.get("deploymentConfiguration") or {}).get("strategy", "ROLLING"))
            if controller != "ECS" or strategy not in ("ROLLING", ""):
                raise ConfigError(
                    f"{service['serviceName']} is deployed by {_controller(controller)}",
                    found=f"deployment controller {controller}, strategy {strategy}",
                    expected="deployment controller ECS with the strategy ROLLING", where=f"slot {slot}",
                    remedy="one of the two may write its rule: choose",
                )  # fmt: skip
            self._behind(slot, service)

    def _behind(self, slot: Slot, service: Service) -> Mapping[str, Any]:
        """Container and port of the slot's target group. Raises ConfigError where there is none."""
        group = self.balancer.groups[slot]
        for one in service.get("loadBalancers") or ():
            if one.get("targetGroupArn") == group:
                return dict(one)
        names = ", ".join(short(str(o.get("targetGroupArn"))) for o in service.get("loadBalancers") or ())
        raise ConfigError(
            f"{service['serviceName']} is not behind the target group of {slot}",
            found=names or "no target group", expected=short(group), where=f"slot {slot}",
            remedy="aws ecs update-service --load-balancers …, or correct traffic.target_groups",
        )  # fmt: skip

    def resolve(self, release: Release) -> Release:
        return self.definitions.resolve(self._bases(self.services())[0], release)

    @staticmethod
    def _bases(services: Mapping[Slot, Service]) -> Sequence[str]:
        """The task definitions that new ones are made from: first that of the greater service."""
        ordered = sorted(services.values(), key=lambda one: -int(one["desiredCount"]))
        return [str(one["taskDefinition"]) for one in ordered]

    def converge(self, slot: Slot, counts: Counts) -> None:
        wanted = {release: count for release, count in counts.items() if count > 0}
        if len(wanted) > 1:
            raise ConfigError(
                f"a service holds one release, and {slot} is one", found=", ".join(map(str, wanted)),
                expected="one release a slot",
            )  # fmt: skip
        services = self.services()
        service = services[slot]
        if not wanted:
            self._ask(service, 0)
            return
        ((release, count),) = wanted.items()
        if not release.artifact:
            release = self.definitions.resolve(self._bases(services)[0], release)
        current = str(service["taskDefinition"])
        definition = current
        if self.definitions.release(current) != release:
            definition = self.definitions.revision(release, [current, *self._bases(services)])
        self._ask(service, count, definition)

    def _ask(self, service: Service, count: int, definition: str = "") -> None:
        """One write, where anything differs; the floor of what scales it goes first where it grows."""
        name, now = str(service["serviceName"]), int(service["desiredCount"])
        scaled = self.scaling.of(name).get(name)
        if scaled is not None and count > scaled.most:
            raise ConfigError(
                f"{count} tasks are more than the scalable target of {name} permits",
                found=f"at most {scaled.most}", expected=f"at least {count}", where="platform.instances",
                remedy="raise its greatest capacity, or ask for fewer",
            )  # fmt: skip
        if scaled is not None:
            self.scaling.floor(service, scaled, count)
        changes: dict[str, Any] = {}
        if definition and definition != service["taskDefinition"]:
            changes["taskDefinition"] = definition
        if now != count and not (scaled is not None and now > count > 0 and not changes):
            changes["desiredCount"] = count
        if changes:
            self.aws.write("ecs", "update_service", cluster=self.options.cluster, service=name, **changes)

    def restore(self, captured: Json, slot: Slot) -> None:
        if not isinstance(captured, Mapping) or slot.value not in captured:
            raise PlatformError(
                "that was not captured by this platform", found=str(captured)[:200],
                expected=f"what observe() captured, with the key {slot.value}",
            )  # fmt: skip
        before: Any = captured[slot.value]
        count = int(before["count"])
        self._ask(self.services()[slot], count, str(before["definition"]) if count else "")

    # Autoscaling

    def hold(self, slot: Slot, count: int) -> None:
        service = self.services()[slot]
        name = str(service["serviceName"])
        scaled = self.scaling.of(name).get(name)
        if not count:
            return
        if scaled is not None:
            self.scaling.floor(service, scaled, count)
        if int(service["desiredCount"]) < count:
            self._ask(service, count)

    def let_go(self, slot: Slot) -> None:
        service = self.services()[slot]
        name = str(service["serviceName"])
        scaled = self.scaling.of(name).get(name)
        if scaled is not None and int(service["desiredCount"]):
            self.scaling.let_go(service, scaled)

    # What runs

    def observe(self) -> WorkloadState:
        services = self.services()
        scaled = self.scaling.seen(*(str(one["serviceName"]) for one in services.values()))
        slots = {
            slot: self._slot(slot, one, scaled.get(str(one["serviceName"]))) for slot, one in services.items()
        }
        captured: Json = {
            slot.value: {"definition": one["taskDefinition"], "count": int(one["desiredCount"])}
            for slot, one in services.items()
        }
        sizes = [int(one["desiredCount"]) for one in services.values()]
        size = self.balancer.options.instances or self._size_before() or max(1, *sizes)
        return WorkloadState(slots=slots, size=size, captured=captured)

    def _size_before(self) -> int:
        """What carried everything before the deployment that is under way; 0 where none is.

        Halfway through a rolling deployment neither service has as many.
        """
        mark = self.balancer.mark or {}
        split: Mapping[str, float] = mark.get("split") or {}
        live = max(split, key=lambda slot: split[slot], default="")
        return sum(int(row["count"]) for row in (mark.get("releases") or {}).get(live, ()))

    def _slot(self, slot: Slot, service: Service, scaled: Scaled | None) -> SlotState:
        count, definition = int(service["desiredCount"]), str(service["taskDefinition"])
        running = int(service.get("runningCount", 0)) + int(service.get("pendingCount", 0))
        if not count and not running:
            self._looks.first(str(service["serviceName"]))
            return SlotState()
        release = self.definitions.release(definition)
        instances = self._tasks(slot, service)
        if scaled is not None and count:
            held = int(scaled.least) if LEAST in tags.of(service.get("tags")) else 0
            count = held or min(count, sum(i.ready and i.release == release for i in instances)) or count
        mine = [one for one in instances if one.release == release]
        if sum(one.ready for one in mine) < count and (trouble := self._trouble(service, bool(mine))):
            reason, hopeless = trouble
            name = f"{service['serviceName']}-none"
            if len(mine) < count or hopeless:
                instances.append(
                    Instance(id=name, release=release, ready=False, reason=reason, given_up=hopeless)
                )
        ordered = tuple(sorted(instances, key=lambda one: one.id))
        return SlotState(
            wanted={release: count} if count else {}, instances=ordered, elastic=scaled is not None
        )

    def _tasks(self, slot: Slot, service: Service) -> list[Instance]:
        """The tasks of a service that do not go away, each with what the load balancer says of it."""
        name, cluster = str(service["serviceName"]), self.options.cluster
        arns = list(self.aws.pages("ecs", "list_tasks", "taskArns", cluster=cluster, serviceName=name))
        first = self._looks.first(name)
        if not arns:
            return []
        tasks: list[Mapping[str, Any]] = []
        for at in range(0, len(arns), 100):  # as many as one call takes
            answer = self.aws.read("ecs", "describe_tasks", cluster=cluster, tasks=arns[at : at + 100])
            tasks += answer["tasks"]
        group = self.balancer.groups[slot]
        port = int(self._behind(slot, service)["containerPort"])
        rows = self.balancer.health(group)
        targets = {(row["Target"]["Id"], int(row["Target"]["Port"])): row["TargetHealth"] for row in rows}
        return [
            self._instance(one, port, targets, first=first)
            for one in tasks
            if one.get("desiredStatus") == "RUNNING" and one["lastStatus"] not in LEAVING
        ]

    def _instance(
        self,
        task: Mapping[str, Any],
        port: int,
        targets: Mapping[tuple[str, int], Mapping[str, Any]],
        *,
        first: bool,
    ) -> Instance:
        name = str(task["taskArn"]).rpartition("/")[2]
        address = _address(task)
        health = targets.get((address, port))
        if task["lastStatus"] != "RUNNING":
            reason = f"the task is {str(task['lastStatus']).lower()}"
        elif health is None:
            reason = "it is not registered with its target group yet"
        else:
            reason = why(health)
        reason = self._looks.why(name, reason, first=first)
        return Instance(
            id=name,
            release=self.definitions.release(str(task["taskDefinitionArn"])),
            ready=not reason,
            reason=reason,
            host=address,
            port=port,
            coming=health is None
            or health.get("State") == "initial"
            or not self._was(name, ready=not reason),
        )

    def _was(self, id: str, *, ready: bool) -> bool:
        """Whether it was ready once, as far as this process has seen."""
        if ready:
            self._ready.add(id)
        return id in self._ready

    def _trouble(self, service: Service, some: bool) -> tuple[str, bool] | None:
        """Why too few of a deployment's tasks run, in ECS's own words, and whether they ever will."""
        primary: Mapping[str, Any] = next(
            (one for one in service["deployments"] if one["status"] == "PRIMARY"), {}
        )
        failed, rollout = int(primary.get("failedTasks") or 0), str(primary.get("rolloutState", ""))
        words = [self._stopped(service, str(primary.get("taskDefinition", "")))] if failed else []
        if rollout == "FAILED":
            words.append(str(primary.get("rolloutStateReason") or "ECS gave the deployment up"))
        events = [str(one["message"]) for one in service.get("events") or ()][:3]
        words += [one for one in events if any(part in one for part in TELLING)][:1]
        told = "; ".join(dict.fromkeys(one for one in words if one))
        if not told:
            return ("its tasks are not started yet", False) if not some else None
        return f"{told}{f' ({failed} failed)' if failed else ''}", rollout == "FAILED" or failed >= CRASHES

    def _stopped(self, service: Service, definition: str) -> str:
        """Why the last task of a definition ended: its own reason, the container's, the exit code."""
        name, cluster = str(service["serviceName"]), self.options.cluster
        arns = self.aws.read(
            "ecs", "list_tasks", cluster=cluster, serviceName=name, desiredStatus="STOPPED", maxResults=100
        )["taskArns"]
        tasks = self.aws.read("ecs", "describe_tasks", cluster=cluster, tasks=arns)["tasks"] if arns else []
        mine = [one for one in tasks if one["taskDefinitionArn"] == definition and one.get("stoppedReason")]
        if not mine:
            return ""
        last = max(mine, key=lambda one: str(one.get("stoppedAt") or one.get("createdAt") or ""))
        words = [str(last["stoppedReason"])]
        for one in last.get("containers") or ():
            if one.get("reason") and one["reason"] not in words:
                words.append(str(one["reason"]))
            if one.get("exitCode"):
                words.append(f"{one['name']} exited with {one['exitCode']}")
        return ": ".join(words)


TELLING = ("unable to", "is unhealthy in")
"""What stands in the events of a service that say why its tasks are not there."""

LEAVING = frozenset({"DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED", "DELETED"})
"""States of a task that goes away."""


def _address(task: Mapping[str, Any]) -> str:
    """Where a task of the network mode awsvpc is reached."""
    for one in task.get("containers") or ():
        for interface in one.get("networkInterfaces") or ():
            if interface.get("privateIpv4Address"):
                return str(interface["privateIpv4Address"])
    return ""


def _controller(kind: str) -> str:
    return {"CODE_DEPLOY": "CodeDeploy", "EXTERNAL": "somebody else"}.get(kind, "Amazon ECS itself")
