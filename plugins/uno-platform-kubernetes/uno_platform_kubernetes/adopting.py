"""What has to hold before uno writes to what others made: nobody keeps it, nothing else selects it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from uno_core import ConfigError, Slot
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.objects import (
    ADOPTED,
    APPLICATION,
    SLOT,
    annotations_of,
    foreign,
    labels_of,
    manager_of,
    name_of,
    selects,
)
from uno_platform_kubernetes.routers import ObjectRouter

Object = Mapping[str, Any]


def check(cluster: Cluster, router: ObjectRouter | None) -> None:
    """Raises ConfigError where uno would fight with somebody, or somebody would send traffic past it."""
    if cluster.options.gitops == "refuse":
        _check_managers(cluster, router)
    # Once there is a second slot this was checked, when it was about to be made.
    first = Slot.GREEN not in cluster.deployments() and bool(cluster.deployments())
    if first and (others := list(_selecting_both(cluster))):
        raise ConfigError(
            "something else selects the pods of both slots",
            found=", ".join(others),
            expected="only what uno makes, and what platform.beside names",
            where=f"namespace {cluster.namespace}",
            remedy=f"if that is meant: platform.beside: [{', '.join(others)}]",
        )
    _take(cluster, router)


def _take(cluster: Cluster, router: ObjectRouter | None) -> None:
    """Take the fields that uno will write of what was there before, where it was told to; else refuse."""
    original = cluster.deployments().get(Slot.BLUE)
    wanted: list[tuple[str, Object, str, Callable[[Object], None]]] = []
    if original is not None and labels_of(original).get(APPLICATION) != cluster.application:
        path = cluster.apps("deployments", name_of(original))
        wanted.append((path, original, "spec.replicas", cluster.original.keep))
    if router is not None:
        wanted.append((router.path(), router.object(), router.taken, router.keep))
    owned = [
        one
        for one in wanted
        if foreign(one[1], *one[2].split(".")) and one[2] not in annotations_of(one[1]).get(ADOPTED, "")
    ]
    if not owned:
        return
    told = [
        f"{field} of {name_of(thing)} ({', '.join(foreign(thing, *field.split('.')))})"
        for _, thing, field, _ in owned
    ]
    if not cluster.options.adopt:
        raise ConfigError(
            "somebody else owns what uno has to write",
            found="; ".join(told),
            expected="to be told that uno may take it, once",
            where=f"namespace {cluster.namespace}",
            remedy="--adopt, or platform.adopt: true; who applies these fields again undoes what uno does",
        )
    for path, _, field, keep in owned:
        keep(cluster.api.patch(path, {"metadata": {"annotations": {ADOPTED: field}}}))
    cluster.services.logger.warning("took over what others own", fields="; ".join(told))


def _check_managers(cluster: Cluster, router: ObjectRouter | None) -> None:
    things: list[Object] = list(cluster.deployments().values())
    if router is not None:
        things.append(router.object())
    for thing in things:
        if labels_of(thing).get(APPLICATION) == cluster.application:
            continue
        if manager := manager_of(thing):
            raise ConfigError(
                f"{manager} keeps {name_of(thing)} as it is, and would undo what uno does",
                found=f"its labels and annotations on {name_of(thing)}",
                expected="nobody else who writes the selector and the replicas",
                where=f"namespace {cluster.namespace}",
                remedy="have it ignore these fields (`uno doctor` prints the rules), then set"
                " platform.gitops: cooperate",
            )


def _selecting_both(cluster: Cluster) -> Iterator[str]:
    """Services, PodDisruptionBudgets and NetworkPolicies that select what both slots have in common."""
    common = {**_pod_labels(cluster), APPLICATION: cluster.application}
    blue, green = ({**common, SLOT: slot.value} for slot in Slot)
    kinds = (
        ("service", cluster.core("services"), "selector"),
        ("pdb", cluster.group("policy/v1", "poddisruptionbudgets"), "selector"),
        ("networkpolicy", cluster.group("networking.k8s.io/v1", "networkpolicies"), "podSelector"),
    )
    for kind, path, field in kinds:
        for one in cluster.api.get(path)["items"]:
            name = f"{kind}/{name_of(one)}"
            if (kind == "service" and name_of(one) == cluster.service) or name in cluster.options.beside:
                continue
            selector = one["spec"].get(field)
            everything = kind != "service" and selector is not None and not any(selector.values())
            if everything or (selects(selector, blue) and selects(selector, green)):
                yield name


def _pod_labels(cluster: Cluster) -> Mapping[str, str]:
    for one in cluster.deployments().values():
        return (one["spec"]["template"].get("metadata") or {}).get("labels") or {}
    return {}
