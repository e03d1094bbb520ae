"""What is right and wrong with a cluster for an application: reachable, permitted, there, in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from uno_core import Condition, Diagnosis, Forbidden, UnoError
from uno_platform_kubernetes import gitops
from uno_platform_kubernetes.autoscaling import KEDA as KEDA_KIND
from uno_platform_kubernetes.autoscaling import Autoscalers
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.gateway import GATEWAY
from uno_platform_kubernetes.objects import name_of
from uno_platform_kubernetes.permissions import ALWAYS, COPIES, KEDA, ROUTES, Rule, permissions, who
from uno_platform_kubernetes.routers import ObjectRouter
from uno_platform_kubernetes.routes import ISTIO
from uno_platform_kubernetes.usage import METRICS

PATIENCE = 3.0
"""Seconds that an apiserver has to say who it is: there are five for all that is looked at."""

SERVED: Mapping[str, tuple[str, str]] = {"gateway-api": (GATEWAY, "Gateway API"), "istio": (ISTIO, "Istio")}
"""By what splits the traffic: the group that it is of, and what that is called."""


def diagnose(
    cluster: Cluster, router: Callable[[], ObjectRouter | None], kinds: Mapping[str, type[ObjectRouter]]
) -> Iterator[Diagnosis]:
    """Looks only. What cannot be looked at is a finding, and keeps nothing else from being told.

    router: of the application; it may have to look for itself, and fail. kinds: what it can be.
    """
    try:
        version = cluster.api.version(PATIENCE)
        where = cluster.options.context or "the current context"
        user = who(cluster)
    except UnoError as problem:
        yield _told("cluster", problem, "log in, and look again")
        return
    user = f" as {user}" if user else ""
    yield Diagnosis.ok("cluster", f"{version}, by {where}{user}, namespace {cluster.namespace}")
    try:
        _ = cluster.manifest
    except UnoError as problem:
        yield _told("manifest", problem, "correct platform.manifest")
        return  # what the rest would be looked at for is in there
    names: list[str] = []
    yield from _guarded("traffic", lambda: _router(cluster, router, kinds, names))
    yield from permissions(cluster, _needed(cluster, names))
    yield from _guarded("deployment", lambda: _deployments(cluster))
    yield from _guarded("gitops", lambda: _managed(cluster, router))
    yield from _guarded("autoscaling", lambda: _scaled(cluster))
    yield from _guarded("metrics.k8s.io", lambda: _measured(cluster))


def _guarded(about: str, look: Callable[[], Iterator[Diagnosis]]) -> Iterator[Diagnosis]:
    try:
        yield from look()
    except UnoError as problem:
        yield _told(about, problem, "`uno status` shows more")


def _told(about: str, problem: UnoError, remedy: str) -> Diagnosis:
    found = f"{problem.message} ({problem.found})" if problem.found else problem.message
    return Diagnosis.error(about, found, problem.remedy or remedy, forbidden=isinstance(problem, Forbidden))


def _needed(cluster: Cluster, routers: Sequence[str]) -> Sequence[Rule]:
    """What the configuration asks for, as far as the platform knows it."""
    rules = [*ALWAYS, *(ROUTES[name] for name in routers if name in ROUTES)]
    if cluster.options.versioned or cluster.manifest is not None:
        rules += COPIES
    if _serves(cluster, KEDA_KIND.version):
        rules.append(KEDA)
    return rules


def _serves(cluster: Cluster, version: str) -> bool:
    """Whether there is a group of the API in this version; whoever may log in may ask that."""
    try:
        cluster.api.once(f"/apis/{version}")
    except UnoError:
        return False
    return True


def _router(
    cluster: Cluster,
    router: Callable[[], ObjectRouter | None],
    kinds: Mapping[str, type[ObjectRouter]],
    names: list[str],
) -> Iterator[Diagnosis]:
    """What splits the traffic, why it is that, and what else there would be. Its name is kept in `names`."""
    served = {name: words for name, (version, words) in SERVED.items() if _serves(cluster, version)}
    there = f"the cluster has {' and '.join(served.values()) or 'neither Gateway API nor Istio'}"
    asked, name = cluster.options.traffic.router, cluster.options.traffic.route or cluster.service
    one = router()
    if one is None:
        yield Diagnosis.ok("traffic", f"none is configured; {there}")
        return
    kind = next(name for name, kind in kinds.items() if type(one) is kind)
    names.append(kind)
    if asked in SERVED and asked not in served:
        version, words = SERVED[asked]
        yield Diagnosis.error(
            "traffic", f"traffic.router is {asked}, and the cluster does not serve {version}",
            f"install {words}, or take traffic.router out: {there}",
        )  # fmt: skip
        return
    for each in served if not asked else ():
        hidden = [one for one in permissions(cluster, [_look(each)]) if one.condition is not Condition.OK]
        if hidden:
            yield Diagnosis.warning(
                "traffic", f"whether {served[each]} routes to {name} must not be looked at",
                f"say it by traffic.router; or {hidden[0].remedy}",
            )  # fmt: skip
    why = "as configured" if asked else "found" if kind in SERVED else "since there is no route of that name"
    yield Diagnosis.ok("traffic", f"{kind}, {why}: {name_of(one.object())}; {there}")


def _look(router: str) -> Rule:
    """The right to see whether there is a route."""
    return Rule(ROUTES[router].group, ROUTES[router].resource, "get")


def _deployments(cluster: Cluster) -> Iterator[Diagnosis]:
    deployments, manifest = cluster.deployments(), cluster.manifest
    if deployments:
        told = ", ".join(f"{slot.value} is {name_of(one)}" for slot, one in deployments.items())
        yield Diagnosis.ok("deployment", told)
    elif manifest is not None:
        yield Diagnosis.ok("deployment", f"none yet: it is made of {manifest.path}")
    else:
        missing = f"there is no Deployment {cluster.deployment} in the namespace {cluster.namespace}"
        remedy = "kubectl apply it, or set platform.deployment or platform.manifest"
        yield Diagnosis.error("deployment", missing, remedy)


def _managed(cluster: Cluster, router: Callable[[], ObjectRouter | None]) -> Iterator[Diagnosis]:
    """Who else keeps what uno writes, and the rules by which he leaves that alone."""
    for manager, things in gitops.managed(cluster, router()).items():
        names = ", ".join(f"{one.kind} {name_of(one.thing)}" for one in things)
        fields = ", ".join(dict.fromkeys(field for one in things for field in one.fields))
        if cluster.options.gitops == "refuse":
            yield Diagnosis.warning(
                "gitops", f"{manager} keeps {names} as it is, by {manager.by}",
                gitops.rules(manager, things, cluster.namespace),
            )  # fmt: skip
        else:
            yield Diagnosis.ok("gitops", f"{manager} keeps {names}, and is said to leave {fields} alone")


def _measured(cluster: Cluster) -> Iterator[Diagnosis]:
    told = "is served: `metrics: kubernetes` can read what the pods use"
    yield Diagnosis.ok("metrics.k8s.io", told if _serves(cluster, METRICS) else "is not served")


def _scaled(cluster: Cluster) -> Iterator[Diagnosis]:
    """What sizes the slots, and up to where; a warning where it could not bring up what is configured."""
    wanted, autoscalers = cluster.options.instances, Autoscalers(cluster)
    for name in map(name_of, cluster.deployments().values()):
        found = autoscalers.of(name)
        if found is None:
            continue
        if wanted > found.most:
            yield Diagnosis.warning(
                "autoscaling", f"the {found} gives {name} {found.most} pods at the most",
                f"platform.instances asks for {wanted}: raise the one or lower the other",
            )  # fmt: skip
        else:
            own = "what it says" if found.own_least is None else found.own_least
            yield Diagnosis.ok("autoscaling", f"the {found} gives {name} {own} to {found.most} pods")
