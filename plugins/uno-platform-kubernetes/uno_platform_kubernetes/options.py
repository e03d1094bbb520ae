"""What is configured of Kubernetes. Imports no SDK: it is read whenever options are checked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import frozen

from uno_core import option

NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
ROUTERS = ("service", "replicas", "gateway-api", "istio")


@frozen(kw_only=True)
class KubernetesTraffic:
    """What splits the traffic."""

    router: str = option(
        default="",
        choices=("", *ROUTERS),
        help="service: its selector, whole switches; replicas: shares by the number of pods; gateway-api:"
        " weights of an HTTPRoute; istio: weights of a VirtualService. Found out where it is not said",
    )
    route: str = option(default="", help="the HTTPRoute or VirtualService; by default named as the service")
    grace: float = option(
        default=3.0,
        unit="s",
        ge=0,
        help="from all endpoints being the new ones to the switch counting as done",
    )


@frozen(kw_only=True)
class KubernetesOptions:
    """One application in one namespace of one cluster."""

    kubeconfig: str = option(
        default="",
        help="the kubeconfig; by default KUBECONFIG, ~/.kube/config, or the pod's own",
    )
    context: str = option(default="", help="the context of the kubeconfig; by default its current one")
    namespace: str = option(
        default="", help="where the application is; by default the context's own, else default"
    )
    deployment: str = option(default="", help="the Deployment; by default named as the application")
    service: str = option(default="", help="the Service before it; by default named as the application")
    container: str = option(default="", help="the container that is released, where there are several")
    instances: int = option(
        default=0, ge=0, help="pods when one slot carries everything; 0: as many as the live slot has"
    )
    min_ready_seconds: float = option(
        default=0.0,
        unit="s",
        ge=0,
        help="how long a pod has to be ready to count; the Deployment's own at least",
    )
    adopt: bool = option(default=False, help="take over the fields that kubectl or Helm own, once, by name")
    gitops: str = option(
        default="refuse",
        choices=("refuse", "cooperate"),
        help="what to do where Argo CD, Flux or Helm manages the objects",
    )
    beside: Sequence[str] = option(
        default=(), help="other Services, PodDisruptionBudgets or NetworkPolicies that may select both slots"
    )
    traffic: KubernetesTraffic = option(factory=KubernetesTraffic, help="what splits the traffic")

    def __attrs_post_init__(self) -> None:
        named = {"namespace": self.namespace, "deployment": self.deployment, "service": self.service,
                 "traffic.route": self.traffic.route}  # fmt: skip
        for key, name in named.items():
            if name and not NAME.fullmatch(name):
                raise ValueError(f"{key} = {name}: expected the name of an object, such as my-app")
