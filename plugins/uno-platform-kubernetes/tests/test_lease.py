"""The lease: the contract of a lock, fencing at every instant, and what a cluster does to either."""

import itertools
import threading
from datetime import UTC, datetime, timedelta

import pytest

from uno_core import Forbidden, Locked, LockLost, StateError, Status, SystemClock
from uno_core.shelved import index, journal
from uno_core.testing.lock import KEY, owner
from uno_core.testing.state import DAY, entry, record

pytest_plugins = ["clusters"]
pytestmark = pytest.mark.component("cluster")


# When it has expired


class Ahead(SystemClock):
    """A monotonic clock that can be set forward."""

    ahead = 0.0

    def monotonic(self):
        return super().monotonic() + self.ahead


@pytest.fixture
def ahead():
    return Ahead()


@pytest.fixture
def written(there):
    """Changes the Lease by hand; times are seconds from now."""

    def written(renewed=None, **spec):
        if renewed is not None:
            moment = datetime.now(UTC) + timedelta(seconds=renewed)
            spec["renewTime"] = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        there.cluster.api.patch(
            f"/apis/coordination.k8s.io/v1/namespaces/{there.name}/leases/uno-{KEY}", {"spec": spec}
        )

    return written


@pytest.mark.parametrize("skew", [-80.0, 0.0, 3600.0])
def test_a_lease_expires_by_our_own_clock_whatever_its_owners_clock_says(connect, ahead, written, skew):
    connect().acquire(KEY, owner(1), ttl=30)
    written(renewed=skew)
    store = connect(clock=ahead)
    for ahead.ahead in (0.0, 29.0):
        with pytest.raises(Locked, match="process 4001 on ci-1"):
            store.acquire(KEY, owner(2), ttl=30)
        assert store.holder(KEY) is not None
    ahead.ahead = 31.0
    assert store.holder(KEY) is None
    assert store.acquire(KEY, owner(2), ttl=30).epoch == 2


def test_a_lease_that_is_renewed_does_not_expire(connect, ahead):
    first, store = connect(), connect(clock=ahead)
    lease = first.acquire(KEY, owner(1), ttl=30)
    for _ in range(5):
        assert store.holder(KEY) is not None
        ahead.ahead += 20.0
        lease = first.renew(lease, ttl=30)
    with pytest.raises(Locked):
        store.acquire(KEY, owner(2), ttl=30)


def test_a_command_that_looks_once_believes_a_time_long_past(connect, written):
    """Else a driver that died would lock out every command that looks once and ends."""
    connect().acquire(KEY, owner(1), ttl=30)
    written(renewed=-85.0)
    with pytest.raises(Locked):
        connect().acquire(KEY, owner(2), ttl=30)
    written(renewed=-95.0)
    assert connect().holder(KEY) is None
    assert connect().acquire(KEY, owner(2), ttl=30).epoch == 2


def test_its_owner_knows_when_it_has_expired(connect, ahead):
    store = connect(clock=ahead)
    lease = store.acquire(KEY, owner(1), ttl=30)
    ahead.ahead = 31.0
    with pytest.raises(LockLost, match="ended"):
        store.renew(lease, ttl=30)


def test_its_owners_clock_may_be_set_meanwhile(connect, ahead, monkeypatch):
    moments = (datetime.now(UTC) + timedelta(minutes=10 * n) for n in itertools.count())
    monkeypatch.setattr(ahead, "now", lambda: next(moments))
    store = connect(clock=ahead)
    store.renew(store.acquire(KEY, owner(1), ttl=30), ttl=30)


def test_it_says_whose_it_is_to_a_person(connect, there):
    connect().acquire(KEY, owner(1), ttl=30)
    spec = there.coordination.read_namespaced_lease(f"uno-{KEY}", there.name).spec
    assert spec.holder_identity == "user-1@ci-1.example 4001"
    assert (spec.lease_duration_seconds, spec.lease_transitions) == (30, 1)


def test_somebody_elses_hand_on_it_is_told_as_it_is(connect, written):
    lease = connect().acquire(KEY, owner(1), ttl=30)
    written(renewed=0, holderIdentity="ann", leaseTransitions=7)
    assert connect().holder(KEY).epoch == 7
    with pytest.raises(LockLost):
        connect().renew(lease, ttl=30)


def test_epochs_go_on_where_somebody_deleted_the_lease(connect, there):
    store, other = connect(), connect()
    for _ in range(3):
        lease = store.acquire(KEY, owner(1), ttl=30, take_over=True)
    shop = store.create(record(), lease=lease).id
    store.append(shop, entry(1), lease=lease)
    there.coordination.delete_namespaced_lease(f"uno-{KEY}", there.name)
    again = other.acquire(KEY, owner(2), ttl=30)
    assert again.epoch == lease.epoch + 1
    for write in (
        lambda: store.append(shop, entry(2), lease=lease),
        lambda: store.update(shop, at=DAY, message="former", lease=lease),
        lambda: store.renew(lease, ttl=30),
    ):
        with pytest.raises(LockLost):
            write()
    other.append(shop, entry(2), lease=again)


