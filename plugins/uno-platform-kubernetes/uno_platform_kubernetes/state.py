"""The state of an application beside the application: in ConfigMaps and a Lease of its namespace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from uno_core import ConfigError, Diagnosis, Driver, Lease, Services, ShelvedStore
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.permissions import STATE, permissions
from uno_platform_kubernetes.shelf import KubernetesShelf


class KubernetesStore(ShelvedStore):
    """The state in the namespace of the application, for any machine that reaches the cluster.

    What is asked again and again is watched, and asks the apiserver nothing while nothing changes: it is
    behind then by as long as a change takes to get here.
    """

    _shelf: KubernetesShelf

    def __init__(self, options: Any, services: Services) -> None:
        """Keep what is needed; connect at the first use."""
        if options:
            raise ConfigError("the state in Kubernetes has no options", found=", ".join(options))
        what, remedy = "the state in Kubernetes lies beside the application", "state: file, or postgresql://…"
        super().__init__(KubernetesShelf(Cluster.beside(services, what, remedy=remedy)), services)

    def diagnose(self) -> Iterator[Diagnosis]:
        return permissions(self._shelf.cluster, STATE, "permissions of the state")

    def close(self) -> None:
        self._shelf.close()

    def acquire(self, key: str, owner: Driver, *, ttl: float, take_over: bool = False) -> Lease:
        lease = super().acquire(key, owner, ttl=ttl, take_over=take_over)
        self._shelf.polls.forget()  # what the former owner wrote last is seen
        return lease
