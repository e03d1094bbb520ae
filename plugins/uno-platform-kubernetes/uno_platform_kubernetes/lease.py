"""The lease of an application as a Lease of `coordination.k8s.io`, and how it fences off its former owners.

A write of Kubernetes is conditional on the object that it writes, and on no other. So it is not the write
that looks at the lease: it is the lease's new owner who touches what a former owner could still write.

1. Before its first write to a thing an owner writes down on the Lease that it will: a change that is
   conditional, so it fails once there is a newer epoch.
2. Each write is conditional on a version of its object that carries no newer epoch.
3. `acquire` first changes the Lease, conditional on the version in which it read what is written down, and
   then stamps each of those things with its epoch. Only then does it return.

A former owner that was frozen between its look and its write finds another version of the object; looks
again, and finds the newer epoch. One that was frozen before step 1 finds another version of the Lease.
A new owner that dies before it has stamped all leaves what is written down to the next one.
"""

from __future__ import annotations

import json
import math
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

from attrs import define, field

from uno_core import (
    Clock,
    ConfigError,
    Driver,
    Forbidden,
    Lease,
    Locked,
    LockLost,
    StateError,
    Throttled,
    Unanswered,
    UnoError,
    from_json,
    to_json,
)
from uno_platform_kubernetes.api import Api, Conflict, Missing
from uno_platform_kubernetes.objects import APPLICATION, annotations_of, name_of
from uno_platform_kubernetes.records import KIND, fences_of, slug, version_of

T = TypeVar("T")
Object = Mapping[str, Any]
Thing = tuple[str, str]
"""What can be written with a lease: `index` and its key, or `deployment` and its id."""

GROUP = "coordination.k8s.io/v1"
DRIVER = "uno.dev/driver"
"""Annotation: the owner as JSON. The Lease itself names it for a person."""

WRITES = "uno.dev/writes"
"""Annotation: the epoch that wrote this list, and the things that it may be writing."""

NONCE = "uno.dev/nonce"
"""Annotation: tells whoever took the lease that it was them, where the answer was lost."""

TURNS = 40
"""So often a write is decided anew after others came first."""

SKEW = 60.0
"""Seconds by which the clocks of two machines may differ, where there is nothing else to judge by."""


class Shelf:
    """The objects of one kind in the namespace.

    Raises StateError where they cannot be read or written, and Conflict where something else is there than
    was read. Raises Forbidden for want of a right, unless it was there before: a quota that is used up or a
    login that ended must not keep the traffic at a bad release.
    """

    wrote = False

    def __init__(self, api: Api, clock: Clock, path: Callable[[str], str]) -> None:
        self.api, self.clock, self.path = api, clock, path

    @property
    def where(self) -> str:
        return f"{self.api.options.context or 'the current context'}, {self.path('').strip('/')}"

    def find(self, name: str) -> Object | None:
        with self.told():
            return self.api.find(self.path(name))

    def labelled(self, selector: str) -> Sequence[Object]:
        with self.told():
            found: Sequence[Object] = self.api.get(self.path(""), labelSelector=selector)["items"]
            return found

    def add(self, thing: Object) -> Object:
        """Raises Conflict where it is there, be it that an answer was lost."""
        pauses: list[float] = [0.2, 0.5, 1.0, 2.0]
        with self.told():
            while True:
                try:
                    return self.api.create(self.path(""), thing)
                except (Throttled, Unanswered):
                    if not pauses:
                        raise
                    self.clock.sleep(pauses.pop(0))

    def change(self, name: str, change: Object, version: str) -> Object:
        """Raises Conflict where it is not of this version any more, or gone."""
        metadata = {**change.get("metadata", {}), "resourceVersion": version}
        with self.told():
            try:
                return self.api.patch(self.path(name), {**change, "metadata": metadata})
            except Missing as gone:
                raise Conflict(gone.message, found=gone.found, where=gone.where) from gone

    def overwrite(self, thing: Object) -> None:
        """Whatever is there, or is not."""
        with self.told():
            self.api.apply(self.path(name_of(thing)), thing, force=True)

    def remove(self, name: str) -> None:
        with self.told():
            self.api.delete(self.path(name))

    def written(self, work: Callable[[], T]) -> T:
        """Read, decide and write, and all of that again where somebody else wrote in between."""
        for turn in range(TURNS):
            try:
                done = work()
            except Conflict as conflict:
                last = conflict
            else:
                self.wrote = True
                return done
            self.clock.sleep(random.uniform(0, min(0.5, 0.01 * 2**turn)))  # noqa: S311 - no secret
        raise StateError(
            "others write the same object all the time", found=last.found, where=last.where,
            remedy="nothing was written; try it again",
        ) from last  # fmt: skip

    @contextmanager
    def told(self) -> Iterator[None]:
        """What the cluster says, as what a store says."""
        try:
            yield
        except UnoError as problem:
            known = Conflict, ConfigError, StateError
            if isinstance(problem, known) or (isinstance(problem, Forbidden) and not self.wrote):
                raise
            raise StateError(
                "the state in Kubernetes cannot be read or written",
                found=f"{problem.message}: {problem.found}".rstrip(": "), where=problem.where or self.where,
                remedy=problem.remedy or "once the apiserver answers again, go on",
            ) from problem  # fmt: skip


