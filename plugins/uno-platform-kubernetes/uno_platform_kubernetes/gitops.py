"""Who else keeps an object as it is, Argo CD, Flux or Helm, and what it has to leave to uno."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from attrs import frozen

from uno_core import ConfigError
from uno_platform_kubernetes.api import Conflict
from uno_platform_kubernetes.autoscaling import Autoscalers
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.objects import APPLICATION, annotations_of, labels_of, name_of
from uno_platform_kubernetes.routers import ObjectRouter

Object = Mapping[str, Any]

ARGO, FLUX, FLUX_HELM, HELM = "Argo CD", "Flux", "Flux, by Helm", "Helm"

TRIES = 5
"""So often an object that changes meanwhile is read again."""

TRACKED: Sequence[tuple[str, str]] = (
    ("argocd.argoproj.io/", ARGO),
    ("helm.toolkit.fluxcd.io/", FLUX_HELM),
    ("kustomize.toolkit.fluxcd.io/", FLUX),
    ("meta.helm.sh/", HELM),
)
"""How the labels and annotations begin by which each knows its own; the first that is found decides."""

MANAGERS: Mapping[str, str] = {
    "argocd-controller": ARGO,
    "argocd-application-controller": ARGO,
    "helm-controller": FLUX_HELM,
    "kustomize-controller": FLUX,
    "helm": HELM,
}
"""The field managers by which each writes. Argo CD may leave no other mark that is surely its own."""


@frozen
class Manager:
    """One that applies an object again and again. whose: its Application, Kustomization or release.

    by: what it was known by, in words.
    """

    name: str
    whose: str
    by: str

    def __str__(self) -> str:
        return self.name


@frozen
class Written:
    """What uno writes of an object that it did not make: fields, with dots."""

    group: str
    kind: str
    thing: Object
    fields: Sequence[str]

    @property
    def pointers(self) -> Sequence[str]:
        return ["/" + field.replace(".", "/") for field in self.fields]


def manager_of(thing: Object) -> Manager | None:
    """Who keeps this object as it is; None where that is nobody known."""
    marks = {"annotation": annotations_of(thing), "label": labels_of(thing)}
    for begin, name in TRACKED:
        for what, there in marks.items():
            if key := next((key for key in sorted(there) if key.startswith(begin)), ""):
                return Manager(name, _whose(name, thing), f"its {what} {key}")
    if labels_of(thing).get("app.kubernetes.io/managed-by") == "Helm":
        return Manager(HELM, _whose(HELM, thing), "its label app.kubernetes.io/managed-by")
    for entry in thing["metadata"].get("managedFields") or ():
        name = MANAGERS.get(str(entry.get("manager")), "")
        # What it wrote of the status, or of an annotation alone, it does not keep.
        if name and not entry.get("subresource") and "f:spec" in (entry.get("fieldsV1") or {}):
            return Manager(name, _whose(name, thing), f"its field manager {entry['manager']}")
    return None


def _whose(name: str, thing: Object) -> str:
    """As it is told to a person; empty where the object does not say it."""
    labels, annotations = labels_of(thing), annotations_of(thing)
    if name == ARGO:
        tracked = annotations.get("argocd.argoproj.io/tracking-id", "").partition(":")[0]
        return tracked or labels.get(
            "argocd.argoproj.io/instance", labels.get("app.kubernetes.io/instance", "")
        )
    if name == HELM:
        return annotations.get("meta.helm.sh/release-name", labels.get("app.kubernetes.io/instance", ""))
    group = "kustomize" if name == FLUX else "helm"
    parts = [labels.get(f"{group}.toolkit.fluxcd.io/{part}", "") for part in ("namespace", "name")]
    return "/".join(part for part in parts if part)


def written(cluster: Cluster, router: ObjectRouter | None) -> Iterator[Written]:
    """What uno writes of what others made."""
    deployments = cluster.deployments().values()
    for one in deployments:
        yield Written("apps", "Deployment", one, ["spec.replicas"])
    if router is not None:
        group = getattr(router, "group", "").partition("/")[0]
        yield Written(group, getattr(router, "kind", "Service"), router.object(), [router.taken])
    autoscalers = Autoscalers(cluster)
    for by in filter(None, (autoscalers.of(name_of(each)) for each in deployments)):
        yield Written(by.kind.version.partition("/")[0], by.kind.name, by.object, by.fields)


def managed(cluster: Cluster, router: ObjectRouter | None) -> Mapping[Manager, Sequence[Written]]:
    """What uno writes of what somebody keeps, by who that is."""
    found: dict[tuple[str, str], tuple[Manager, list[Written]]] = {}
    for one in written(cluster, router):
        if labels_of(one.thing).get(APPLICATION) == cluster.application:
            continue
        if manager := manager_of(one.thing):
            found.setdefault((manager.name, manager.whose), (manager, []))[1].append(one)
    return dict(found.values())


def check(cluster: Cluster, router: ObjectRouter | None) -> None:
    """Raises ConfigError where somebody would undo what uno does, and nobody said that he does not."""
    if cluster.options.gitops != "refuse":
        return
    for manager, things in managed(cluster, router).items():
        names = ", ".join(name_of(one.thing) for one in things)
        kinds = ", ".join(f"{one.kind} {name_of(one.thing)}" for one in things)
        fields = ", ".join(dict.fromkeys(field for one in things for field in one.fields))
        raise ConfigError(
            f"{manager} keeps {names} as it is, and would undo what uno does",
            found=f"{kinds}, by {manager.by}",
            expected=f"nobody else who writes {fields}",
            where=f"namespace {cluster.namespace}",
            remedy="have it ignore these fields (`uno doctor` prints the rules), then set"
            " platform.gitops: cooperate",
        )


def share(cluster: Cluster, path: str, kind: str, fields: Sequence[str]) -> None:
    """Be an owner, too, of fields of somebody's object, as they are at this moment: nothing changes by that.

    Who applies without them what he owned alone takes them away, down to one pod or no selector at all:
    Flux does where it is told to ignore them.
    """
    _, root, *rest = path.split("/")
    for attempt in range(1, TRIES + 1):
        thing = cluster.api.get(path)
        spec = {name: thing["spec"][name] for name in _names(fields) if name in thing["spec"]}
        body = {
            "apiVersion": rest[0] if root == "api" else "/".join(rest[:2]),
            "kind": kind,
            "metadata": {"name": name_of(thing), "resourceVersion": thing["metadata"]["resourceVersion"]},
            "spec": spec,
        }
        try:
            # No force but over this very version: what somebody writes meanwhile is not taken back.
            cluster.api.apply(path, body, force=True)
            return
        except Conflict:
            if attempt == TRIES:
                raise


def _names(fields: Sequence[str]) -> Sequence[str]:
    return [field.removeprefix("spec.") for field in fields]


# The rules


def rules(manager: Manager, things: Sequence[Written], namespace: str) -> str:
    """What to do, and the lines to add to what configures the manager, ready to be copied."""
    told = {ARGO: _argo, FLUX: _flux, FLUX_HELM: _flux_helm, HELM: _helm}[manager.name]
    return told(manager, things, namespace)


def _argo(manager: Manager, things: Sequence[Written], namespace: str) -> str:
    ignored = [
        {
            **({"group": one.group} if one.group else {}),
            "kind": one.kind,
            "name": name_of(one.thing),
            "namespace": namespace,
            "jsonPointers": list(one.pointers),
        }
        for one in things
    ]
    # Without the option a difference is only not shown, and written all the same.
    options = {"syncOptions": ["RespectIgnoreDifferences=true"]}
    return f"add to the Application {manager.whose}, then set platform.gitops: cooperate:\n" + _lines(
        {"spec": {"ignoreDifferences": ignored, "syncPolicy": options}}
    )


def _flux(manager: Manager, things: Sequence[Written], namespace: str) -> str:
    return (
        f"suspend the Kustomization {manager.whose} (flux suspend), set platform.gitops: cooperate, have uno"
        " take these fields (`uno adopt`: what only Flux owned would be gone once it is ignored), add the"
        " rules in git and resume. A Flux without spec.ignore leaves whole objects as they are that bear the"
        " annotation kustomize.toolkit.fluxcd.io/ssa: IfNotPresent in git:\n"
        + _lines({"spec": {"ignore": _targets(things, namespace)}})
    )


def _flux_helm(manager: Manager, things: Sequence[Written], namespace: str) -> str:
    return (
        f"add to the HelmRelease {manager.whose}, then set platform.gitops: cooperate. {_upgrades(things)}:\n"
        + _lines({"spec": {"driftDetection": {"ignore": _targets(things, namespace)}}})
    )


def _helm(manager: Manager, things: Sequence[Written], namespace: str) -> str:  # noqa: ARG001 - as the others
    return (
        f"Helm has no such rules: set platform.gitops: cooperate, and mind that nobody upgrades the release"
        f" {manager.whose} while a deployment is under way. {_upgrades(things)}"
    )


def _upgrades(things: Sequence[Written]) -> str:
    fields = ", ".join(f"{', '.join(one.fields)} of the {one.kind} {name_of(one.thing)}" for one in things)
    return (
        f"An upgrade of the chart writes what the chart says: leave out of it, as where an autoscaler scales,"
        f" {fields}; and never force conflicts"
    )


def _targets(things: Sequence[Written], namespace: str) -> Sequence[Mapping[str, Any]]:
    return [
        {
            "paths": list(one.pointers),
            "target": {
                **({"group": one.group} if one.group else {}),
                "kind": one.kind,
                "name": name_of(one.thing),
                "namespace": namespace,
            },
        }
        for one in things
    ]


def _lines(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, default_flow_style=False).rstrip()
