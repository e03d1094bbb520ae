"""The health of targets: what really listens, as often and as often in a row as the group says."""

from __future__ import annotations

import http.client
import threading
import time
from typing import Any

from attrs import define, field
from moto.ec2.models import ec2_backends
from moto.elbv2.models import FakeHealthStatus

from tests.aws import balancing
from tests.aws.front import ACCOUNT

PACE = 0.05
"""Seconds here for one of AWS's: 5 s between two checks are a quarter of a second."""

Key = tuple[str, str, int]
"""The group, the target, and its port."""


@define
class Target:
    """One that was registered. since: when it began to drain; 0 while it does not."""

    id: str
    port: int
    state: str = "unused"
    reason: str = "Target.NotInUse"
    description: str = "Target group is not configured to receive traffic from the load balancer"
    good: int = 0
    bad: int = 0
    due: float = 0.0
    since: float = 0.0

    def become(self, state: str, reason: str = "", description: str = "") -> None:
        self.state, self.reason, self.description = state, reason, description


@define
class Health:
    """Follows the target groups of moto."""

    _targets: dict[Key, Target] = field(init=False, factory=dict)
    _guard: threading.RLock = field(init=False, factory=threading.RLock)
    _leave: threading.Event = field(init=False, factory=threading.Event)
    failures: list[str] = field(init=False, factory=list)

    def start(self) -> None:
        threading.Thread(target=self._work, name="target health", daemon=True).start()

    def stop(self) -> None:
        self._leave.set()

    def told(self, group: Any, targets: list[dict[str, Any]]) -> list[FakeHealthStatus]:
        """As DescribeTargetHealth answers: all that are registered or drain, or those that are asked for."""
        self.look()
        with self._guard:
            mine = {k: v for k, v in self._targets.items() if k[0] == group.arn}
            if not targets:
                return [_status(group, one) for one in mine.values()]
            found = []
            for asked in targets:
                port = int(asked.get("Port") or group.port)
                one = mine.get((group.arn, asked["Id"], port))
                found.append(_status(group, one or _absent(asked["Id"], port)))
            return found

    def takers(self, group: Any) -> list[tuple[str, int]]:
        """The addresses that get the group's requests: the healthy ones, all where none is (fail open)."""
        with self._guard:
            mine = [one for key, one in self._targets.items() if key[0] == group.arn and not one.since]
            healthy = [one for one in mine if one.state == "healthy"]
            return [(address(one.id), one.port) for one in healthy or mine if one.state != "unused"]

    def look(self) -> None:
        """Take in what is registered now, what has drained, and what is used."""
        now = time.monotonic()
        with self._guard:
            seen = set()
            for backend in balancing.backends():
                inuse = balancing.used(backend)
                for group in list(backend.target_groups.values()):
                    for row in list(group.targets.values()):
                        seen.add(self._registered(group, row, now, inuse=group.arn in inuse))
                    delay = float(group.attributes["deregistration_delay.timeout_seconds"]) * PACE
                    self._draining(group, seen, now, delay)

    def _registered(self, group: Any, row: dict[str, Any], now: float, *, inuse: bool) -> Key:
        key = (group.arn, row["Id"], int(row.get("Port") or group.port))
        one = self._targets.get(key)
        if one is None or one.since:
            one = self._targets[key] = Target(row["Id"], key[2])
        if not inuse:
            one.become(*_absent_use())
            one.good = one.bad = 0
        elif one.state == "unused":
            one.become("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
            one.due = now
        return key

    def _draining(self, group: Any, seen: set[Key], now: float, delay: float) -> None:
        for key, one in list(self._targets.items()):
            if key[0] != group.arn or key in seen:
                continue
            if one.state == "unused" or (one.since and now - one.since >= delay):
                del self._targets[key]
            elif not one.since:
                one.since = now
                one.become(
                    "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
                )

    def _work(self) -> None:
        while not self._leave.wait(0.01):
            try:
                self.look()
                self._check()
            except Exception as error:  # noqa: BLE001 - the thread has to go on
                self.failures.append(f"{type(error).__name__}: {error}")

    def _check(self) -> None:
        groups = {g.arn: g for b in balancing.backends() for g in list(b.target_groups.values())}
        now = time.monotonic()
        with self._guard:
            due = [
                (groups[key[0]], one)
                for key, one in self._targets.items()
                if key[0] in groups and one.state in ("initial", "healthy", "unhealthy") and one.due <= now
            ]
        for group, one in due:
            complaint = probe(group, one)
            with self._guard:
                one.due = now + int(group.health_check_interval_seconds) * PACE
                self._judge(group, one, complaint)

    def _judge(self, group: Any, one: Target, complaint: tuple[str, str] | None) -> None:
        if one.state not in ("initial", "healthy", "unhealthy"):
            return  # it was deregistered, or its group is used no more
        if complaint is None:
            one.good, one.bad = one.good + 1, 0
            if one.state != "healthy" and one.good >= int(group.healthy_threshold_count):
                one.become("healthy")
        else:
            one.good, one.bad = 0, one.bad + 1
            if one.bad >= int(group.unhealthy_threshold_count):
                one.become("unhealthy", *complaint)


def probe(group: Any, one: Target) -> tuple[str, str] | None:
    """One check by HTTP; the reason and description of what is wrong."""
    port = one.port if group.health_check_port in (None, "traffic-port") else int(group.health_check_port)
    timeout = max(0.2, int(group.health_check_timeout_seconds) * PACE)
    connection = http.client.HTTPConnection(address(one.id), port, timeout=timeout)
    try:
        connection.request("GET", group.health_check_path or "/")
        status = connection.getresponse().status
    except TimeoutError:
        return "Target.Timeout", "Request timed out"
    except (OSError, http.client.HTTPException):
        return "Target.FailedHealthChecks", "Health checks failed"
    finally:
        connection.close()
    matcher = str((group.matcher or {}).get("HttpCode", "200"))
    if any(_within(status, part) for part in matcher.split(",")):
        return None
    return "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]"


def _within(status: int, part: str) -> bool:
    low, _, high = part.strip().partition("-")
    return int(low) <= status <= int(high or low)


def address(target: str) -> str:
    """Where a target's process really listens: 10.x.y.z of the VPC is 127.x.y.z of this machine."""
    if target.startswith("i-"):
        for backend in ec2_backends[ACCOUNT].values():
            instance = backend.get_instance_by_id(target)
            if instance is not None:
                target = instance.private_ip
    return "127." + target.partition(".")[2]


def _status(group: Any, one: Target) -> FakeHealthStatus:
    return FakeHealthStatus(
        one.id, str(one.port), group.health_check_port, one.state, one.reason or None, one.description or None
    )


def _absent(id_: str, port: int) -> Target:
    """What is told of one that is not registered, or no longer."""
    return Target(id_, port, "unused", "Target.NotRegistered", "Target is not registered to the target group")


def _absent_use() -> tuple[str, str, str]:
    told = "Target group is not configured to receive traffic from the load balancer"
    return "unused", "Target.NotInUse", told
