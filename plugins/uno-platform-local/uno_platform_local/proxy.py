"""Envoy: the files that it reads, and what its admin interface tells."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from uno_core import ConfigError, PlatformError, Slot, Split, Unsupported
from uno_platform_local.layout import Layout

WEIGHTS = 10_000
"""The weights of a split sum to this: one is 0.01 %."""

_TYPE = "type.googleapis.com/envoy."
ROUTES = "routes"
FIRST_VERSION = "0"
"""The version of routes that nobody has written yet."""


def address(text: str) -> tuple[str, int]:
    """`host:port` in two. Raises ConfigError: nothing was started."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(
            "the listen address is not one",
            found=repr(text),
            expected="host:port, such as 127.0.0.1:8080 or 0.0.0.0:80",
            where="traffic.listen",
        )
    return host.strip("[]"), int(port)


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def _source(path: Path) -> dict[str, Any]:
    return {
        "resource_api_version": "V3",
        "path_config_source": {"path": str(path), "watched_directory": {"path": str(path.parent)}},
    }


def boot(layout: Layout, listen: str, admin: int) -> dict[str, Any]:
    """What Envoy starts with; everything that changes lies in files that it watches."""
    manager = {
        "@type": _TYPE + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "use_remote_address": True,
        # an internal range without members: every request counts as external, those from this machine too
        "internal_address_config": {"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]},
        "rds": {"route_config_name": ROUTES, "config_source": _source(layout.routes)},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": _TYPE + "extensions.filters.http.router.v3.Router"},
            }
        ],
        "upgrade_configs": [{"upgrade_type": "websocket"}],
    }
    listener = {
        "name": "clients",
        "address": _address(*address(listen)),
        # with SO_REUSEPORT a second Envoy would silently share the port instead of failing
        "enable_reuse_port": False,
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    return {
        "node": {"id": "uno", "cluster": "uno"},
        "admin": {"address": _address("127.0.0.1", admin)},
        "dynamic_resources": {"cds_config": _source(layout.clusters)},
        "static_resources": {"listeners": [listener]},
        # histograms are merged at each flush: the default of 5 s would let latencies lag behind counts
        "stats_flush_interval": "0.5s",
    }


def clusters(layout: Layout) -> dict[str, Any]:
    """One cluster a slot. The retry budget and the panic threshold are what keeps a drain without errors."""
    return {
        "version_info": "1",
        "resources": [
            {
                "@type": _TYPE + "config.cluster.v3.Cluster",
                "name": slot.value,
                "type": "EDS",
                "lb_policy": "ROUND_ROBIN",
                "connect_timeout": "1s",
                "eds_cluster_config": {"eds_config": _source(layout.endpoints(slot))},
                "circuit_breakers": {
                    "thresholds": [
                        {
                            "max_connections": 10_000,
                            "max_pending_requests": 10_000,
                            "max_requests": 10_000,
                            "max_retries": 1_000,
                        }
                    ]
                },
                "ignore_health_on_host_removal": True,
                "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
            }
            for slot in Slot
        ],
    }


@frozen
class Endpoint:
    """One address of a slot; a draining one takes no new request and is still counted."""

    host: str
    port: int
    draining: bool = False

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}"


def endpoints(slot: Slot, of: Iterable[Endpoint], version: str) -> dict[str, Any]:
    """The addresses of one slot."""
    rows = [
        {
            "endpoint": {"address": _address(e.host, e.port)},
            "health_status": "DRAINING" if e.draining else "HEALTHY",
        }
        for e in sorted(of, key=lambda e: e.port)
    ]
    return {
        "version_info": version,
        "resources": [
            {
                "@type": _TYPE + "config.endpoint.v3.ClusterLoadAssignment",
                "cluster_name": slot.value,
                "endpoints": [{"lb_endpoints": rows}] if rows else [],
            }
        ],
    }


def weights(split: Split) -> dict[Slot, int]:
    """A split as whole weights; empty for an empty one. Raises Unsupported: nothing was written."""
    if not split:
        return {}
    strange = [str(slot) for slot in split if slot not in set(Slot)]
    total = sum(split.values())
    if strange or any(not 0 <= p <= 100 for p in split.values()) or abs(total - 100) > 0.01:
        raise Unsupported(
            "that is no split of traffic",
            found=", ".join(f"{slot}: {percent}" for slot, percent in split.items()),
            expected="shares of blue and green from 0 to 100 that sum to 100",
        )
    blue = round(split.get(Slot("blue"), 0.0) * WEIGHTS / 100)
    result = {Slot.BLUE: blue, Slot.GREEN: WEIGHTS - blue}
    for slot, percent in split.items():
        if (percent > 0) != (result[slot] > 0):
            raise Unsupported(
                "the share is finer than this platform can split",
                found=f"{slot}: {percent} %",
                expected="0, or at least 0.01 % on both sides",
            )
    return result


