"""Kubernetes: both halves, and the wait for a change of either."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

from uno_core import Capabilities, Diagnosis, Forbidden, Platform, Services
from uno_platform_kubernetes.adopting import check
from uno_platform_kubernetes.api import Missing
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.diagnosing import diagnose
from uno_platform_kubernetes.options import KubernetesOptions
from uno_platform_kubernetes.routers import ObjectRouter, ReplicasRouter, ServiceRouter
from uno_platform_kubernetes.routes import GATEWAY, ISTIO, GatewayRouter, IstioRouter
from uno_platform_kubernetes.slots import Slots
from uno_platform_kubernetes.workload import KubernetesWorkload

KINDS: dict[str, type[ObjectRouter]] = {
    "service": ServiceRouter,
    "replicas": ReplicasRouter,
    "gateway-api": GatewayRouter,
    "istio": IstioRouter,
}


class KubernetesPlatform(Platform[KubernetesOptions]):
    """A Deployment per slot behind a Service, an HTTPRoute or a VirtualService."""

    workload: KubernetesWorkload

    def __init__(self, options: KubernetesOptions, services: Services) -> None:
        super().__init__(options, services)
        self.cluster = Cluster(options, services)
        self.slots = Slots(self.cluster)
        self.workload = KubernetesWorkload(self.cluster, self.slots)
        if services.routed:
            # Not before it is needed: the router may have to look for itself.
            self.workload.marked = lambda: self.router.marked()  # noqa: PLW0108

    @cached_property
    def router(self) -> ObjectRouter:  # type: ignore[override]  # made when it is first needed: it may have to look
        return KINDS[self.options.traffic.router or self._found()](self.cluster, self.slots)

    def _found(self) -> str:
        """Which router there is something for; the number of pods where there is nothing else."""
        name = self.options.traffic.route or self.cluster.service
        for kind, group, plural in (
            ("gateway-api", GATEWAY, "httproutes"),
            ("istio", ISTIO, "virtualservices"),
        ):
            try:
                self.cluster.api.get(self.cluster.group(group, plural, name))
            except Missing:
                continue
            except Forbidden:
                # So an apiserver answers also for a kind that it does not have.
                self.services.logger.debug("not permitted to look for a route", router=kind)
                continue
            return kind
        return "replicas"

    def capable(self) -> Capabilities:
        return self.router.capabilities

    def prepare(self) -> None:
        check(self.cluster, self.router if self.services.routed else None)
        if self.services.routed:
            self.slots.check_settled()
            self.router.prepare()

    def wait_for_change(self, timeout: float) -> bool:
        """By the watches, or when a grace that is waited out comes to its end."""
        router = self.__dict__.get("router")
        ends = router.ends_in() if router is not None else math.inf
        news = self.cluster.changes.wait(min(timeout, ends))
        return news or ends <= timeout or bool(self.options.min_ready_seconds)

    def diagnose(self) -> Sequence[Diagnosis]:
        return list(diagnose(self.cluster, self.router if self.services.routed else None))

    def close(self) -> None:
        self.cluster.close()
