"""Companions: Deployments, StatefulSets, DaemonSets and CronJobs that get the application's release as well.

Of what belongs to somebody else one field is written, the image of one container, and beside it an annotation
of the pod template that names the release. Both are put back on the way back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from uno_core import CompanionState, ConfigError, Diagnosis, Json, PlatformError, Release, UnoError
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.gitops import manager_of
from uno_platform_kubernetes.mirror import Mirror
from uno_platform_kubernetes.objects import (
    ADOPTED,
    APPLICATION,
    RELEASE,
    annotations_of,
    container_of,
    foreign,
    image_for,
    labels_of,
    name_of,
    release_of,
    repository,
)
from uno_platform_kubernetes.permissions import COMPANIONS, permissions
from uno_platform_kubernetes.pods import instance, leaving

Object = Mapping[str, Any]


@frozen
class Kind:
    """What can be a companion. template: the way to its pod template."""

    name: str
    version: str
    plural: str
    template: tuple[str, ...] = ("spec", "template")


KINDS: Mapping[str, Kind] = {
    "deployment": Kind("Deployment", "apps/v1", "deployments"),
    "statefulset": Kind("StatefulSet", "apps/v1", "statefulsets"),
    "daemonset": Kind("DaemonSet", "apps/v1", "daemonsets"),
    "cronjob": Kind("CronJob", "batch/v1", "cronjobs", ("spec", "jobTemplate", "spec", "template")),
}


@frozen
class Companion:
    """One as it is now. container: the one whose image is the release's."""

    name: str
    kind: Kind
    thing: Object
    container: Mapping[str, Any]

    @property
    def template(self) -> Mapping[str, Any]:
        return _template(self.kind, self.thing)

    @property
    def image(self) -> str:
        return str(self.container["image"])

    @property
    def field(self) -> str:
        """What uno writes of it."""
        return ".".join([*self.kind.template, "spec", f"containers[{self.container['name']}]", "image"])

    @property
    def owners(self) -> Sequence[str]:
        """Who else owns that."""
        item = f'k:{{"name":"{self.container["name"]}"}}'
        return foreign(self.thing, *self.kind.template, "spec", "containers", item, "image")

    @property
    def taken(self) -> set[str]:
        """What uno was told to take of it."""
        return set(annotations_of(self.thing).get(ADOPTED, "").split())


