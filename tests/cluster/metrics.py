"""metrics.k8s.io, served by way of the apiserver, with what a test says that each pod uses."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from attrs import define, field

from tests.cluster.api import Api, Object, Refused, key
from tests.cluster.certificates import Authority
from tests.cluster.children import until

VERSION = "v1beta1"
GROUP = "metrics.k8s.io"
SERVICE = "uno-test-metrics"
_API_SERVICE = f"/apis/apiregistration.k8s.io/v1/apiservices/{VERSION}.{GROUP}"


@define
class Usage:
    """What one container of each pod whose name begins so uses."""

    namespace: str
    prefix: str
    cpu: str
    memory: str


@define
class Metrics:
    """Served from `start` to `stop`; the autoscaler asks here, as `kubectl top` does.

    Samples are `age` seconds old. ails: they are not as they should be: `nan`, `infinite`, `empty`,
    `wrong_shape`, `partial`, `error`, `slow`, or `refused`, which is for good.
    """

    api: Api
    authority: Authority
    usages: list[Usage] = field(init=False, factory=list)
    age: float = field(init=False, default=0.0)
    ails: str = field(init=False, default="")
    _well: threading.Event = field(init=False, factory=threading.Event)
    _server: ThreadingHTTPServer | None = field(init=False, default=None)

    def use(self, namespace: str, prefix: str, *, cpu: str = "10m", memory: str = "32Mi") -> None:
        """From now on, by the longest beginning; pods that nobody speaks of have no metrics, as new ones."""
        self.usages = [u for u in self.usages if (u.namespace, u.prefix) != (namespace, prefix)]
        self.usages.append(Usage(namespace, prefix, cpu, memory))

    def start(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        names = (f"{SERVICE}.kube-system.svc", "localhost")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.authority.issue("metrics", names=names))
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        port = self._server.server_address[1]
        # By name: endpoints at loopback addresses are refused.
        outside = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}
        services = "/api/v1/namespaces/kube-system/services"
        self.api.post(services, {"metadata": {"name": SERVICE}, "spec": outside})
        bundle = self.authority.certificate.read_bytes()
        spec = {
            "group": GROUP,
            "version": VERSION,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "service": {"namespace": "kube-system", "name": SERVICE, "port": port},
            "caBundle": base64.b64encode(bundle).decode(),
        }
        body = {"metadata": {"name": f"{VERSION}.{GROUP}"}, "spec": spec}
        self.api.post(_API_SERVICE.rpartition("/")[0], body)
        until(self._served)

    def stop(self) -> None:
        if self._server is None:
            return
        for path in (_API_SERVICE, f"/api/v1/namespaces/kube-system/services/{SERVICE}"):
            with contextlib.suppress(Refused):  # it was never made
                self.api.call("DELETE", path)
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        self.heal()

    @property
    def served(self) -> bool:
        """Whether somebody answers."""
        return self._server is not None and self.ails != "refused"

    def heal(self) -> None:
        """As it was at the start, with nothing known of any pod."""
        self._well.set()
        self.usages.clear()
        self.age, self.ails = 0.0, ""

    def ail(self, how: str) -> None:
        """From now on."""
        self.ails = how
        self._well.clear()
        if how == "refused" and self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _served(self) -> bool:
        try:
            return bool(self.api.get(f"/apis/{GROUP}/{VERSION}/pods"))
        except Refused:
            return False

    def answer(self, url: str) -> Object | None:
        split = urlsplit(url)
        parts = split.path.strip("/").split("/")
        if parts == ["apis", GROUP, VERSION]:
            row = {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics"}
            resources = [{**row, "verbs": ["get", "list"]}]
            kind = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/{VERSION}"}
            return {**kind, "resources": resources}
        if parts[:3] != ["apis", GROUP, VERSION] or "pods" not in parts:
            return None
        namespace = parts[4] if parts[3] == "namespaces" else ""
        selector = parse_qs(split.query).get("labelSelector", [""])[-1]
        query = {"labelSelector": selector} if selector else {}
        pods = self.api.get(f"/api/v1{f'/namespaces/{namespace}' if namespace else ''}/pods", **query)
        rows = [row for row in map(self._row, pods["items"]) if row and self.ails != "empty"]
        if self.ails == "wrong_shape":
            return {"kind": "PodMetricsList", "apiVersion": f"{GROUP}/{VERSION}", "items": "many"}
        if parts[-1] != "pods":
            return next((row for row in rows if row["metadata"]["name"] == parts[-1]), None)
        return {"kind": "PodMetricsList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}, "items": rows}

    def _row(self, pod: Object) -> Object | None:
        namespace, name = key(pod)
        said = [u for u in self.usages if u.namespace == namespace and name.startswith(u.prefix)]
        usage = max(said, key=lambda u: len(u.prefix), default=None)
        if usage is None or pod["status"]["phase"] != "Running":
            return None
        bad = {"nan": "NaN", "infinite": "Infinity"}.get(self.ails)
        using = {"cpu": bad or usage.cpu, "memory": bad or usage.memory}
        labels = pod["metadata"].get("labels") or {}
        containers = pod["spec"]["containers"][: 1 if self.ails == "partial" else None]
        return {
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "timestamp": (datetime.now(UTC) - timedelta(seconds=self.age)).isoformat(),
            "window": "10s",
            "containers": [{"name": row["name"], "usage": using} for row in containers],
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        metrics = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if metrics.ails == "refused":  # a connection of before is no way in either
                    self.close_connection = True
                    return
                if metrics.ails == "slow" and "/pods" in self.path:
                    metrics._well.wait()
                found = None if metrics.ails == "error" else metrics.answer(self.path)
                code = 200 if found else 500 if metrics.ails == "error" else 404
                body = json.dumps(found or {"kind": "Status", "apiVersion": "v1", "code": code}).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments) -> None:
                pass

        return Handler
