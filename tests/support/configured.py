"""Applications on Kubernetes whose pods are configured: what they name, hold, and were given."""

from __future__ import annotations

import urllib.request

ENVIRONMENT = [
    {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "paint", "key": "colour"}}},
    {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "door", "key": "key"}}},
    {"name": "MAYBE", "valueFrom": {"configMapKeyRef": {"name": "nobody", "key": "x", "optional": True}}},
]
MORE = {
    "env": ENVIRONMENT,
    "envFrom": [{"configMapRef": {"name": "paint"}}],
    "volumeMounts": [{"name": "all", "mountPath": "/all"}, {"name": "door", "mountPath": "/door"}],
}
VOLUMES = [
    {
        "name": "all",
        "projected": {"sources": [{"configMap": {"name": "paint"}}, {"secret": {"name": "door"}}]},
    },
    {"name": "door", "secret": {"secretName": "door"}},
]


def paint(there, colour):
    there.core.patch_namespaced_config_map("paint", there.name, {"data": {"colour": colour}})


def bring(platform, until, slot, release, count=1):
    platform.workload.converge(slot, {release: count} if count else {})
    wanted = {release: count} if count else {}
    until(lambda: (s := platform.workload.observe().slots.get(slot)) is not None and s.holds(wanted))


def asked(there, slot, name):
    """What a process of that slot was given."""
    (pod, *_) = [p for p in there.pods(f"uno.dev/slot={slot}") if not p.metadata.deletion_timestamp]
    address = "127." + pod.status.pod_ip.partition(".")[2]
    return urllib.request.urlopen(f"http://{address}:8080/env/{name}").read().decode().strip()


def held(kind, name, **more):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **more}


def copies(there):
    found = there.core.list_namespaced_config_map(there.name, label_selector="uno.dev/application").items
    return {one.metadata.name: one.data["colour"] for one in found}
