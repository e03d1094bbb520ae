"""The state in ConfigMaps: the contract, and what a cluster, or a machine, can do to it."""

import itertools
import subprocess
import sys

import pytest
from attrs import evolve

from uno_core import (
    ConfigError,
    Locked,
    LockLost,
    StateError,
    Status,
)
from uno_core.shelved import index
from uno_core.testing import StateStoreContract
from uno_core.testing.lock import KEY, owner
from uno_core.testing.state import DAY, entry, record
from uno_platform_kubernetes.configmaps import slug
from uno_platform_kubernetes.options import KubernetesOptions
from uno_platform_kubernetes.state import KubernetesStore

pytest_plugins = ["clusters"]
real = pytest.mark.component("cluster")

SEEN = {"windows": [{"at": i, "good": 1000 + i, "bad": i % 7, "ms": [i * 1.1] * 30} for i in range(600)]}


@real
class TestStore(StateStoreContract):
    @pytest.fixture
    def open(self, connect):
        return connect


# Who begins


@real
@pytest.mark.parametrize("again", [False, True], ids=["begun", "taken up again"])
def test_what_was_claimed_by_whoever_died_is_carried_out_by_the_next(connect, monkeypatch, again):
    store, other = connect(), connect()
    if again:
        shop = store.create(record()).id
        store.update(shop, at=DAY, status=Status.SUCCESSFUL)

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_settle", die)
    back = {"at": DAY, "status": Status.ROLLBACK_IN_PROGRESS}
    with pytest.raises(KeyboardInterrupt):
        store.update(shop, **back) if again else store.create(record(message="begun"))
    if not again:
        assert [one.message for one in other.list()] == ["begun"]
        assert other.get("shop-testing-1").message == "begun"
    with pytest.raises(Locked, match="shop-testing-1"):
        other.create(record())
    other.update("shop-testing-1", at=DAY, status=Status.ROLLED_BACK)
    assert other.create(record()).id == "shop-testing-2"


@real
def test_what_somebody_deleted_stays_deleted(store, there):
    there.core.delete_namespaced_config_map(f"uno-{store.create(record()).id}", there.name)
    assert list(store.list()) == []
    assert store.get("shop-testing-1") is None
    assert store.create(record()).id == "shop-testing-2"


@real
def test_old_deployments_are_forgotten_with_all_their_parts(store, there, monkeypatch):
    monkeypatch.setattr(index, "KEPT", 3)
    monkeypatch.setattr(index, "SERVED", 2)
    ended = [Status.SUCCESSFUL, *[Status.ROLLED_BACK] * 2, Status.SUCCESSFUL, *[Status.FAILED] * 3]
    for status in ended:
        made = store.create(record())
        store.append(made.id, entry(1))
        store.checkpoint(made.id, 1, at=DAY)
        store.update(made.id, at=DAY, status=status)
    assert store.create(record()).id == "shop-testing-8"
    assert [one.id[-1] for one in store.list()] == ["8", "7", "6", "5", "4", "1"]
    found = there.core.list_namespaced_config_map(there.name, label_selector="uno.dev/application").items
    kept = {one.metadata.name.partition(".")[0] for one in found}
    assert kept == {f"uno-shop-testing-{n}" for n in (8, 7, 6, 5, 4, 1)}
    assert len(store.entries("shop-testing-1")) == 1


@real
def test_of_two_processes_one_begins_and_both_write(connect, there):
    """Words and lines of both are there, each once."""
    first = connect()
    shop = first.create(record(environment="live")).id
    command = [sys.executable, "-c", PROCESS, str(there.cluster.kubeconfig), there.name, shop]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [subprocess.Popen([*command, str(n)], text=True, **pipes) for n in range(3)]
    said = [process.communicate("go\n", timeout=120) for process in processes]
    assert [err for _, err in said] == [""] * 3
    assert sorted(out for out, _ in said) == ["begun\n", "locked\n", "locked\n"]
    for n in range(3):
        assert [line.seq for line in first.entries(shop, f"run {n}")] == list(range(10))
    assert sorted(word.by for word in first.signals(shop)) == sorted(
        str(n) for n in range(3) for _ in range(5)
    )
    assert len({word.id for word in first.signals(shop)}) == 15


