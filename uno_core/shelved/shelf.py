"""What a store is made of: named objects that are written only where nobody else wrote since."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from attrs import frozen

from uno_core.clock import Clock
from uno_core.errors import StateError

T = TypeVar("T")

TURNS = 40
"""So often a write is decided anew after others came first."""


class Overtaken(StateError):
    """Something else is there than was read: nothing was written. It is decided anew, and never told."""


@frozen
class ThingName:
    """What an object is called. A shelf makes of it what its names may be, and keeps them apart.

    kind: `index`, of which there is one, `deployment`, `journal`, `checkpoint` or `lease`. of: the id of
    the deployment, or the key of the lease; any text. part: of a journal, from 1.
    """

    kind: str
    of: str = ""
    part: int = 0

    @property
    def key(self) -> str:
        """`<application>-<environment>`; empty for the index."""
        return self.of if self.kind == "lease" else key_of(self.of)

    def __str__(self) -> str:
        """As a path that can be taken apart again: what the name is of has no slash in it."""
        part = f"{self.part:05}" if self.part else ""
        return "/".join(filter(None, (self.kind, quote(self.of, safe=""), part)))


@frozen(kw_only=True)
class Thing:
    """An object as it was read, or written.

    version: no two states of an object have the same, whatever is in them. data: what was put. age: seconds
    for which it had certainly lain there unchanged when it was read; 0 where the shelf cannot tell, as
    anything is that was just written. modified: when it was written, by the clock of the shelf; None
    where it has none.
    """

    name: ThingName
    version: str
    data: Mapping[str, Any]
    age: float = 0.0
    modified: datetime | None = None


class Shelf(Protocol):
    """Where the objects lie. All that a store of its own kind has to bring for a `ShelvedStore`.

    Safe for several threads, and for any number of processes. What was written is durable, and `find` in
    any process finds it from then on: a shelf that is behind, as a replica may be, is none.

    All of it raises StateError where the shelf cannot be used, or does not answer; Forbidden for want of
    a permission, but StateError once something was written: a login that ended must not keep the traffic
    at a bad release. A write whose answer was lost may be sent again, and then finds itself there: it is
    Overtaken, and whoever wrote it reads what is there.
    """

    @abstractmethod
    def where(self, name: ThingName | None = None) -> str:
        """Where an object lies, or all of them, for a person who looks for it. Does no I/O."""

    @abstractmethod
    def find(self, name: ThingName) -> Thing | None:
        """As it is now; None where it is not."""

    def look(self, name: ThingName, version: str = "") -> Thing | None:  # noqa: ARG002 - for those that remember
        """The same, for what is asked for again and again: what is known already need not be sent anew.

        May be behind by as long as a change takes to be told. What this object wrote is seen at once.
        version: the one that `listed` has just told; an object known to be of it need not be asked for.
        """
        return self.find(name)

    @abstractmethod
    def put(self, name: ThingName, data: Mapping[str, Any], over: Thing | None) -> Thing:
        """Write it in place of what was read, if that is there still; None: if nothing is there.

        The look and the write have to be one, between machines too: of any number that put over the same
        version one does. Raises Overtaken otherwise, and nothing is written then. data: JSON, with tuples for
        lists here and there. Returns it as it is read from now on.
        """

    @abstractmethod
    def overwrite(self, name: ThingName, data: Mapping[str, Any]) -> None:
        """Write it, whatever is there. May raise Overtaken where another one is just writing it."""

    @abstractmethod
    def remove(self, name: ThingName) -> None:
        """Delete it. Idempotent."""

    @abstractmethod
    def listed(self, key: str = "") -> Iterable[tuple[ThingName, str]]:
        """Name and version of all deployments as they are now; others than those of a key may be left out."""

    def called(self) -> Sequence[Thing] | None:
        """All deployments whose data says `called: true`; None where it takes a look at each to know."""
        return None


def written(clock: Clock, work: Callable[[], T]) -> T:
    """Read, decide and write, and all of that again where somebody else wrote in between."""
    for turn in range(TURNS):
        try:
            return work()
        except Overtaken as overtaken:
            last = overtaken
        clock.sleep(random.uniform(0, min(0.5, 0.01 * 2**turn)))  # noqa: S311 - no secret
    raise StateError(
        "others write the same object all the time", found=last.found, where=last.where,
        remedy="nothing was written; try it again",
    ) from last  # fmt: skip


def key_of(id: str) -> str:
    """The application and its environment, of the id of a deployment."""
    return id.rpartition("-")[0]


def fences_of(thing: Thing | None) -> Mapping[str, int]:
    """The newest epoch of each lease that may be written with here."""
    found: Mapping[str, int] = thing.data.get("fence", {}) if thing is not None else {}
    return found


def fenced(thing: Thing | None, key: str, epoch: int) -> Mapping[str, int]:
    """The fence of what may be written from now on with this epoch, or a newer one."""
    known = fences_of(thing)
    return {**known, key: max(epoch, known.get(key, 0))}