# Whoever was taken over, at every instant


@pytest.fixture
def frozen(monkeypatch):
    """The nth write of a store waits until `meanwhile` has happened: as a process that was stopped there."""

    def freeze(store, nth, meanwhile):
        left, put = [nth], store._shelf.put

        def slow(*arguments):
            left[0] -= 1
            if left[0] == 0:
                meanwhile()
            return put(*arguments)

        monkeypatch.setattr(store._shelf, "put", slow)
        return left

    return freeze


WRITES = {
    "append": lambda store, shop, lease: store.append(shop, entry(9, value="former"), lease=lease),
    "update": lambda store, shop, lease: store.update(shop, at=DAY, message="former", lease=lease),
    "create": lambda store, shop, lease: store.create(record(environment="live"), lease=lease),
    "return": lambda store, shop, lease: store.update(
        shop, at=DAY, status=Status.ROLLBACK_IN_PROGRESS, message="former", lease=lease
    ),
}


CASES = [*((what, 0) for what in WRITES), ("append", 1), ("append", 9990)]
"""What is written, and after a line of what length: 9990 fills a part."""


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_whoever_is_frozen_in_a_write_while_taken_over_writes_nothing(
    connect, frozen, monkeypatch, case, nth
):
    what, length = case
    monkeypatch.setattr(journal, "PART", 10000)
    store, other = connect(), connect()
    former = store.acquire(KEY, owner(1), ttl=600)
    shop = store.create(record()).id
    if length:
        store.append(shop, entry(1, value="x" * length))
    if what == "return":
        store.update(shop, at=DAY, status=Status.SUCCESSFUL)
    seen = []

    def take_over():
        lease = other.acquire(KEY, owner(2), ttl=600, take_over=True)
        # What it sees now is what it goes on from.
        seen.extend([lease, list(other.list()), list(other.entries(shop))])

    left = frozen(store, nth, take_over)
    try:
        WRITES[what](store, shop, former)
    except LockLost:
        assert seen, "nobody had taken it over"
    else:
        assert left[0] > 0 or "former" in str(seen) or "shop-live-1" in str(seen), (
            "written after the take-over"
        )
    if seen:
        lease, listed, lines = seen
        assert list(connect().list()) == listed
        assert list(connect().entries(shop)) == lines
        for write in WRITES.values():
            with pytest.raises(LockLost):
                write(store, shop, former)
        other.append(shop, entry(10, value="next"), lease=lease)
        assert connect().entries(shop)[-1] == entry(10, value="next")


def test_a_new_owner_that_dies_before_it_fences_leaves_that_to_the_next(connect, monkeypatch):
    store, dying, other = connect(), connect(), connect()
    former = store.acquire(KEY, owner(1), ttl=600)
    shop = store.create(record(), lease=former).id
    store.append(shop, entry(1), lease=former)

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(dying._leases, "stamp", die)
    with pytest.raises(KeyboardInterrupt):
        dying.acquire(KEY, owner(2), ttl=600, take_over=True)
    lease = other.acquire(KEY, owner(3), ttl=600, take_over=True)
    with pytest.raises(LockLost, match="process 4003 on ci-3"):
        store.append(shop, entry(2), lease=former)
    other.append(shop, entry(2), lease=lease)


def test_a_lease_that_cannot_be_fenced_is_not_had(connect, monkeypatch):
    store, other = connect(), connect()
    store.create(record(), lease=store.acquire(KEY, owner(1), ttl=600))

    def fail(*_):
        raise StateError("away")

    monkeypatch.setattr(other._leases, "stamp", fail)
    with pytest.raises(StateError, match="away"):
        other.acquire(KEY, owner(2), ttl=600, take_over=True)
    assert other.holder(KEY) is None


# What a cluster does


@pytest.fixture
def front(there):
    yield there.cluster.front
    there.cluster.front.heal()