def routes(split: Split, version: str, *, timeout: float, slot_hosts: str | None) -> dict[str, Any]:
    """The route file for a split. Retries go to another instance, and only where nothing was processed."""
    shares = weights(split)
    common = {
        "timeout": f"{timeout:g}s",
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,reset-before-request",
            "num_retries": 3,
            "host_selection_retry_max_attempts": "5",
            "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.05s"},
            "retry_host_predicate": [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": {
                        "@type": _TYPE + "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                    },
                }
            ],
        },
    }
    if shares:
        rows = [{"name": slot.value, "weight": weight} for slot, weight in shares.items()]
        action: dict[str, Any] = {"route": {"weighted_clusters": {"clusters": rows}, **common}}
    else:
        nothing = {"inline_string": "no release is routed\n"}
        action = {"direct_response": {"status": 503, "body": nothing}}
    hosts = [{"name": "clients", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **action}]}]
    for slot in Slot if slot_hosts else ():
        route = {"match": {"prefix": "/"}, "route": {"cluster": slot.value, **common}}
        domain = str(slot_hosts).replace("{slot}", slot.value)
        hosts.append({"name": slot.value, "domains": [domain], "routes": [route]})
    return {
        "version_info": version,
        "resources": [
            {
                "@type": _TYPE + "config.route.v3.RouteConfiguration",
                "name": ROUTES,
                "ignore_port_in_host_matching": True,
                "virtual_hosts": hosts,
            }
        ],
    }


def split_of(route_configuration: Mapping[str, Any]) -> Split:
    """The split that a route configuration stands for; empty where nothing is routed."""
    for host in route_configuration.get("virtual_hosts", ()):
        if host["name"] == "clients":
            rows = host["routes"][0].get("route", {}).get("weighted_clusters", {}).get("clusters", ())
            found = {Slot(row["name"]): row.get("weight", 0) * 100 / WEIGHTS for row in rows}
            return {slot: found.get(slot, 0.0) for slot in Slot} if found else {}
    return {}


class Unreachable(PlatformError):
    """Envoy's admin interface does not answer: nothing is known of the traffic."""


@frozen
class Admin:
    """Envoy's admin interface on a loopback port. Every call is bounded."""

    port: int
    timeout: float = 2.0

    def get(self, path: str) -> str:
        return self._call("GET", path)

    def post(self, path: str) -> str:
        return self._call("POST", path)

    def _call(self, method: str, path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(
                "Envoy does not answer",
                found=str(error) or type(error).__name__,
                where=f"its admin interface at 127.0.0.1:{self.port}",
                remedy="uno local up",
            ) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise PlatformError(
                "Envoy refused a question", found=f"{response.status} {body[:200]}", where=f"{method} {path}"
            )
        return body

    def split(self) -> Split:
        """The split that the traffic follows now."""
        dump = json.loads(self.get("/config_dump?resource=dynamic_route_configs"))
        for row in dump.get("configs", ()):
            if row.get("route_config", {}).get("name") == ROUTES:
                return split_of(row["route_config"])
        return {}

    def listening(self) -> bool:
        """Whether the listener for clients is bound."""
        rows = json.loads(self.get("/listeners?format=json")).get("listener_statuses", ())
        return any(row.get("name") == "clients" for row in rows)

    def hosts(self) -> Mapping[Slot, Mapping[str, tuple[bool, int]]]:
        """Per slot and address: whether it takes new requests, and how many are under way."""
        result: dict[Slot, dict[str, tuple[bool, int]]] = {slot: {} for slot in Slot}
        for cluster in json.loads(self.get("/clusters?format=json")).get("cluster_statuses", ()):
            for host in cluster.get("host_statuses", ()):
                where = host["address"]["socket_address"]
                active = sum(
                    int(s.get("value", 0)) for s in host.get("stats", ()) if s["name"] == "rq_active"
                )
                healthy = host.get("health_status", {}).get("eds_health_status", "HEALTHY") == "HEALTHY"
                name = f"{where['address']}:{where['port_value']}"
                result[Slot(cluster["name"])][name] = (healthy, active)
        return result