PROCESS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from uno_core import Application, Driver, Entry, Locked, Mark, Record, Services, SystemClock
from uno_platform_kubernetes.configmaps import slug
from uno_platform_kubernetes.options import KubernetesOptions
from uno_platform_kubernetes.state import KubernetesStore

kubeconfig, namespace, shop, n = sys.argv[1:]
at = datetime(2025, 3, 1, 12, tzinfo=UTC)
store = KubernetesStore(None, Services(
    application=Application(name="shop", environment="testing"), logger=None, clock=SystemClock(),
    state_dir=Path(), secrets=None,
    platform_options=KubernetesOptions(kubeconfig=kubeconfig, namespace=namespace)))
sys.stdin.readline()
try:
    lease = store.acquire("shop-testing", Driver(host="ci", pid=int(n), started="now", user="ann"), ttl=600)
    store.create(Record(id="", application="shop", environment="testing", strategy="canary", version="1",
                        created=at, updated=at), lease=lease)
    print("begun")
except Locked:
    print("locked")
for seq in range(10):
    store.append(shop, Entry(
        run=f"run {n}", seq=seq, mark=Mark.INTENT, attempt=1, op="x", fingerprint="f", at=at))
    if seq % 2:
        store.signal(shop, "pause", {}, by=n, at=at)
