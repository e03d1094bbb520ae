"""How the traffic finds a slot's pods: selectors, and a Service for each slot where weights need one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from uno_core import PlatformError, Slot, Unanswered
from uno_platform_kubernetes.api import Conflict
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.objects import (
    APPLICATION,
    HASH,
    SLOT,
    annotations_of,
    labels_of,
    name_of,
    own,
    owner_of,
)

Object = Mapping[str, Any]

PORT = ("name", "port", "targetPort", "protocol", "appProtocol")
"""What a slot's Service has of each port of the application's own."""


class Slots:
    """Selects by the label of the slot; what was there before uno, by the hash of its pod template."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def selector(self, slot: Slot) -> Mapping[str, str]:
        """What selects the pods of a slot, and no others."""
        base = self.both()
        there = self.cluster.deployments().get(slot)
        if there is None or labels_of(there).get(APPLICATION) == self.cluster.application:
            return {**base, SLOT: slot.value}
        return {**base, HASH: self._settled(there)}

    def both(self) -> Mapping[str, str]:
        """What selects the pods of both slots."""
        return {k: v for k, v in self._base().items() if k not in (SLOT, HASH)}

    def slot_of(self, selector: Mapping[str, str]) -> Slot | None:
        """The slot that a selector stands for; None where that is both, or nobody's."""
        named = selector.get(SLOT)
        if named in (Slot.BLUE, Slot.GREEN):
            return Slot(named)
        deployments = self.cluster.deployments()
        before = deployments.get(Slot.BLUE)
        if before is None or labels_of(before).get(APPLICATION) == self.cluster.application:
            return None
        if (wanted := selector.get(HASH)) is None:
            # Never seen by uno: one Deployment behind one Service, if it was ever started.
            started = bool(before["spec"].get("replicas", 1))
            return Slot.BLUE if started and Slot.GREEN not in deployments else None
        hashes = {
            labels_of(one).get(HASH)
            for one in self.cluster.replica_sets()
            if owner_of(one) == before["metadata"]["uid"]
        }
        return Slot.BLUE if wanted in hashes else None

    def service(self) -> Object:
        """The application's Service; as it is to be made, without a uid, where the manifest alone has it.

        Raises PlatformError where there is none.
        """
        found = self.cluster.before.get(self.cluster.service) or self._declared()
        if found is None:
            raise PlatformError(
                f"there is no Service {self.cluster.service} in the namespace {self.cluster.namespace}",
                expected="the Service before the application",
                remedy="kubectl apply it first, have it in platform.manifest, or set platform.service",
            )
        return found

    def _declared(self) -> Object | None:
        """What is made of the manifest's: it leads to nobody, until it is routed."""
        manifest = self.cluster.manifest
        if manifest is None or manifest.service is None:
            return None
        declared = manifest.service
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": name_of(declared),
                "labels": {**own(labels_of(declared)), APPLICATION: self.cluster.application},
                "annotations": dict(own(annotations_of(declared))),
            },
            "spec": declared["spec"],
        }

    def remarks(self) -> Iterator[str]:
        """What a plan tells of what is made beside the slots' own."""
        manifest = self.cluster.manifest
        if manifest is not None and not self.cluster.deployments():
            yield f"there is no Deployment {self.cluster.deployment} yet: it is made of {manifest.path}"
        if self.cluster.services.routed and "uid" not in self.service()["metadata"]:
            yield f"the Service {self.cluster.service} is made, as the manifest has it"

    def service_of(self, slot: Slot) -> str:
        return f"{self.cluster.service}-{slot.value}"

    def ensure_services(self, *, pinned: bool = False) -> None:
        """Have a Service before each slot, which no traffic has found yet, and that of a manifest.

        pinned: the latter leads to nobody until its selector is written.
        """
        main = self.service()
        if "uid" not in main["metadata"]:
            main = self._create(main, pinned=pinned)
        for slot in Slot:
            wanted = self._made(main, slot)
            name = name_of(wanted)
            there = self._services().get(name)
            if there is not None and labels_of(there).get(APPLICATION) != self.cluster.application:
                raise PlatformError(
                    f"there is a Service {name} already, and uno did not make it",
                    expected=f"one with the label {APPLICATION}={self.cluster.application}, or none",
                    remedy="rename it: uno makes its own of that name, one before each slot",
                )
            if there is None or not _same(there["spec"], wanted["spec"]):
                self._services().keep(self.cluster.api.apply(self.cluster.core("services", name), wanted))

    def _create(self, declared: Object, *, pinned: bool) -> Object:
        """Not by an apply: what uno applies later is the selector alone, and would take away all else."""
        spec = {key: value for key, value in declared["spec"].items() if key != "selector" or not pinned}
        path = self.cluster.core("services")
        try:
            made = self.cluster.api.create(path, {**declared, "spec": spec})
        except (Conflict, Unanswered):
            made = self.cluster.api.get(self.cluster.core("services", name_of(declared)))
        self.cluster.before.keep(made)
        return made

    def _services(self) -> Any:
        return self.cluster.mirror(
            self.cluster.core("services"), label=f"{APPLICATION}={self.cluster.application}"
        )

    def _made(self, main: Object, slot: Slot) -> Object:
        ports = [{key: port[key] for key in PORT if key in port} for port in main["spec"].get("ports") or ()]
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": self.service_of(slot),
                "labels": {**own(labels_of(main)), APPLICATION: self.cluster.application, SLOT: slot.value},
            },
            "spec": {"selector": dict(self.selector(slot)), "ports": ports},
        }

    def _base(self) -> Mapping[str, str]:
        """What the Service selects by, and every pod of either slot has."""
        selector = self.service()["spec"].get("selector") or {}
        return selector or self.cluster.base_labels()

    def _settled(self, deployment: Object) -> str:
        """The hash of the one ReplicaSet that a Deployment's pods come from."""
        uid = deployment["metadata"]["uid"]
        mine = [one for one in self.cluster.replica_sets() if owner_of(one) == uid]
        running = [one for one in mine if _pods(one)]
        if not running:  # scaled to nothing: the newest is what it would start
            running = sorted(mine, key=_revision)[-1:]
        if not running:
            raise PlatformError(
                f"the Deployment {name_of(deployment)} has no pod template of its own yet",
                expected="a ReplicaSet", remedy="wait for the Deployment controller",
            )  # fmt: skip
        # While somebody rolls it out: the most that serve. A way back must not wait for that.
        return str(labels_of(max(running, key=_ready))[HASH])

    def check_settled(self) -> None:
        """Raises PlatformError while what was there before uno is being rolled out: nothing to start from."""
        before = self.cluster.deployments().get(Slot.BLUE)
        if before is None or labels_of(before).get(APPLICATION) == self.cluster.application:
            return
        uid = before["metadata"]["uid"]
        running = [one for one in self.cluster.replica_sets() if owner_of(one) == uid and _pods(one)]
        if len(running) > 1:
            raise PlatformError(
                f"the Deployment {name_of(before)} is being rolled out",
                found=f"pods of {len(running)} pod templates",
                expected="pods of one",
                remedy="wait for it: kubectl rollout status, or undo it; then deploy again",
            )


def _pods(replica_set: Object) -> int:
    return int((replica_set.get("status") or {}).get("replicas", 0))


def _ready(replica_set: Object) -> int:
    return int((replica_set.get("status") or {}).get("readyReplicas", 0))


def _revision(replica_set: Object) -> int:
    annotations = replica_set["metadata"].get("annotations") or {}
    return int(annotations.get("deployment.kubernetes.io/revision", 0))


def _same(there: Object, wanted: Object) -> bool:
    ports = [
        {key: port.get(key) for key in ("name", "port", "targetPort")} for port in there.get("ports") or ()
    ]
    mine = [{"name": p.get("name"), "port": p["port"], "targetPort": p.get("targetPort", p["port"])}
            for p in wanted["ports"]]  # fmt: skip
    return dict(there.get("selector") or {}) == dict(wanted["selector"]) and ports == mine
