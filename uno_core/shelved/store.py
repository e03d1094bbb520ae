"""Deployments, their journals, words between processes, and leases, on a shelf.

Every write is conditional on the version that it was decided by, and decided anew where somebody else came
first. Who begins is decided by one object, the index; what it says is carried out by whoever comes next
where its writer died.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

from attrs import evolve

from uno_core.contracts.services import Services
from uno_core.contracts.state import Driver, Entry, Lease, Record, Signal, StateStore
from uno_core.errors import Forbidden, Locked, StateError
from uno_core.journal.lock import describe
from uno_core.model import Json, Status
from uno_core.shelved.index import (
    INDEX,
    Claim,
    Index,
    Kept,
    checkpoint,
    deployment,
    number_of,
    place_of,
)
from uno_core.shelved.journal import Journal
from uno_core.shelved.lease import Leases
from uno_core.shelved.shelf import Shelf, Thing, ThingName, fenced, fences_of, key_of, written
from uno_core.shelved.words import Words
from uno_core.wire import to_json

T = TypeVar("T")

AT_ONCE = 5
"""Old deployments that are deleted when one begins, at the most."""


class ShelvedStore(StateStore):
    """All of a state store, over a shelf: one of your own brings its shelf, and no more::

        class MyStore(ShelvedStore):
            def __init__(self, options, services):
                super().__init__(MyShelf(options, services.clock), services)

    Deployments that ended long ago are forgotten: of each application in its environment the newest 30 that
    have ended are kept, and the newest 10 that were a success. May override `close`, and add `diagnose`.

    Raises StateError where the shelf cannot be used, Forbidden where a permission is missing.
    """

    def __init__(self, shelf: Shelf, services: Services) -> None:
        """Keep what is needed; do no I/O."""
        self._shelf, self._clock, self._logger = shelf, services.clock, services.logger
        self._leases = Leases(shelf, services.clock, self._stamp, self._recover)
        self._words = Words(shelf, services.clock, self._kept)
        self._journals: dict[str, Journal] = {}

    # The lease

    def acquire(self, key: str, owner: Driver, *, ttl: float, take_over: bool = False) -> Lease:
        """Take the lease, and fence off who had it before. Raises Locked, naming the owner."""
        return self._leases.acquire(key, owner, ttl, take_over=take_over)

    def renew(self, lease: Lease, *, ttl: float) -> Lease:
        """Prolong it. Raises LockLost where it ended or is somebody else's."""
        return self._leases.renew(lease, ttl)

    def release(self, lease: Lease) -> None:
        """End it now, if it is still its owner's. Idempotent."""
        self._leases.release(lease)

    def holder(self, key: str) -> Lease | None:
        return self._leases.holder(key)

    def _stamp(self, name: ThingName, key: str, epoch: int) -> None:
        """Fence it off from owners before this epoch, be it there or not yet."""
        if name == INDEX:
            self._written(lambda: self._stamp_index(key, epoch))
        else:
            self._written(lambda: self._stamp_deployment(name.of, key, epoch))
            self._journal(name.of).fence(key, epoch)

    def _stamp_index(self, key: str, epoch: int) -> None:
        found, index = self._indexed()
        self._write_index(found, index, fenced(found, key, epoch))

    def _stamp_deployment(self, id: str, key: str, epoch: int) -> None:
        # What was claimed before is not to be carried out after, so `_kept` begins it.
        kept = self._kept(id, settled=True)
        if kept is not None:
            self._change(kept, fence=fenced(kept.thing, key, epoch))

    def _recover(self, key: str) -> tuple[Sequence[ThingName], int]:
        """Somebody may have deleted the lease: what was written with it still tells the epoch."""
        found = self._shelf.find(INDEX)
        ids = [one.id for one in Index.of(found).claims.values() if key_of(one.id) == key]
        kept = [one.thing for one in map(self._kept, ids) if one is not None]
        floor = max((fences_of(one).get(key, 0) for one in [found, *kept]), default=0)
        names = map(deployment, ids)
        return ([INDEX, *names] if ids or floor else []), floor

    # Who begins

    def create(self, record: Record, *, lease: Lease | None = None) -> Record:
        """Begin a deployment. Raises Locked, naming the one under way; LockLost as `append` does.

        Deletes what ended long ago; where that fails, a warning says so, and the next one tries again.
        """
        return self._begin(evolve(record, id=""), lease)

    def _begin(self, record: Record, lease: Lease | None) -> Record:
        """Claim that it is under way, and carry that out."""
        nonce, place = uuid4().hex, place_of(record)
        self._leases.open(lease, INDEX)
        index = Index.of(self._written(lambda: self._claim(record, nonce, lease)))
        claim = index.claims[place]
        kept = self._settle(claim)
        try:
            forgotten = self._forget(index, place)
            self._written(lambda: self._carried_out(place, claim.turn, forgotten))
        except (StateError, Forbidden) as problem:
            # Then whoever comes next looks whether there is something to carry out.
            self._logger.warning("the index of the state is not up to date", problem=str(problem))
        return claim.record or kept.record or record

    def _claim(self, record: Record, nonce: str, lease: Lease | None) -> Thing:
        """One conditional write of the index: of two that saw it free, one wins.

        What is claimed is over once its deployment, as of this very claim, has ended: so nobody needs
        to write here that it has. Only a claim makes it be under way once more.
        """
        found, index = self._indexed()
        claim = index.claims.get(place_of(record))
        former: Record | None = None
        if claim is not None:
            if found is not None and claim.nonce == nonce:
                return found
            kept = self._find(claim.id) if claim.record is None else self._settle(claim)
            former = kept.record if kept is not None else None
            if former is not None and not former.status.final and former.id != record.id:
                raise self._under_way(former)
        self._leases.check(lease, found)
        return self._write_index(found, index.claimed(record, nonce, former), _fence(lease, found))

    def _indexed(self) -> tuple[Thing | None, Index]:
        """The index as it is now; where there is none, made of all that is there."""
        found = self._shelf.find(INDEX)
        if found is not None:
            return found, Index.of(found)
        things = [self._shelf.look(name, version) for name, version in self._shelf.listed()]
        return None, Index.anew(Kept(one) for one in things if one is not None)

    def _write_index(self, found: Thing | None, index: Index, fence: Mapping[str, int]) -> Thing:
        data = {"index": to_json(index), "fence": dict(fence)}
        return self._shelf.put(INDEX, data, found)

    def _carried_out(self, place: str, turn: int, forgotten: Sequence[str]) -> None:
        found = self._shelf.find(INDEX)
        index = Index.of(found).carried_out(place, turn, forgotten)
        if index is not None:
            self._write_index(found, index, fences_of(found))

    def _settle(self, claim: Claim) -> Kept:
        """Carry out a claim, whoever made it."""
        name, data = deployment(claim.id), {"record": to_json(claim.record), "claim": claim.turn}

        def settled() -> Kept:
            found = self._shelf.find(name)
            if found is None:
                return Kept(self._shelf.put(name, {**data, "signals": [], "fence": {}}, None))
            kept = Kept(found)
            return kept if kept.claim >= claim.turn else self._change(kept, **data)

        return self._written(settled)

    def _under_way(self, other: Record) -> Locked:
        driver = f", {describe(other.driver)}" if other.driver else ""
        return Locked(
            f"another deployment of {other.application} in {other.environment} is under way",
            found=f"{other.id}{driver}", where=self._shelf.where(), remedy="uno status shows it",
        )  # fmt: skip

    def _forget(self, index: Index, place: str) -> Sequence[str]:
        """Delete what has ended and is none of the newest, its own object last, that finds the others."""
        forgotten: list[str] = []
        try:
            for old in index.old(place)[:AT_ONCE]:
                self._journal(old).remove()
                self._shelf.remove(checkpoint(old))
                self._shelf.remove(deployment(old))
                forgotten.append(old)
        except (StateError, Forbidden) as problem:
            self._logger.warning("old deployments could not be deleted", problem=str(problem))
        return forgotten

    # Deployments

    def update(
        self,
        id: str,
        *,
        at: datetime,
        status: Status | None = None,
        message: str | None = None,
        exit_code: int | None = None,
        driver: Driver | None = None,
        lease: Lease | None = None,
    ) -> None:
        """Change what is given. Raises Locked where it is to be under way beside another one.

        Raises StateError where there is no deployment of this id, LockLost as `append` does.
        """
        given = {"status": status, "message": message, "exit_code": exit_code, "driver": driver}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        self._leases.open(lease, deployment(id))

        def update() -> Record | None:
            kept = self._kept(id)
            before = kept.record if kept is not None else None
            if kept is None or before is None:
                raise StateError("there is no such deployment", found=id, where=self._shelf.where())
            self._leases.check(lease, kept.thing)
            after = evolve(before, updated=at, **changes)
            if before.status.final and not after.status.final:
                return after
            self._change(kept, record=to_json(after), fence=_fence(lease, kept.thing))
            return None

        if (again := self._written(update)) is not None:
            self._begin(again, lease)
        if status is not None and status.final:
            self._journals.pop(id, None)

    def get(self, id: str) -> Record | None:
        found = self._shelf.look(deployment(id))
        record = Kept(found).record if found is not None else None
        if record is not None:
            return record
        claim = Index.of(self._shelf.find(INDEX)).due(id)
        return claim.record if claim is not None else None

    def list(
        self, *, application: str | None = None, environment: str | None = None, limit: int = 1000
    ) -> Sequence[Record]:
        """The newest first. Only what may be asked for is read, and what changed since it was read last."""
        both = application is not None and environment is not None
        listed = self._shelf.listed(f"{application}-{environment}" if both else "")
        versions = {name.of: version for name, version in listed}
        # After the list, and as it is now: so the index knows of all that are in it.
        index = Index.of(self._shelf.find(INDEX))
        due = {one.id: one.record for one in index.claims.values() if one.record is not None}
        began, places = index.began, index.places
        found: list[Record] = []
        order = sorted({*versions, *due}, key=lambda one: (began.get(one, 0), number_of(one)))
        for one in reversed(order):
            if len(found) >= limit:
                break
            if not _asked_for(places.get(one), application, environment):
                continue
            thing = self._shelf.look(deployment(one), versions[one]) if one in versions else None
            record = (Kept(thing).record if thing is not None else None) or due.get(one)
            if record is not None and _asked_for(place_of(record), application, environment):
                found.append(record)
        return found

    def _find(self, id: str) -> Kept | None:
        found = self._shelf.find(deployment(id))
        return Kept(found) if found is not None else None

    def _kept(self, id: str, *, settled: bool = False) -> Kept | None:
        """A deployment as it is now; one that was claimed and not begun is begun.

        settled: also one that is there, and was claimed once more.
        """
        kept = self._find(id)
        if kept is not None and kept.record is not None and not settled:
            return kept
        claim = Index.of(self._shelf.find(INDEX)).due(id)
        return self._settle(claim) if claim is not None else kept

    def _change(self, kept: Kept, **changes: Any) -> Kept:
        return Kept(self._shelf.put(kept.thing.name, kept.changed(**changes), kept.thing))

    # Entries

    def append(self, id: str, entry: Entry, *, lease: Lease | None = None) -> None:
        """Write one line; the very same line once more is fine.

        Raises StateError where another line of the same run, number, mark and attempt is there, and
        LockLost where the lease has a newer epoch: nothing is written.
        """
        self._leases.open(lease, deployment(id))
        journal = self._journals.setdefault(id, self._journal(id))
        journal.append(entry, partial(self._leases.check, lease))

    def entries(self, id: str, run: str | None = None) -> Sequence[Entry]:
        return [entry for entry in self._journal(id).entries() if run in (None, entry.run)]

    # Words between processes

    def signal(self, id: str, kind: str, payload: Mapping[str, Json], *, by: str, at: datetime) -> int:
        """Leave a word. Where the shelf does not answer, raises StateError; it may be there then."""
        return self._words.leave(id, kind, payload, by, at)

    def signals(self, id: str, *, unanswered: bool = True) -> Sequence[Signal]:
        return [word for word in self._words.heard(id) if not unanswered or not word.answer]

    def called(self) -> Sequence[str]:
        """As it was at most two seconds ago, where the shelf has to look at them all for that."""
        return self._words.called()

    def answer(self, signal: int, text: str) -> None:
        """Say what came of a word; of one that nobody left, nothing."""
        self._words.answer(signal, text)

    # What is measured lies beside the journal, overwritten

    def checkpoint(self, id: str, value: Json, *, at: datetime) -> None:
        data = {"value": value, "at": at.isoformat()}
        self._written(lambda: self._shelf.overwrite(checkpoint(id), data))

    def last_checkpoint(self, id: str) -> Json:
        found = self._shelf.look(checkpoint(id))
        value: Json = found.data["value"] if found is not None else None
        return value

    def _journal(self, id: str) -> Journal:
        return Journal(self._shelf, self._clock, id)

    def _written(self, work: Callable[[], T]) -> T:
        return written(self._clock, work)


def _fence(lease: Lease | None, thing: Thing | None) -> Mapping[str, int]:
    return fences_of(thing) if lease is None else fenced(thing, lease.key, lease.epoch)


def _asked_for(place: str | None, application: str | None, environment: str | None) -> bool:
    """None: it is not known yet where it was deployed."""
    if place is None:
        return True
    of, _, within = place.rpartition("/")
    return application in (None, of) and environment in (None, within)
