"""Nodes of our own: pods are scheduled onto them and run as local processes.

A pod is reported at 10.N.x.y, since EndpointSlices refuse loopback addresses, and listens on 127.N.x.y.
What cannot be placed stays Pending and Unschedulable: too large requests, a nodeSelector that no node fits,
or the annotation `cluster.test/unschedulable`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

from tests.cluster.api import STRATEGIC, Api, Followed, Object, Refused, key, now
from tests.cluster.children import until
from tests.cluster.events import Events
from tests.cluster.pod import Pod
from tests.cluster.quantities import amount

UNSCHEDULABLE = "cluster.test/unschedulable"
VERSION = "v0.0.0-test"
INFO = (
    "machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion",
    "kubeProxyVersion", "architecture",
)  # fmt: skip
CLAIM = 40_999
"""The port by which a cluster claims its part of the loopback addresses."""


def claimed() -> tuple[int, socket.socket]:
    """The second octet of a cluster's addresses, which no other one on this machine has meanwhile."""
    for octet in range(16, 250):
        claim = socket.socket()
        try:
            claim.bind((f"127.{octet}.255.254", CLAIM))
        except OSError:
            claim.close()
        else:
            return octet, claim
    raise AssertionError("every part of the loopback addresses is taken")


class Kubelet:
    """All nodes in one. `failures` are what went wrong with itself: there should be none."""

    host = "127.0.0.1"

    def __init__(self, api: Api, folder: Path, log_port: int, nodes: int = 2) -> None:
        self.api = api
        self.folder = folder
        self.log_port = log_port
        self.pods: dict[str, Pod] = {}
        self.failures: list[str] = []
        self.events = Events(api)
        self._octet, self._claim = claimed()
        self.nodes = [f"node-{self._octet}-{number + 1}" for number in range(nodes)]
        self._used = 0
        self._assumed: dict[str, str] = {}
        self._refused: dict[str, str] = {}
        self._changed = threading.Event()
        self._seen = Followed(api, "/api/v1/pods", self._told)
        self._known = Followed(api, "/api/v1/nodes", lambda *_: self._changed.set())

    def start(self) -> None:
        for name in self.nodes:
            self._register(name)
        self._known.start()
        self._known.listed.wait(30)
        self._seen.start()
        threading.Thread(target=self._schedule, name="scheduler", daemon=True).start()

    def leave(self) -> None:
        """Let what has been deleted end, and take the nodes out of the cluster."""
        with contextlib.suppress(AssertionError):  # what is left then has been left by a test
            until(lambda: not any("deletionTimestamp" in p.pod["metadata"] for p in [*self.pods.values()]))
        for name in self.nodes:
            self.api.call("DELETE", f"/api/v1/nodes/{name}")

    def stop(self) -> None:
        for pod in list(self.pods.values()):
            pod.told(pod.pod, gone=True)
            pod.kill()
        self._changed.set()
        self._claim.close()

    def pod(self, namespace: str, name: str) -> Pod | None:
        found = (pod for pod in list(self.pods.values()) if key(pod.pod) == (namespace, name))
        return next(found, None)

    def event(self, pod: Object, kind: str, reason: str, message: str) -> None:
        self.events.record(pod, kind, reason, message, host=pod["spec"].get("nodeName", ""))

    def failed(self, what: str, error: Exception) -> None:
        if not self.api.closed.is_set():
            self.failures.append(f"{what}: {type(error).__name__}: {error}")

    def _register(self, name: str) -> None:
        labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
        meta = {"name": name, "labels": labels}
        with contextlib.suppress(Refused):  # it is there already
            self.api.post("/api/v1/nodes", {"metadata": meta})
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now()}
        room = {"cpu": "16", "memory": "32Gi", "pods": "110"}
        status = {
            "capacity": room,
            "allocatable": room,
            "conditions": [{**ready, "lastTransitionTime": now()}],
            "addresses": [{"type": "InternalIP", "address": self.host}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.log_port}},
            "nodeInfo": {
                **dict.fromkeys(INFO, "test"),
                "kubeletVersion": VERSION,
                "operatingSystem": "linux",
            },
        }
        self.api.patch(f"/api/v1/nodes/{name}/status", {"status": status}, STRATEGIC)

    def _told(self, kind: str, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        node = pod["spec"].get("nodeName")
        if kind == "DELETED":
            self._assumed.pop(uid, None)
            self._refused.pop(uid, None)
            life = self.pods.pop(uid, None)
            if life:
                life.told(pod, gone=True)
        elif uid in self.pods:
            self.pods[uid].told(pod)
        elif node in self.nodes and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            self.pods[uid] = Pod(self, pod, self._address())
        if kind == "DELETED" or not node:
            self._changed.set()

    def _address(self) -> str:
        """Each once: what still goes to a pod that has ended must reach nobody."""
        self._used = self._used % 60_000 + 1
        return f"127.{self._octet}.{self._used // 250}.{self._used % 250 + 1}"

    def _schedule(self) -> None:
        while not self.api.closed.is_set():
            self._changed.wait(1)
            self._changed.clear()
            for pod in list(self._seen.objects.values()):
                uid = pod["metadata"]["uid"]
                waits = not pod["spec"].get("nodeName") and not pod["spec"].get("schedulingGates")
                if not waits or uid in self._assumed or self.api.closed.is_set():
                    continue
                try:
                    self._place(pod)
                except Exception as error:  # noqa: BLE001 - one pod's must not stop the others
                    self.failed(f"scheduling {key(pod)}", error)

    def _place(self, pod: Object) -> None:
        path = "/api/v1/namespaces/{}/pods/{}".format(*key(pod))
        if "deletionTimestamp" in pod["metadata"]:
            # Nobody runs it, so nobody else would end it.
            with contextlib.suppress(Refused):
                self.api.call("DELETE", path, {"gracePeriodSeconds": 0})
            return
        fits, why = self._fitting(pod)
        uid = pod["metadata"]["uid"]
        if not fits:
            if self._refused.get(uid) == why:
                return
            self._refused[uid] = why
            row = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
            body = {"status": {"conditions": [{**row, "lastTransitionTime": now()}]}}
            with contextlib.suppress(Refused):
                self.api.patch(f"{path}/status", body, STRATEGIC)
            self.events.record(pod, "Warning", "FailedScheduling", why, component="default-scheduler")
            return
        self._assumed[uid] = fits[0]
        target = {"apiVersion": "v1", "kind": "Node", "name": fits[0]}
        meta = {"name": pod["metadata"]["name"], "uid": uid}
        with contextlib.suppress(Refused):  # it is gone, or somebody else was quicker
            self.api.post(f"{path}/binding", {"metadata": meta, "target": target})
            message = f"Successfully assigned {'/'.join(key(pod))} to {fits[0]}"
            self.events.record(pod, "Normal", "Scheduled", message, component="default-scheduler")

    def _fitting(self, pod: Object) -> tuple[list[str], str]:
        """The nodes that it fits, the emptiest first, or why it fits none."""
        reasons: dict[str, int] = {}
        rows: list[tuple[int, str]] = []
        for node in self.nodes:
            thing = self._known.objects.get(("", node), {})
            others = self._on(node)
            why = self._against(pod, thing, others)
            if why:
                reasons[why] = reasons.get(why, 0) + 1
            else:
                rows.append((len(others), node))
        told = ", ".join(f"{count} {why}" for why, count in sorted(reasons.items()))
        return [node for _, node in sorted(rows)], f"0/{len(self.nodes)} nodes are available: {told}."

    def _on(self, node: str) -> list[Object]:
        return [
            pod
            for pod in list(self._seen.objects.values())
            if (pod["spec"].get("nodeName") or self._assumed.get(pod["metadata"]["uid"])) == node
            and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        ]

    def _against(self, pod: Object, node: Object, others: list[Object]) -> str:
        if not node:
            return "node(s) were unavailable"
        if (pod["metadata"].get("annotations") or {}).get(UNSCHEDULABLE):
            return "node(s) didn't match Pod's node affinity/selector"
        if node["spec"].get("unschedulable"):
            return "node(s) were unschedulable"
        labels = node["metadata"].get("labels") or {}
        if not (pod["spec"].get("nodeSelector") or {}).items() <= labels.items():
            return "node(s) didn't match Pod's node affinity/selector"
        room = node["status"]["allocatable"]
        for what in ("cpu", "memory"):
            if sum(_asked(each, what) for each in [*others, pod]) > amount(room[what]):
                return f"Insufficient {what}"
        return "Too many pods" if len(others) + 1 > amount(room["pods"]) else ""


def _asked(pod: Object, what: str) -> float:
    rows = pod["spec"]["containers"]
    return sum(amount(((row.get("resources") or {}).get("requests") or {}).get(what, "0")) for row in rows)
