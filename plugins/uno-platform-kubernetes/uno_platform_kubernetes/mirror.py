"""What the apiserver holds, kept here by list and watch, so that looking and waiting ask it nothing."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, cast

from uno_core import Clock, Unanswered, UnoError
from uno_platform_kubernetes.api import Api, Expired, Watch

Object = Mapping[str, Any]

ROUND = 60.0
"""Seconds of one watch. A connection that died unseen is noticed after that, and a little."""

AGAIN = 1.0
"""Seconds before a watch that failed is tried again."""


class Changes:
    """Counts what changed in any mirror, and wakes whoever waits for that."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0
        self._seen = 0

    def happened(self) -> None:
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def looking(self) -> None:
        """What changes from here on is news to whoever looks now."""
        with self._condition:
            self._seen = self._count

    def wait(self, seconds: float) -> bool:
        """Whether there is news, within so many seconds."""
        with self._condition:
            return self._condition.wait_for(lambda: self._count != self._seen, seconds)


class Mirror:
    """Objects of one kind, by name. The first look lists, and a thread watches from then on.

    While the watch is broken a look raises what broke it: old news is not told as new.
    """

    def __init__(self, api: Api, path: str, changes: Changes, clock: Clock, **query: Any) -> None:
        self._api, self._path, self._query = api, path, query
        self._changes, self._clock = changes, clock
        self._guard = threading.RLock()
        self._objects: dict[str, Object] = {}
        self._version = ""
        self._problem: UnoError | None = None
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._watching: Watch | None = None

    def objects(self) -> Sequence[Object]:
        """All of them. Raises what the apiserver says, or that it cannot be reached."""
        with self._guard:
            if self._thread is None and not self._closed.is_set():
                self._list()
                self._thread = threading.Thread(target=self._follow, daemon=True)
                self._thread.start()
            elif self._problem is not None:
                # Told at once, and mended by the thread: whoever looks has people to listen to.
                raise self._problem
            return tuple(self._objects.values())

    def get(self, name: str) -> Object | None:
        return next((one for one in self.objects() if one["metadata"]["name"] == name), None)

    def keep(self, thing: Object) -> None:
        """Take in what a write answered, so that the next look is not older than the write."""
        with self._guard:
            if self._thread is not None:
                self._take(thing)

    def drop(self, thing: Object) -> None:
        """Take in that an object was deleted, so that the next write does not make it again."""
        with self._guard:
            self._objects.pop(thing["metadata"]["uid"], None)

    def close(self) -> None:
        """Have the thread end, and the watch that it goes through."""
        self._closed.set()
        if (watching := self._watching) is not None:
            watching.end()

    # Following

    def _list(self) -> None:
        found = self._api.get(self._path, **self._query)
        with self._guard:
            self._objects = {one["metadata"]["uid"]: one for one in found["items"]}
            self._version = str(found["metadata"]["resourceVersion"])
            self._problem = None
        self._changes.happened()

    def _follow(self) -> None:
        while not self._closed.is_set():
            try:
                if self._problem is not None:
                    self._list()
                self._watch()
            except Exception as problem:  # noqa: BLE001 - a thread that died would leave old news standing
                self._broken(problem)

    def _broken(self, problem: Exception) -> None:
        if self._closed.is_set():
            return
        known = isinstance(problem, UnoError) and not isinstance(problem, Expired)
        told = problem if known else Unanswered("a watch broke", found=str(problem), where=self._path)
        with self._guard:
            self._problem = cast("UnoError", told)
        self._changes.happened()
        if not isinstance(problem, Expired):  # then a list is all that is lost
            self._closed.wait(AGAIN)

    def _watch(self) -> None:
        watching = self._api.watch(self._path, self._version, ROUND, **self._query)
        self._watching = watching
        if self._closed.is_set():
            watching.end()  # whoever closed it may have come before there was anything to end
        for event in watching:
            if self._closed.is_set():
                return
            thing = event["object"]
            with self._guard:
                self._version = str(thing["metadata"]["resourceVersion"])
                if event["type"] == "BOOKMARK":
                    continue
                if event["type"] == "DELETED":
                    self._objects.pop(thing["metadata"]["uid"], None)
                else:
                    self._take(thing)
            self._changes.happened()

    def _take(self, thing: Object) -> None:
        uid = thing["metadata"]["uid"]
        before = self._objects.get(uid)
        if before is None or not _older(thing, before):
            self._objects[uid] = thing


def _older(one: Object, other: Object) -> bool:
    """Whether it is an earlier version of the same object: versions grow, since 1.35 by promise."""
    mine, theirs = one["metadata"]["resourceVersion"], other["metadata"]["resourceVersion"]
    return str(mine).isdigit() and str(theirs).isdigit() and int(mine) < int(theirs)
