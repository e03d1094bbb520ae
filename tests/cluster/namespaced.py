"""One test's namespace, with the official client: what is made there, seen there and waited for."""

from __future__ import annotations

from collections import Counter
from typing import Any

from attrs import define

from tests.cluster.api import Object
from tests.cluster.children import until
from tests.cluster.cluster import Cluster

_PLURALS = {"Gateway": "gateways", "HTTPRoute": "httproutes", "VirtualService": "virtualservices"}
_PLURALS |= {"DestinationRule": "destinationrules"}


@define
class Namespaced:
    """The typed APIs of the client are `core`, `apps` and so on; lists and waits are methods."""

    name: str
    cluster: Cluster
    client: Any

    def __getattr__(self, api: str) -> Any:
        from kubernetes import client

        names = {
            "core": client.CoreV1Api, "apps": client.AppsV1Api, "coordination": client.CoordinationV1Api,
            "rbac": client.RbacAuthorizationV1Api, "custom": client.CustomObjectsApi,
            "discovery": client.DiscoveryV1Api, "autoscaling": client.AutoscalingV2Api,
            "batch": client.BatchV1Api,
        }  # fmt: skip
        if api not in names:
            raise AttributeError(api)
        return names[api](self.client)

    def make(self, *things: Object) -> None:
        for thing in things:
            kind, name = thing.get("kind", "Pod"), self.name
            if kind in _PLURALS:
                group, version = thing["apiVersion"].split("/")
                self.custom.create_namespaced_custom_object(group, version, name, _PLURALS[kind], thing)
            else:
                api = self.apps if kind == "Deployment" else self.core
                getattr(api, f"create_namespaced_{kind.lower()}")(name, thing)

    def pods(self, label: str = "") -> list[Any]:
        return self.core.list_namespaced_pod(self.name, label_selector=label).items

    def pod(self, name: str) -> Any:
        return self.core.read_namespaced_pod(name, self.name)

    def endpoints(self, service: str) -> list[Any]:
        selector = f"kubernetes.io/service-name={service}"
        slices = self.discovery.list_namespaced_endpoint_slice(self.name, label_selector=selector)
        return [endpoint for row in slices.items for endpoint in row.endpoints or ()]

    def ready(self, service: str) -> set[str]:
        """The pods that get its traffic."""
        return {row.target_ref.name for row in self.endpoints(service) if row.conditions.ready}

    def events(self, about: str) -> list[tuple[str, str]]:
        """Reason and message of each event about what has a name that begins so."""
        rows = self.core.list_namespaced_event(self.name).items
        return [(row.reason, row.message) for row in rows if row.involved_object.name.startswith(about)]

    def rolled_out(self, name: str, replicas: int) -> Any:
        """Wait until every pod of the Deployment's newest template is available, and no other one is left."""

        def done(found: Any) -> bool:
            status = found.status
            seen = (status.updated_replicas, status.available_replicas, status.replicas)
            return status.observed_generation == found.metadata.generation and set(seen) == {replicas or None}

        return until(lambda: self.apps.read_namespaced_deployment(name, self.name), done)

    def answered(self, host: str, number: int) -> Counter[str]:
        """How often each version answered, and each status that is not 200."""
        found: Counter[str] = Counter()
        for _ in range(number):
            status, text = self.cluster.ask(host)
            found[text.split()[0] if status == 200 else str(status)] += 1
        return found

    def host(self, service: str) -> str:
        return f"{service}.{self.name}.svc"

    def serves(self, host: str, version: str) -> None:
        """Wait until that version answers there."""
        until(lambda: self.answered(host, 1), lambda seen: set(seen) == {version})


def conditions(thing: Any) -> dict[str, tuple[str, str]]:
    """Status and reason of each, by type."""
    return {row.type: (row.status, row.reason) for row in thing.status.conditions or ()}
