"""AWS ALB: both halves, and how often it is looked at."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from attrs import evolve

from uno_aws.session import Aws
from uno_core import Capabilities, Diagnosis, GivenWorkload, Platform, Services
from uno_platform_aws_alb.balancer import Balancer
from uno_platform_aws_alb.diagnosing import diagnose
from uno_platform_aws_alb.groups import GroupMembers
from uno_platform_aws_alb.options import AlbOptions
from uno_platform_aws_alb.router import AlbRouter
from uno_platform_aws_alb.services import EcsWorkload

JITTER = 2.0
"""A look is put off by up to so many times `poll`: many that wait do not ask at the same moment."""


class AlbPlatform(Platform[AlbOptions]):
    """Weighted target groups of an Application Load Balancer; ECS services or given instances."""

    workload: EcsWorkload | GivenWorkload
    router: AlbRouter

    def __init__(self, options: AlbOptions, services: Services) -> None:
        super().__init__(options, services)
        self.aws = Aws(options, services.clock)
        self.balancer = Balancer(self.aws, options, services)
        given = options.workload.type == "instances"
        self.workload = self._given() if given else EcsWorkload(self.balancer)
        self.router = AlbRouter(self.balancer)
        self._due = 0.0

    def _given(self) -> GivenWorkload:
        return GivenWorkload(
            GroupMembers(self.balancer),
            self.options.workload,
            instances=self.options.instances,
            healthy_looks=self.options.healthy_looks,
        )

    @property
    def runs_releases(self) -> bool:
        """Whether it has anything to run them on, and is not there for its router alone."""
        workload = self.options.workload
        return bool(workload.services or workload.targets or workload.command)

    def capable(self) -> Capabilities:
        given = isinstance(self.workload, GivenWorkload)
        return evolve(self.router.capabilities, elastic=not given, steps=given)

    def prepare(self) -> None:
        if self.runs_releases:
            self.workload.check()
        self.router.prepare()

    def remarks(self) -> Sequence[str]:
        return list(self.router.remarks())

    def wait_for_change(self, timeout: float) -> bool:
        """There is no watch: it is looked at again after `poll`, and somewhat later by chance."""
        clock = self.services.clock
        now = clock.monotonic()
        if now >= self._due:
            spread = random.uniform(1.0, 1.0 + JITTER)  # noqa: S311 - no secret
            self._due = now + self.options.poll * spread
        clock.sleep(min(timeout, max(0.0, self._due - now)))
        return clock.monotonic() >= self._due

    def diagnose(self) -> Iterable[Diagnosis]:
        return diagnose(self.balancer, self.workload if self.runs_releases else None, self.router)

    def close(self) -> None:
        if isinstance(self.workload, GivenWorkload):
            self.workload.close()
        self.aws.close()
