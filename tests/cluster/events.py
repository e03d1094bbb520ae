"""Events about pods, as a kubelet and a scheduler record them: the same one again is counted."""

from __future__ import annotations

import threading
import time

from tests.cluster.api import Api, Object, Refused, now

SELDOM = 2.0
"""Seconds between two updates of one event's count."""


class Events:
    """Writes them; what is refused, as in a namespace that ends, is left out."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._known: dict[tuple[str, str, str], list] = {}
        self._lock = threading.Lock()

    def record(
        self, pod: Object, kind: str, reason: str, message: str, *, component: str = "kubelet", host: str = ""
    ) -> None:
        meta = pod["metadata"]
        folder = f"/api/v1/namespaces/{meta['namespace']}/events"
        with self._lock:
            known = self._known.setdefault((meta["uid"], reason, message), [0, 0.0, ""])
            known[0] += 1
            if known[0] > 1 and time.monotonic() - known[1] < SELDOM:
                return
            known[1] = time.monotonic()
            name = known[2]
            known[2] = name or f"{meta['name']}.{time.time_ns():x}"
        try:
            if name:
                self.api.patch(f"{folder}/{name}", {"count": known[0], "lastTimestamp": now()})
                return
            about = {k: meta[k] for k in ("name", "namespace", "uid", "resourceVersion")}
            source = {"component": component, **({"host": host} if host else {})}
            self.api.post(
                folder,
                {
                    "metadata": {"name": known[2], "namespace": meta["namespace"]},
                    "involvedObject": {"apiVersion": "v1", "kind": "Pod", **about},
                    "type": kind,
                    "reason": reason,
                    "message": message,
                    "count": 1,
                    "firstTimestamp": now(),
                    "lastTimestamp": now(),
                    "source": source,
                    "reportingComponent": component,
                },
            )
        except Refused:
            pass  # the namespace ends, or the event has expired
