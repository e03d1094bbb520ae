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
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.objects import (
    ADOPTED,
    APPLICATION,
    IMAGE,
    SLOT,
    annotations_of,
    configuration_of,
    container_of,
    image_for,
    labels_of,
    name_of,
    own,
    owner_of,
    release_of,
    template_for,
)
from uno_platform_kubernetes.pods import instance, leaving
from uno_platform_kubernetes.slots import Slots

Object = Mapping[str, Any]

LINES = 5
"""Of the log of a container that ended, so many of the last lines are told."""

COPIED = ("minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit", "strategy")
"""What a slot's Deployment has of the one that it is made from, beside the template."""


class KubernetesWorkload:
    """Applies Deployments; what runs is read from their ReplicaSets and pods."""

    def __init__(self, cluster: Cluster, slots: Slots) -> None:
        self.cluster, self.slots = cluster, slots
        self.marked: Callable[[], Any] = lambda: None
        self._said: dict[tuple[str, int], str] = {}

    # What is to run

    def resolve(self, release: Release) -> Release:
        base = self._base()
        container = self._container(base)
        template = base["spec"]["template"]
        image = image_for(str(container["image"]), release)
        if not IMAGE.fullmatch(image):
            raise ConfigError(
                f"no image can be called {image}", found=f"version {release.version}",
                expected="repository:tag or repository@sha256:…", where="--version, --image or release.image",
                remedy="correct the version, or name the image",
            )  # fmt: skip
        return Release(release.version, image, configuration_of(template, container["name"]))

    def recall(self, release: Release) -> None:
        """From the ReplicaSets, which keep the pod templates of before."""
        if self._of_before(release) is not None:
            return
        base = self._base()
        container = self._container(base)["name"]
        if configuration_of(base["spec"]["template"], container) != release.config:
            raise ConfigError(
                f"version {release.version} cannot be started again as it was",
                found="its pod template is gone, and the present one is configured in another way",
                expected="a ReplicaSet of it", where="--to",
                remedy="name another version; a greater revisionHistoryLimit keeps more of them",
            )  # fmt: skip

    def _of_before(self, release: Release) -> Object | None:
        """The pod template of a release that was deployed before, without what the slot had in it."""
        for one in (*self.cluster.deployments().values(), *self.cluster.replica_sets()):
            template = one["spec"]["template"]
            names = [container["name"] for container in template["spec"]["containers"]]
            wanted = self.cluster.options.container or (names[0] if len(names) == 1 else "")
            if wanted in names and release_of(template, wanted) == release:
                return dict(template)
        return None

    def converge(self, slot: Slot, counts: Counts) -> None:
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
        if there is not None and self._release(there) == release:
            self._scale(there, count)
            return
        template = self._template(release, slot)
        if there is not None and not self._made(there):
            # What was there before uno stays as it is, and makes room.
            self._scale(there, 0)
            there = None
        self._apply(slot, template, count, there)

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
            if release_of(before["template"], container) == self._release(there):
                self._scale(there, before["replicas"])
            else:
                self._apply(slot, before["template"], before["replicas"], there)
        else:
            self._apply(slot, self._labelled(before["template"], slot), before["replicas"], there)
        self._lead_there()

    # What runs

    def observe(self) -> WorkloadState:
        self.cluster.changes.looking()
        deployments = self.cluster.deployments()
        if not deployments:
            return WorkloadState(
                slots={}, size=max(1, self.cluster.options.instances), captured=dict.fromkeys(Slot)
            )
        sets, pods = self.cluster.replica_sets(), self.cluster.pods()
        slots = {slot: self._slot(one, sets, pods) for slot, one in deployments.items()}
        sizes = [sum(state.wanted.values()) for state in slots.values()]
        captured: Json = {
            slot.value: _captured(deployments[slot]) if slot in deployments else None for slot in Slot
        }
        size = self.cluster.options.instances or self._size_before() or max([1, *sizes])
        return WorkloadState(slots=slots, size=size, captured=captured)

    def _size_before(self) -> int:
        """What carried everything before the deployment that is under way; 0 where none is.

        Halfway through a rolling deployment neither slot has as many.
        """
        mark = self.marked() or {}
        split: Mapping[str, float] = mark.get("split") or {}
        live = max(split, key=lambda slot: split[slot], default="")
        return sum(int(row["count"]) for row in (mark.get("releases") or {}).get(live, ()))

    def _slot(self, deployment: Object, sets: Sequence[Object], pods: Sequence[Object]) -> SlotState:
        container = self._container(deployment)["name"]
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
        release, count = self._release(deployment), int(deployment["spec"].get("replicas", 1))
        if (why := _failure(deployment)) and sum(i.release == release for i in instances) < count:
            instances.append(
                Instance(id=f"{name_of(deployment)}-none", release=release, ready=False, reason=why)
            )
        wanted = {release: count} if count else {}
        return SlotState(wanted=wanted, instances=tuple(sorted(instances, key=lambda i: i.id)))

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
        if int(deployment["spec"].get("replicas", 1)) == count:
            return
        name = name_of(deployment)
        if self._made(deployment):
            self._apply(Slot(labels_of(deployment)[SLOT]), deployment["spec"]["template"], count, deployment)
            return
        body = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {"replicas": count},
        }
        force = "spec.replicas" in annotations_of(deployment).get(ADOPTED, "")
        self.cluster.original.keep(
            self.cluster.api.apply(self.cluster.apps("deployments", name), body, force=force)
        )

    def _apply(self, slot: Slot, template: Object, count: int, there: Object | None) -> None:
        base = there if there is not None else self._base()
        spec = base["spec"]
        selector = copy.deepcopy(dict(spec["selector"]))
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), SLOT: slot.value}
        name = name_of(there) if there is not None else self.cluster.slot_name(slot)
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
                "replicas": count,
                "selector": selector,
                "template": template,
            },
        }
        path = self.cluster.apps("deployments", name)
        # One of uno's own is what a write left whose answer was lost.
        found = self.cluster.api.find(path) if there is None else None
        if found is not None and not self._made(found):
            raise ConfigError(
                f"there is a Deployment {name} already, and uno did not make it",
                found=f"made {found['metadata'].get('creationTimestamp', '')}, by somebody else",
                where=path, remedy="rename or delete it: uno makes its own of that name",
            )  # fmt: skip
        self.cluster.made.keep(self.cluster.api.apply(path, body))

    # Templates

    def _base(self) -> Object:
        """The Deployment that new ones are made from: the greatest one. Raises PlatformError without any."""
        found = self.cluster.deployments()
        if not found:
            self.cluster.base_labels()  # says what is missing
        return max(found.values(), key=lambda one: int(one["spec"].get("replicas", 1)))

    def _template(self, release: Release, slot: Slot) -> Object:
        if not release.artifact:
            release = self.resolve(release)
        base = self._base()
        container = self._container(base)["name"]
        template = base["spec"]["template"]
        if configuration_of(template, container) != release.config:
            # Deployed before, of another configuration than the present one: as it was then.
            template = self._of_before(release) or template
        return template_for(template, release, container, slot, self.cluster.application)

    def _labelled(self, template: Object, slot: Slot) -> Object:
        container = container_of(template, self.cluster.options.container, slot.value)["name"]
        return template_for(
            template, release_of(template, container), container, slot, self.cluster.application
        )

    def _container(self, deployment: Object) -> Mapping[str, Any]:
        where = f"Deployment {name_of(deployment)}"
        return container_of(deployment["spec"]["template"], self.cluster.options.container, where)

    def _release(self, deployment: Object) -> Release:
        return release_of(deployment["spec"]["template"], self._container(deployment)["name"])

    def _made(self, deployment: Object) -> bool:
        return labels_of(deployment).get(APPLICATION) == self.cluster.application


def _captured(deployment: Object) -> Json:
    return {
        "uid": deployment["metadata"]["uid"],
        "name": name_of(deployment),
        "replicas": int(deployment["spec"].get("replicas", 1)),
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
