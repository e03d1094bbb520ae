"""ECS services of the double: tasks are real processes, behind the target groups of their service.

A deployment of the type ECS (rolling update, at least 100 %, at most 200 %). What comes after the version in
an image's tag says what is wrong with it, as in `tests/cluster/serve.py`; `missing` cannot be pulled.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import define, field
from moto.ecs.models import EC2ContainerServiceBackend, ecs_backends
from moto.elbv2.models import elbv2_backends

from tests.aws.front import ACCOUNT
from tests.aws.health import Health
from tests.aws.servers import Servers, listens

_real = {
    name: getattr(EC2ContainerServiceBackend, name)
    for name in ("list_tasks", "describe_tasks", "update_service")
}

PAUSE = 0.5
"""Seconds before a task that failed is replaced, at first; twice as long after each failure."""


@define(eq=False)
class Task:
    """One task of a service. address: in the VPC; empty where it was never started."""

    arn: str
    service: Any
    definition: Any
    backend: Any
    address: str = ""
    status: str = "PENDING"
    reason: str = ""
    exit_code: int | None = None
    created: datetime = field(factory=lambda: datetime.now(UTC))

    @property
    def container(self) -> dict[str, Any]:
        found: dict[str, Any] = self.definition.container_definitions[0]
        return found

    @property
    def alive(self) -> bool:
        return self.status in ("PENDING", "RUNNING")

    def told(self) -> dict[str, Any]:
        """As DescribeTasks answers."""
        container = {
            "name": self.container["name"],
            "image": self.container["image"],
            "lastStatus": "STOPPED" if self.status == "STOPPED" else "RUNNING",
            "networkInterfaces": [{"privateIpv4Address": self.address}] if self.address else [],
        }
        if self.exit_code is not None:
            container["exitCode"] = self.exit_code
        if self.reason.startswith("CannotPull"):
            container["reason"] = self.reason
        return {
            "taskArn": self.arn,
            "clusterArn": self.service.cluster_arn,
            "taskDefinitionArn": self.definition.arn,
            "group": f"service:{self.service.name}",
            "lastStatus": self.status,
            "desiredStatus": "RUNNING" if self.alive else "STOPPED",
            "createdAt": self.created,
            "containers": [container],
            **({"stoppedReason": self.reason} if self.reason else {}),
        }


@define
class Tasks:
    """Has every service run what it is asked to. capacity: tasks that there is room for, over all of them."""

    folder: Path
    health: Health
    capacity: int = 100
    failures: list[str] = field(init=False, factory=list)
    tasks: list[Task] = field(init=False, factory=list)
    _servers: Servers = field(init=False)
    _paused: dict[str, tuple[float, float]] = field(init=False, factory=dict)
    _guard: threading.RLock = field(init=False, factory=threading.RLock)
    _leave: threading.Event = field(init=False, factory=threading.Event)

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._servers = Servers(self.folder)
        _install(self)
        threading.Thread(target=self._work, name="ecs", daemon=True).start()

    def stop(self) -> None:
        self._leave.set()
        with self._guard:
            self._servers.close()
        for name, method in _real.items():
            setattr(EC2ContainerServiceBackend, name, method)

    def reset(self) -> None:
        """Nothing runs any more."""
        with self._guard:
            self._servers.close()
            self._servers.processes.clear()
            self.tasks.clear()
            self._paused.clear()
            self.capacity = 100

    def _work(self) -> None:
        while not self._leave.wait(0.03):
            try:
                with self._guard:
                    self._look()
                    for backend, service in list(_services()):
                        self._follow(backend, service)
            except Exception as error:  # noqa: BLE001 - the thread has to go on
                if not self._leave.is_set():
                    self.failures.append(f"{type(error).__name__}: {error}")

    # What became of those that there are

    def _look(self) -> None:
        for task in self.tasks:
            process = self._servers.processes.get(task.address)
            if task.alive and process is not None and process.poll() is not None:
                task.exit_code = process.returncode
                self._failed(task, "Essential container in task exited")
            elif task.status == "PENDING" and task.address and listens(task.address):
                task.status = "RUNNING"
                for group, target in self._places(task):
                    group.register([target])
            elif task.status == "RUNNING" and self._states(task) & {"unhealthy"}:
                self._tell_unhealthy(task)
                self._failed(task, "Task failed ELB health checks")
            elif task.status == "DEACTIVATING" and not self._states(task) & {"draining"}:
                self._servers.stop(task.address)
                task.exit_code, task.status = 0, "STOPPED"

    def _tell_unhealthy(self, task: Task) -> None:
        """The event by which ECS says why it is about to stop a task."""
        for group, target in self._places(task):
            told = self.health.told(group, [target])[0].description or "Health checks failed"
            where = f"(port {target['Port']}) is unhealthy in (target-group {group.arn})"
            _event(task.service, f"(service {task.service.name}) {where} due to (reason {told}).")

    def _failed(self, task: Task, reason: str) -> None:
        self._leave_groups(task)
        if task.exit_code is None and task.address:
            self._servers.stop(task.address)
        task.status, task.reason = "STOPPED", reason
        primary = task.service.deployments[0]
        if primary["taskDefinition"] == task.definition.arn:
            primary["failedTasks"] += 1
        pause = self._paused.get(task.service.name, (0.0, PAUSE / 2))[1] * 2
        self._paused[task.service.name] = (time.monotonic() + pause, pause)

    def _retire(self, task: Task) -> None:
        """Out of its groups first, and stopped when it has drained."""
        self._leave_groups(task)
        if task.address and task.address in self._servers.processes:
            task.status, task.reason = "DEACTIVATING", f"Scaling activity initiated by {task.service.name}"
        else:
            task.status = "STOPPED"

    def _leave_groups(self, task: Task) -> None:
        for group, target in self._places(task):
            if target["Id"] in group.targets:
                group.deregister([target])
        self.health.look()

    def _places(self, task: Task) -> Iterator[tuple[Any, dict[str, Any]]]:
        """The target groups of its service, and what it is called there."""
        groups = elbv2_backends[ACCOUNT][task.backend.region_name].target_groups
        for one in task.service.load_balancers:
            if (arn := one.get("targetGroupArn")) in groups:
                yield groups[arn], {"Id": task.address, "Port": int(one["containerPort"])}

    def _states(self, task: Task) -> set[str]:
        return {self.health.told(group, [target])[0].status for group, target in self._places(task)}

    # What is to run

    def _follow(self, backend: Any, service: Any) -> None:
        definition = backend.describe_task_definition(service.task_definition)
        _deploy(service, definition)
        mine = [one for one in self.tasks if one.service is service and one.alive]
        new = [one for one in mine if one.definition.arn == definition.arn]
        old = [one for one in mine if one.definition.arn != definition.arn]
        wanted = int(service.desired_count)
        ready = [one for one in new if one.status == "RUNNING" and self._states(one) <= {"healthy"}]
        for task in old[: max(0, len(ready) + len(old) - wanted)]:
            self._retire(task)
        for task in new[wanted:]:
            self._retire(task)
        if len(new) < wanted and time.monotonic() >= self._paused.get(service.name, (0.0, 0.0))[0]:
            self._begin(backend, service, definition)
        self._tell(service, definition, len(ready) >= wanted and not old)

    def _begin(self, backend: Any, service: Any, definition: Any) -> None:
        name = f"{service.cluster_name}/{uuid.uuid4().hex}"
        arn = f"arn:aws:ecs:{backend.region_name}:{ACCOUNT}:task/{name}"
        if sum(one.alive for one in self.tasks) >= self.capacity:
            told = (
                f"(service {service.name}) was unable to place a task because no container instance met all"
            )
            _event(service, f"{told} of its requirements.")
            self._paused[service.name] = (time.monotonic() + PAUSE, PAUSE)
            return
        task = Task(arn, service, definition, backend)
        self.tasks.append(task)
        image = str(task.container["image"])
        tag = image.rpartition(":")[2]
        if tag.endswith("missing"):
            self._failed(task, f"CannotPullContainerError: pull image manifest: {image}: not found")
            return
        task.address = self._servers.begin(tag)
        _event(service, f"(service {service.name}) has started 1 tasks: (task {name.rpartition('/')[2]}).")

    def _tell(self, service: Any, definition: Any, complete: bool) -> None:
        mine = [one for one in self.tasks if one.service is service]
        for deployment in service.deployments:
            of = [one for one in mine if one.definition.arn == deployment["taskDefinition"]]
            deployment["runningCount"] = sum(one.status == "RUNNING" for one in of)
            deployment["pendingCount"] = sum(one.status == "PENDING" for one in of)
        primary = service.deployments[0]
        primary["desiredCount"] = int(service.desired_count)
        primary["rolloutState"] = "COMPLETED" if complete else "IN_PROGRESS"
        service.deployments[1:] = [one for one in service.deployments[1:] if one["runningCount"]]
        service.running_count = sum(one.status == "RUNNING" for one in mine)
        service.pending_count = sum(one.status == "PENDING" for one in mine)
        if complete and primary["id"] != getattr(service, "steady", ""):
            service.steady = primary["id"]
            _event(service, f"(service {service.name}) has reached a steady state.")


def _services() -> Iterator[tuple[Any, Any]]:
    for backend in list(ecs_backends[ACCOUNT].values()):
        for service in list(backend.services.values()):
            if service.status == "ACTIVE" and service.task_definition:
                yield backend, service


def _deploy(service: Any, definition: Any) -> None:
    """Another task definition is another deployment; the one before stays as long as its tasks do."""
    primary = service.deployments[0]
    if primary["taskDefinition"] in (definition.arn, service.task_definition) and primary["taskDefinition"]:
        primary["taskDefinition"] = definition.arn
        return
    now = datetime.now(UTC)
    made = {**primary, "id": f"ecs-svc/{uuid.uuid4().int % 10**19}", "taskDefinition": definition.arn}
    made |= {"failedTasks": 0, "runningCount": 0, "pendingCount": 0, "createdAt": now, "updatedAt": now}
    primary["status"] = "ACTIVE"
    service.deployments.insert(0, made)


def _event(service: Any, message: str) -> None:
    if not service.events or service.events[0]["message"] != message:
        service.events.insert(
            0, {"id": str(uuid.uuid4()), "createdAt": datetime.now(UTC), "message": message}
        )


def _install(tasks: Tasks) -> None:
    """Have moto tell of these tasks, and let no service run what it was only just asked for."""

    def list_tasks(self: Any, cluster_str: Any = None, *args: Any, **more: Any) -> list[Any]:
        _, _, _, service, status = (*args, *[None] * (5 - len(args)))
        found = [
            one
            for one in tasks.tasks
            if one.backend is self
            and one.service.cluster_name == str(cluster_str or "default").rpartition("/")[2]
            and (not service or one.service.name == service.rpartition("/")[2])
            and one.told()["desiredStatus"] == (status or "RUNNING")
        ]
        return [_Named(one.arn) for one in found]

    def describe_tasks(self: Any, cluster_str: str, asked: list[str]) -> list[dict[str, Any]]:
        ids = {one.rpartition("/")[2] for one in asked}
        return [
            one.told() for one in tasks.tasks if one.backend is self and one.arn.rpartition("/")[2] in ids
        ]

    def update_service(self: Any, service_properties: dict[str, Any]) -> Any:
        name = service_properties["service"].rpartition("/")[2]
        cluster = str(service_properties.get("cluster", "default")).rpartition("/")[2]
        known = self.services.get(f"{cluster}:{name}")
        counts = (known.running_count, known.pending_count) if known else (0, 0)
        service = _real["update_service"](self, service_properties)
        service.running_count, service.pending_count = counts
        return service

    for name, method in (
        ("list_tasks", list_tasks), ("describe_tasks", describe_tasks), ("update_service", update_service),
    ):  # fmt: skip
        setattr(EC2ContainerServiceBackend, name, method)


@define
class _Named:
    task_arn: str
