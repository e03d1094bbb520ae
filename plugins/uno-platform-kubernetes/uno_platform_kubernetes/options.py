"""What is configured of Kubernetes. Imports no SDK: it is read whenever options are checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from uno_core import option

NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
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
    testers: str = option(
        default="",
        help="a header, as `x-release: next`, whose requests get the new release from the beginning"
        " (gateway-api)",
    )
    mirror: float = option(
        default=0.0,
        ge=0,
        le=100,
        unit="%",
        help="of the requests, sent to the new release once more, its answers thrown away (gateway-api)",
    )
    grace: float = option(
        default=3.0,
        unit="s",
        ge=0,
        help="from all endpoints being the new ones to the switch counting as done",
    )

    def __attrs_post_init__(self) -> None:
        if self.testers:
            header(self.testers)


def header(text: str) -> tuple[str, str]:
    """Name and value of a header as it is written. Raises ValueError for what is none."""
    name, colon, value = (part.strip() for part in text.partition(":"))
    if not colon or not value or not HEADER.fullmatch(name):
        raise ValueError(f"testers = {text}: expected a header and its value, as x-release: next")
    return name, value


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
    manifest: Path | None = option(
        default=None,
        help="a file, or a directory of files, whose Deployment releases are made from, with its ConfigMaps"
        " and Secrets; by default they are made from what serves",
    )
    versioned: bool = option(
        default=False,
        help="give each release copies of the ConfigMaps and Secrets that its pods name, as they are then",
    )
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


@frozen(kw_only=True)
class UsageOptions:
    """How old a reading may be, and how long it may take."""

    stale: float = option(
        default=90.0, unit="s", gt=0, help="the age at which a pod's reading counts no longer"
    )
    timeout: float = option(default=10.0, unit="s", gt=0, help="how long the whole answer may take")


@frozen(kw_only=True)
class ReadinessOptions:
    """None: what ready means is said by the pods' readiness probes and `platform.min_ready_seconds`."""
