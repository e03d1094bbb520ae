"""The right to drive: leases of the state store and of the platform, renewed, and checked before each write.

Losing one outranks everything, the way back too: whoever has it now is at work.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from attrs import define, field

from uno_core.clock import Clock, SystemClock
from uno_core.contracts.services import Logger
from uno_core.contracts.state import Driver, Lease, Lock, StateStore
from uno_core.errors import Forbidden, Locked, LockLost, StateError, UnoError
from uno_core.journal.lock import describe
from uno_core.rules import protects

TTL = 30.0
"""Seconds that a lease lasts without being renewed, where it expires at all."""


def _nobody(_: Driver) -> bool:
    return False


@define
class Held:
    """One lease, and until when it is surely ours on our own monotonic clock.

    Counted from before the request was sent, so that no clock but our own matters.
    """

    lock: Lock
    lease: Lease
    until: float


@define
class Tenure:
    """The leases of one driver. `margin`: seconds before the end of a lease from which nothing is written."""

    clock: Clock
    logger: Logger
    ttl: float = TTL
    margin: float = 0.0
    _held: list[Held] = field(init=False, factory=list)
    _lost: LockLost | None = field(init=False, default=None)
    _ended: threading.Event = field(init=False, factory=threading.Event)
    _guard: threading.Lock = field(init=False, factory=threading.Lock)

    @property
    def lease(self) -> Lease | None:
        """The lease of the state store, which fences its writes."""
        return self._held[0].lease if self._held else None

    @contextmanager
    def hold(
        self,
        store: StateStore,
        others: Sequence[Lock],
        key: str,
        owner: Driver,
        *,
        take_over: bool = False,
        begins: bool = True,
        former: Callable[[Driver], bool] = _nobody,
    ) -> Iterator[None]:
        """Hold the store's lease, then the platform's, as long as something is done.

        former: whether somebody drove this application by the same store. Whoever has the store's lease has
        fenced them off, and need not wait for what they left of the platform's. Raises Locked, naming the
        owner, where somebody else has one, or, where a deployment `begins`, has reserved the next turn.
        """
        try:
            self._acquire(store, key, owner, take_over=take_over)
            for lock in others:
                left = take_over or self._left(lock, key, former)
                self._acquire(lock, key, owner, take_over=left)
            if begins:
                refuse_reserved(store, key, owner)
            self._keep()
            yield
        finally:
            self._ended.set()
            for held in reversed(self._held):
                try:
                    held.lock.release(held.lease)
                except (StateError, Forbidden) as problem:
                    self.logger.warning("a lease could not be given up: it expires", problem=str(problem))

    def _acquire(self, lock: Lock, key: str, owner: Driver, *, take_over: bool) -> None:
        began = self.clock.monotonic()
        lease = lock.acquire(key, owner, ttl=self.ttl, take_over=take_over)
        self._held.append(Held(lock, lease, began + self.ttl))

    @staticmethod
    def _left(lock: Lock, key: str, former: Callable[[Driver], bool]) -> bool:
        """Whether a platform's lock is one that a driver before this one has left."""
        held = lock.holder(key)
        return held is not None and former(held.owner)

    def _keep(self) -> None:
        """Renew in the background where a lease expires; only where time passes by itself."""
        expires = any(held.lease.expires is not None for held in self._held)
        if expires and isinstance(self.clock, SystemClock):
            threading.Thread(target=self._renewing, daemon=True).start()

    def _renewing(self) -> None:
        while not self._ended.wait(self.ttl / 3):
            try:
                self._renew()
            except LockLost:
                return  # it is kept, and raised where the next write asks

    def _renew(self) -> None:
        with self._guard:
            if self._lost is not None:
                raise self._lost
            for held in self._held:
                began = self.clock.monotonic()
                try:
                    held.lease = held.lock.renew(held.lease, ttl=self.ttl)
                    held.until = began + self.ttl
                except LockLost as lost:
                    self._lost = lost
                    raise
                except (StateError, Forbidden) as problem:
                    self.logger.warning("a lease could not be renewed", problem=str(problem))
                    self._refuse_expired(held, problem)

    def _refuse_expired(self, held: Held, problem: UnoError) -> None:
        if held.lease.expires is None or self.clock.monotonic() < held.until - self.margin:
            return
        self._lost = LockLost(
            "the lease may have expired: nothing more is written",
            found=f"it could not be renewed: {problem.message} ({problem.found})",
            expected=f"an answer within {self.ttl - self.margin:g} s",
            remedy="once the state store answers again, `uno resume` goes on",
        )
        raise self._lost from problem

    @protects("whoever lost the lock writes nothing more")
    def confirm(self) -> None:
        """Before each write: the leases are still ours. Raises LockLost where they are not, or may not be."""
        self._renew()

    def check(self) -> None:
        """Raises LockLost where the background has found that out."""
        if self._lost is not None:
            raise self._lost


def next_turn(key: str) -> str:
    """The key of the reservation of the next turn: who holds it supersedes whoever is at work."""
    return f"{key}.next"


@protects("nobody slips in between a deployment and the one that supersedes it")
def refuse_reserved(store: StateStore, key: str, owner: Driver) -> None:
    """Raises Locked where somebody else has reserved the next turn."""
    reserved = store.holder(next_turn(key))
    if reserved is not None and (reserved.owner.host, reserved.owner.pid) != (owner.host, owner.pid):
        raise Locked(
            "another uno is about to deploy: it supersedes what ran until now",
            found=describe(reserved.owner),
            remedy="uno status shows it; wait until it has ended",
        )
