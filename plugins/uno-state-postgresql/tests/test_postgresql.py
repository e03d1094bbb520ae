"""The store against a real server: the contract, and what a server can do to it."""

import itertools
import multiprocessing
import threading
from datetime import UTC, datetime, timedelta
from traceback import format_exception
from types import SimpleNamespace

import psycopg
import pytest

from uno_core import (
    ConfigError,
    Driver,
    Entry,
    Forbidden,
    Locked,
    LockLost,
    Mark,
    Record,
    Secret,
    StateError,
    Status,
    SystemClock,
)
from uno_core.testing import PluginContract, StateStoreContract
from uno_state_postgresql import connection
from uno_state_postgresql.options import PostgresqlOptions
from uno_state_postgresql.store import PostgresqlStore

pytest_plugins = ["uno_core.testing.fixtures", "postgresql"]
real = pytest.mark.component("postgresql")

KEY = "shop-testing"
AT = datetime(2025, 3, 1, 12, tzinfo=UTC)
_numbers = itertools.count(1)


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
def schema():
    """Nothing is in it at first."""
    return f"uno-{next(_numbers)}"


@pytest.fixture
def connect(postgresql, services, schema):
    opened = []

    def connect(url=None, **options):
        options = PostgresqlOptions(**{"url": url or postgresql.url(), "schema": schema, **options})
        opened.append(PostgresqlStore(options, services))
        return opened[-1]

    yield connect
    for store in opened:
        store.close()


@pytest.fixture
def store(connect):
    return connect()


@pytest.fixture
def admin(postgresql, schema):
    """Ask the server directly."""
    with psycopg.connect(postgresql.url(), autocommit=True) as db:
        yield lambda query: db.execute(query.replace("SCHEMA", f'"{schema}"'))


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


@real
def test_a_server_that_stays_away_is_an_error(start_postgresql, connect):
    server = start_postgresql()
    store = connect(server.url(), connect_timeout=0.5)
    store.create(record())
    server.kill()
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


def begin_elsewhere(url, schema, barrier, answers):
    """In a process of its own."""
    services = SimpleNamespace(clock=SystemClock())
    store = PostgresqlStore(PostgresqlOptions(url=url, schema=schema), services)
    barrier.wait(60)
    try:
        answers.put(store.acquire(KEY, owner(1), ttl=600).epoch)
    except Locked:
        answers.put(0)
    finally:
        store.close()


@real
def test_processes_that_make_the_schema_at_once_make_one(postgresql, schema):
    spawn = multiprocessing.get_context("spawn")
    barrier, answers = spawn.Barrier(4), spawn.Queue()
    arguments = (postgresql.url(), schema, barrier, answers)
    processes = [spawn.Process(target=begin_elsewhere, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    assert sorted(answers.get(timeout=60) for _ in processes) == [0, 0, 0, 1]
    for process in processes:
        process.join(60)


@real
def test_a_newer_format_is_refused(store, connect, admin):
    store.create(record())
    admin("update SCHEMA.format set version = 2")
    with pytest.raises(StateError, match="written by a newer uno") as caught:
        connect().list()
    assert (caught.value.found, caught.value.expected) == ("format 2", "format 1 or older")


@pytest.fixture
def driver(admin):
    """A role that may do nothing but log in."""
    name = f"driver_{next(_numbers)}"
    admin(f"create role {name} login password 'pw'")
    return name


@real
def test_missing_privileges_are_named(postgresql, connect, admin, driver):
    mine = connect(postgresql.url(driver, "pw"))
    with pytest.raises(Forbidden, match="permission denied for database"):
        mine.create(record())
    admin("create schema SCHEMA")
    with pytest.raises(Forbidden, match="permission denied for schema"):
        mine.create(record())
    connect().create(record(environment="live"))
    with pytest.raises(Forbidden, match="permission denied for schema"):
        mine.list()
    admin(f"grant usage on schema SCHEMA to {driver}")
    with pytest.raises(Forbidden, match="permission denied for table"):
        mine.list()
    admin(f"grant select on all tables in schema SCHEMA to {driver}")
    assert len(mine.list()) == 1
    with pytest.raises(Forbidden, match="permission denied for table") as caught:
        mine.acquire(KEY, owner(1), ttl=600)
    assert "README" in caught.value.remedy


@real
def test_the_privileges_of_the_readme_are_enough(postgresql, connect, admin, driver):
    connect().list()
    admin(f"grant usage on schema SCHEMA to {driver}")
    admin(f"grant select, insert, update on all tables in schema SCHEMA to {driver}")
    mine = connect(postgresql.url(driver, "pw"))
    lease = mine.acquire(KEY, owner(1), ttl=600)
    made = mine.create(record(), lease=lease)
    mine.append(made.id, entry(1), lease=mine.renew(lease, ttl=600))
    mine.answer(mine.signal(made.id, "abort", {}, by="ann", at=AT), "aborted")
    mine.checkpoint(made.id, 1, at=AT)
    mine.update(made.id, at=AT, status=Status.ROLLED_BACK, lease=lease)
    mine.release(lease)


@real
def test_the_privileges_of_the_readme_are_enough_to_make_the_tables(postgresql, connect, admin, driver):
    admin(f"create schema SCHEMA authorization {driver}")
    connect(postgresql.url(driver, "pw")).create(record())


@real
@pytest.mark.parametrize("password", ["S3cr3t", "with/slash@and%percent"])
def test_a_wrong_password_is_not_told(postgresql, connect, password, caplog):
    store = connect(postgresql.url(password=password))
    with pytest.raises(StateError, match="cannot be reached") as caught:
        store.list()
    assert password not in "".join([*format_exception(caught.value), caplog.text])
    assert "password authentication failed" in caught.value.found


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://uno:S3cr3t@@home@127.0.0.1:1/uno",
        "postgresql://uno:S3/cr3t@127.0.0.1:1/uno",
        "postgresql://uno:%S3cr3t@127.0.0.1:1/uno",
        "postgresql://uno:S3cr3t@127.0.0.1:1S3cr3t/uno",
        "mysql://uno:S3cr3t@127.0.0.1/uno",
        "S3cr3t",
    ],
)
def test_a_url_that_is_none_is_not_told(services, url):
    store = PostgresqlStore(PostgresqlOptions(url=url), services)
    with pytest.raises(ConfigError, match="cannot be understood") as caught:
        store.list()
    assert "cr3t" not in "".join(format_exception(caught.value))


def test_the_options_do_not_show_the_url():
    assert "S3cr3t" not in repr(PostgresqlOptions(url="postgresql://uno:S3cr3t@db/uno"))


@real
def test_the_url_may_be_a_secret(postgresql, connect, monkeypatch, secrets):
    secrets.table["UNO_STATE_URL"] = postgresql.url()
    assert list(connect(Secret("UNO_STATE_URL")).list()) == []


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
