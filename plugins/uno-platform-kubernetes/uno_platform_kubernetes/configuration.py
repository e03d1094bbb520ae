"""ConfigMaps and Secrets that go with a release: copies by the hash of what they hold, never changed.

A pod template names the copies, so a way back, or a pod that starts next month, finds what it was released
with. A copy is kept as long as a ReplicaSet names it: as long as its release can be gone back to.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from uno_core import ConfigError, PlatformError, UnoError
from uno_platform_kubernetes.api import Conflict
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.objects import APPLICATION, annotations_of, name_of

Object = Mapping[str, Any]

COPIES = "uno.dev/copies"
"""Annotation of a pod template: the names of the copies in it, and what each is a copy of."""

COPY_OF = "uno.dev/copy-of"
"""Annotation of a copy."""

VERSIONED = "uno.dev/versioned"
"""Annotation of an original: "false" where its pods are to see whatever it holds, at any time."""

HELD = ("data", "binaryData", "type")
KEPT_BY = ("cert-manager.io/certificate-name", "kubernetes.io/service-account.name")
"""Annotations of what the cluster itself writes anew before it expires: a copy of that would expire."""

ROOT = "kube-root-ca.crt"
"""In every namespace; the cluster's own."""

PLURALS = {"ConfigMap": "configmaps", "Secret": "secrets"}
PROJECTED = {"configMap": "ConfigMap", "secret": "Secret"}
LONGEST = 242
"""Characters of a name that leave room for the hash."""

Reference = tuple[dict[str, Any], str, str, bool]
"""Where a template names one: the mapping, the key of the name, the kind, whether it may be missing."""