@define
class Leases:
    """The leases in one namespace, as one process sees them.

    A lease has expired when it has not changed for as long as it lasts, by our own monotonic clock: then
    no clock of another machine matters. A process that has only just begun cannot have seen that. It
    believes the time that is written there, with a margin for clocks that differ: or else a driver that
    died would lock out every command that looks once and ends.

    stamp: fences a thing off from owners before an epoch. recover: the things that may be written where
    the Lease is gone that knew them, and the newest epoch that any of them has seen.
    """

    shelf: Shelf
    clock: Clock
    stamp: Callable[[Thing, str, int], None]
    recover: Callable[[str], tuple[Sequence[Thing], int]]
    _known: dict[str, Object] = field(init=False, factory=dict)
    _since: dict[str, tuple[str, float]] = field(init=False, factory=dict)
    _guard: threading.RLock = field(init=False, factory=threading.RLock)

    def acquire(self, key: str, owner: Driver, ttl: float, *, take_over: bool) -> Lease:
        nonce = uuid4().hex
        with self._guard:
            taken = self.shelf.written(lambda: self._take(key, owner, ttl, nonce, take_over=take_over))
            lease = _lease(key, taken)
        try:
            for thing in _writes(taken)[1]:
                self.stamp(thing, key, lease.epoch)
        except (StateError, Forbidden):
            # It is not ours as long as a former owner may still write.
            self._let_go(lease)
            raise
        return lease

    def _take(self, key: str, owner: Driver, ttl: float, nonce: str, *, take_over: bool) -> Object:
        began = self.clock.monotonic()
        found = self.shelf.find(_name(key))
        if found is None:
            things, floor = self.recover(key)
            made = _made(key, self._turn(owner, ttl, nonce, floor + 1), things)
            return self._keep(key, self.shelf.add(made), began)
        if annotations_of(found).get(NONCE) == nonce:
            return self._keep(key, found, began)
        if self._lasts(key, found) and not take_over:
            raise Locked(
                "another uno holds the lock of this application", found=describe(_owner(found)),
                where=f"{self.shelf.where}/{_name(key)}",
                remedy="uno status shows what it does; uno abort takes it back",
            )  # fmt: skip
        turn = self._turn(owner, ttl, nonce, _epoch(found) + 1)
        return self._keep(key, self.shelf.change(_name(key), turn, version_of(found)), began)

    def _turn(self, owner: Driver, ttl: float, nonce: str, epoch: int) -> Object:
        """What makes it somebody's."""
        now = _text(self.clock.now())
        spec = {
            "holderIdentity": f"{owner.user}@{owner.host} {owner.pid}",
            "leaseDurationSeconds": _seconds(ttl),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": epoch,
        }
        annotations = {DRIVER: json.dumps(to_json(owner)), NONCE: nonce}
        return {"metadata": {"annotations": annotations}, "spec": spec}

    def renew(self, lease: Lease, ttl: float) -> Lease:
        def renewed() -> Object:
            began = self.clock.monotonic()
            found = self._ours(lease)
            if self._unchanged(lease.key, found) >= _duration(found):
                raise self._lost(lease, found)
            spec = {"renewTime": _text(self.clock.now()), "leaseDurationSeconds": _seconds(ttl)}
            return self._change(lease, found, {"spec": spec}, began)

        with self._guard:
            return _lease(lease.key, self.shelf.written(renewed))

    def release(self, lease: Lease) -> None:
        def released() -> None:
            try:
                found = self._ours(lease)
            except LockLost:
                return  # given up before, or somebody else's by now
            self._change(lease, found, {"spec": {"holderIdentity": ""}}, self.clock.monotonic())

        with self._guard:
            self.shelf.written(released)

    def holder(self, key: str) -> Lease | None:
        found = self.shelf.find(_name(key))
        with self._guard:
            return _lease(key, found) if found is not None and self._lasts(key, found) else None

    def _let_go(self, lease: Lease) -> None:
        try:
            self.release(lease)
        except (StateError, Forbidden):
            return  # it expires

    def open(self, lease: Lease | None, thing: Thing) -> None:
        """Write down what will be written with it, once each. Raises LockLost where there is a newer epoch.

        What former owners wrote down is left out then: they are fenced off since this one was acquired.
        """
        if lease is None:
            return

        def opened() -> None:
            began = self.clock.monotonic()
            found = self._ours(lease, released=True)
            epoch, things = _writes(found)
            if epoch == lease.epoch and thing in things:
                return
            mine = [*(things if epoch == lease.epoch else ()), thing]
            change = {"metadata": {"annotations": {WRITES: json.dumps([lease.epoch, mine])}}}
            self._change(lease, found, change, began)

        with self._guard:
            self.shelf.written(opened)

    def check(self, lease: Lease | None, thing: Object | None) -> None:
        """Raises LockLost where a newer owner has stamped what is about to be written."""
        if lease is None:
            return
        newest = fences_of(thing).get(lease.key, 0)
        if newest > lease.epoch:
            raise self._lost(lease, self.shelf.find(_name(lease.key)))

    def _ours(self, lease: Lease, *, released: bool = False) -> Object:
        """As it was seen last: writes are conditional on that. Raises LockLost where it is not ours.

        released: whether it may have been given up, so long as nobody has it since.
        """
        found = self._known.get(lease.key)
        if found is None or _epoch(found) < lease.epoch:
            found = self.shelf.find(_name(lease.key))
        if found is None or _epoch(found) != lease.epoch or not (released or _holder(found)):
            raise self._lost(lease, found)
        return found

    def _change(self, lease: Lease, found: Object, change: Object, began: float) -> Object:
        try:
            changed = self.shelf.change(_name(lease.key), change, version_of(found))
        except Conflict:
            self._known.pop(lease.key, None)
            raise
        return self._keep(lease.key, changed, began)

    def _keep(self, key: str, thing: Object, began: float) -> Object:
        """What we wrote lasts from before it was sent: nobody else counts from earlier."""
        self._known[key] = thing
        self._since[key] = (version_of(thing), began)
        return thing

    def _lasts(self, key: str, found: Object) -> bool:
        if not _holder(found) or self._unchanged(key, found) >= _duration(found):
            return False
        age = (self.clock.now() - _time(found, "renewTime")).total_seconds()
        return age <= _duration(found) + SKEW

    def _unchanged(self, key: str, found: Object) -> float:
        """Seconds since we first saw it as it is."""
        now = self.clock.monotonic()
        version, since = self._since.get(key, ("", now))
        if version != version_of(found):
            self._since[key] = (version_of(found), since := now)
        return now - since

    def _lost(self, lease: Lease, now: Object | None) -> LockLost:
        found = "nobody's lock"
        if now is not None:
            ended = "" if self._lasts(lease.key, now) else ", ended"
            found = f"epoch {_epoch(now)}, {describe(_owner(now))}{ended}"
        return LockLost(
            "the lock of this application was lost: nothing more is written", found=found,
            expected=f"epoch {lease.epoch}, still lasting", where=f"{self.shelf.where}/{_name(lease.key)}",
            remedy="uno status shows what its new owner does",
        )  # fmt: skip


