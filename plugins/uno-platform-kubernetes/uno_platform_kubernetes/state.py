"""The state of an application beside the application: in ConfigMaps and a Lease of its namespace.

Every write is conditional on the version that it was decided by, and decided anew where somebody else came
first. Who begins is decided by one object, the index; what it says is carried out by whoever comes next
where its writer died.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

from attrs import evolve

from uno_core import (
    ConfigError,
    Diagnosis,
    Driver,
    Entry,
    Forbidden,
    Json,
    Lease,
    Locked,
    Record,
    Services,
    Signal,
    StateError,
    StateStore,
    Status,
    to_json,
)
from uno_platform_kubernetes import records
from uno_platform_kubernetes.api import Conflict
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.lease import GROUP, Leases, Shelf, Thing, describe
from uno_platform_kubernetes.objects import APPLICATION, name_of
from uno_platform_kubernetes.permissions import STATE, permissions
from uno_platform_kubernetes.records import CALLED, FENCE, KIND, Claim, Index, Journal, Kept

Object = Mapping[str, Any]

KEPT = 30
"""Deployments that have ended and are kept, the newest of an application in its environment."""

SERVED = 10
"""Of those that were a success so many are kept in any case: there is a way back to them."""


class KubernetesStore(StateStore):
    """The state in the namespace of the application, for any machine that reaches the cluster.

    Deployments that ended long ago are forgotten. What is asked again and again is watched, and asks the
    apiserver nothing while nothing changes: it is behind then by as long as a change takes to get here.

    Raises StateError where the apiserver cannot be used, Forbidden where a right is missing.
    """

    def __init__(self, options: Any, services: Services) -> None:
        """Keep what is needed; connect at the first use."""
        if options:
            raise ConfigError("the state in Kubernetes has no options", found=", ".join(options))
        what, remedy = "the state in Kubernetes lies beside the application", "state: file, or postgresql://…"
        self._services, self._cluster = services, Cluster.beside(services, what, remedy=remedy)
        make = partial(Shelf, self._cluster.api, services.clock)
        self._shelf = make(partial(self._cluster.core, "configmaps"))
        self._leases = Leases(
            make(partial(self._cluster.group, GROUP, "leases")), services.clock, self._stamp, self._recover
        )
        self._polls = records.Polls(self._cluster, self._shelf)
        self._journals: dict[str, Journal] = {}
        self._heard: dict[int, str] = {}

    def diagnose(self) -> Iterator[Diagnosis]:
        return permissions(self._cluster, STATE, "permissions of the state")

    def close(self) -> None:
        self._polls.forget()
        self._cluster.close()

    # The lease

    def acquire(self, key: str, owner: Driver, *, ttl: float, take_over: bool = False) -> Lease:
        lease = self._leases.acquire(key, owner, ttl, take_over=take_over)
        self._polls.forget()  # what the former owner wrote last is seen
        return lease

    def renew(self, lease: Lease, *, ttl: float) -> Lease:
        return self._leases.renew(lease, ttl)

    def release(self, lease: Lease) -> None:
        self._leases.release(lease)

    def holder(self, key: str) -> Lease | None:
        return self._leases.holder(key)

    def _stamp(self, thing: Thing, key: str, epoch: int) -> None:
        """Fence it off from owners before this epoch, be it there or not yet."""
        kind, name = thing
        if kind == "index":
            self._shelf.written(lambda: self._stamp_index(name, key, epoch))
        else:
            self._shelf.written(lambda: self._stamp_deployment(name, key, epoch))
            Journal(self._shelf, name).fence(key, epoch)

    def _stamp_index(self, name: str, key: str, epoch: int) -> None:
        found = self._shelf.find(records.index_name(name))
        self._write_index(name, found, None, records.fenced(found, key, epoch))

    def _stamp_deployment(self, id: str, key: str, epoch: int) -> None:
        index = self._shelf.find(records.index_name(records.key_of(id)))
        if index is not None and (claim := Index.of(index).due(id)) is not None:
            self._settle(claim, index)  # decided before, so not to be carried out after
        if (kept := self._kept(id)) is not None:
            self._change(kept, {"metadata": {"annotations": {FENCE: records.fenced(kept.thing, key, epoch)}}})

    def _recover(self, key: str) -> tuple[Sequence[Thing], int]:
        """Somebody may have deleted the Lease: what was written with it still tells the epoch."""
        found = self._shelf.find(records.index_name(key))
        names = [claim.record.id for claim in Index.of(found).claims.values()]
        kept = [one.thing for name in names if (one := self._kept(name)) is not None]
        floor = max((records.fences_of(one).get(key, 0) for one in [found, *kept]), default=0)
        things = [("deployment", name) for name in names]
        return ([("index", key), *things] if found is not None else []), floor

    # Who begins

    def create(self, record: Record, *, lease: Lease | None = None) -> Record:
        made = self._begin(evolve(record, id=""), lease)
        try:
            self._forget_old(made)
        except (StateError, Forbidden) as problem:
            self._services.logger.warning("old deployments could not be deleted", problem=str(problem))
        return made

    def _begin(self, record: Record, lease: Lease | None) -> Record:
        """Claim that it is under way, and carry that out."""
        key, nonce = records.application_of(record), uuid4().hex
        self._leases.open(lease, ("index", key))
        thing = self._shelf.written(lambda: self._claim(key, record, nonce, lease))
        index, place = Index.of(thing), records.place_of(record)
        claim = index.claims[place]
        self._settle(claim, thing)
        done = evolve(index, claims={**index.claims, place: evolve(claim, done=True)})
        try:
            self._write_index(key, thing, done, _fence(None, thing))
        except (Conflict, StateError, Forbidden):
            pass  # then whoever comes next looks whether there is something to carry out
        return claim.record

    def _claim(self, key: str, record: Record, nonce: str, lease: Lease | None) -> Object:
        """One conditional write of the index: of two that saw it free, one wins.

        What is claimed is over once its deployment, as of this very claim, has ended: so nobody needs
        to write here that it has. Only a claim makes it be under way once more.
        """
        found = self._shelf.find(records.index_name(key))
        index = Index.of(found)
        claim = index.claims.get(records.place_of(record))
        if found is not None and claim is not None:
            if claim.nonce == nonce:
                return found
            kept = self._kept(claim.record.id) if claim.done else self._settle(claim, found)
            now = kept.record if kept is not None else None
            if now is not None and not now.status.final and now.id != record.id:
                raise self._under_way(now)
        self._leases.check(lease, found)
        return self._write_index(key, found, index.claimed(record, nonce), _fence(lease, found))

    def _write_index(self, key: str, found: Object | None, index: Index | None, fence: str) -> Object:
        name = records.index_name(key)
        data = {"index": records.packed(to_json(index))} if index is not None else {}
        if found is None:
            return self._shelf.add(records.config_map("index", key, name, data, **{FENCE: fence}))
        change = {"metadata": {"annotations": {FENCE: fence}}, "data": data}
        return self._shelf.change(name, change, records.version_of(found))

    def _settle(self, claim: Claim, index: Object) -> Kept:
        """Carry out a claim, whoever made it. The version of the index gives it its place among all."""
        key, name = records.application_of(claim.record), records.deployment_name(claim.record.id)
        data = {
            "record": records.packed(to_json(claim.record)),
            "claim": str(claim.turn),
            "began": records.version_of(index),
        }

        def settled() -> Kept:
            found = self._shelf.find(name)
            if found is None:
                return self._took(self._shelf.add(records.config_map("deployment", key, name, data)))
            kept = Kept(found)
            if kept.claim >= claim.turn:
                return kept
            return self._change(kept, {"data": {**data, "began": str(kept.began or data["began"])}})

        return self._shelf.written(settled)

    def _under_way(self, other: Record) -> Locked:
        driver = f", {describe(other.driver)}" if other.driver else ""
        return Locked(
            f"another deployment of {other.application} in {other.environment} is under way",
            found=f"{other.id}{driver}", where=self._shelf.where, remedy="uno status shows it",
        )  # fmt: skip

    def _forget_old(self, record: Record) -> None:
        """What has ended and is none of the newest, with its parts; its own object last, that finds them."""
        key = records.slug(records.application_of(record))
        kept = self._shelf.labelled(f"{APPLICATION}={key},{KIND}=deployment")
        known = sorted((one.record for one in map(Kept, kept) if one.record), key=_number, reverse=True)
        ended = [one for one in known if one.status.final]
        served = [one for one in ended if one.status is Status.SUCCESSFUL]
        stays = {one.id for one in (*ended[:KEPT], *served[:SERVED])}
        for one in ended:
            if one.id not in stays:
                Journal(self._shelf, one.id).remove()
                self._shelf.remove(records.checkpoint_name(one.id))
                self._shelf.remove(records.deployment_name(one.id))

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
        given = {"status": status, "message": message, "exit_code": exit_code, "driver": driver}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        self._leases.open(lease, ("deployment", id))

        def update() -> Record | None:
            kept = self._kept(id)
            before = kept.record if kept is not None else None
            if kept is None or before is None:
                raise StateError("there is no such deployment", found=id, where=self._shelf.where)
            self._leases.check(lease, kept.thing)
            after = evolve(before, updated=at, **changes)
            if before.status.final and not after.status.final:
                return after
            data = {"record": records.packed(to_json(after))}
            self._change(
                kept, {"metadata": {"annotations": {FENCE: _fence(lease, kept.thing)}}, "data": data}
            )
            return None

        if (again := self._shelf.written(update)) is not None:
            self._begin(again, lease)
        if status is not None and status.final:
            self._journals.pop(id, None)

    def get(self, id: str) -> Record | None:
        found = self._polls.look(records.deployment_name(id))
        record = Kept(found).record if found is not None else None
        if record is not None:
            return record
        claim = Index.of(self._shelf.find(records.index_name(records.key_of(id)))).due(id)
        return claim.record if claim is not None else None

    def list(
        self, *, application: str | None = None, environment: str | None = None, limit: int = 1000
    ) -> Sequence[Record]:
        one = application is not None and environment is not None
        of = f",{APPLICATION}={records.slug(f'{application}-{environment}')}" if one else ""
        things = self._shelf.labelled(f"{KIND} in (deployment,index){of}")
        found: dict[str, tuple[int, Record]] = {}
        for thing in things:
            for claim in Index.of(thing).claims.values():
                if not claim.done:
                    found.setdefault(claim.record.id, (int(records.version_of(thing)), claim.record))
            if (record := Kept(thing).record) is not None:
                found[record.id] = (Kept(thing).began, record)
        chosen = [
            (began, record)
            for began, record in found.values()
            if application in (None, record.application) and environment in (None, record.environment)
        ]
        # The order of one application stands by its numbers, in another cluster too.
        chosen.sort(key=lambda row: (0 if one else row[0], _number(row[1])), reverse=True)
        return [record for _, record in chosen[:limit]]

    def _kept(self, id: str) -> Kept | None:
        """A deployment as it is now; one that was claimed and not begun is begun."""
        found = self._shelf.find(records.deployment_name(id))
        if found is not None and Kept(found).record is not None:
            return Kept(found)
        index = self._shelf.find(records.index_name(records.key_of(id)))
        claim = Index.of(index).due(id)
        if index is not None and claim is not None:
            return self._settle(claim, index)
        return Kept(found) if found is not None else None

    def _change(self, kept: Kept, change: Object) -> Kept:
        return self._took(self._shelf.change(name_of(kept.thing), change, records.version_of(kept.thing)))

    def _took(self, thing: Object) -> Kept:
        self._polls.keep(thing)
        return Kept(thing)

    # Entries

    def append(self, id: str, entry: Entry, *, lease: Lease | None = None) -> None:
        self._leases.open(lease, ("deployment", id))
        journal = self._journals.setdefault(id, Journal(self._shelf, id))
        journal.append(entry, partial(self._leases.check, lease))

    def entries(self, id: str, run: str | None = None) -> Sequence[Entry]:
        return [entry for entry in Journal(self._shelf, id).entries() if run in (None, entry.run)]

    # Words between processes

    def signal(self, id: str, kind: str, payload: Mapping[str, Json], *, by: str, at: datetime) -> int:
        sent: list[Signal] = []

        def leave() -> int:
            kept = self._worded(id)
            for mine in sent:
                if mine in kept.signals:
                    return mine.id  # the answer of that write was lost
            word = Signal(id=kept.next_signal, kind=kind, payload=dict(payload), by=by, at=at)
            sent.append(word)
            self._change(kept, records.with_signals([*kept.signals, word]))
            return word.id

        number = self._shelf.written(leave)
        self._heard[number] = id
        return number

    def _worded(self, id: str) -> Kept:
        """What words for it are kept in; they may come before the deployment itself."""
        kept = self._kept(id)
        if kept is not None:
            return kept
        made = records.config_map("deployment", records.key_of(id), records.deployment_name(id), {})
        return self._took(self._shelf.add(made))

    def signals(self, id: str, *, unanswered: bool = True) -> Sequence[Signal]:
        found = self._polls.look(records.deployment_name(id))
        words = Kept(found).signals if found is not None else ()
        self._heard.update((word.id, id) for word in words)
        return [word for word in words if not unanswered or not word.answer]

    def called(self) -> Sequence[str]:
        mirror = self._cluster.mirror(self._cluster.core("configmaps"), label=f"{CALLED}=true")
        with self._shelf.told():
            kept = map(Kept, mirror.objects())
        waiting = [one.record for one in kept if any(not word.answer for word in one.signals)]
        return [record.id for record in waiting if record is not None and not record.status.final]

    def answer(self, signal: int, text: str) -> None:
        def answer() -> None:
            kept = self._with_word(signal)
            if kept is not None:
                words = [evolve(word, answer=text) if word.id == signal else word for word in kept.signals]
                self._change(kept, records.with_signals(words))

        self._shelf.written(answer)

    def _with_word(self, signal: int) -> Kept | None:
        if signal in self._heard:
            return self._kept(self._heard[signal])
        every = map(Kept, self._shelf.labelled(f"{KIND}=deployment"))
        return next((one for one in every if any(word.id == signal for word in one.signals)), None)

    # What is measured lies beside the journal, overwritten

    def checkpoint(self, id: str, value: Json, *, at: datetime) -> None:
        data = base64.b64encode(records.compressed(json.dumps(value))).decode()
        made = records.config_map(
            "checkpoint", records.key_of(id), records.checkpoint_name(id), {"at": at.isoformat()}
        )
        self._shelf.written(lambda: self._shelf.overwrite({**made, "binaryData": {"value": data}}))

    def last_checkpoint(self, id: str) -> Json:
        found = self._polls.look(records.checkpoint_name(id))
        if found is None:
            return None
        value: Json = json.loads(gzip.decompress(base64.b64decode(found["binaryData"]["value"])))
        return value


def _number(record: Record) -> int:
    return records.number_of(record.id)


def _fence(lease: Lease | None, thing: Object | None) -> str:
    if lease is None:
        return json.dumps(records.fences_of(thing))
    return records.fenced(thing, lease.key, lease.epoch)
