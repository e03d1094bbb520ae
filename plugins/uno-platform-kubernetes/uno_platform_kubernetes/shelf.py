"""ConfigMaps and Leases as things on a shelf, and what the apiserver says as errors of the state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from attrs import evolve

from uno_core import (
    ConfigError,
    Forbidden,
    Overtaken,
    Shelf,
    StateError,
    Thing,
    ThingName,
    Throttled,
    Unanswered,
    UnoError,
)
from uno_platform_kubernetes import configmaps, lease
from uno_platform_kubernetes.api import Conflict, Missing
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.configmaps import CALLED, KIND, slug
from uno_platform_kubernetes.objects import APPLICATION
from uno_platform_kubernetes.polls import Polls

Object = Mapping[str, Any]

PAUSES = 0.2, 0.5, 1.0, 2.0
"""Seconds before a thing is sent again that was to be made, and was not answered."""


class KubernetesShelf(Shelf):
    """The ConfigMaps and the Leases of the namespace. A version is a resourceVersion.

    What is looked at again and again is watched, and asks the apiserver nothing while nothing changes.

    Raises Forbidden for want of a right, unless it was there before: a quota that is used up or a login that
    ended must not keep the traffic at a bad release.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.clock, self.polls = cluster, cluster.services.clock, Polls(cluster)
        self._listed: dict[ThingName, Thing] = {}
        self._wrote: set[str] = set()

    def where(self, name: ThingName | None = None) -> str:
        path = self._path(name) if name is not None else self.cluster.core("configmaps")
        return f"{self.cluster.options.context or 'the current context'}, {path.strip('/')}"

    def find(self, name: ThingName) -> Thing | None:
        with self._told(name):
            found = self.cluster.api.find(self._path(name))
        return self._thing(name, found) if found is not None else None

    def look(self, name: ThingName, version: str = "") -> Thing | None:
        known = self._listed.get(name)
        if known is not None and known.version == version:
            return known
        with self._told(name):
            found = self.polls.look(configmaps.config_map_name(name))
        return self._thing(name, found) if found is not None else None

    def put(self, name: ThingName, data: Mapping[str, Any], over: Thing | None) -> Thing:
        with self._told(name):
            found = self._made(name, data) if over is None else self._changed(name, data, over)
        return self._written(name, found)

    def _made(self, name: ThingName, data: Mapping[str, Any]) -> Object:
        path, made, pauses = self._path(name).rpartition("/")[0], self._whole(name, data), [*PAUSES]
        while True:
            try:
                return self.cluster.api.create(path, made)
            except (Throttled, Unanswered):
                if not pauses:
                    raise
                self.clock.sleep(pauses.pop(0))

    def _changed(self, name: ThingName, data: Mapping[str, Any], over: Thing) -> Object:
        change = self._whole(name, data) if _is_lease(name) else configmaps.change(name, data, over)
        metadata = {**change["metadata"], "resourceVersion": over.version}
        try:
            return self.cluster.api.patch(self._path(name), {**change, "metadata": metadata})
        except Missing as gone:
            raise Overtaken(gone.message, found=gone.found, where=gone.where) from gone

    def overwrite(self, name: ThingName, data: Mapping[str, Any]) -> None:
        with self._told(name):
            found = self.cluster.api.apply(self._path(name), self._whole(name, data), force=True)
        self._written(name, found)

    def remove(self, name: ThingName) -> None:
        with self._told(name):
            self.cluster.api.delete(self._path(name))

    def listed(self, key: str = "") -> Sequence[tuple[ThingName, str]]:
        """The answer has all of each: whoever looks at one of this version asks nothing."""
        selector = f"{KIND}=deployment" + (f",{APPLICATION}={slug(key)}" if key else "")
        with self._told():
            found = self.cluster.api.get(self.cluster.core("configmaps"), labelSelector=selector)["items"]
        things = [self._thing(configmaps.of(one), one) for one in found]
        self._listed = {thing.name: thing for thing in things}
        return [(thing.name, thing.version) for thing in things]

    def called(self) -> Sequence[Thing]:
        """By their label, and watched: it is behind by as long as a change takes to get here."""
        mirror = self.cluster.mirror(self.cluster.core("configmaps"), label=f"{CALLED}=true")
        with self._told():
            return [self._thing(configmaps.of(one), one) for one in mirror.objects()]

    def close(self) -> None:
        """Let go of watches and connections."""
        self.polls.forget()
        self.cluster.close()

    def _path(self, name: ThingName) -> str:
        if _is_lease(name):
            return self.cluster.group(lease.GROUP, "leases", lease.lease_name(name))
        return self.cluster.core("configmaps", configmaps.config_map_name(name))

    def _whole(self, name: ThingName, data: Mapping[str, Any]) -> Object:
        if _is_lease(name):
            return lease.lease(name, data, self.clock.now())
        return configmaps.config_map(name, data)

    def _written(self, name: ThingName, found: Object) -> Thing:
        self._wrote.add(_resource(name))
        if not _is_lease(name):
            self.polls.keep(found)
        # Just now, whatever our clock says that may have been set meanwhile.
        return evolve(self._thing(name, found), age=0.0)

    def _thing(self, name: ThingName, found: Object) -> Thing:
        version = str(found["metadata"]["resourceVersion"])
        if not _is_lease(name):
            return Thing(name=name, version=version, data=configmaps.data_of(found))
        age, modified = lease.age(found, self.clock.now()), lease.renewed(found)
        return Thing(name=name, version=version, data=lease.data_of(found), age=age, modified=modified)

    @contextmanager
    def _told(self, name: ThingName | None = None) -> Iterator[None]:
        """What the cluster says, as what a store says."""
        try:
            yield
        except (ConfigError, StateError):
            raise
        except Conflict as problem:
            raise Overtaken(problem.message, found=problem.found, where=problem.where) from problem
        except UnoError as problem:
            if isinstance(problem, Forbidden) and _resource(name) not in self._wrote:
                raise
            raise StateError(
                "the state in Kubernetes cannot be read or written",
                found=f"{problem.message}: {problem.found}".rstrip(": "),
                where=problem.where or self.where(name),
                remedy=problem.remedy or "once the apiserver answers again, go on",
            ) from problem  # fmt: skip


def _is_lease(name: ThingName | None) -> bool:
    return name is not None and name.kind == "lease"


def _resource(name: ThingName | None) -> str:
    return "leases" if _is_lease(name) else "configmaps"