def describe(driver: Driver) -> str:
    """An owner for a person: process, machine, user, since when."""
    return f"process {driver.pid} on {driver.host}, of {driver.user}, since {driver.started}"


def _name(key: str) -> str:
    return f"uno-{slug(key)}"


def _made(key: str, turn: Object, things: Sequence[Thing]) -> Object:
    annotations = {**turn["metadata"]["annotations"], WRITES: json.dumps([0, things])}
    labels = {KIND: "lock", APPLICATION: slug(key)}
    metadata = {"name": _name(key), "labels": labels, "annotations": annotations}
    return {"apiVersion": GROUP, "kind": "Lease", "metadata": metadata, "spec": turn["spec"]}


def _lease(key: str, thing: Object) -> Lease:
    renewed, lasts = _time(thing, "renewTime"), timedelta(seconds=_duration(thing))
    return Lease(
        key=key, owner=_owner(thing), epoch=_epoch(thing), since=_time(thing, "acquireTime"),
        expires=renewed + lasts,
    )  # fmt: skip


def _owner(thing: Object) -> Driver:
    text = annotations_of(thing).get(DRIVER)
    if text:
        return from_json(json.loads(text), Driver)
    return Driver(host=_holder(thing), pid=0, started=str(_time(thing, "acquireTime")), user="somebody")


def _writes(thing: Object) -> tuple[int, Sequence[Thing]]:
    epoch, things = json.loads(annotations_of(thing).get(WRITES, "[0, []]"))
    return epoch, [(kind, name) for kind, name in things]


def _holder(thing: Object) -> str:
    return str(thing["spec"].get("holderIdentity") or "")


def _epoch(thing: Object) -> int:
    return int(thing["spec"].get("leaseTransitions") or 0)


def _duration(thing: Object) -> float:
    return float(thing["spec"].get("leaseDurationSeconds") or 0)


def _time(thing: Object, name: str) -> datetime:
    text = thing["spec"].get(name)
    return datetime.fromisoformat(text) if text else datetime.fromtimestamp(0, UTC)


def _seconds(ttl: float) -> int:
    return max(1, math.ceil(ttl))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
