"""Envoy in place of the load balancers: it follows rules, weights and targets, and carries real requests.

A listener is asked by the host `PORT.DNS-NAME` of its load balancer; `host` says which that is. A sticky rule
gives each client the cookie AWSALBTG and goes by it, whatever the weights are. Authentication is not carried
out.
"""

from __future__ import annotations

import fnmatch
import re
import threading
from pathlib import Path
from typing import Any

from tests.aws import balancing
from tests.aws.health import Health
from tests.cluster.proxy import Proxy

COOKIE = "AWSALBTG"
UNAVAILABLE = {"direct_response": {"status": 503, "body": {"inline_string": "no targets\n"}}}


class DataPlane:
    """`failures` are what went wrong with itself."""

    def __init__(self, folder: Path, health: Health) -> None:
        self.proxy, self.health = Proxy(folder), health
        self.failures: list[str] = []
        self.lag = 0.0
        """Seconds that every change takes to come through."""
        self._leave = threading.Event()

    @property
    def port(self) -> int:
        return self.proxy.port

    def start(self) -> None:
        self.proxy.start()
        threading.Thread(target=self._work, name="load balancers", daemon=True).start()

    def stop(self) -> None:
        self._leave.set()
        self.proxy.stop()

    def _work(self) -> None:
        while not self._leave.wait(0.02):
            try:
                self._follow()
            except Exception as error:  # noqa: BLE001 - the thread has to go on
                if not self._leave.is_set():
                    self.failures.append(f"{type(error).__name__}: {error}")

    def _follow(self) -> None:
        clusters: dict[str, list[tuple[str, int]]] = {}
        hosts = []
        for backend in balancing.backends():
            used = balancing.used(backend)
            for group in list(backend.target_groups.values()):
                if group.arn in used:
                    clusters[_cluster(group.arn)] = self.health.takers(group)
            for balancer in list(backend.load_balancers.values()):
                hosts += [_virtual(balancer, one) for one in list(balancer.listeners.values())]
        self._leave.wait(self.lag)
        self.proxy.apply(clusters, sorted(hosts, key=lambda row: row["name"]))


def host(balancer: dict[str, Any], port: int) -> str:
    """What a listener is asked by, of a load balancer as boto3 tells it."""
    return f"{port}.{balancer['DNSName']}".lower()


def _virtual(balancer: Any, listener: Any) -> dict[str, Any]:
    domain = f"{listener.port}.{balancer.dns_name}".lower()
    rules = sorted(
        listener.rules.values(),
        key=lambda rule: (rule.is_default, 0 if rule.is_default else int(rule.priority)),
    )
    routes = [route for rule in rules for route in _routes(_match(rule.conditions), rule.actions)]
    return {"name": domain, "domains": [domain], "routes": routes}


def _match(conditions: list[dict[str, Any]]) -> dict[str, Any]:
    match: dict[str, Any] = {"prefix": "/", "headers": []}
    for one in conditions:
        kind = one["Field"]
        if kind == "path-pattern":
            values = (one.get("PathPatternConfig") or one).get("Values")
            match.pop("prefix", None)
            match["safe_regex"] = {"regex": _pattern(values)}
        elif kind == "http-header":
            config = one["HttpHeaderConfig"]
            text = {"safe_regex": {"regex": _pattern(config["Values"])}}
            match["headers"].append({"name": config["HttpHeaderName"].lower(), "string_match": text})
        else:
            raise NotImplementedError(f"this data plane has no condition {kind}")
    return match


def _pattern(values: list[str]) -> str:
    """Of `*` and `?`, as conditions have them."""
    return "|".join(re.sub(r"\\Z|\(\?s:(.*)\)", r"\1", fnmatch.translate(value)) for value in values)


def _routes(match: dict[str, Any], actions: list[Any]) -> list[dict[str, Any]]:
    """Who has a cookie of one of the groups goes there, even if its weight is 0 or nobody is in it."""
    sticky = _sticky(actions[-1])
    groups = balancing.shares(actions[-1].data) if sticky else {}
    kept = [
        {
            "match": {**match, "headers": [*match["headers"], _cookie(_cluster(arn))]},
            "route": {"timeout": "15s", "cluster": _cluster(arn)},
        }
        for arn in groups
    ]
    return [*kept, {"match": match, **_action(actions, sticky)}]


def _sticky(action: Any) -> int:
    """Seconds for which a client stays with a group; 0 where it does not."""
    config = (action.data.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig") or {}
    enabled = str(config.get("Enabled", "false")).lower() == "true"
    return int(config.get("DurationSeconds") or 0) if enabled else 0


def _cookie(cluster: str) -> dict[str, Any]:
    pattern = rf"(.*; ?)?{COOKIE}={re.escape(cluster)}(;.*)?"
    return {"name": "cookie", "string_match": {"safe_regex": {"regex": pattern}}}


def _given(cluster: str, seconds: int) -> dict[str, Any]:
    """What a client is given along, to come back to this group."""
    value = f"{COOKIE}={cluster}; Max-Age={seconds}; Path=/"
    return {"response_headers_to_add": [{"header": {"key": "set-cookie", "value": value}}]} if seconds else {}


def _action(actions: list[Any], sticky: int) -> dict[str, Any]:
    last = actions[-1]
    if last.type == "fixed-response":
        config = last.data["FixedResponseConfig"]
        body = config.get("MessageBody") or ""
        return {"direct_response": {"status": int(config["StatusCode"]), "body": {"inline_string": body}}}
    if last.type != "forward":
        raise NotImplementedError(f"this data plane has no action {last.type}")
    # A group gets its share whether it has targets or not: weights do not fail over.
    rows = [
        {"name": _cluster(arn), "weight": weight, **_given(_cluster(arn), sticky)}
        for arn, weight in balancing.shares(last.data).items()
        if weight > 0
    ]
    if not rows:
        return UNAVAILABLE
    return {"route": {"timeout": "15s", "weighted_clusters": {"clusters": rows}}}


def _cluster(arn: str) -> str:
    return arn.rpartition("targetgroup/")[2].replace("/", "-")
