"""The half that runs releases: one Deployment a slot, made from the pod template that serves."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from uno_core import (
    ConfigError,
    Counts,
    Instance,
    Json,
    PlatformError,
    Release,
    Slot,
    SlotState,
    UnoError,
    WorkloadState,
)
from uno_platform_kubernetes.autoscaling import Autoscalers
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.objects import (
    ADOPTED,
    APPLICATION,
    SLOT,
    annotations_of,
    container_of,
    labels_of,
    name_of,
    own,
    owner_of,
    release_of,
    resized,
)
from uno_platform_kubernetes.pods import instance, leaving
from uno_platform_kubernetes.slots import Slots
from uno_platform_kubernetes.templates import Templates

Object = Mapping[str, Any]

LINES = 5
"""Of the log of a container that ended, so many of the last lines are told."""

COPIED = ("minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit", "strategy")
"""What a slot's Deployment has of the one that it is made from, beside the template."""


class KubernetesWorkload:
    """Applies Deployments; what runs is read from their ReplicaSets and pods."""

    def __init__(self, cluster: Cluster, slots: Slots) -> None:
        self.cluster, self.slots = cluster, slots
        self.autoscalers = Autoscalers(cluster)
        self.templates = Templates(cluster)
        self.marked: Callable[[], Any] = lambda: None
        self._said: dict[tuple[str, int], str] = {}
        self._holding: set[Slot] = set()

    # What is to run

    def resolve(self, release: Release) -> Release:
        return self.templates.resolve(release)

    def recall(self, release: Release) -> None:
        self.templates.recall(release)

    def tidy(self) -> None:
        """Remove what no release needs any more. Not while one is under way: it may be taken back."""
        if self.marked() is None:
            self.templates.configuration.tidy()

    def converge(self, slot: Slot, counts: Counts) -> None:
        self._holding.add(slot)
        self._converge(slot, counts)
        self._lead_there()

    def _lead_there(self) -> None:
        """Have the slots' own Services select what stands in the slots now."""
        if self.cluster.services.routed and self.cluster.deployments():
            self.slots.ensure_services()

    def _converge(self, slot: Slot, counts: Counts) -> None:
        wanted = {release: count for release, count in counts.items() if count > 0}
        if len(wanted) > 1:
            raise ConfigError(
                f"a Deployment holds one release, and {slot} is one", found=", ".join(map(str, wanted)),
                expected="one release a slot",
            )  # fmt: skip
        there = self.cluster.deployments().get(slot)
        if not wanted:
            if there is not None:
                self._scale(there, 0)
            return
        ((release, count),) = wanted.items()
        if there is not None and self.templates.release(there) == release:
            self._scale(there, count)
            return
        template = self.templates.of(release, slot)
        if there is not None and not self._made(there):
            # What was there before uno stays as it is, and makes room.
            self._scale(there, 0)
            there = None
        self._apply(slot, template, count, there)

    def hold(self, slot: Slot, count: int) -> None:
        there = self.cluster.deployments().get(slot)
        if there is None or not count:
            return
        self._scaled_alone(slot, there, idle=True)
        self._holding.add(slot)
        self.autoscalers.hold(name_of(there), count)
        if _replicas(there) < count:
            self._scale(there, count)

    def let_go(self, slot: Slot) -> None:
        self._holding.discard(slot)
        if (there := self.cluster.deployments().get(slot)) is not None:
            self._scaled_alone(slot, there)
            self.autoscalers.let_go(name_of(there))

    def _scaled_alone(self, slot: Slot, there: Object, *, idle: bool = False) -> None:
        """Move the one autoscaler to what serves, where what was there before uno is one of the slots.

        idle: only if nothing runs in the other slot; so it was left by a driver that died before this.
        """
        other = self.cluster.deployments().get(slot.other)
        if other is None or (self._made(there) and self._made(other)) or (idle and _replicas(other)):
            return
        self.autoscalers.move(name_of(other), name_of(there))

    def restore(self, captured: Json, slot: Slot) -> None:
        if not isinstance(captured, Mapping) or slot.value not in captured:
            raise PlatformError(
                "that was not captured by this platform", found=str(captured)[:200],
                expected=f"what observe() captured, with the key {slot.value}",
            )  # fmt: skip
        before: Any = captured[slot.value]
        there = self.cluster.deployments().get(slot)
        if before is None:
            if there is not None:
                self._scale(there, 0)
        elif there is not None and there["metadata"]["uid"] == before["uid"]:
            container = container_of(before["template"], self.cluster.options.container, name_of(there))[
                "name"
            ]
            if release_of(before["template"], container) == self.templates.release(there):
                self._scale(there, before["replicas"])
            else:
                self._apply(slot, before["template"], before["replicas"], there)
        else:
            self._apply(slot, self.templates.labelled(before["template"], slot), before["replicas"], there)
        self._lead_there()

    # What runs

    def observe(self) -> WorkloadState:
        self.cluster.changes.looking()
        deployments = self.cluster.deployments()
        if not deployments:
            return WorkloadState(slots={}, size=max(1, self._size()), captured=dict.fromkeys(Slot))
        sets, pods = self.cluster.replica_sets(), self.cluster.pods()
        slots = {slot: self._slot(slot, one, sets, pods) for slot, one in deployments.items()}
        sizes = [_replicas(one) for one in deployments.values()]
        captured: Json = {
            slot.value: _captured(deployments[slot]) if slot in deployments else None for slot in Slot
        }
        size = self._size() or max([1, *sizes])
        return WorkloadState(slots=slots, size=size, captured=captured)

    def _size(self) -> int:
        """How many are to carry everything, where that is said; 0 where it is as many as there are."""
        manifest = self.cluster.manifest
        declared = int(manifest.deployment["spec"].get("replicas", 0)) if manifest else 0
        return self.cluster.options.instances or self._size_before() or declared

    def _size_before(self) -> int:
        """What carried everything before the deployment that is under way; 0 where none is.

        Halfway through a rolling deployment neither slot has as many.
        """
        mark = self.marked() or {}
        split: Mapping[str, float] = mark.get("split") or {}
        live = max(split, key=lambda slot: split[slot], default="")
        return sum(int(row["count"]) for row in (mark.get("releases") or {}).get(live, ()))

    def _slot(
        self, slot: Slot, deployment: Object, sets: Sequence[Object], pods: Sequence[Object]
    ) -> SlotState:
        container = self.templates.container(deployment)["name"]
        mine = {
            one["metadata"]["uid"]: release_of(one["spec"]["template"], container)
            for one in sets
            if owner_of(one) == deployment["metadata"]["uid"]
        }
        now = self.cluster.services.clock.now()
        least = max(
            self.cluster.options.min_ready_seconds, float(deployment["spec"].get("minReadySeconds", 0))
        )
        instances = [
            instance(pod, mine[owner_of(pod)], now, least, self._last_words)
            for pod in pods
            if owner_of(pod) in mine and not leaving(pod)
        ]
        release, count = self.templates.release(deployment), _replicas(deployment)
        autoscaler = self.autoscalers.of(name_of(deployment)) if count else None
        if autoscaler is not None:
            # Another platform's router has the mark with it: then what this process did tells.
            held = autoscaler.floor if self.marked() or slot in self._holding else None
            # Of its own will it grows and shrinks all day: what is ready is what there is to go back to.
            count = held or min(count, sum(i.ready and i.release == release for i in instances)) or count
        if (why := _failure(deployment)) and sum(i.release == release for i in instances) < count:
            instances.append(
                Instance(id=f"{name_of(deployment)}-none", release=release, ready=False, reason=why)
            )
        wanted = {release: count} if count else {}
        ordered = tuple(sorted(instances, key=lambda i: i.id))
        return SlotState(wanted=wanted, instances=ordered, elastic=autoscaler is not None)

    def _last_words(self, pod: Object, container: str, before: bool) -> str:
        """Of a container that ended; asked once for each of its lives."""
        status = pod.get("status") or {}
        restarts = sum(int(one.get("restartCount", 0)) for one in status.get("containerStatuses") or ())
        key = (str(pod["metadata"]["uid"]), 2 * restarts + before)
        if key not in self._said:
            path = f"{self.cluster.core('pods', name_of(pod))}/log"
            try:
                said = self.cluster.api.text(
                    path, container=container, previous=str(before).lower(), tailLines=LINES
                )
            except UnoError:
                said = ""
            self._said[key] = " / ".join(line.strip() for line in said.splitlines() if line.strip())[-400:]
        return self._said[key]

    # Writing

    def _scale(self, deployment: Object, count: int) -> None:
        name, now = name_of(deployment), _replicas(deployment)
        autoscaler = self.autoscalers.of(name)
        if not count:
            self.autoscalers.rest(name)
        elif autoscaler is not None and now:
            least = autoscaler.floor
            self.autoscalers.hold(name, count)
            if now > count and (least is None or count >= least):
                return  # it needs more than it is asked to have at least
        if now == count:
            return
        if self._made(deployment):
            slot = Slot(labels_of(deployment)[SLOT])
            self._apply(slot, deployment["spec"]["template"], count, deployment)
            return
        if count:
            self.autoscalers.hold(name, count)
        body = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {"replicas": count},
        }
        force = resized(deployment) or "spec.replicas" in annotations_of(deployment).get(ADOPTED, "")
        self.cluster.original.keep(
            self.cluster.api.apply(self.cluster.apps("deployments", name), body, force=force)
        )

    def _resize(self, deployment: Object, count: int) -> Object:
        """Of one whose number somebody else has set meanwhile: an autoscaler, or a person."""
        path = self.cluster.apps("deployments", name_of(deployment))
        return self.cluster.api.patch(path, {"spec": {"replicas": count}})

    def _autoscale(self, slot: Slot, name: str, there: Object | None, count: int) -> None:
        """Have what is about to run scaled as the other slot is, and no lower than what is asked for."""
        other = self.cluster.deployments().get(slot.other)
        begins = there is None or not _replicas(there)
        if begins and other is not None and _replicas(other) and self._made(other):
            self.autoscalers.provide(name, name_of(other), count)
        self.autoscalers.hold(name, count)

    def _apply(self, slot: Slot, template: Object, count: int, there: Object | None) -> None:
        base = self.templates.base() if there is None or self.cluster.manifest else there
        spec = base["spec"]
        selector = copy.deepcopy(dict((there or base)["spec"]["selector"]))
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), SLOT: slot.value}
        name = name_of(there) if there is not None else self.cluster.slot_name(slot)
        shared = there is not None and resized(there)
        body = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": name,
                "labels": {**own(labels_of(base)), APPLICATION: self.cluster.application, SLOT: slot.value},
                "annotations": dict(own(annotations_of(base))),
            },
            "spec": {
                **{key: spec[key] for key in COPIED if key in spec},
                **({} if shared else {"replicas": count}),
                "selector": selector,
                "template": template,
            },
        }
        path = self.cluster.apps("deployments", name)
        if count:
            self.templates.configuration.provide(template)
        # One of uno's own is what a write left whose answer was lost.
        found = self.cluster.api.find(path) if there is None else None
        if found is not None and not self._made(found):
            raise ConfigError(
                f"there is a Deployment {name} already, and uno did not make it",
                found=f"made {found['metadata'].get('creationTimestamp', '')}, by somebody else",
                where=path, remedy="rename or delete it: uno makes its own of that name",
            )  # fmt: skip
        if found is not None or there is not None:
            # It would take away again, or start, what is asked for now.
            self._autoscale(slot, name, there, count) if count else self.autoscalers.rest(name)
        made = self.cluster.api.apply(path, body)
        if shared and _replicas(made) != count:
            made = self._resize(made, count)
        self.cluster.made.keep(made)
        if found is None and there is None and count:
            self._autoscale(slot, name, there, count)

    def _made(self, deployment: Object) -> bool:
        return labels_of(deployment).get(APPLICATION) == self.cluster.application


def _replicas(deployment: Object) -> int:
    return int(deployment["spec"].get("replicas", 1))


def _captured(deployment: Object) -> Json:
    return {
        "uid": deployment["metadata"]["uid"],
        "name": name_of(deployment),
        "replicas": _replicas(deployment),
        "template": deployment["spec"]["template"],
    }


def _failure(deployment: Object) -> str:
    """Why its pods cannot even be made, a quota for instance; empty where they can."""
    status = deployment.get("status") or {}
    if int(status.get("observedGeneration", 0)) < int(deployment["metadata"].get("generation", 0)):
        return ""
    for one in status.get("conditions") or ():
        if one["type"] == "ReplicaFailure" and one["status"] == "True":
            return f"its pods cannot be made: {one.get('message') or one.get('reason')}"
    return ""