@pytest.mark.parametrize(
    "fault", [{"lost": True}, {"status": 429, "retry_after": 1}, {"status": 500}], ids=str
)
def test_what_the_apiserver_did_not_answer_is_done_once(connect, front, fault):
    store = connect(front.kubeconfig())

    def next_fails(method):
        front.heal()
        front.inject(method=method, part="/uno-" if method == "PATCH" else "", **fault)

    next_fails("POST")
    lease = store.acquire(KEY, owner(1), ttl=600)
    next_fails("POST")
    shop = store.create(record(), lease=lease).id
    assert shop == "shop-testing-1"
    for method in ("POST", "PATCH"):
        next_fails(method)
        store.append(shop, entry(len(store.entries(shop))), lease=lease)
    next_fails("PATCH")
    lease = store.renew(lease, ttl=600)
    next_fails("PATCH")
    word = store.signal(shop, "pause", {}, by="ann", at=DAY)
    next_fails("PATCH")
    store.answer(word, "paused")
    next_fails("PATCH")
    store.checkpoint(shop, 1, at=DAY)
    next_fails("PATCH")
    store.update(shop, at=DAY, status=Status.SUCCESSFUL, lease=lease)
    next_fails("PATCH")
    store.update(shop, at=DAY, status=Status.ROLLBACK_IN_PROGRESS, lease=lease)
    next_fails("PATCH")
    store.release(lease)
    next_fails("PATCH")
    again = store.acquire(KEY, owner(2), ttl=600)
    front.heal()
    other = connect()
    assert again.epoch == lease.epoch + 1
    assert other.holder(KEY).owner == owner(2)
    assert [one.id for one in other.list()] == [shop]
    assert other.get(shop).status is Status.ROLLBACK_IN_PROGRESS
    assert [line.seq for line in other.entries(shop)] == [0, 1]
    assert [word.answer for word in other.signals(shop, unanswered=False)] == ["paused"]
    assert other.last_checkpoint(shop) == 1


@pytest.mark.parametrize("fault", [{"status": 503, "retry_after": 60}, {"status": 418}], ids=str)
def test_what_it_does_not_get_over_is_an_error_of_the_state(connect, front, fault):
    store = connect(front.kubeconfig())
    shop = store.create(record()).id
    lease = store.acquire(KEY, owner(1), ttl=600)
    front.inject(times=None, **fault)
    for call in (
        store.list,
        lambda: store.get(shop),
        lambda: store.entries(shop),
        lambda: store.signals(shop),
        store.called,
        lambda: store.append(shop, entry(1), lease=lease),
        lambda: store.checkpoint(shop, 1, at=DAY),
        lambda: store.holder(KEY),
        lambda: store.renew(lease, ttl=600),
        lambda: store.acquire(KEY, owner(2), ttl=600),
    ):
        with pytest.raises(StateError, match="cannot be read or written") as caught:
            call()
        assert caught.value.where
        assert caught.value.remedy
    front.heal()
    store.append(shop, entry(1), lease=store.renew(lease, ttl=600))


def test_an_apiserver_that_is_killed_in_the_middle_loses_no_line(connect, there, until):
    store, other = connect(), connect()
    lease = store.acquire(KEY, owner(1), ttl=600)
    shop = store.create(record(), lease=lease).id
    ended = threading.Event()

    def write():
        seq = 0
        while not ended.is_set() or seq < 100:
            try:
                store.append(shop, entry(seq), lease=lease)
            except StateError:
                continue  # as the engine does
            seq += 1
        lines.append(seq)

    lines = []
    writer = threading.Thread(target=write)
    writer.start()
    until(lambda: len(other.entries(shop)) > 5)
    there.cluster.restart_apiserver(hard=True)
    ended.set()
    writer.join(120)
    assert [line.seq for line in other.entries(shop)] == list(range(lines[0]))
    assert store.renew(lease, ttl=600).epoch == lease.epoch


def test_without_a_right_it_is_told_which(connect, there):
    store = connect(there.cluster.kubeconfig_of("nobody"))
    for call in (store.list, lambda: store.holder(KEY), lambda: store.create(record()), store.called):
        with pytest.raises(Forbidden, match="nobody") as caught:
            call()
        assert caught.value.exit_code == 9


RULES = [
    {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "verbs": ["get", "list", "watch", "create", "patch", "delete"],
    },
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "patch"]},
]


def test_these_rights_are_enough(connect, there, until, monkeypatch):
    monkeypatch.setattr(index, "KEPT", 0)
    monkeypatch.setattr(index, "SERVED", 0)
    there.rbac.create_namespaced_role(there.name, {"metadata": {"name": "uno"}, "rules": RULES})
    there.rbac.create_namespaced_role_binding(
        there.name,
        {
            "metadata": {"name": "uno"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "uno"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "driver"}],
        },
    )
    store = connect(there.cluster.kubeconfig_of("driver"))
    for n in (1, 2):
        lease = until(lambda n=n: _had(store, n))
        shop = store.create(record(), lease=lease).id
        store.append(shop, entry(1), lease=store.renew(lease, ttl=600))
        store.checkpoint(shop, 1, at=DAY)
        store.answer(store.signal(shop, "abort", {}, by="ann", at=DAY), "aborted")
        for _ in range(12):
            store.signals(shop)
        assert list(store.called()) == []
        store.update(shop, at=DAY, status=Status.ROLLED_BACK, lease=lease)
        store.release(lease)
    assert [one.id for one in store.list()] == ["shop-testing-2"]


def _had(store, n):
    try:
        return store.acquire(KEY, owner(n), ttl=600)
    except Forbidden:  # the apiserver has not heard of the role yet
        return None
