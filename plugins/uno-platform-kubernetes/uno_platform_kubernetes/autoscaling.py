"""Autoscalers of the slots: an HPA or a KEDA ScaledObject for each, which is kept from going too low.

While a deployment is under way the least that an autoscaler may go to is what uno asked for, and its own is
written down beside it. So the slot to go back to keeps its pods though another one takes its requests.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from attrs import frozen

from uno_core import ConfigError, Forbidden
from uno_platform_kubernetes.api import Missing
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.objects import APPLICATION, annotations_of, labels_of, name_of, own, owner_of

Object = Mapping[str, Any]

FLOOR = "uno.dev/floor"
"""Annotation of an autoscaler that is held: the least it is held to, and the least that was its own."""

PAUSED = "autoscaling.keda.sh/paused-replicas"
"""Annotation by which KEDA keeps a number of replicas whatever its triggers say."""


@frozen
class Kind:
    """What there is of autoscalers. `fallback`: the least of one that does not say it."""

    name: str
    version: str
    plural: str
    least: str
    most: str
    fallback: int


HPA = Kind(
    "HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers", "minReplicas", "maxReplicas", 1
)
KEDA = Kind("ScaledObject", "keda.sh/v1alpha1", "scaledobjects", "minReplicaCount", "maxReplicaCount", 0)


@frozen
class Autoscaler:
    """One that scales a Deployment."""

    kind: Kind
    object: Object

    def __str__(self) -> str:
        return f"{self.kind.name} {name_of(self.object)}"

    @property
    def floor(self) -> int | None:
        """What uno holds it to; None where it is not held."""
        written = annotations_of(self.object).get(FLOOR)
        return int(json.loads(written)["held"]) if written else None

    @property
    def least(self) -> int:
        """What it goes down to now."""
        return int(self.object["spec"].get(self.kind.least, self.kind.fallback))

    @property
    def own_least(self) -> int | None:
        """What it goes down to when it is not held; None where it does not say it."""
        written = annotations_of(self.object).get(FLOOR)
        found = json.loads(written)["own"] if written else self.object["spec"].get(self.kind.least)
        return None if found is None else int(found)

    @property
    def most(self) -> int:
        return int(self.object["spec"].get(self.kind.most, 100))

    @property
    def fields(self) -> Sequence[str]:
        """What uno writes of one that it did not make."""
        return (f"spec.{self.kind.least}", "spec.scaleTargetRef")


class Autoscalers:
    """Those of one application's Deployments."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def of(self, deployment: str) -> Autoscaler | None:
        """What scales the Deployment of this name; None where that is nobody."""
        for kind in self._kinds:
            for one in self._objects(kind):
                if kind is HPA and _kept_by_keda(one):
                    continue
                target = one["spec"].get("scaleTargetRef") or {}
                if target.get("kind", "Deployment") == "Deployment" and target.get("name") == deployment:
                    return Autoscaler(kind, one)
        return None

    def hold(self, deployment: str, count: int) -> None:
        """Have it go no lower than this. Raises ConfigError where it may not even go as high."""
        found = self.of(deployment)
        if found is None or (found.floor == count and found.least == count and not _paused(found)):
            return
        _check(found, count)
        self._write(found, {"held": count, "own": found.own_least}, count)

    def let_go(self, deployment: str) -> None:
        """Give it back its own least."""
        found = self.of(deployment)
        if found is not None and found.floor is not None:
            self._write(found, None, found.own_least)

    def move(self, before: str, after: str) -> None:
        """Have what scales one Deployment scale another one, down to its own least, unless that is scaled.

        The selector of a Deployment that was there before uno selects the pods of both slots. An autoscaler
        for each would then be none: the controller calls it ambiguous, and scales neither.
        """
        found = self.of(before)
        if found is not None and self.of(after) is None:
            self._write(found, None, found.own_least, target=after)

    def rest(self, deployment: str) -> None:
        """Give it back its own least where nothing is to run. KEDA would start something all the same."""
        found = self.of(deployment)
        if found is not None and found.kind is KEDA and not _paused(found):
            self._write(found, None, found.own_least, paused=True)
        self.let_go(deployment)

    def provide(self, deployment: str, model: str, count: int) -> None:
        """Have a Deployment that is about to run scaled as the model is, by an autoscaler of its own.

        What others made is not touched; where nothing scales the model any more, uno's own goes.
        """
        there, like = self.of(deployment), self.of(model)
        if there is not None and not self._made(there):
            return
        if like is None:
            if there is not None:
                uid = str(there.object["metadata"]["uid"])
                self.cluster.api.delete(self.path(there), uid=uid)
                self.cluster.mirror(self._path(there.kind)).drop(there.object)
            return
        _check(like, count)
        self._keep(like.kind, self._apply(like.kind, deployment, like, count))

    def keep(self, found: Autoscaler, thing: Object) -> None:
        """Take in what a write of somebody else's answered."""
        self._keep(found.kind, thing)

    def path(self, found: Autoscaler) -> str:
        """Where it lies."""
        return self._path(found.kind, name_of(found.object))

    # Writing

    def _write(
        self,
        found: Autoscaler,
        held: Mapping[str, int | None] | None,
        least: int | None,
        *,
        paused: bool = False,
        target: str = "",
    ) -> None:
        path = self.path(found)
        annotations: dict[str, str | None] = {FLOOR: json.dumps(held) if held else None}
        if found.kind is KEDA:
            annotations[PAUSED] = "0" if paused else None
        if self._made(found):
            told = {k: v for k, v in annotations.items() if v is not None}
            body = self._body(found, name_of(found.object), target, least, told)
            self._keep(found.kind, self.cluster.api.apply(path, body))
            return
        spec: dict[str, Any] = {found.kind.least: least}
        if target:
            spec["scaleTargetRef"] = {"name": target}
        patch = {"metadata": {"annotations": annotations}, "spec": spec}
        self._keep(found.kind, self.cluster.api.patch(path, patch))

    def _apply(self, kind: Kind, deployment: str, like: Autoscaler, count: int) -> Object:
        for one in self._objects(kind):
            if name_of(one) == deployment and labels_of(one).get(APPLICATION) != self.cluster.application:
                raise ConfigError(
                    f"there is a {kind.name} {deployment} already, and uno did not make it",
                    found="one that scales something else", expected=f"none, or one for {deployment}",
                    where=self._path(kind, deployment), remedy="rename it: uno makes its own of that name",
                )  # fmt: skip
        held = json.dumps({"held": count, "own": like.own_least})
        body = self._body(like, deployment, deployment, count, {FLOOR: held})
        return self.cluster.api.apply(self._path(kind, deployment), body)

    def _body(
        self, like: Autoscaler, name: str, target: str, least: int | None, told: Mapping[str, str]
    ) -> Object:
        """The whole of one that uno makes: like another one, or as it was but for its least."""
        kind, spec = like.kind, copy.deepcopy(dict(like.object["spec"]))
        if target:
            spec["scaleTargetRef"] = {**spec["scaleTargetRef"], "name": target}
        if least is None:
            spec.pop(kind.least, None)
        else:
            spec[kind.least] = least
        if kind is KEDA:
            # The HPA that KEDA makes of it has a name of its own.
            (spec.get("advanced") or {}).get("horizontalPodAutoscalerConfig", {}).pop("name", None)
        kept = {k: v for k, v in own(annotations_of(like.object)).items() if k != PAUSED}
        return {
            "apiVersion": kind.version,
            "kind": kind.name,
            "metadata": {
                "name": name,
                "labels": {**own(labels_of(like.object)), APPLICATION: self.cluster.application},
                "annotations": {**kept, **told},
            },
            "spec": spec,
        }

    # Reading

    @cached_property
    def _kinds(self) -> Sequence[Kind]:
        """What the cluster has: KEDA only where somebody installed it."""
        try:
            self.cluster.api.get(self._path(KEDA), limit=1)
        except (Missing, Forbidden):
            # So an apiserver answers also for a kind that it does not have.
            return (HPA,)
        return (KEDA, HPA)

    def _objects(self, kind: Kind) -> Sequence[Object]:
        return self.cluster.mirror(self._path(kind)).objects()

    def _keep(self, kind: Kind, thing: Object) -> None:
        self.cluster.mirror(self._path(kind)).keep(thing)

    def _path(self, kind: Kind, name: str = "") -> str:
        return self.cluster.group(kind.version, kind.plural, name)

    def _made(self, found: Autoscaler) -> bool:
        return labels_of(found.object).get(APPLICATION) == self.cluster.application


def _kept_by_keda(hpa: Object) -> bool:
    owners = hpa["metadata"].get("ownerReferences") or ()
    return bool(owner_of(hpa)) and any(one.get("kind") == KEDA.name for one in owners)


def _paused(found: Autoscaler) -> bool:
    return found.kind is KEDA and PAUSED in annotations_of(found.object)


def _check(found: Autoscaler, count: int) -> None:
    if count > found.most:
        raise ConfigError(
            f"{count} pods are more than the {found} permits",
            found=f"{found.kind.most}: {found.most}", expected=f"at least {count}",
            where=f"{found.kind.name} {name_of(found.object)}",
            remedy="raise it, or ask for fewer by platform.instances",
        )  # fmt: skip
