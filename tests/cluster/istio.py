"""Istio's VirtualServices and DestinationRules, as far as weights, subsets and plain matches go."""

from __future__ import annotations

from collections.abc import Iterator

from tests.cluster.api import Object
from tests.cluster.backends import Backends, Destination, Seen, names
from tests.cluster.gateway import split

ABSENT = "absent"
"""A cluster that there is not: Envoy answers 503, as Istio's does for a subset that nobody declares."""


def resolved(host: str, namespace: str) -> tuple[str, str]:
    """The namespace and the name of the Service that a host means there."""
    if "." not in host:
        return namespace, host
    parts = host.removesuffix(".cluster.local").removesuffix(".svc").split(".")
    return (parts[1], parts[0]) if len(parts) == 2 else ("", "")


def hosts(backends: Backends, virtual: Object) -> list[str]:
    """The names that it answers to; a Service's stand for every way to ask for it."""
    result = []
    for host in virtual["spec"].get("hosts") or ():
        where = resolved(host, virtual["metadata"]["namespace"])
        result += names(*where) if backends.port(*where, None) else [host]
    return result


def routes(backends: Backends, virtual: Object) -> Iterator[Object]:
    """In the order that they are written in: Istio's first match wins."""
    for row in virtual["spec"].get("http") or ():
        ways = row.get("route") or ()
        shares: dict[str, int] = {}
        for way in ways:
            name = destination(backends, virtual, way["destination"])
            shares[name] = shares.get(name, 0) + way.get("weight", 100 if len(ways) == 1 else 0)
        action = split(shares)
        if "mirror" in row and "route" in action:
            part = {
                "numerator": int((row.get("mirrorPercentage") or {}).get("value", 100)),
                "denominator": "HUNDRED",
            }
            name = destination(backends, virtual, row["mirror"])
            action["route"]["request_mirror_policies"] = [
                {"cluster": name, "runtime_fraction": {"default_value": part}}
            ]
        for match in row.get("match") or [{}]:
            yield {"match": matching(match), **action}


def matching(match: Object) -> Object:
    uri = match.get("uri") or {"prefix": "/"}
    result: Object = {}
    if "exact" in uri:
        result["path"] = uri["exact"]
    elif "regex" in uri:
        result["safe_regex"] = {"regex": uri["regex"]}
    else:
        result["prefix"] = uri["prefix"]
    result["headers"] = [
        {"name": n, "string_match": _text(how)} for n, how in (match.get("headers") or {}).items()
    ]
    return result


def _text(how: Object) -> Object:
    return {"safe_regex": {"regex": how["regex"]}} if "regex" in how else dict(how)


def destination(backends: Backends, virtual: Object, to: Object) -> str:
    namespace, service = resolved(to["host"], virtual["metadata"]["namespace"])
    port = backends.port(namespace, service, (to.get("port") or {}).get("number"))
    if port is None:
        return ABSENT
    subset = to.get("subset", "")
    labels = subset_labels(backends.seen, namespace, service, subset)
    if labels is None:
        return ABSENT
    return backends.use(Destination(namespace, service, port["port"], subset, tuple(sorted(labels.items()))))


def subset_labels(seen: Seen, namespace: str, service: str, subset: str) -> dict[str, str] | None:
    if not subset:
        return {}
    for (where, _), rule in seen.rules.items():
        if resolved(rule["spec"]["host"], where) == (namespace, service):
            for row in rule["spec"].get("subsets") or ():
                if row["name"] == subset:
                    return row.get("labels") or {}
    return None
