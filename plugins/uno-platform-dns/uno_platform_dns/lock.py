"""The lock of an application as a TXT record: whoever creates it, or replaces exactly what is there, has it.

Both are one message with its prerequisites (RFC 2136, 3.2), or one batch of Route 53, so of many that ask at
once one gets it. Given up, the record stays and says so: the next epoch has to be greater than this one.
"""

from __future__ import annotations

import hashlib
import random
import re
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

from attrs import define, evolve, field, frozen

from uno_core import (
    Clock,
    ConfigError,
    Driver,
    Forbidden,
    Lease,
    Lock,
    Locked,
    LockLost,
    StateError,
    Throttled,
    Unanswered,
    UnoError,
    from_json,
    to_json,
)
from uno_platform_dns.note import TTL, place
from uno_platform_dns.texts import quoted, unquoted
from uno_platform_dns.waiting import SKEW
from uno_platform_dns.zone import Changed, RecordSet, Zone

T = TypeVar("T")

TURNS = 40
"""So often it is decided anew after others came first."""

LONGEST = 63
"""Characters of a label (RFC 1035, 2.3.4)."""

PATIENCE = 20.0
"""Seconds for a zone that gives no answer; what the record says tells then whether a write took effect."""


@frozen(kw_only=True)
class Turn:
    """What stands in the record. nonce: tells whoever took it that it was them, where an answer was lost."""

    owner: Driver
    epoch: int
    since: datetime
    renewed: datetime
    ttl: float
    nonce: str
    held: bool = True