"""


# How much there is of it


@real
def test_a_long_journal_lies_in_parts(connect, there):
    store, other = connect(), connect()
    shop = store.create(record(params={"much": "y" * 300_000})).id
    lines = [entry(n, value="x" * 7000) for n in range(30)]
    lines[7] = entry(7, value=list(range(100_000)))
    for number, line in enumerate(lines):
        (store, other)[number % 2].append(shop, line)
    assert list(connect().entries(shop)) == lines
    for line in (lines[0], lines[-1]):
        other.append(shop, line)
    with pytest.raises(StateError, match="with other words"):
        connect().append(shop, entry(3, value="other"))
    assert list(store.entries(shop)) == lines
    found = there.core.list_namespaced_config_map(there.name, label_selector="uno.dev/kind=journal").items
    assert 3 <= len(found) <= 8
    longest = max(sum(map(len, one.data.values())) for one in found)
    assert longest < 300_000 + 64 * 1024, "one that is long, and what a part has beside it"
    assert other.get(shop).params == {"much": "y" * 300_000}


@real
def test_the_fence_goes_on_into_the_next_part(connect):
    store, other = connect(), connect()
    former = store.acquire(KEY, owner(1), ttl=600)
    shop = store.create(record(), lease=former).id
    store.append(shop, entry(0), lease=former)
    lease = other.acquire(KEY, owner(2), ttl=600, take_over=True)
    lines = [entry(0), *(entry(n, value="x" * 15000) for n in range(1, 10))]
    for line in lines[1:]:
        other.append(shop, line, lease=lease)
    with pytest.raises(LockLost):
        store.append(shop, entry(99), lease=former)
    assert list(store.entries(shop)) == lines


@real
def test_a_quota_that_is_used_up_is_an_error_of_the_state(store, there, until):
    """The way back goes on without a journal then; a right that was never there ends the command."""
    store.create(record())
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"count/configmaps": "1"}}}
    there.core.create_namespaced_resource_quota(there.name, quota)
    numbers = itertools.count(1)

    def refused():
        try:
            store.append(f"shop-live-{next(numbers)}", entry(1))
        except StateError as problem:
            return problem.found

    assert "few" in until(refused)


@real
def test_a_checkpoint_may_be_long(connect):
    store = connect()
    shop = store.create(record()).id
    store.checkpoint(shop, SEEN, at=DAY)
    assert connect().last_checkpoint(shop) == SEEN


@real
def test_what_is_too_much_is_an_error_of_the_state(store):
    import random

    shop = store.create(record()).id
    noise = random.Random(1).randbytes(2_000_000).hex()
    for write in (
        lambda: store.append(shop, entry(1, value=noise)),
        lambda: store.update(shop, at=DAY, message=noise),
        lambda: store.checkpoint(shop, noise, at=DAY),
        lambda: store.signal(shop, "pause", {"why": noise}, by="ann", at=DAY),
    ):
        with pytest.raises(StateError):
            write()
    store.append(shop, entry(1))
    assert list(store.entries(shop)) == [entry(1)]


# What it costs


@pytest.fixture
def asked(there):
    """Runs something, and says how often uno asked the apiserver meanwhile, by verb and resource."""

    def asked(work):
        before = there.cluster.audit.counted("uno (", there.name)
        work()
        return dict(there.cluster.audit.counted("uno (", there.name) - before)

    return asked


@real
def test_a_line_is_one_request_and_a_renewal_too(store, asked):
    lease = store.acquire(KEY, owner(1), ttl=600)
    shop = store.create(record(), lease=lease).id
    store.append(shop, entry(0), lease=lease)
    assert asked(lambda: [store.append(shop, entry(n), lease=lease) for n in range(1, 21)]) == {
        ("patch", "configmaps"): 20
    }
    assert asked(lambda: store.renew(lease, ttl=600)) == {("patch", "leases"): 1}
    assert asked(lambda: store.update(shop, at=DAY, message="on", lease=lease)) == {
        ("get", "configmaps"): 1,
        ("patch", "configmaps"): 1,
    }


@real
def test_to_begin_and_to_take_over_are_a_handful(connect, asked):
    store, other = connect(), connect()

    def count(work):
        return sum(asked(work).values())

    assert count(lambda: store.acquire(KEY, owner(1), ttl=600)) == 3
    lease = store.holder(KEY)
    assert count(lambda: store.create(record(), lease=lease)) == 8, (
        "the first looks whether there is anything"
    )
    store.append("shop-testing-1", entry(1), lease=lease)
    assert count(store.list) == 2, "all of them, and their order"
    assert count(lambda: other.acquire(KEY, owner(2), ttl=600, take_over=True)) == 9


@real
def test_whoever_waits_asks_nothing_and_hears_soon(connect, asked, until):
    store, other = connect(), connect()
    shop = store.create(record()).id
    store.checkpoint(shop, 1, at=DAY)

    def wait(times=30):
        for _ in range(times):
            store.signals(shop)
            store.get(shop)
            store.last_checkpoint(shop)
            store.called()

    wait()
    assert asked(wait) == {}
    for n in range(3):
        word = other.signal(shop, "pause", {}, by="ann", at=DAY)
        other.checkpoint(shop, 2 + n, at=DAY)
        assert until(lambda: store.signals(shop))[0].id == word
        assert until(store.called) == [shop]
        until(lambda n=n: store.last_checkpoint(shop) == 2 + n)
        store.answer(word, "done")
        assert list(store.signals(shop)) == [], "what was written here is seen here at once"
        until(lambda: not store.called())
        other.update(shop, at=DAY, message=str(n))
        until(lambda n=n: store.get(shop).message == str(n))


@real
def test_whoever_gets_the_lease_sees_what_the_former_owner_wrote_last(connect):
    store, other = connect(), connect()
    shop = store.create(record()).id
    for _ in range(20):
        store.get(shop)
    for n in range(10):
        other.update(shop, at=DAY, message=str(n))
        lease = store.acquire(KEY, owner(1), ttl=600)
        assert store.get(shop).message == str(n)
        store.release(lease)


# What needs no cluster


def test_another_platform_keeps_no_state_here(services):
    with pytest.raises(ConfigError, match="beside the application"):
        KubernetesStore(None, services)


def test_it_has_no_options(services):
    there = evolve(services, platform_options=KubernetesOptions())
    with pytest.raises(ConfigError, match="no options"):
        KubernetesStore({"url": "x"}, there)
    KubernetesStore({}, there).close()


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("shop-prod", "shop-prod"),
        ("Shop-prod", "shop-prod-"),
        ("shop.eu_1-prod", "shop-eu-1-prod-"),
        ("shop-prod.next", "shop-prod-next-"),
        ("x" * 60 + "-prod", "x" * 39 + "-"),
        ("_", ""),
    ],
)
def test_names_are_what_kubernetes_takes(key, name):
    assert slug(key).startswith(name)
    assert (slug(key) == key) == (name == key)
    assert len(slug(key)) <= 50
    assert slug(key).strip("-") == slug(key)
