"""The lease of an application as an object, and how it fences off its former owners.

A write of S3 is conditional on the object that it writes, and on no other. So it is not the write that
looks at the lease: it is the lease's new owner who touches what a former owner could still write.

1. Before its first write to an object an owner writes down in the lease that it will: a change that is
   conditional, so it fails once there is a newer epoch.
2. Each write is conditional on a version of its object that carries no newer epoch.
3. `acquire` first changes the lease, conditional on the version in which it read what is written down, and
   then stamps each of those objects with its epoch. Only then does it return.

A former owner that was frozen between its look and its write finds another version of the object; looks
again, and finds the newer epoch. One that was frozen before step 1 finds another version of the lease.
A new owner that dies before it has stamped all leaves what is written down to the next one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from attrs import define, evolve, field, frozen

from uno_core import (
    Clock,
    Driver,
    Forbidden,
    Lease,
    Locked,
    LockLost,
    StateError,
    from_json,
    to_json,
)
from uno_state_s3.objects import Conflict, Shelf, Thing, fences_of
from uno_state_s3.records import lease_name

MARGIN = 2.0
"""Seconds that a lease is left beyond its end: both times are told to the second, and S3 has many clocks."""


@frozen(kw_only=True)
class Held:
    """What stands in the object. renewals: grows, so that a person sees that it lives.

    nonce: tells whoever took it that it was them, where the answer was lost. writes: the objects that may
    be written with it, as the epoch `written` wrote them down. since: by the owner's own clock, for a person.
    """

    owner: Driver
    epoch: int
    since: datetime
    ttl: float
    nonce: str
    held: bool = True
    renewals: int = 0
    written: int = 0
    writes: Sequence[str] = ()

    @classmethod
    def of(cls, thing: Thing) -> Held:
        return from_json(thing.data["lease"], cls)


@define
class Leases:
    """The leases in one bucket, as one process sees them.

    Whether a lease has expired is judged by the clock of S3 alone: an answer says in `Last-Modified` when the
    lease was written, and so renewed, and in `Date` what time it is. So the clocks of machines need not
    agree, and a process that has only just begun knows at once: it need not watch for as long as a lease
    lasts whether it is renewed. An owner counts by its own monotonic clock, from before it sent the renewal:
    it gives up first.

    stamp: fences an object off from owners before an epoch. recover: the objects that may be written where
    the lease is gone that knew them, and the newest epoch that any of them has seen.
    """

    shelf: Shelf
    clock: Clock
    stamp: Callable[[str, str, int], None]
    recover: Callable[[str], tuple[Sequence[str], int]]
    _known: dict[str, Thing] = field(init=False, factory=dict)
    _guard: threading.RLock = field(init=False, factory=threading.RLock)

    def acquire(self, key: str, owner: Driver, ttl: float, *, take_over: bool) -> Lease:
        nonce = uuid4().hex
        with self._guard:
            taken = self.shelf.written(lambda: self._take(key, owner, ttl, nonce, take_over=take_over))
        lease = _lease(key, taken)
        try:
            for name in Held.of(taken).writes:
                self.stamp(name, key, lease.epoch)
        except (StateError, Forbidden):
            # It is not ours as long as a former owner may still write.
            self._let_go(lease)
            raise
        return lease

    def _take(self, key: str, owner: Driver, ttl: float, nonce: str, *, take_over: bool) -> Thing:
        found = self.shelf.find(lease_name(key))
        mine = Held(owner=owner, epoch=1, since=self.clock.now(), ttl=ttl, nonce=nonce)
        if found is None:
            names, floor = self.recover(key)
            return self._keep(key, self._put(key, evolve(mine, epoch=floor + 1, writes=names), None))
        held = Held.of(found)
        if held.nonce == nonce:
            return self._keep(key, found)
        if _lasts(found) and not take_over:
            raise Locked(
                "another uno holds the lock of this application", found=describe(held.owner),
                where=f"{self.shelf.where}{lease_name(key)}",
                remedy="uno status shows what it does; uno abort takes it back",
            )  # fmt: skip
        mine = evolve(mine, epoch=held.epoch + 1, written=held.written, writes=held.writes)
        return self._keep(key, self._put(key, mine, found.version))

    def renew(self, lease: Lease, ttl: float) -> Lease:
        def renewed() -> Thing:
            found = self._ours(lease)
            held = Held.of(found)
            age = (found.seen - found.modified).total_seconds() + self.clock.monotonic() - found.at
            if age >= held.ttl:
                raise self._lost(lease, found)
            return self._change(lease.key, found, evolve(held, ttl=ttl, renewals=held.renewals + 1))

        with self._guard:
            return _lease(lease.key, self.shelf.written(renewed))

    def release(self, lease: Lease) -> None:
        def released() -> None:
            try:
                found = self._ours(lease)
            except LockLost:
                return  # given up before, or somebody else's by now
            self._change(lease.key, found, evolve(Held.of(found), held=False))

        with self._guard:
            self.shelf.written(released)

    def holder(self, key: str) -> Lease | None:
        found = self.shelf.find(lease_name(key))
        return _lease(key, found) if found is not None and _lasts(found) else None

    def _let_go(self, lease: Lease) -> None:
        try:
            self.release(lease)
        except (StateError, Forbidden):
            return  # it expires

    def open(self, lease: Lease | None, name: str) -> None:
        """Write down what will be written with it, once each. Raises LockLost where there is a newer epoch.

        What former owners wrote down is left out then: they are fenced off since this one was acquired.
        """
        if lease is None:
            return

        def opened() -> None:
            found = self._ours(lease, released=True)
            held = Held.of(found)
            before = held.writes if held.written == lease.epoch else ()
            if name not in before:
                self._change(lease.key, found, evolve(held, written=lease.epoch, writes=[*before, name]))

        with self._guard:
            self.shelf.written(opened)

    def check(self, lease: Lease | None, thing: Thing | None) -> None:
        """Raises LockLost where a newer owner has stamped what is about to be written."""
        if lease is None:
            return
        if fences_of(thing).get(lease.key, 0) > lease.epoch:
            raise self._lost(lease, self.shelf.find(lease_name(lease.key)))

    def _ours(self, lease: Lease, *, released: bool = False) -> Thing:
        """As it was seen last: writes are conditional on that. Raises LockLost where it is not ours.

        released: whether it may have been given up, so long as nobody has it since.
        """
        found = self._known.get(lease.key)
        if found is None or Held.of(found).epoch < lease.epoch:
            found = self.shelf.find(lease_name(lease.key))
        held = Held.of(found) if found is not None else None
        if found is None or held is None or held.epoch != lease.epoch or not (released or held.held):
            raise self._lost(lease, found)
        return self._keep(lease.key, found)

    def _change(self, key: str, found: Thing, held: Held) -> Thing:
        try:
            return self._keep(key, self._put(key, held, found.version))
        except (Conflict, StateError):
            self._known.pop(key, None)  # another one is there, or nobody knows
            raise

    def _put(self, key: str, held: Held, version: str | None) -> Thing:
        return self.shelf.put(lease_name(key), _data(held), version)

    def _keep(self, key: str, thing: Thing) -> Thing:
        self._known[key] = thing
        return thing

    def _lost(self, lease: Lease, now: Thing | None) -> LockLost:
        found = "nobody's lock"
        if now is not None:
            held = Held.of(now)
            ended = "" if _lasts(now) else ", ended"
            found = f"epoch {held.epoch}, {describe(held.owner)}{ended}"
        return LockLost(
            "the lock of this application was lost: nothing more is written", found=found,
            expected=f"epoch {lease.epoch}, still lasting",
            where=f"{self.shelf.where}{lease_name(lease.key)}",
            remedy="uno status shows what its new owner does",
        )  # fmt: skip


def describe(driver: Driver) -> str:
    """An owner for a person: process, machine, user, since when."""
    return f"process {driver.pid} on {driver.host}, of {driver.user}, since {driver.started}"


def _data(held: Held) -> Mapping[str, Any]:
    return {"lease": to_json(held)}


def _lasts(found: Thing) -> bool:
    """By the clock of S3, when it was read."""
    held = Held.of(found)
    return held.held and (found.seen - found.modified).total_seconds() < held.ttl + MARGIN


def _lease(key: str, thing: Thing) -> Lease:
    held = Held.of(thing)
    return Lease(
        key=key, owner=held.owner, epoch=held.epoch, since=held.since,
        expires=thing.modified + timedelta(seconds=held.ttl),
    )  # fmt: skip
