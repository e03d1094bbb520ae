"""The store against a real server: the contract, and what a server can do to it."""

import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from uno_core import (
    Driver,
    Entry,
    LockLost,
    Mark,
    Record,
    StateError,
    Status,
)
from uno_core.testing import PluginContract, StateStoreContract
from uno_state_postgresql import connection
from uno_state_postgresql.options import PostgresqlOptions
from uno_state_postgresql.store import PostgresqlStore

pytest_plugins = ["uno_core.testing.fixtures", "postgresql"]
real = pytest.mark.component("postgresql")

KEY = "shop-testing"
AT = datetime(2025, 3, 1, 12, tzinfo=UTC)


def owner(number):
    return Driver(host=f"ci-{number}", pid=number, started="2025-03-01T10:00:00+00:00", user="ann", born="1")


def record(**changes):
    plain = {"id": "", "application": "shop", "environment": "testing", "strategy": "canary", "version": "1"}
    return Record(**{**plain, "created": AT, "updated": AT, **changes})


def entry(seq, value=None):
    return Entry(
        run="deploy", seq=seq, mark=Mark.INTENT, attempt=1, op="split", fingerprint="f", value=value, at=AT
    )


@pytest.fixture
def answer_lost(monkeypatch):
    """The next commit is made, and its answer does not come."""
    commit = psycopg.Connection.commit

    def lose():
        def lost(db):
            monkeypatch.setattr(psycopg.Connection, "commit", commit)
            commit(db)
            db.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(psycopg.Connection, "commit", lost)

    return lose


@real
class TestStore(StateStoreContract):
    @pytest.fixture
    def open(self, connect):
        return connect


class TestPlugin(PluginContract):
    distribution = "uno-state-postgresql"
    sdks = ("psycopg",)


@real
def test_a_server_that_was_killed_is_gone_on_with(postgresql, store):
    def restart():
        postgresql.kill()
        postgresql.start()

    lease = store.acquire(KEY, owner(1), ttl=600)
    made = store.create(record(), lease=lease)
    word = store.signal(made.id, "pause", {}, by="ann", at=AT)
    store.append(made.id, entry(1), lease=lease)
    restart()
    store.append(made.id, entry(2), lease=lease)
    restart()
    lease = store.renew(lease, ttl=600)
    restart()
    assert store.holder(KEY) == lease
    assert [line.seq for line in store.entries(made.id)] == [1, 2], "what was written is there"
    store.answer(word, "paused")
    restart()
    assert store.signal(made.id, "resume", {}, by="ann", at=AT) > word, "nothing of it had been sent"
    restart()
    store.update(made.id, at=AT, status=Status.SUCCESSFUL, lease=lease)
    store.release(lease)
    restart()
    again = store.acquire(KEY, owner(2), ttl=600)
    assert again.epoch > lease.epoch
    restart()
    assert store.create(record(), lease=again).id == "shop-testing-2"


@real
def test_a_server_that_is_away_for_a_while_is_waited_for(postgresql, store):
    store.create(record())
    postgresql.kill()
    back = threading.Timer(1.0, postgresql.start)
    back.start()
    assert [one.id for one in store.list()] == ["shop-testing-1"]
    back.join()


def until_gone(store):
    """A session lives on for a moment after its server was killed, and answers."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            store.list()
        except StateError:
            return
    pytest.fail("the server answers, though it was killed")


@real
def test_a_server_that_stays_away_is_an_error(start_postgresql, connect):
    server = start_postgresql()
    store = connect(server.url(), connect_timeout=0.5)
    store.create(record())
    server.kill()
    until_gone(store)
    for call in (store.list, lambda: store.append("shop-testing-1", entry(1))):
        with pytest.raises(StateError, match="cannot be reached") as caught:
            call()
        assert f"127.0.0.1:{server.port}/postgres" in caught.value.where
        assert caught.value.remedy
    server.start()
    assert store.list()


@real
def test_what_may_be_done_twice_is(store, answer_lost):
    made = store.create(record())
    lease = store.acquire(KEY, owner(1), ttl=600)
    answer_lost()
    store.append(made.id, entry(1), lease=lease)
    assert list(store.entries(made.id)) == [entry(1)]
    answer_lost()
    lease = store.renew(lease, ttl=600)
    answer_lost()
    store.update(made.id, at=AT, status=Status.PAUSED, lease=lease)
    answer_lost()
    assert store.get(made.id).status is Status.PAUSED
    answer_lost()
    store.checkpoint(made.id, 1, at=AT)
    assert store.last_checkpoint(made.id) == 1
    answer_lost()
    store.release(lease)
    assert store.holder(KEY) is None


@real
def test_what_may_not_be_done_twice_says_that_it_may_be_done(store, answer_lost):
    calls = (
        lambda: store.create(record()),
        lambda: store.acquire(KEY, owner(1), ttl=600),
        lambda: store.signal("shop-testing-1", "abort", {}, by="ann", at=AT),
    )
    for call in calls:
        store.list()
        answer_lost()
        with pytest.raises(StateError, match="may or may not have been made") as caught:
            call()
        assert all((caught.value.found, caught.value.expected, caught.value.where, caught.value.remedy))
    assert [one.id for one in store.list()] == ["shop-testing-1"]
    assert len(store.signals("shop-testing-1")) == 1
    assert store.holder(KEY).owner == owner(1)


@real
def test_a_session_that_the_server_ended_is_made_anew(store, admin):
    store.create(record())
    admin("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'uno'")
    store.append("shop-testing-1", entry(1))
    assert len(store.entries("shop-testing-1")) == 1


@real
def test_the_lease_ends_by_the_clock_of_the_server(store, connect, admin):
    """The machine's own clock is not asked: what the server says is over, is over."""
    lease = store.acquire(KEY, owner(1), ttl=600)
    made = store.create(record(), lease=lease)
    admin("update SCHEMA.lease set expires = clock_timestamp() - interval '1 ms'")
    assert lease.expires > datetime.now(UTC) + timedelta(seconds=300)
    for write in (
        lambda: store.append(made.id, entry(1), lease=lease),
        lambda: store.update(made.id, at=AT, message="late", lease=lease),
        lambda: store.create(record(environment="live"), lease=lease),
        lambda: store.renew(lease, ttl=600),
    ):
        with pytest.raises(LockLost, match=r"process 1 on ci-1, of ann, since .*, ended"):
            write()
    assert store.holder(KEY) is None
    assert list(store.entries(made.id)) == []
    assert [one.message for one in store.list()] == [""]
    assert connect().acquire(KEY, owner(2), ttl=600).epoch > lease.epoch


