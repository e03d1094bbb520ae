"""Deployments, templates and releases as plain values: what is whose, what runs, what is to run."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from uno_core import ConfigError, Release, Slot

Object = Mapping[str, Any]

APPLICATION = "uno.dev/application"
"""Label of everything that uno made: of which application it is."""

SLOT = "uno.dev/slot"
"""Label of a slot's pods, which Services select by."""

NOBODY = "none"
"""The slot of a selector that selects nothing."""

RELEASE = "uno.dev/release"
"""Annotation of a pod template: version, artifact and configuration as a JSON list."""

ADOPTED = "uno.dev/adopted"
"""Annotation of what was there before uno: the fields of others that uno was told to take."""

MARK = "uno.dev/mark"
"""Annotation of the routed object: the deployment that is under way."""

SPLIT = "uno.dev/split"
"""Annotation of a Service whose selector stands for both slots: the shares that were asked for."""

IMAGE = re.compile(
    r"[a-z0-9]+(?:[._:/-]+[a-z0-9]+)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
"""What an image may be called, as the registries have it."""

HASH = "pod-template-hash"

CLIENT_SIDE = ("kubectl-client-side-apply", "kubectl-create", "helm")
"""Field managers whose updates stand for something that is applied again: their fields are taken by name."""

FOREIGN = ("kubectl.kubernetes.io/restartedAt",)
"""Annotations of a template that are no part of what a release is."""

TRACKING = (
    "argocd.argoproj.io/",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "meta.helm.sh/",
    "kubectl.kubernetes.io/",
    "deployment.kubernetes.io/",
    "helm.sh/",
)
"""Labels and annotations by which a manager knows its own: never copied to an object of uno's."""


def name_of(thing: Object) -> str:
    return str(thing["metadata"]["name"])


def labels_of(thing: Object) -> Mapping[str, str]:
    return thing["metadata"].get("labels") or {}


def annotations_of(thing: Object) -> Mapping[str, str]:
    return thing["metadata"].get("annotations") or {}


def owner_of(thing: Object) -> str:
    """The uid of the controller that made it; empty where nobody did."""
    owners = thing["metadata"].get("ownerReferences") or ()
    return next((str(owner["uid"]) for owner in owners if owner.get("controller")), "")


def container_of(template: Object, wanted: str, where: str) -> Mapping[str, Any]:
    """The container that is released. Raises ConfigError where it is not clear which one that is."""
    containers: Sequence[Mapping[str, Any]] = template["spec"]["containers"]
    names = [str(container["name"]) for container in containers]
    if wanted:
        for container in containers:
            if container["name"] == wanted:
                return container
        raise ConfigError(
            f"there is no container {wanted}", found=", ".join(names), where=where,
            remedy="correct platform.container",
        )  # fmt: skip
    if len(containers) != 1:
        raise ConfigError(
            "which of the containers is released?", found=", ".join(names),
            expected="the name of one of them", where=where, remedy="set platform.container",
        )  # fmt: skip
    return containers[0]


def image_for(current: str, release: Release) -> str:
    """The whole image of a release: as it is named, or the current repository with the version as its tag."""
    named = release.artifact
    if named:
        bare = named.partition("@")[0]
        tagged = "@" in named or ":" in bare.rpartition("/")[2]
        return named if tagged else f"{named}:{release.version}"
    return f"{repository(current)}:{release.version}"


def repository(image: str) -> str:
    """An image without its tag and digest."""
    head, slash, last = image.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def configuration_of(template: Object, container: str) -> str:
    """A hash of everything in a template but the image that is released and what uno wrote itself."""
    plain: dict[str, Any] = copy.deepcopy(dict(template))
    metadata = plain.get("metadata") or {}
    kept = {
        "labels": {k: v for k, v in (metadata.get("labels") or {}).items() if not _unos(k) and k != HASH},
        "annotations": {
            k: v for k, v in (metadata.get("annotations") or {}).items() if not _unos(k) and k not in FOREIGN
        },
    }
    plain["metadata"] = kept
    for one in plain["spec"]["containers"]:
        if one["name"] == container:
            one.pop("image", None)
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def release_of(template: Object, container: str) -> Release:
    """What a template runs: as uno wrote it down, else by its image alone."""
    written = ((template.get("metadata") or {}).get("annotations") or {}).get(RELEASE)
    image = next((str(c["image"]) for c in template["spec"]["containers"] if c["name"] == container), "")
    if written:
        try:
            version, artifact, configuration = json.loads(written)
        except ValueError:
            version, artifact, configuration = "", "", ""
        # Somebody may have changed the image and left what uno wrote.
        if artifact == image:
            return Release(str(version), str(artifact), str(configuration))
    last = image.rpartition("/")[2]
    tag = last.rpartition("@sha256:")[2][:12] if "@" in last else last.partition(":")[2]
    return Release(tag or "latest", image, configuration_of(template, container))


def template_for(base: Object, release: Release, container: str, slot: Slot, application: str) -> Object:
    """The pod template of a release in a slot, made from another one's."""
    made: dict[str, Any] = copy.deepcopy(dict(base))
    metadata = made.setdefault("metadata", {})
    metadata.pop("creationTimestamp", None)
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH}
    metadata["labels"] = {**labels, SLOT: slot.value, APPLICATION: application}
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k not in FOREIGN}
    identity = json.dumps([release.version, release.artifact, release.config])
    metadata["annotations"] = {**annotations, RELEASE: identity}
    for one in made["spec"]["containers"]:
        if one["name"] == container:
            one["image"] = release.artifact
    return made


def own(metadata: Mapping[str, str] | None) -> Mapping[str, str]:
    """Labels or annotations without those by which others know what is theirs."""
    return {k: v for k, v in (metadata or {}).items() if not k.startswith(TRACKING) and not _unos(k)}


def foreign(thing: Object, *path: str) -> Sequence[str]:
    """Who else than uno owns a field, by the names of the field managers.

    A step is the name of a field, or `k:{…}`, the key of an item of a list.
    """
    found = []
    for entry in thing["metadata"].get("managedFields") or ():
        fields: Any = entry.get("fieldsV1") or {}
        for step in path:
            key = step if step.startswith("k:") else f"f:{step}"
            fields = fields.get(key) if isinstance(fields, Mapping) else None
        if fields is not None and entry.get("manager") != "uno" and not entry.get("subresource"):
            found.append(str(entry.get("manager")))
    return found


def resized(deployment: Object) -> bool:
    """Whether its number was set by an update, an autoscaler's or a person's, and not by being applied."""
    for entry in deployment["metadata"].get("managedFields") or ():
        spec = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        applied = entry.get("operation") == "Apply" or entry.get("manager") in CLIENT_SIDE
        if "f:replicas" in spec and not applied:
            return True
    return False


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector selects these labels. An empty one of a Service selects nothing."""
    if not selector:
        return False
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return all(labels.get(k) == v for k, v in selector.items())
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(k) == v for k, v in wanted.items()) and all(
        _expression(one, labels) for one in selector.get("matchExpressions") or ()
    )


def _expression(one: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = one["key"], one.get("values") or ()
    match one["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _unos(key: str) -> bool:
    return key.startswith("uno.dev/")
