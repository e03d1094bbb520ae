"""ConfigMaps that are looked at again and again, and then watched."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from attrs import define

from uno_core import Forbidden
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.mirror import Mirror
from uno_platform_kubernetes.objects import name_of

Object = Mapping[str, Any]

OFTEN, IDLE, TRUSTED = 10, 5.0, 10.0
"""Looks until a thing is watched, seconds between two of them, and seconds that the watch is believed."""


@define
class _Poll:
    mirror: Mirror
    looks: int = 0
    last: float = 0.0
    asked: float = 0.0


class Polls:
    """ConfigMaps by name. One that is looked at often is watched after a while, and then asks nothing.

    Watched, it is behind by as long as a change takes to get here. So whoever has just got the lease
    forgets it all; and now and then it is asked for all the same, since a watch may be dead unseen.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._clock = cluster, cluster.services.clock
        self._polls: dict[str, _Poll] = {}
        self._guard = threading.Lock()

    def look(self, name: str) -> Object | None:
        """Raises what the apiserver says."""
        now = self._clock.monotonic()
        with self._guard:
            poll = self._poll(name, now)
        if poll.looks > OFTEN and now - poll.asked < TRUSTED:
            try:
                return poll.mirror.get(name)
            except Forbidden:
                pass  # to watch is another right than to get
        found = self._cluster.api.find(self._cluster.core("configmaps", name))
        poll.asked = now
        if found is not None:
            poll.mirror.keep(found)
        return found

    def keep(self, thing: Object) -> None:
        """What was written here is seen here at once."""
        poll = self._polls.get(name_of(thing))
        if poll is not None:
            poll.mirror.keep(thing)

    def forget(self) -> None:
        with self._guard:
            for poll in self._polls.values():
                poll.mirror.close()
            self._polls = {}

    def _poll(self, name: str, now: float) -> _Poll:
        for idle in [name for name, poll in self._polls.items() if now - poll.last > IDLE]:
            self._polls.pop(idle).mirror.close()
        if name not in self._polls:
            path, query = self._cluster.core("configmaps"), {"fieldSelector": f"metadata.name={name}"}
            mirror = Mirror(self._cluster.api, path, self._cluster.changes, self._clock, **query)
            self._polls[name] = _Poll(mirror)
        poll = self._polls[name]
        poll.looks, poll.last = poll.looks + 1, now
        return poll
