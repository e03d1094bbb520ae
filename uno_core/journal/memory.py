"""The state store of a simulation: in memory, and gone with the process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, TypeVar, cast

from attrs import evolve

from uno_core.clock import Clock, SystemClock
from uno_core.contracts.state import Driver, Entry, Lease, Record, Signal, StateStore
from uno_core.errors import Locked, LockLost, StateError
from uno_core.journal.lock import describe
from uno_core.model import Json, Status

F = TypeVar("F", bound=Callable[..., Any])
_PAST = datetime.min.replace(tzinfo=UTC)


def _alone(method: F) -> F:
    """One thread at a time: a heartbeat renews while a deployment writes."""

    @wraps(method)
    def guarded(self: MemoryStore, *args: Any, **named: Any) -> Any:
        with self._guard:
            return method(self, *args, **named)

    return cast("F", guarded)


class MemoryStore(StateStore):
    """Keeps values as they are.

    Leases expire by the clock that it is given, as those of a server do; without one they last until
    they are given up, as those of a kernel do.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._expires = clock is not None
        self._clock = clock or SystemClock()
        self._guard = threading.RLock()
        self._records: dict[str, Record] = {}
        self._entries: dict[str, dict[tuple[str, int, str, int], Entry]] = {}
        self._signals: list[tuple[str, Signal]] = []
        self._checkpoints: dict[str, Json] = {}
        self._leases: dict[str, Lease] = {}

    # The lease

    @_alone
    def acquire(self, key: str, owner: Driver, *, ttl: float, take_over: bool = False) -> Lease:
        now = self._clock.now()
        former = self._leases.get(key)
        if self.holder(key) is not None and former is not None and not take_over:
            raise Locked(
                "another uno holds the lock of this application",
                found=describe(former.owner),
                remedy="uno status shows what it does; uno abort takes it back",
            )
        epoch = former.epoch + 1 if former else 1
        lease = Lease(key=key, owner=owner, epoch=epoch, since=now, expires=self._end(ttl))
        self._leases[key] = lease
        return lease

    @_alone
    def renew(self, lease: Lease, *, ttl: float) -> Lease:
        self._check(lease)
        renewed = evolve(lease, expires=self._end(ttl))
        self._leases[lease.key] = renewed
        return renewed

    def _end(self, ttl: float) -> datetime | None:
        return self._clock.now() + timedelta(seconds=ttl) if self._expires else None

    @_alone
    def release(self, lease: Lease) -> None:
        held = self._leases.get(lease.key)
        if held is not None and held.epoch == lease.epoch:
            self._leases[lease.key] = evolve(held, expires=_PAST)

    def holder(self, key: str) -> Lease | None:
        lease = self._leases.get(key)
        if lease is None or (lease.expires is not None and lease.expires <= self._clock.now()):
            return None
        return lease

    def _check(self, lease: Lease | None) -> None:
        if lease is None:
            return
        now = self._leases.get(lease.key)
        if now is None or now.epoch != lease.epoch or (now.expires and now.expires <= self._clock.now()):
            raise LockLost(
                "the lock of this application was lost: nothing more is written",
                found=f"epoch {now.epoch}, {describe(now.owner)}" if now else "nobody's lock",
                expected=f"epoch {lease.epoch}",
                remedy="uno status shows what its new owner does",
            )

    # Deployments

    @_alone
    def create(self, record: Record, *, lease: Lease | None = None) -> Record:
        self._check(lease)
        self._refuse_second(record.application, record.environment)
        place = f"{record.application}-{record.environment}"
        n = 1 + sum(f"{r.application}-{r.environment}" == place for r in self._records.values())
        record = evolve(record, id=f"{place}-{n}")
        self._records[record.id] = record
        return record

    def _refuse_second(self, application: str, environment: str) -> None:
        for other in self._records.values():
            if (other.application, other.environment) == (
                application,
                environment,
            ) and not other.status.final:
                raise Locked(
                    f"another deployment of {application} in {environment} is under way",
                    found=other.id + (f", {describe(other.driver)}" if other.driver else ""),
                    remedy="uno status shows it",
                )

    @_alone
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
        self._check(lease)
        record = self._records[id]
        if status is not None and record.status.final and not status.final:
            self._refuse_second(record.application, record.environment)
        self._records[id] = evolve(
            record,
            updated=at,
            status=record.status if status is None else status,
            message=record.message if message is None else message,
            exit_code=record.exit_code if exit_code is None else exit_code,
            driver=record.driver if driver is None else driver,
        )

    def get(self, id: str) -> Record | None:
        return self._records.get(id)

    def list(
        self, *, application: str | None = None, environment: str | None = None, limit: int = 1000
    ) -> Sequence[Record]:
        found = [
            r
            for r in reversed(self._records.values())
            if application in (None, r.application) and environment in (None, r.environment)
        ]
        return found[:limit]

    @_alone
    def append(self, id: str, entry: Entry, *, lease: Lease | None = None) -> None:
        self._check(lease)
        mine = (entry.run, entry.seq, entry.mark.value, entry.attempt)
        kept = self._entries.setdefault(id, {}).setdefault(mine, entry)
        if kept != entry:
            raise StateError("this line was written already, with other words", found=str(mine))

    def entries(self, id: str, run: str | None = None) -> Sequence[Entry]:
        return [entry for entry in list(self._entries.get(id, {}).values()) if run in (None, entry.run)]

    # Words between processes

    @_alone
    def signal(self, id: str, kind: str, payload: Mapping[str, Json], *, by: str, at: datetime) -> int:
        number = len(self._signals) + 1
        self._signals.append((id, Signal(id=number, kind=kind, payload=dict(payload), by=by, at=at)))
        return number

    def signals(self, id: str, *, unanswered: bool = True) -> Sequence[Signal]:
        return [s for dep, s in self._signals if dep == id and not (unanswered and s.answer)]

    @_alone
    def answer(self, signal: int, text: str) -> None:
        dep, found = self._signals[signal - 1]
        self._signals[signal - 1] = (dep, evolve(found, answer=text))

    # What is measured

    def checkpoint(self, id: str, value: Json, *, at: datetime) -> None:  # noqa: ARG002 - nobody asks for its age
        self._checkpoints[id] = value

    def last_checkpoint(self, id: str) -> Json:
        return self._checkpoints.get(id)