@define(eq=False)
class TxtLock(Lock):
    """Locks in one zone, below one name, as one process sees them.

    A lease has expired when it has not changed for as long as it lasts, by our own monotonic clock. A process
    that has only just begun cannot have seen that: it believes the time that is written there, with a margin
    for clocks that differ.
    """

    zone: Zone
    clock: Clock
    name: str
    _since: dict[str, tuple[str, float]] = field(init=False, factory=dict)
    _guard: threading.RLock = field(init=False, factory=threading.RLock)

    def acquire(self, key: str, owner: Driver, *, ttl: float, take_over: bool = False) -> Lease:
        nonce = uuid4().hex

        def take() -> Lease:
            found = self._find(key)
            now = self.clock.now()
            mine = Turn(owner=owner, epoch=1, since=now, renewed=now, ttl=ttl, nonce=nonce)
            if found:
                there = self._turn(found[0])
                if there.nonce == nonce:
                    return self._lease(key, there)
                if self._lasts(key, found[0], there) and not take_over:
                    raise Locked(
                        "another uno holds the lock of this application", found=_described(there.owner),
                        where=self._where(key),
                        remedy="uno status shows what it does; uno abort takes it back",
                    )  # fmt: skip
                mine = evolve(mine, epoch=there.epoch + 1)
            return self._write(key, found, mine)

        try:
            return self._decided(key, take)
        except StateError as problem:
            if isinstance(problem.__cause__, ConfigError):
                raise problem.__cause__ from None  # before anything is begun it is told as the mistake it is
            raise

    def renew(self, lease: Lease, *, ttl: float) -> Lease:
        def renewed() -> Lease:
            found, there = self._ours(lease)
            if self._unchanged(lease.key, found[0]) >= there.ttl:
                raise self._lost(lease, there)
            return self._write(lease.key, found, evolve(there, ttl=ttl, renewed=self.clock.now()))

        return self._decided(lease.key, renewed)

    def release(self, lease: Lease) -> None:
        def released() -> None:
            try:
                found, there = self._ours(lease)
            except LockLost:
                return  # given up before, or somebody else's by now
            self._write(lease.key, found, evolve(there, held=False))

        self._decided(lease.key, released)

    def holder(self, key: str) -> Lease | None:
        def held() -> Lease | None:
            found = self._find(key)
            there = self._turn(found[0]) if found else None
            lasts = there is not None and self._lasts(key, found[0], there)
            return self._lease(key, there) if there is not None and lasts else None

        return self._decided(key, held)

    # What stands there

    def _place(self, key: str) -> str:
        """`shop-prod._uno.shop.example.com`: a label takes letters, digits and hyphens, 63 at most.

        A key that is none gets a part that tells it from all others.
        """
        label = re.sub("[^a-z0-9-]+", "-", key).strip("-")[:LONGEST]
        if label != key:
            label = f"{label[:40]}-{hashlib.sha256(key.encode()).hexdigest()[:16]}".lstrip("-")
        return f"{label}.{place(self.name)}"

    def _where(self, key: str) -> str:
        return f"{self._place(key)}, {self.zone.where}"

    def _find(self, key: str) -> Sequence[RecordSet]:
        return [one for one in self.zone.read(self._place(key), ("TXT",)) if one.type == "TXT"]

    def _turn(self, found: RecordSet) -> Turn:
        try:
            (text,) = found.values
            value: Any = unquoted(text)
            return from_json(value, Turn)
        except (ValueError, LookupError, TypeError, AttributeError, ExceptionGroup, UnoError) as problem:
            raise StateError(
                "the lock of this application cannot be read", found=str(found), where=found.name,
                expected="a TXT record that uno wrote", remedy="if no uno runs, take the record out",
            ) from problem  # fmt: skip

    def _write(self, key: str, found: Sequence[RecordSet], turn: Turn) -> Lease:
        began = self.clock.monotonic()
        made = RecordSet(name=self._place(key), type="TXT", ttl=TTL, values=[quoted(to_json(turn))])
        self.zone.change(found, [made])
        # What we wrote lasts from before it was sent: nobody else counts from earlier.
        self._since[key] = (str(made), began)
        return self._lease(key, turn)

    def _ours(self, lease: Lease) -> tuple[Sequence[RecordSet], Turn]:
        found = self._find(lease.key)
        there = self._turn(found[0]) if found else None
        # Where somebody took the record out the epochs begin anew: then it is the owner that tells.
        mine = there is not None and (there.epoch, there.owner, there.since) == (
            lease.epoch, lease.owner, lease.since,
        )  # fmt: skip
        if there is None or not mine or not there.held:
            raise self._lost(lease, there)
        return found, there

    def _lasts(self, key: str, found: RecordSet, there: Turn) -> bool:
        if not there.held or self._unchanged(key, found) >= there.ttl:
            return False
        return (self.clock.now() - there.renewed).total_seconds() <= there.ttl + SKEW

    def _unchanged(self, key: str, found: RecordSet) -> float:
        """Seconds since we first saw it as it is."""
        now = self.clock.monotonic()
        seen, since = self._since.get(key, ("", now))
        if seen != str(found):
            self._since[key] = (str(found), since := now)
        return now - since

    def _lease(self, key: str, turn: Turn) -> Lease:
        expires = turn.renewed + timedelta(seconds=turn.ttl)
        return Lease(key=key, owner=turn.owner, epoch=turn.epoch, since=turn.since, expires=expires)

    def _lost(self, lease: Lease, now: Turn | None) -> LockLost:
        found = f"epoch {now.epoch}, {_described(now.owner)}" if now else "nobody's lock"
        return LockLost(
            "the lock of this application was lost: nothing more is written", found=found,
            expected=f"epoch {lease.epoch}, still lasting", where=self._where(lease.key),
            remedy="uno status shows what its new owner does",
        )  # fmt: skip

    def _decided(self, key: str, work: Callable[[], T]) -> T:
        """Read, decide and write, and again where somebody else wrote in between or no answer came."""
        end = self.clock.monotonic() + PATIENCE
        last: UnoError
        for turn in range(TURNS):
            try:
                with self._guard:
                    return work()
            except (Locked, LockLost, StateError, Forbidden):
                raise
            except Changed as problem:
                last = problem
            except (Throttled, Unanswered) as problem:
                last = problem
                if self.clock.monotonic() >= end:
                    break
            except UnoError as problem:
                last = problem
                break
            self.clock.sleep(random.uniform(0, min(1.0, 0.02 * 2**turn)))  # noqa: S311 - no secret
        raise StateError(
            "the lock in the zone cannot be read or written", found=f"{last.message}: {last.found}",
            where=last.where or self._where(key), remedy=last.remedy or "once the zone answers again, go on",
        ) from last  # fmt: skip


def _described(driver: Driver) -> str:
    """An owner for a person: process, machine, user, since when."""
    return f"process {driver.pid} on {driver.host}, of {driver.user}, since {driver.started}"
