"""What the objects of the cluster say about where requests may go: Services and their ready endpoints."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field, frozen

from tests.cluster.api import Object

Objects = Mapping[tuple[str, str], Object]


@frozen
class Seen:
    """Every object that the data plane follows, as of one moment."""

    services: Objects
    slices: Objects
    pods: Objects
    classes: Objects
    gateways: Objects
    routes: Objects
    virtual: Objects
    rules: Objects


@frozen
class Destination:
    """One port of a Service, or of those of its pods that have the labels of a subset."""

    namespace: str
    service: str
    port: int
    subset: str = ""
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """What Envoy calls it, and its file."""
        return "~".join(filter(None, (self.namespace, self.service, str(self.port), self.subset)))


@define
class Backends:
    """Collects the destinations that routes name, so that each becomes a cluster of Envoy's."""

    seen: Seen
    used: dict[str, Destination] = field(init=False, factory=dict)

    def port(self, namespace: str, service: str, number: int | None) -> Object | None:
        """That port of the Service, its first one where none is said; None where there is no such."""
        found = self.seen.services.get((namespace, service))
        ports = (found or {}).get("spec", {}).get("ports") or ()
        return next((row for row in ports if number in (None, row["port"])), None)

    def use(self, to: Destination) -> str:
        self.used[to.name] = to
        return to.name

    def addresses(self, to: Destination) -> list[tuple[str, int]]:
        """The ready ones, and none that terminates, at the loopback addresses that they listen on."""
        port = self.port(to.namespace, to.service, to.port)
        found = set()
        for (namespace, _), row in self.seen.slices.items():
            owner = (row["metadata"].get("labels") or {}).get("kubernetes.io/service-name")
            if port is None or namespace != to.namespace or owner != to.service:
                continue
            numbers = [p["port"] for p in row.get("ports") or () if p.get("name", "") == port.get("name", "")]
            for endpoint in row.get("endpoints") or ():
                conditions = endpoint.get("conditions") or {}
                # Unknown counts as ready: so says the API.
                ready = conditions.get("ready") in (None, True) and not conditions.get("terminating")
                if ready and self._labelled(namespace, endpoint, to.labels):
                    found |= {(loopback(ip), number) for ip in endpoint["addresses"] for number in numbers}
        return sorted(found)

    def _labelled(self, namespace: str, endpoint: Object, labels: tuple[tuple[str, str], ...]) -> bool:
        pod = self.seen.pods.get((namespace, (endpoint.get("targetRef") or {}).get("name", "")), {})
        return set(labels) <= set((pod.get("metadata", {}).get("labels") or {}).items())


def loopback(ip: str) -> str:
    """10.x.y.z of the cluster is 127.x.y.z of this machine."""
    return "127." + ip.partition(".")[2]


def names(namespace: str, service: str) -> list[str]:
    """The hosts by which it is asked for."""
    short = f"{service}.{namespace}"
    return [short, f"{short}.svc", f"{short}.svc.cluster.local"]