class Configuration:
    """That of one application."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._held: dict[tuple[str, str], Object] = {}

    def versioned(self, template: Object) -> Object:
        """The same template with copies in place of what it names; what is to be copied is read.

        Without `platform.versioned` only what the manifest itself holds is copied. Raises ConfigError
        where something is named that is not there.
        """
        made: dict[str, Any] = copy.deepcopy(dict(plain(template)))
        copies: dict[str, str] = {}
        for place, key, kind, optional in _references(made):
            original = self._original(kind, str(place[key]), optional=optional)
            if original is None:
                continue
            body = self._copy(kind, original)
            self._held[kind, name_of(body)] = body
            copies[f"{kind}/{name_of(body)}"] = str(place[key])
            place[key] = name_of(body)
        if copies:
            metadata = made.setdefault("metadata", {})
            told = json.dumps(copies, sort_keys=True)
            metadata["annotations"] = {**(metadata.get("annotations") or {}), COPIES: told}
        return made

    def provide(self, template: Object) -> None:
        """Have the copies that a template names, before anything is started of it."""
        for name, original in _copies(template).items():
            kind, _, copied = name.partition("/")
            path = self._path(kind, copied)
            if self.cluster.api.find(path) is not None:
                continue
            held = self._held.get((kind, copied)) or self._again(kind, copied, original)
            if held is None:
                raise ConfigError(
                    f"the {kind} {original} is no longer what this release began with",
                    found=f"no {kind} {copied}", expected="what its pod template names", where=path,
                    remedy="deploy again: a new release takes what is there now",
                )  # fmt: skip
            try:
                self.cluster.api.create(self._path(kind), held)
            except Conflict:
                pass  # made by whoever asked before, and lost the answer
            except UnoError:
                if self.cluster.api.find(path) is None:
                    raise

    def rehearse(self, template: Object) -> None:
        """Have the cluster say what it thinks of the copies that are still to be made. Raises as it says."""
        for name in _copies(template):
            kind, _, copied = name.partition("/")
            self.cluster.api.rehearse(self._path(kind), self._held[kind, copied])

    def lacks(self, template: Object) -> str:
        """A copy that the template names and nobody could provide any more; empty where there is none."""
        for name, original in _copies(template).items():
            kind, _, copied = name.partition("/")
            there = self.cluster.api.find(self._path(kind, copied))
            if there is None and self._again(kind, copied, original) is None:
                return f"{kind} {copied}"
        return ""

    def _again(self, kind: str, copied: str, name: str) -> Object | None:
        """A copy that somebody has deleted, made anew, where the original holds the same as then."""
        original = self._there(kind, name)
        made = self._copy(kind, original) if original is not None else None
        return made if made is not None and name_of(made) == copied else None

    def tidy(self) -> None:
        """Remove the copies that no Deployment and no ReplicaSet names any more.

        As well as can be: what cannot be removed now is told, and tried again at the next deployment.
        """
        named = {
            name
            for one in (*self.cluster.deployments().values(), *self.cluster.replica_sets())
            for name in _copies(one["spec"]["template"])
        }
        for kind in PLURALS:
            if self._copied(kind) or any(name.startswith(f"{kind}/") for name in named):
                try:
                    self._tidy(kind, named)
                except PlatformError as problem:
                    self.cluster.services.logger.warning(
                        "copies that nothing needs any more were not removed", kind=kind, problem=str(problem)
                    )

    def _copied(self, kind: str) -> bool:
        """Whether, as configured, any of this kind is copied at all."""
        manifest = self.cluster.manifest
        mine = manifest is not None and any(one == kind for one, _ in manifest.contents)
        return mine or self.cluster.options.versioned

    def _tidy(self, kind: str, named: Collection[str]) -> None:
        label = f"{APPLICATION}={self.cluster.application}"
        for one in self.cluster.api.get(self._path(kind), labelSelector=label)["items"]:
            if COPY_OF in annotations_of(one) and f"{kind}/{name_of(one)}" not in named:
                self.cluster.api.delete(self._path(kind, name_of(one)), uid=str(one["metadata"]["uid"]))

    def _original(self, kind: str, name: str, *, optional: bool) -> Object | None:
        """What is to be copied; None where it is not."""
        manifest = self.cluster.manifest
        if not self.cluster.options.versioned and (manifest is None or (kind, name) not in manifest.contents):
            return None
        there = self._there(kind, name)
        if there is None and not optional:
            raise ConfigError(
                f"there is no {kind} {name}, which the pod template names", where=self._path(kind, name),
                expected="what every pod of it needs", remedy="kubectl apply it first",
            )  # fmt: skip
        if there is None or annotations_of(there).get(VERSIONED) == "false" or name == ROOT:
            return None
        return None if any(key in annotations_of(there) for key in KEPT_BY) else there

    def _there(self, kind: str, name: str) -> Object | None:
        """The original: the manifest's own, else the cluster's."""
        manifest = self.cluster.manifest
        if manifest is not None and (found := manifest.contents.get((kind, name))) is not None:
            return found
        return self.cluster.api.find(self._path(kind, name))

    def _copy(self, kind: str, original: Object) -> Object:
        """By a name that is the same for the same contents, and another for another application."""
        held = {key: original[key] for key in HELD if original.get(key)}
        if plainly := original.get("stringData"):
            encoded = {key: base64.b64encode(str(text).encode()).decode() for key, text in plainly.items()}
            held["data"] = {**held.get("data", {}), **encoded}
        if kind == "Secret":
            held.setdefault("type", "Opaque")
        told = json.dumps([self.cluster.application, kind, held], sort_keys=True).encode()
        name = f"{name_of(original)[:LONGEST]}-{hashlib.sha256(told).hexdigest()[:10]}"
        return {
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {
                "name": name,
                "labels": {APPLICATION: self.cluster.application},
                "annotations": {COPY_OF: name_of(original)},
            },
            "immutable": True,
            **held,
        }

    def _path(self, kind: str, name: str = "") -> str:
        return self.cluster.core(PLURALS[kind], name)


def plain(template: Object) -> Object:
    """The template as somebody wrote it, with the names of the originals."""
    copies = _copies(template)
    if not copies:
        return template
    made: Any = copy.deepcopy(dict(template))
    for place, key, kind, _ in _references(made):
        place[key] = copies.get(f"{kind}/{place[key]}", place[key])
    del made["metadata"]["annotations"][COPIES]
    return dict(made)


def _copies(template: Object) -> Mapping[str, str]:
    written = ((template.get("metadata") or {}).get("annotations") or {}).get(COPIES)
    return dict(json.loads(written)) if written else {}


def _references(template: Any) -> Iterator[Reference]:
    """Every place of a pod template where a ConfigMap or a Secret is named."""
    spec = template["spec"]
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        for one in container.get("envFrom") or ():
            yield from _named(one, configMapRef="ConfigMap", secretRef="Secret")
        for one in container.get("env") or ():
            yield from _named(one.get("valueFrom") or {}, configMapKeyRef="ConfigMap", secretKeyRef="Secret")
    for volume in spec.get("volumes") or ():
        yield from _named(volume, configMap="ConfigMap")
        if secret := volume.get("secret"):
            yield secret, "secretName", "Secret", bool(secret.get("optional"))
        for one in (volume.get("projected") or {}).get("sources") or ():
            yield from _named(one, **PROJECTED)


def _named(place: Any, **keys: str) -> Iterator[Reference]:
    for key, kind in keys.items():
        if found := place.get(key):
            yield found, "name", kind, bool(found.get("optional"))
