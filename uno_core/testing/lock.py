"""What a lock must do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from uno_core.contracts.state import Driver, Lease, Lock
from uno_core.errors import Locked, LockLost

T = TypeVar("T")

KEY = "shop-testing"


class LockContract:
    """What every lock must do::

        class TestLock(LockContract):
            @pytest.fixture
            def open(self, services):
                return lambda: MyPlatform(MyOptions(), services).lock

    `open()` gives one more object that looks at the same state, as another machine has it; nothing is
    locked at first. May override: `wait` where the leases follow a clock that can be set, `die` where a
    lock ends with the process that holds it and nobody takes it over before.
    """

    ttl: float = 600.0
    """Seconds that a lease is held for where a test is to be over before it ends."""

    short: float = 1.0
    """Seconds of a lease that a test waits for the end of."""

    deadline: float = 60.0
    """Seconds in which a lease that ended must be free: machines are busy."""

    many: int = 8
    """As many ask at once where only one may have it."""

    @pytest.fixture
    def open(self) -> Callable[[], Any]:
        """A function that opens the same state once more. Close what it opened after a yield."""
        raise NotImplementedError("override the fixture `open`: return a function that opens your lock")

    @pytest.fixture
    def lock(self, open: Callable[[], Lock]) -> Lock:
        """The lock as one machine has it."""
        return open()

    @pytest.fixture
    def other(self, open: Callable[[], Lock]) -> Lock:
        """The same as another machine has it."""
        return open()

    @pytest.fixture
    def wait(self) -> Callable[[float], None]:
        """Let so many seconds pass, as the leases count them."""
        return time.sleep

    @pytest.fixture
    def die(self) -> Callable[[Lock], None]:
        """Let the process die that opened this object, so far as the lock knows of processes."""
        return lambda _: None

    def test_it_is_had_at_once(self, lock: Lock, other: Lock) -> None:
        lease = lock.acquire(KEY, owner(1), ttl=self.ttl)
        assert (lease.key, lease.owner) == (KEY, owner(1))
        assert lease.epoch > 0
        assert lease.since.tzinfo is not None, "times are aware"
        for one in (lock, other):
            held = one.holder(KEY)
            assert held is not None, "it is held, and everybody sees it"
            assert (held.key, held.owner, held.epoch) == (KEY, owner(1), lease.epoch)

    def test_what_nobody_took_is_nobodys(self, lock: Lock) -> None:
        assert lock.holder(KEY) is None

    def test_a_second_owner_is_told_whose_it_is(self, lock: Lock, other: Lock) -> None:
        lease = lock.acquire(KEY, owner(1), ttl=self.ttl)
        for one in (other, lock):
            with pytest.raises(Locked) as caught:
                one.acquire(KEY, owner(2), ttl=self.ttl)
            for part in (owner(1).host, str(owner(1).pid), owner(1).user, owner(1).started):
                assert part in str(caught.value), "host, process, user and since when: whom to ask"
        assert _whose(other) == (owner(1), lease.epoch)
        lock.renew(lease, ttl=self.ttl)

    def test_each_key_has_an_owner_of_its_own(self, lock: Lock, other: Lock) -> None:
        lock.acquire(KEY, owner(1), ttl=self.ttl)
        other.acquire("shop-live", owner(2), ttl=self.ttl)
        assert _whose(lock)[0] == owner(1)
        held = lock.holder("shop-live")
        assert held is not None
        assert held.owner == owner(2)

    def test_epochs_grow(self, lock: Lock, other: Lock) -> None:
        epochs = []
        for one, number in ((lock, 1), (other, 2), (lock, 1), (lock, 1)):
            lease = one.acquire(KEY, owner(number), ttl=self.ttl)
            epochs.append(lease.epoch)
            one.release(lease)
        assert epochs == sorted(set(epochs)), "an epoch is greater than every one before"

    def test_renewing_changes_no_owner(self, lock: Lock, other: Lock) -> None:
        lease = lock.acquire(KEY, owner(1), ttl=self.ttl)
        renewed = lock.renew(lease, ttl=self.ttl)
        assert (renewed.key, renewed.owner, renewed.epoch) == (KEY, owner(1), lease.epoch)
        assert (renewed.expires is None) is (lease.expires is None)
        assert _whose(other) == (owner(1), lease.epoch)
        lock.renew(renewed, ttl=self.ttl)

    def test_renewed_it_lasts(self, lock: Lock, other: Lock, wait: Callable[[float], None]) -> None:
        lease = self.expiring(lock)
        lock.renew(lease, ttl=self.ttl)
        wait(self.short * 1.5)
        with pytest.raises(Locked):
            other.acquire(KEY, owner(2), ttl=self.ttl)

    def test_given_up_it_is_free(self, lock: Lock, other: Lock) -> None:
        lock.release(lock.acquire(KEY, owner(1), ttl=self.ttl))
        assert other.holder(KEY) is None
        assert other.acquire(KEY, owner(2), ttl=self.ttl).owner == owner(2)

    def test_given_up_it_cannot_be_renewed(self, lock: Lock) -> None:
        lease = lock.acquire(KEY, owner(1), ttl=self.ttl)
        lock.release(lease)
        with pytest.raises(LockLost):
            lock.renew(lease, ttl=self.ttl)
        assert lock.holder(KEY) is None

    def test_giving_up_twice_is_giving_up_once(self, lock: Lock, other: Lock) -> None:
        first = lock.acquire(KEY, owner(1), ttl=self.ttl)
        lock.release(first)
        lock.release(first)
        second = lock.acquire(KEY, owner(2), ttl=self.ttl)
        lock.release(first)
        assert _whose(other) == (owner(2), second.epoch), "it is somebody else's by now"
        lock.renew(second, ttl=self.ttl)

    def test_taken_over_it_is_lost(self, lock: Lock, other: Lock, die: Callable[[Lock], None]) -> None:
        former = lock.acquire(KEY, owner(1), ttl=self.ttl)
        die(lock)
        lease = other.acquire(KEY, owner(2), ttl=self.ttl, take_over=True)
        assert lease.epoch > former.epoch
        with pytest.raises(LockLost):
            lock.renew(former, ttl=self.ttl)
        lock.release(former)
        assert _whose(other) == (owner(2), lease.epoch)
        other.renew(lease, ttl=self.ttl)

    def test_what_is_free_can_be_taken_over(self, lock: Lock) -> None:
        assert lock.acquire(KEY, owner(1), ttl=self.ttl, take_over=True).owner == owner(1)

    def test_expired_it_is_free(self, lock: Lock, other: Lock, wait: Callable[[float], None]) -> None:
        former = self.expiring(lock)
        self.until_free(other, wait)
        lease = other.acquire(KEY, owner(2), ttl=self.ttl)
        assert lease.epoch > former.epoch
        with pytest.raises(LockLost):
            lock.renew(former, ttl=self.ttl)
        assert _whose(lock) == (owner(2), lease.epoch)

    def test_expired_it_cannot_be_renewed(self, lock: Lock, wait: Callable[[float], None]) -> None:
        lease = self.expiring(lock)
        self.until_free(lock, wait)
        with pytest.raises(LockLost):
            lock.renew(lease, ttl=self.ttl)

    def test_of_many_at_once_one_has_it(self, open: Callable[[], Lock]) -> None:
        locks = [open() for _ in range(self.many)]
        for number in range(3):
            asks = [
                _ask(lock, f"shop-{number}", owner(asker), self.ttl) for asker, lock in enumerate(locks, 1)
            ]
            had = [one for one in at_once(asks) if one is not None]
            assert len(had) == 1, f"{len(had)} of {self.many} have the lock"
            held = locks[0].holder(f"shop-{number}")
            assert held is not None
            assert (held.owner, held.epoch) == (had[0].owner, had[0].epoch)

    def expiring(self, lock: Lock) -> Lease:
        lease = lock.acquire(KEY, owner(1), ttl=self.short)
        if lease.expires is None:
            pytest.skip("its leases do not expire: they end with their owner")
        return lease

    def until_free(self, lock: Lock, wait: Callable[[float], None]) -> None:
        step = self.short / 10
        for _ in range(round(self.deadline / step)):
            if lock.holder(KEY) is None:
                return
            wait(step)
        pytest.fail(f"a lease of {self.short:g} s is held for more than {self.deadline:g} s")


def owner(number: int) -> Driver:
    """A driver on a machine that is not this one, so that no store ends a process of the tests."""
    started = f"2025-03-01T10:00:{number:02}+00:00"
    return Driver(
        host=f"ci-{number}.example",
        pid=4000 + number,
        started=started,
        user=f"user-{number}",
        born=str(number),
    )


def _whose(lock: Lock) -> tuple[Driver, int]:
    held = lock.holder(KEY)
    assert held is not None, "nobody holds the lock"
    return held.owner, held.epoch


def _ask(lock: Lock, key: str, who: Driver, ttl: float) -> Callable[[], Lease | None]:
    def ask() -> Lease | None:
        try:
            return lock.acquire(key, who, ttl=ttl)
        except Locked:
            return None

    return ask


def at_once(calls: Sequence[Callable[[], T]]) -> Sequence[T]:
    """Call all at the same moment, each in a thread of its own; what one raises, is raised."""
    barrier = threading.Barrier(len(calls))

    def call(one: Callable[[], T]) -> T:
        barrier.wait(60)
        return one()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(call, calls))
