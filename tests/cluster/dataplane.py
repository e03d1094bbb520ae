"""Follows Services, EndpointSlices, HTTPRoutes and VirtualServices, and has Envoy send traffic accordingly.

A Service is asked by its host, `NAME.NAMESPACE` or `NAME.NAMESPACE.svc`, at its first port; a route by its
own hostnames; all at one port of Envoy's. Only the ready endpoints get any.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from tests.cluster import istio
from tests.cluster.api import Api, Followed, Object, Refused, key, now
from tests.cluster.backends import Backends, Destination, Seen, names
from tests.cluster.gateway import CONTROLLER, GROUP, Rules, Unsupported, condition, ours, parents, split
from tests.cluster.proxy import Proxy

FOLLOWED = {
    "services": "/api/v1/services",
    "slices": "/apis/discovery.k8s.io/v1/endpointslices",
    "pods": "/api/v1/pods",
    "classes": f"/apis/{GROUP}/v1/gatewayclasses",
    "gateways": f"/apis/{GROUP}/v1/gateways",
    "routes": f"/apis/{GROUP}/v1/httproutes",
    "virtual": "/apis/networking.istio.io/v1/virtualservices",
    "rules": "/apis/networking.istio.io/v1/destinationrules",
}
GATEWAY_CLASS = "test"
Hosts = dict[str, list[tuple[tuple, Object]]]


class DataPlane:
    """`failures` are what went wrong with itself: there should be none."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.api = api
        self.proxy = Proxy(folder)
        self.failures: list[str] = []
        self.lag = 0.0
        """Seconds that every change takes to come through."""
        self._changed = threading.Event()
        self._followed = {
            name: Followed(api, path, lambda *_: self._changed.set()) for name, path in FOLLOWED.items()
        }
        self._turn = threading.Lock()

    @property
    def port(self) -> int:
        return self.proxy.port

    def start(self) -> None:
        self.proxy.start()
        body = {
            "apiVersion": f"{GROUP}/v1",
            "kind": "GatewayClass",
            "metadata": {"name": GATEWAY_CLASS},
            "spec": {"controllerName": CONTROLLER},
        }
        with contextlib.suppress(Refused):  # it is there already
            self.api.post(FOLLOWED["classes"], body)
        for followed in self._followed.values():
            followed.start()
        for followed in self._followed.values():
            assert followed.listed.wait(60), f"{followed.path} was not listed"
        threading.Thread(target=self._work, name="data plane", daemon=True).start()

    def stop(self) -> None:
        self._changed.set()
        self.proxy.stop()

    @contextlib.contextmanager
    def paused(self):
        """Meanwhile it does nothing: a data plane that is stuck, or down."""
        with self._turn:
            yield
        self._changed.set()

    def _work(self) -> None:
        while not self.api.closed.is_set():
            self._changed.wait()
            # Several changes come at once: one more look at all of them is enough.
            self.api.closed.wait(0.005 + self.lag)
            with self._turn:
                self._changed.clear()
                self._try()

    def _try(self) -> None:
        try:
            self._follow()
        except Exception as error:  # noqa: BLE001 - the thread has to go on
            if not self.api.closed.is_set():
                self.failures.append(f"{type(error).__name__}: {error}")

    def _follow(self) -> None:
        seen = Seen(**{name: dict(followed.objects) for name, followed in self._followed.items()})
        backends = Backends(seen)
        made = {key(route): self._rules(backends, route) for route in seen.routes.values()}
        hosts = self._hosts(backends, made)
        self.proxy.apply(
            {name: backends.addresses(to) for name, to in backends.used.items()},
            [_virtual(domain, routes) for domain, routes in sorted(hosts.items())],
        )
        for each, (rules, unsupported) in made.items():
            self._tell_route(seen, seen.routes[each], rules, unsupported)
        for gateway in seen.gateways.values():
            if ours(seen, gateway):
                self._tell_gateway(gateway)
        for made_of in seen.classes.values():
            if made_of["spec"]["controllerName"] == CONTROLLER:
                rows = [("Accepted", True, "Accepted", "")]
                self._tell(made_of, f"{FOLLOWED['classes']}/{key(made_of)[1]}", rows)

    def _rules(self, backends: Backends, route: Object) -> tuple[Rules, str]:
        rules = Rules(route, backends)
        try:
            rules.make()
        except Unsupported as error:
            return rules, str(error)
        return rules, ""

    def _hosts(self, backends: Backends, made: dict[tuple[str, str], tuple[Rules, str]]) -> Hosts:
        """Per hostname its routes; a VirtualService of a Service's comes before the Service itself."""
        hosts: Hosts = {}
        for rules, unsupported in made.values():
            accepted = [refused for _, refused, _ in parents(backends.seen, rules.route)]
            if unsupported or "" not in accepted:
                continue
            for host in rules.route["spec"].get("hostnames") or ["*"]:
                hosts.setdefault(host, []).extend(rules.made)
        for rows in hosts.values():
            rows.sort(key=lambda row: row[0])
        for virtual in backends.seen.virtual.values():
            routes = [((), route) for route in istio.routes(backends, virtual)]
            for host in istio.hosts(backends, virtual):
                hosts.setdefault(host, []).extend(routes)
        for namespace, service in backends.seen.services:
            port = backends.port(namespace, service, None)
            for host in names(namespace, service):
                if port and host not in hosts:
                    name = backends.use(Destination(namespace, service, port["port"]))
                    hosts[host] = [((), {"match": {"prefix": "/"}, **split({name: 1})})]
        return hosts

    def _tell_route(self, seen: Seen, route: Object, rules: Rules, unsupported: str) -> None:
        generation = route["metadata"]["generation"]
        entries = [
            row
            for row in (route.get("status") or {}).get("parents") or ()
            if row["controllerName"] != CONTROLLER
        ]
        before = {
            repr(row["parentRef"]): row["conditions"]
            for row in (route.get("status") or {}).get("parents") or ()
            if row["controllerName"] == CONTROLLER
        }
        for ref, reason, message in parents(seen, route):
            why = ("UnsupportedValue", unsupported) if unsupported else (reason, message)
            problem = rules.problem or ("", "")
            rows = [
                condition("Accepted", not why[0], why[0] or "Accepted", why[1], generation),
                condition(
                    "ResolvedRefs", not problem[0], problem[0] or "ResolvedRefs", problem[1], generation
                ),
            ]
            rows = _timed(rows, before.get(repr(ref), []))
            entries.append({"parentRef": ref, "controllerName": CONTROLLER, "conditions": rows})
        if entries != ((route.get("status") or {}).get("parents") or []):
            path = f"/apis/{GROUP}/v1/namespaces/{key(route)[0]}/httproutes/{key(route)[1]}"
            self._patch(path, {"parents": entries})

    def _tell_gateway(self, gateway: Object) -> None:
        namespace, name = key(gateway)
        rows = [("Accepted", True, "Accepted", ""), ("Programmed", True, "Programmed", "")]
        path = f"/apis/{GROUP}/v1/namespaces/{namespace}/gateways/{name}"
        self._tell(gateway, path, rows, addresses=[{"type": "IPAddress", "value": "127.0.0.1"}])

    def _tell(self, thing: Object, path: str, rows: list[tuple], **more: object) -> None:
        generation = thing["metadata"]["generation"]
        status = thing.get("status") or {}
        before = status.get("conditions") or []
        wanted = _timed([condition(*row, generation) for row in rows], before)
        if wanted != before or any(status.get(name) != value for name, value in more.items()):
            self._patch(path, {"conditions": wanted, **more})

    def _patch(self, path: str, status: Object) -> None:
        with contextlib.suppress(Refused):  # it is gone by now, or has changed: that is heard of too
            self.api.patch(f"{path}/status", {"status": status})


def _timed(rows: list[Object], before: list[Object]) -> list[Object]:
    """With the time of each one's last change of status."""
    since = {(row["type"], row["status"]): row["lastTransitionTime"] for row in before}
    return [{**row, "lastTransitionTime": since.get((row["type"], row["status"]), now())} for row in rows]


def _virtual(domain: str, routes: list[tuple[tuple, Object]]) -> Object:
    return {"name": domain, "domains": [domain], "routes": [route for _, route in routes]}
