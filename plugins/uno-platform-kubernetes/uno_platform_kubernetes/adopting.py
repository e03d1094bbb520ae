"""What has to hold before uno writes to what others made: nobody keeps it, nothing else selects it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import frozen

from uno_core import ConfigError, Slot
from uno_platform_kubernetes import gitops
from uno_platform_kubernetes.autoscaling import Autoscalers
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.objects import (
    ADOPTED,
    APPLICATION,
    SLOT,
    annotations_of,
    foreign,
    labels_of,
    name_of,
    selects,
)
from uno_platform_kubernetes.routers import ObjectRouter

Object = Mapping[str, Any]


def check(cluster: Cluster, router: ObjectRouter | None) -> None:
    """Raises ConfigError where uno would fight with somebody, or somebody would send traffic past it."""
    refuse(cluster, router)
    take(cluster, router, told=cluster.options.adopt)


def refuse(cluster: Cluster, router: ObjectRouter | None) -> None:
    """Raises ConfigError for what no adoption mends. Writes nothing."""
    gitops.check(cluster, router)
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
    _check_size(cluster)


def _check_size(cluster: Cluster) -> None:
    """Raises ConfigError where an autoscaler could never bring up what is configured."""
    wanted, autoscalers = cluster.options.instances, Autoscalers(cluster)
    for deployment in cluster.deployments().values():
        one = autoscalers.of(name_of(deployment)) if wanted else None
        if one is not None and wanted > one.most:
            raise ConfigError(
                f"{wanted} pods are more than the {one} permits", found=f"{one.kind.most}: {one.most}",
                expected=f"at least {wanted}", where="platform.instances",
                remedy="lower it, or take it out: the size is then what serves",
            )  # fmt: skip


@frozen
class Owned:
    """A field that uno has to write and others own. keep: takes in what a write of it answered.

    kind: of an object whose field is not written at once, and that others may let go of before.
    """

    path: str
    thing: Object
    field: str
    keep: Callable[[Object], None]
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.field} of {name_of(self.thing)} ({', '.join(self.owners)})"

    @property
    def told(self) -> bool:
        """Whether uno was told already that it may."""
        return self.field in annotations_of(self.thing).get(ADOPTED, "").split()

    @property
    def owners(self) -> Sequence[str]:
        return foreign(self.thing, *self.field.split("."))


def owned(cluster: Cluster, router: ObjectRouter | None) -> Sequence[Owned]:
    """What uno will write of what was there before, and was not told yet that it may."""
    original = cluster.deployments().get(Slot.BLUE)
    wanted: list[Owned] = []
    if original is not None and labels_of(original).get(APPLICATION) != cluster.application:
        path = cluster.apps("deployments", name_of(original))
        wanted.append(Owned(path, original, "spec.replicas", cluster.original.keep, "Deployment"))
    if router is not None:
        wanted.append(Owned(router.path(), router.object(), router.taken, router.keep))
    autoscalers = Autoscalers(cluster)
    for one in filter(None, (autoscalers.of(name_of(each)) for each in cluster.deployments().values())):
        kept = partial(autoscalers.keep, one)
        path, kind = autoscalers.path(one), one.kind.name
        wanted += [Owned(path, one.object, field, kept, kind) for field in one.fields]
    return [one for one in wanted if one.owners and not one.told]


def take(cluster: Cluster, router: ObjectRouter | None, *, told: bool) -> Sequence[str]:
    """Take these fields, by name, where uno was told to; returns them in words. Raises ConfigError if not."""
    found = owned(cluster, router)
    words = [str(one) for one in found]
    if found and not told:
        raise ConfigError(
            "somebody else owns what uno has to write",
            found="; ".join(words),
            expected="to be told that uno may take it, once",
            where=f"namespace {cluster.namespace}",
            remedy="--adopt, `uno adopt` or platform.adopt: true; who applies these fields again undoes what"
            " uno does",
        )
    fields: dict[str, set[str]] = {}
    for one in found:
        taken = fields.setdefault(one.path, set(annotations_of(one.thing).get(ADOPTED, "").split()))
        taken.add(one.field)
        if one.kind:
            gitops.share(cluster, one.path, one.kind, sorted(taken))
        patch = {"metadata": {"annotations": {ADOPTED: " ".join(sorted(taken))}}}
        one.keep(cluster.api.patch(one.path, patch))
    if words:
        cluster.services.logger.warning("took over what others own", fields="; ".join(words))
    return words


def remarks(cluster: Cluster, router: ObjectRouter | None) -> Iterator[str]:
    """What a plan tells of it."""
    try:
        refuse(cluster, router)
    except ConfigError as problem:
        yield f"this would be refused: {problem.message} ({problem.found}); {problem.remedy}"
    if found := owned(cluster, router):
        told = "; ".join(map(str, found))
        if cluster.options.adopt:
            yield f"it takes over what others own: {told}. Who applies that again undoes what uno does"
        else:
            yield f"others own what it has to write: {told}. --adopt takes it, once; so does `uno adopt`"


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
