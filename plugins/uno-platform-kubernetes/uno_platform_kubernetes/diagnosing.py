"""What is right and wrong with a cluster for an application: reachable, permitted, there, in the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from uno_core import Diagnosis, UnoError
from uno_platform_kubernetes.api import Missing
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.objects import manager_of, name_of
from uno_platform_kubernetes.routers import ObjectRouter

REVIEW = "authorization.k8s.io/v1"

ALWAYS: Sequence[tuple[str, str, str]] = (
    ("apps", "deployments", "get list watch create patch"),
    ("apps", "replicasets", "get list watch"),
    ("", "pods", "get list watch"),
    ("", "pods/log", "get"),
    ("", "services", "get list watch create patch"),
    ("discovery.k8s.io", "endpointslices", "get list watch"),
    ("policy", "poddisruptionbudgets", "get list"),
    ("networking.k8s.io", "networkpolicies", "get list"),
)
"""Group, resource and verbs that uno needs whatever splits the traffic."""

IGNORED = """\
ignoreDifferences:
- {{group: apps, kind: Deployment, name: {deployment}, jsonPointers: [/spec/replicas]}}
- {{kind: Service, name: {service}, jsonPointers: [/spec/selector]}}"""
"""What an Argo CD Application has to ignore, with RespectIgnoreDifferences=true among its syncOptions."""


def diagnose(cluster: Cluster, router: ObjectRouter | None) -> Iterator[Diagnosis]:
    """Looks only."""
    try:
        version = cluster.api.version()
    except UnoError as problem:
        remedy = problem.remedy or "log in, and look again"
        yield Diagnosis.error("cluster", problem.message + _found(problem), remedy)
        return
    where = cluster.options.context or "the current context"
    yield Diagnosis.ok("cluster", f"{version}, by {where}, namespace {cluster.namespace}")
    yield from _permissions(cluster, router)
    yield from _objects(cluster, router)


def _found(problem: UnoError) -> str:
    return f" ({problem.found})" if problem.found else ""


def _permissions(cluster: Cluster, router: ObjectRouter | None) -> Iterator[Diagnosis]:
    wanted = [(group, resource, verb) for group, resource, verbs in ALWAYS for verb in verbs.split()]
    if router is not None and router.path().startswith("/apis/"):
        _, _, group, _, _, _, resource, _ = router.path().split("/")
        wanted += [(group, resource, verb) for verb in ("get", "list", "watch", "patch")]
    missing = [
        f"{verb} {resource}" for group, resource, verb in wanted if not _may(cluster, group, resource, verb)
    ]
    if missing:
        yield Diagnosis.error(
            "permissions", f"not permitted: {', '.join(missing)}",
            "give this user the role of the documentation, under Kubernetes",
        )  # fmt: skip
    else:
        yield Diagnosis.ok("permissions", f"all {len(wanted)} that are needed")


def _may(cluster: Cluster, group: str, resource: str, verb: str) -> bool:
    name, _, sub = resource.partition("/")
    asked = {"group": group, "resource": name, "subresource": sub, "verb": verb}
    body = {
        "apiVersion": REVIEW,
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"namespace": cluster.namespace, **asked}},
    }
    said: Mapping[str, Any] = cluster.api.create(f"/apis/{REVIEW}/selfsubjectaccessreviews", body)
    return bool((said.get("status") or {}).get("allowed"))


def _objects(cluster: Cluster, router: ObjectRouter | None) -> Iterator[Diagnosis]:
    deployments = cluster.deployments()
    if not deployments:
        missing = f"there is no Deployment {cluster.deployment}"
        yield Diagnosis.error("deployment", missing, "kubectl apply it, or set platform.deployment")
        return
    told = ", ".join(f"{slot.value} is {name_of(one)}" for slot, one in deployments.items())
    yield Diagnosis.ok("deployment", told)
    if router is not None:
        try:
            thing = router.object()
        except UnoError as problem:
            yield Diagnosis.error("traffic", problem.message, problem.remedy)
        else:
            by = type(router).__name__.removesuffix("Router").lower()
            yield Diagnosis.ok("traffic", f"{by}: {name_of(thing)}")
    for one in deployments.values():
        if (manager := manager_of(one)) and cluster.options.gitops == "refuse":
            ignored = IGNORED.format(deployment=name_of(one), service=cluster.service)
            yield Diagnosis.warning(
                "gitops", f"{manager} keeps {name_of(one)} as it is",
                f"have it ignore what uno writes, then platform.gitops: cooperate\n{ignored}",
            )  # fmt: skip
    yield from _scaled_by_others(cluster, {name_of(one) for one in deployments.values()})


def _scaled_by_others(cluster: Cluster, names: set[str]) -> Iterator[Diagnosis]:
    try:
        found = cluster.api.get(cluster.group("autoscaling/v2", "horizontalpodautoscalers"))["items"]
    except (Missing, UnoError):
        return
    for one in found:
        target = one["spec"]["scaleTargetRef"]
        if target.get("kind") == "Deployment" and target.get("name") in names:
            yield Diagnosis.warning(
                "autoscaling", f"the HPA {name_of(one)} scales {target['name']}, and not the other slot",
                "take it off for a deployment, or set platform.instances",
            )  # fmt: skip
