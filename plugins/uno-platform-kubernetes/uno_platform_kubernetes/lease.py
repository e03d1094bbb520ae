"""The lease of an application as a Lease of `coordination.k8s.io`, which tells a person whose it is.

No clock of another machine decides whether it has expired: that it has not changed for as long as it lasts,
by our own, does. A process that has only just begun cannot have seen that. It believes the time that is
written there, with a margin for clocks that differ: or else a driver that died would lock out every command
that looks once and ends.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from uno_core import Driver, ThingName, to_json
from uno_platform_kubernetes.configmaps import KIND, slug
from uno_platform_kubernetes.objects import APPLICATION, annotations_of

Object = Mapping[str, Any]

GROUP = "coordination.k8s.io/v1"

HELD = "uno.dev/lease"
"""Annotation: what the Lease has no field for, as JSON; whose it is stands in its fields for a person."""

SKEW = 60.0
"""Seconds by which the clocks of two machines may differ, where there is nothing else to judge by."""


def lease_name(name: ThingName) -> str:
    return f"uno-{slug(name.of)}"


def lease(name: ThingName, data: Mapping[str, Any], now: datetime) -> Object:
    """The Lease, and what makes it this one where there is another. Whoever writes it renews it."""
    held = dict(data["lease"])
    owner = held["owner"]
    spec = {
        "holderIdentity": f"{owner['user']}@{owner['host']} {owner['pid']}" if held.pop("held") else "",
        "leaseDurationSeconds": max(1, math.ceil(held.pop("ttl"))),
        "acquireTime": _text(datetime.fromisoformat(held.pop("since"))),
        "renewTime": _text(now),
        "leaseTransitions": held.pop("epoch"),
    }
    labels, annotations = {KIND: "lock", APPLICATION: slug(name.of)}, {HELD: json.dumps(held)}
    metadata = {"name": lease_name(name), "labels": labels, "annotations": annotations}
    return {"apiVersion": GROUP, "kind": "Lease", "metadata": metadata, "spec": spec}


def data_of(found: Object) -> Mapping[str, Any]:
    """What was put there, and what somebody has changed by hand."""
    spec = found["spec"]
    holder, since = str(spec.get("holderIdentity") or ""), _time(found, "acquireTime")
    somebody = Driver(host=holder, pid=0, started=str(since), user="somebody")
    written = json.loads(annotations_of(found).get(HELD, "{}"))
    return {
        "lease": {
            "owner": to_json(somebody),
            "nonce": "",
            **written,
            "held": bool(holder),
            "ttl": float(spec.get("leaseDurationSeconds") or 0),
            "since": since.isoformat(),
            "epoch": int(spec.get("leaseTransitions") or 0),
        }
    }


def renewed(found: Object) -> datetime:
    """When that was, by the clock of whoever did it."""
    return _time(found, "renewTime")


def age(found: Object, now: datetime) -> float:
    """Seconds since then at the least, so far as clocks can be believed."""
    return max(0.0, (now - renewed(found)).total_seconds() - SKEW)


def _time(found: Object, field: str) -> datetime:
    text = found["spec"].get(field)
    return datetime.fromisoformat(text) if text else datetime.fromtimestamp(0, UTC)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