class KubernetesCompanions:
    """Those of one application, in its namespace; named `deployment/worker`, `cronjob/nightly` and so on."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._kinds: set[str] = set()

    def diagnose(self) -> Iterator[Diagnosis]:
        """Whether those that were looked at may be written too."""
        rules = [COMPANIONS[plural] for plural in sorted(self._kinds)]
        return permissions(self.cluster, rules, "permissions of companions") if rules else iter(())

    def observe(self, name: str) -> CompanionState:
        one = self._found(name)
        self._check(one)
        reason, given_up = _waits_for(one.kind, one.thing)
        if reason and not given_up:
            said, given_up = self._pods(one)
            reason = "; ".join(filter(None, [reason, said]))
        written = (one.template.get("metadata") or {}).get("annotations") or {}
        return CompanionState(
            release=release_of(one.template, str(one.container["name"])),
            ready=not reason,
            reason=reason,
            given_up=given_up,
            captured={
                "container": one.container["name"],
                "image": one.image,
                "release": written.get(RELEASE),
            },
        )

    def update(self, name: str, release: Release) -> None:
        one = self._found(name)
        # One of another repository keeps it: a worker with an image of its own, built of the same sources.
        mine = repository(one.image) in {*self._repositories(), repository(release.artifact)}
        image = image_for(one.image, release if mine else Release(release.version))
        self._write(one, image, json.dumps([release.version, image, ""]))

    def restore(self, name: str, captured: Json) -> None:
        if not isinstance(captured, Mapping) or not {"container", "image"} <= captured.keys():
            raise PlatformError(
                "that was not captured by this platform", found=str(captured)[:200],
                expected="a container and its image", where=name,
            )  # fmt: skip
        one = self._found(name, str(captured["container"]))
        identity = captured.get("release")
        self._write(one, str(captured["image"]), str(identity) if identity else None)

    # Writing

    def _write(self, one: Companion, image: str, identity: str | None) -> None:
        self._check(one)
        path, owned = self._path(one.kind, name_of(one.thing)), one.owners
        if owned and one.field not in one.taken:
            told = " ".join(sorted({*one.taken, one.field}))
            self.cluster.api.patch(path, {"metadata": {"annotations": {ADOPTED: told}}})
            self.cluster.services.logger.warning(
                "took over what others own", fields=f"{one.field} of {one.name} ({', '.join(owned)})"
            )
        template: dict[str, Any] = {"spec": {"containers": [{"name": one.container["name"], "image": image}]}}
        if identity:
            template["metadata"] = {"annotations": {RELEASE: identity}}
        body: dict[str, Any] = template
        for key in reversed(one.kind.template):
            body = {key: body}
        body |= {
            "apiVersion": one.kind.version,
            "kind": one.kind.name,
            "metadata": {"name": name_of(one.thing)},
        }
        written = self.cluster.api.apply(path, body, force=bool(owned))
        self._mirror(one.kind, name_of(one.thing)).keep(written)

    def _check(self, one: Companion) -> None:
        """Raises ConfigError where its image is somebody else's, and uno was not told to take it."""
        where = f"namespace {self.cluster.namespace}"
        manager = manager_of(one.thing)
        if manager and self.cluster.options.gitops == "refuse":
            raise ConfigError(
                f"{manager} keeps {one.name} as it is, and would undo what uno does",
                found=manager.by, expected="nobody else who writes its image", where=where,
                remedy="have it ignore the image, then set platform.gitops: cooperate; or take the"
                " companion out",
            )  # fmt: skip
        owned = one.owners
        if owned and one.field not in one.taken and not self.cluster.options.adopt:
            raise ConfigError(
                "somebody else owns what uno has to write of a companion",
                found=f"{one.field} of {one.name} ({', '.join(owned)})",
                expected="to be told that uno may take it, once", where=where,
                remedy="--adopt, or platform.adopt: true; who applies it again undoes what uno does",
            )  # fmt: skip

    # Reading

    def _found(self, name: str, container: str = "") -> Companion:
        short, _, rest = name.partition("/")
        kind = KINDS.get(short.lower())
        if kind is None or not rest:
            raise ConfigError(
                f"there is no companion {name}", found=name,
                expected="one of " + ", ".join(f"{each}/NAME" for each in KINDS), where="companions",
                remedy="correct it, or take it out",
            )  # fmt: skip
        self._kinds.add(kind.plural)
        thing = self._mirror(kind, rest).get(rest)
        if thing is None:
            there = [name_of(one) for one in self.cluster.api.get(self._path(kind))["items"]]
            raise ConfigError(
                f"there is no {kind.name} {rest}", found=", ".join(there) or f"no {kind.name} at all",
                where=f"companions, namespace {self.cluster.namespace}",
                remedy="correct it, or take it out",
            )  # fmt: skip
        if APPLICATION in labels_of(thing) or (short == "deployment" and rest == self.cluster.deployment):
            raise ConfigError(f"{name} is what uno releases itself", where="companions", remedy="take it out")
        template = _template(kind, thing)
        chosen = container_of(template, container, name) if container else self._container(name, template)
        return Companion(name, kind, thing, chosen)

    def _container(self, name: str, template: Object) -> Mapping[str, Any]:
        """The one of the application's own name or image, where there are several."""
        known = self._repositories()
        mine = [
            one for one in template["spec"]["containers"]
            if one["name"] == self.cluster.options.container or repository(str(one["image"])) in known
        ]  # fmt: skip
        return mine[0] if len(mine) == 1 else container_of(template, "", name)

    def _mirror(self, kind: Kind, name: str) -> Mirror:
        return self.cluster.mirror(self._path(kind), name=name)

    def _path(self, kind: Kind, name: str = "") -> str:
        return self.cluster.group(kind.version, kind.plural, name)

    def _repositories(self) -> set[str]:
        """Where the images of the application come from."""
        found = set()
        for one in self.cluster.deployments().values():
            template = one["spec"]["template"]
            where = f"Deployment {name_of(one)}"
            found.add(repository(str(container_of(template, self.cluster.options.container, where)["image"])))
        return found

    def _pods(self, one: Companion) -> tuple[str, bool]:
        """What its pods that are not ready say, and whether one of them is past help."""
        labels = (one.thing["spec"].get("selector") or {}).get("matchLabels")
        if not labels:
            return "", False
        label = ",".join(f"{k}={v}" for k, v in sorted(labels.items()))
        now = self.cluster.services.clock.now()
        try:
            pods = self.cluster.mirror(self.cluster.core("pods"), label=label).objects()
        except UnoError:
            return "", False  # its status says enough: a right to look at pods is not asked for here
        seen = [instance(pod, Release(""), now, 0.0, lambda *_: "") for pod in pods if not leaving(pod)]
        said = "; ".join(f"{pod.id}: {pod.reason}" for pod in seen if pod.reason)
        return said[:400], any(pod.given_up for pod in seen)


def _template(kind: Kind, thing: Object) -> Mapping[str, Any]:
    found: Any = thing
    for key in kind.template:
        found = found[key]
    return dict(found)


def _waits_for(kind: Kind, thing: Object) -> tuple[str, bool]:
    """Why it does not run all of its template yet, and whether that is for good; empty where it does."""
    status: Mapping[str, Any] = thing.get("status") or {}
    strategy: Mapping[str, Any] = thing["spec"].get("updateStrategy") or {}
    if kind.name == "CronJob" or strategy.get("type") == "OnDelete":
        return "", False  # its next run, or whoever replaces its pods, takes the template that it has
    if int(status.get("observedGeneration", 0)) < int(thing["metadata"].get("generation", 0)):
        return "its controller has not seen it yet", False
    for one in status.get("conditions") or ():
        if one["type"] == "Progressing" and one.get("reason") == "ProgressDeadlineExceeded":
            return str(one.get("message") or "its progress deadline is over"), True
    if kind.name == "DaemonSet":
        wanted, updated = status.get("desiredNumberScheduled", 0), status.get("updatedNumberScheduled", 0)
        there, available = status.get("currentNumberScheduled", 0), status.get("numberAvailable", 0)
    else:
        wanted, updated = thing["spec"].get("replicas", 1), status.get("updatedReplicas", 0)
        there, available = status.get("replicas", 0), status.get("availableReplicas", 0)
    kept = int((strategy.get("rollingUpdate") or {}).get("partition", 0))
    if (there, available) == (wanted, wanted) and updated >= wanted - kept:
        return "", False
    return f"{updated} of {wanted} updated, {available} available, {there} there", False