@real
def test_a_take_over_waits_for_the_write_that_was_let_through(store, connect, admin, monkeypatch):
    """Check and write are one: whoever takes over sees every line that the former owner's lease let in."""
    lease = store.acquire(KEY, owner(1), ttl=600)
    made = store.create(record(), lease=lease)
    checked, taken = threading.Event(), threading.Event()
    check = store._check

    def slow(cursor, lease):
        check(cursor, lease)
        checked.set()
        assert not taken.wait(0.5), "nobody takes over in the middle of a write"

    monkeypatch.setattr(store, "_check", slow)
    seen = []

    def take_over():
        other = connect()
        other.holder(KEY)
        checked.wait(60)
        other.acquire(KEY, owner(2), ttl=600, take_over=True)
        taken.set()
        seen.extend(other.entries(made.id))

    thread = threading.Thread(target=take_over)
    thread.start()
    store.append(made.id, entry(1), lease=lease)
    thread.join(60)
    assert seen == [entry(1)]
    monkeypatch.setattr(store, "_check", check)
    with pytest.raises(LockLost, match="process 2 on ci-2"):
        store.append(made.id, entry(2), lease=lease)


@real
def test_durable_means_durable(postgresql, schema, services, admin):
    admin("alter role uno set synchronous_commit = off")
    try:
        store = PostgresqlStore(PostgresqlOptions(url=postgresql.url(), schema=schema), services)
        setting = store._connection.run(lambda c: c.execute("show synchronous_commit").fetchone(), again=True)
        store.close()
    finally:
        admin("alter role uno reset synchronous_commit")
    assert setting == {"synchronous_commit": "on"}


@real
def test_a_look_makes_nothing(store, connect, admin):
    assert not store.exists()
    assert admin("select 1 from pg_namespace where nspname = trim('SCHEMA', '\"')").fetchone() is None
    store.create(record())
    assert connect().exists()


BEGIN = """
import sys
from types import SimpleNamespace
from uno_core import Driver, Locked, SystemClock
from uno_state_postgresql.options import PostgresqlOptions
from uno_state_postgresql.store import PostgresqlStore

url, schema = sys.argv[1:]
store = PostgresqlStore(PostgresqlOptions(url=url, schema=schema), SimpleNamespace(clock=SystemClock()))
print("ready", flush=True)
sys.stdin.readline()
try:
    print(store.acquire("shop-testing", Driver(host="ci", pid=1, started="now", user="ann"), ttl=600).epoch)
except Locked:
    print("locked")
"""


@real
def test_processes_that_make_the_schema_at_once_make_one(postgresql, schema):
    command = [sys.executable, "-c", BEGIN, postgresql.url(), schema]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [subprocess.Popen(command, text=True, **pipes) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60) for process in processes]
    assert sorted(said) == [("1\n", ""), *[("locked\n", "")] * 3]


@real
def test_a_newer_format_is_refused(store, connect, admin):
    store.create(record())
    admin("update SCHEMA.format set version = 2")
    with pytest.raises(StateError, match="written by a newer uno") as caught:
        connect().list()
    assert (caught.value.found, caught.value.expected) == ("format 2", "format 1 or older")


@real
def test_an_interrupted_call_leaves_no_half_of_it(store, monkeypatch):
    made = store.create(record())
    commit = psycopg.Connection.commit

    def interrupted(db):
        monkeypatch.setattr(psycopg.Connection, "commit", commit)
        raise KeyboardInterrupt

    monkeypatch.setattr(psycopg.Connection, "commit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.append(made.id, entry(1))
    assert list(store.entries(made.id)) == []
    store.append(made.id, entry(2))
    assert [line.seq for line in store.entries(made.id)] == [2]


def test_nothing_is_done_before_the_first_use(services, monkeypatch):
    def connect(*arguments, **more):
        raise AssertionError

    monkeypatch.setattr(connection.psycopg, "connect", connect)
    store = PostgresqlStore(PostgresqlOptions(url="postgresql://nowhere"), services)
    store.close()


@real
def test_what_the_server_cannot_hold_is_an_error_of_the_state(store):
    made = store.create(record())
    with pytest.raises(StateError, match="invalid"):
        store.append(made.id, entry(1, float("nan")))
    with pytest.raises(StateError, match="no such deployment"):
        store.update("shop-testing-7", at=AT, message="x")
