"""Kubernetes: both halves, and the wait for a change of either."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property

from attrs import evolve

from uno_core import Capabilities, ConfigError, Diagnosis, Forbidden, Platform, Services
from uno_platform_kubernetes.adopting import check, refuse, remarks, take
from uno_platform_kubernetes.api import Missing
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.companions import KubernetesCompanions
from uno_platform_kubernetes.diagnosing import diagnose
from uno_platform_kubernetes.gateway import GATEWAY, GatewayRouter
from uno_platform_kubernetes.options import KubernetesOptions
from uno_platform_kubernetes.routers import ObjectRouter, ReplicasRouter, ServiceRouter
from uno_platform_kubernetes.routes import ISTIO, IstioRouter
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
        self.companions = KubernetesCompanions(self.cluster)
        if services.routed:
            # Not before it is needed: the router may have to look for itself.
            self.workload.marked = lambda: self.router.marked()  # noqa: PLW0108

    @cached_property
    def router(self) -> ObjectRouter:  # type: ignore[override]  # made when it is first needed: it may have to look
        kind, traffic = self.options.traffic.router or self._found(), self.options.traffic
        if kind != "gateway-api" and (traffic.testers or traffic.mirror):
            raise ConfigError(
                "testers and a mirror need an HTTPRoute", found=f"the router {kind}",
                expected="gateway-api", where="traffic",
                remedy="create a route, or take `testers` and `mirror` out",
            )  # fmt: skip
        return KINDS[kind](self.cluster, self.slots)

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
        return evolve(self.router.capabilities, elastic=True)

    def prepare(self) -> None:
        check(self.cluster, self.router if self.services.routed else None)
        if self.services.routed:
            self.slots.check_settled()
            self.router.prepare()
        self.workload.tidy()

    def remarks(self) -> Sequence[str]:
        router = self.router if self.services.routed else None
        told = [*remarks(self.cluster, router), *self.slots.remarks()]
        if router is not None:
            told += router.remarks(self.workload.observe().size)
        return told

    def adopt(self) -> Sequence[str]:
        router = self.router if self.services.routed else None
        refuse(self.cluster, router)
        self.slots.check_settled()
        done = [f"took over {words}" for words in take(self.cluster, router, told=True)]
        if router is not None and (prepared := router.prepare()):
            done.append(prepared)
        return done

    def wait_for_change(self, timeout: float) -> bool:
        """By the watches, or when a grace that is waited out comes to its end."""
        router = self.__dict__.get("router")
        ends = router.ends_in() if router is not None else math.inf
        news = self.cluster.changes.wait(min(timeout, ends))
        return news or ends <= timeout or bool(self.options.min_ready_seconds)

    def diagnose(self) -> Iterable[Diagnosis]:
        return diagnose(self.cluster, lambda: self.router if self.services.routed else None, KINDS)

    def close(self) -> None:
        self.cluster.close()
