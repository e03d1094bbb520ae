"""Pods as instances: whether one is ready, and in a person's words why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from uno_core import Instance, Release

Object = Mapping[str, Any]

HOPELESS = frozenset(
    {"ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError"}
)
"""What a kubelet waits for that a person has to mend."""

PULLING = frozenset({"ErrImagePull", "ImagePullBackOff"})

CRASHES = 3
"""Ends of one container after which nobody waits for it any more: by then it was started anew twice."""

Logs = Callable[[Object, str, bool], str]
"""The last lines of a container of a pod; of its life before where that is True."""


def leaving(pod: Object) -> bool:
    """Whether it drains away, or has ended: no instance any more."""
    phase = (pod.get("status") or {}).get("phase")
    return "deletionTimestamp" in pod["metadata"] or phase in ("Succeeded", "Failed")


def condition(pod: Object, kind: str) -> Mapping[str, Any]:
    found = (pod.get("status") or {}).get("conditions") or ()
    return next((one for one in found if one["type"] == kind), {})


def instance(pod: Object, release: Release, now: datetime, least: float, logs: Logs) -> Instance:
    """least: seconds that it has to be ready for."""
    status: Mapping[str, Any] = pod.get("status") or {}
    containers: Sequence[Mapping[str, Any]] = status.get("containerStatuses") or ()
    restarts = sum(int(one.get("restartCount", 0)) for one in containers)
    reason, given_up = "", False
    ready = condition(pod, "Ready")
    if ready.get("status") != "True":
        reason, given_up = _why(pod, containers, logs)
    elif least and (left := least - (now - _time(ready["lastTransitionTime"])).total_seconds()) > 0:
        reason = f"ready, and to be so for {left:.0f} s more"
    ports = [p["containerPort"] for c in pod["spec"]["containers"] for p in c.get("ports") or ()]
    return Instance(
        id=str(pod["metadata"]["name"]),
        release=release,
        ready=not reason,
        reason=reason,
        given_up=given_up,
        host=str(status.get("podIP", "")),
        port=int(ports[0]) if ports else 0,
        restarts=restarts,
        coming=bool(reason) and not given_up and not restarts and not _was_ready(pod),
    )


def _was_ready(pod: Object) -> bool:
    """Whether it has been ready before: its condition has changed since the pod was accepted."""
    ready, begun = condition(pod, "Ready"), (pod.get("status") or {}).get("startTime")
    if not ready or not begun:
        return False
    return (
        ready["status"] == "True" or (_time(ready["lastTransitionTime"]) - _time(begun)).total_seconds() > 1
    )


def _why(pod: Object, containers: Sequence[Mapping[str, Any]], logs: Logs) -> tuple[str, bool]:
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return f"no node takes it: {scheduled.get('message') or scheduled.get('reason')}", False
    for one in containers:
        name, state = one["name"], one.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated")
        kind = str(waiting.get("reason", ""))
        before = (one.get("lastState") or {}).get("terminated")
        if kind in HOPELESS or kind in PULLING:
            return f"{name}: {kind}: {waiting.get('message', '')}".rstrip(": "), kind in HOPELESS or _absent(
                waiting
            )
        if ended or kind == "CrashLoopBackOff" or (before and not one.get("ready")):
            last = ended or before or {}
            crashes = int(one.get("restartCount", 0)) + (1 if ended else 0)
            told = f"{name}: it ended with {last.get('exitCode', '?')}{_reason(last)}, {crashes} times so far"
            said = logs(pod, name, not ended)
            return (f"{told}; its last words: {said}" if said else told), crashes >= CRASHES
    if gates := _gates(pod):
        return f"its readiness gates are not open: {gates}", False
    unready = [str(one["name"]) for one in containers if not one.get("ready")]
    waits = {str(((one.get("state") or {}).get("waiting") or {}).get("reason", "")) for one in containers}
    if any("running" in (one.get("state") or {}) for one in containers):
        return f"its readiness probe has not passed yet: {', '.join(unready) or 'starting'}", False
    return f"starting{': ' if waits - {''} else ''}{', '.join(sorted(waits - {''}))}", False


def _absent(waiting: Mapping[str, Any]) -> bool:
    """Whether a registry said that there is no such image, which waiting does not change."""
    said = str(waiting.get("message", "")).lower()
    return any(words in said for words in ("not found", "manifest unknown", "does not exist"))


def _reason(ended: Mapping[str, Any]) -> str:
    kind = str(ended.get("reason", ""))
    return f" ({kind})" if kind and kind not in ("Error", "Completed") else ""


def _gates(pod: Object) -> str:
    gates = [str(gate["conditionType"]) for gate in pod["spec"].get("readinessGates") or ()]
    return ", ".join(gate for gate in gates if condition(pod, gate).get("status") != "True")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
