"""The lease of an application as an object, and how it fences off its former owners.

A write is conditional on the object that it writes, and on no other. So it is not the write that
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
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from attrs import define, evolve, field, frozen

from uno_core.clock import Clock
from uno_core.contracts.state import Driver, Lease
from uno_core.errors import Forbidden, Locked, LockLost, StateError
from uno_core.journal.lock import describe
from uno_core.shelved.shelf import Shelf, Thing, ThingName, fences_of, written
from uno_core.wire import from_json, to_json


@frozen(kw_only=True)
class Held:
    """What stands in the object.

    nonce: tells whoever took it that it was them, where the answer was lost. writes: the objects that may
    be written with it, as the epoch `written` wrote them down. since: by the owner's own clock, for a person.
    """

    owner: Driver
    epoch: int
    since: datetime
    ttl: float
    nonce: str
    held: bool = True
    written: int = 0
    writes: Sequence[ThingName] = ()

    @classmethod
    def of(cls, thing: Thing) -> Held:
        return from_json(thing.data["lease"], cls)


@define
class Leases:
    """The leases on one shelf, as one process sees them.

    A lease has expired when it has not changed for as long as it lasts. A shelf with a clock of its own tells
    how long that is already, to a process too that has only just begun; else it is our own monotonic clock
    alone that counts, from when we first saw it as it is. So the clocks of machines need not agree. An
    owner counts from before it sent the renewal: it gives up first.

    stamp: fences an object off from owners before an epoch. recover: the objects that may be written where
    the lease is gone that knew them, and the newest epoch that any of them has seen.
    """

    shelf: Shelf
    clock: Clock
    stamp: Callable[[ThingName, str, int], None]
    recover: Callable[[str], tuple[Sequence[ThingName], int]]
    _known: dict[str, Thing] = field(init=False, factory=dict)
    _since: dict[str, tuple[str, float]] = field(init=False, factory=dict)
    _guard: threading.RLock = field(init=False, factory=threading.RLock)

    def acquire(self, key: str, owner: Driver, ttl: float, *, take_over: bool) -> Lease:
        nonce = uuid4().hex
        with self._guard:
            taken = written(self.clock, lambda: self._take(key, owner, ttl, nonce, take_over=take_over))
            lease = self._lease(key, taken)
        try:
            for name in Held.of(taken).writes:
                self.stamp(name, key, lease.epoch)
        except (StateError, Forbidden):
            # It is not ours as long as a former owner may still write.
            self._let_go(lease)
            raise
        return lease

    def _take(self, key: str, owner: Driver, ttl: float, nonce: str, *, take_over: bool) -> Thing:
        found = self.shelf.find(_name(key))
        mine = Held(owner=owner, epoch=1, since=self.clock.now(), ttl=ttl, nonce=nonce)
        if found is None:
            names, floor = self.recover(key)
            return self._put(key, evolve(mine, epoch=floor + 1, writes=names), None)
        held = Held.of(found)
        if held.nonce == nonce:
            return self._keep(key, found)
        if self._lasts(key, found) and not take_over:
            raise Locked(
                "another uno holds the lock of this application", found=describe(held.owner),
                where=self.shelf.where(_name(key)),
                remedy="uno status shows what it does; uno abort takes it back",
            )  # fmt: skip
        mine = evolve(mine, epoch=held.epoch + 1, written=held.written, writes=held.writes)
        return self._put(key, mine, found)

    def renew(self, lease: Lease, ttl: float) -> Lease:
        def renewed() -> Thing:
            found = self._ours(lease)
            held = Held.of(found)
            if self._unchanged(lease.key, found) >= held.ttl:
                raise self._lost(lease, found)
            return self._change(lease.key, found, evolve(held, ttl=ttl))

        with self._guard:
            return self._lease(lease.key, written(self.clock, renewed))

    def release(self, lease: Lease) -> None:
        def released() -> None:
            try:
                found = self._ours(lease)
            except LockLost:
                return  # given up before, or somebody else's by now
            self._change(lease.key, found, evolve(Held.of(found), held=False))

        with self._guard:
            written(self.clock, released)

    def holder(self, key: str) -> Lease | None:
        found = self.shelf.find(_name(key))
        with self._guard:
            return self._lease(key, found) if found is not None and self._lasts(key, found) else None

    def _let_go(self, lease: Lease) -> None:
        try:
            self.release(lease)
        except (StateError, Forbidden):
            return  # it expires

    def open(self, lease: Lease | None, name: ThingName) -> None:
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
            written(self.clock, opened)

    def check(self, lease: Lease | None, thing: Thing | None) -> None:
        """Raises LockLost where a newer owner has stamped what is about to be written."""
        if lease is not None and fences_of(thing).get(lease.key, 0) > lease.epoch:
            raise self._lost(lease, self.shelf.find(_name(lease.key)))

    def _ours(self, lease: Lease, *, released: bool = False) -> Thing:
        """As it was seen last: writes are conditional on that. Raises LockLost where it is not ours.

        released: whether it may have been given up, so long as nobody has it since.
        """
        found = self._known.get(lease.key)
        if found is None or Held.of(found).epoch < lease.epoch:
            found = self.shelf.find(_name(lease.key))
        held = Held.of(found) if found is not None else None
        if found is None or held is None or held.epoch != lease.epoch or not (released or held.held):
            raise self._lost(lease, found)
        return self._keep(lease.key, found)

    def _change(self, key: str, found: Thing, held: Held) -> Thing:
        try:
            return self._put(key, held, found)
        except StateError:
            self._known.pop(key, None)  # another one is there, or nobody knows
            raise

    def _put(self, key: str, held: Held, over: Thing | None) -> Thing:
        """What we write lasts from before it was sent: nobody else counts from earlier."""
        began = self.clock.monotonic()
        thing = self.shelf.put(_name(key), {"lease": to_json(held)}, over)
        self._since[key] = (thing.version, began)
        return self._keep(key, thing)

    def _keep(self, key: str, thing: Thing) -> Thing:
        self._known[key] = thing
        return thing

    def _lasts(self, key: str, found: Thing) -> bool:
        held = Held.of(found)
        return held.held and self._unchanged(key, found) < held.ttl

    def _unchanged(self, key: str, found: Thing) -> float:
        """Seconds for which it is as it is, so far as we know."""
        now = self.clock.monotonic()
        version, since = self._since.get(key, ("", now))
        if version != found.version:
            self._since[key] = (found.version, since := now)
        return max(found.age, now - since)

    def _lease(self, key: str, thing: Thing) -> Lease:
        held = Held.of(thing)
        modified = thing.modified or self.clock.now() - timedelta(seconds=self._unchanged(key, thing))
        return Lease(
            key=key, owner=held.owner, epoch=held.epoch, since=held.since,
            expires=modified + timedelta(seconds=held.ttl),
        )  # fmt: skip

    def _lost(self, lease: Lease, now: Thing | None) -> LockLost:
        found = "nobody's lock"
        if now is not None:
            held = Held.of(now)
            ended = "" if self._lasts(lease.key, now) else ", ended"
            found = f"epoch {held.epoch}, {describe(held.owner)}{ended}"
        return LockLost(
            "the lock of this application was lost: nothing more is written", found=found,
            expected=f"epoch {lease.epoch}, still lasting",
            where=self.shelf.where(_name(lease.key)),
            remedy="uno status shows what its new owner does",
        )  # fmt: skip


def _name(key: str) -> ThingName:
    return ThingName("lease", key)
