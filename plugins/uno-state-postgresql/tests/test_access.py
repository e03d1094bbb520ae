"""Who may do what, and what is never told of a URL."""

from datetime import UTC, datetime
from traceback import format_exception

import pytest

from uno_core import ConfigError, Driver, Entry, Forbidden, Mark, Record, Secret, StateError, Status
from uno_state_postgresql.options import PostgresqlOptions
from uno_state_postgresql.store import PostgresqlStore

pytest_plugins = ["uno_core.testing.fixtures", "postgresql"]
real = pytest.mark.component("postgresql")

KEY = "shop-testing"
AT = datetime(2025, 3, 1, 12, tzinfo=UTC)
OWNER = Driver(host="ci-1", pid=1, started="2025-03-01T10:00:00+00:00", user="ann")
LINE = Entry(run="deploy", seq=1, mark=Mark.INTENT, attempt=1, op="split", fingerprint="f", at=AT)


def record(environment="testing"):
    return Record(
        id="",
        application="shop",
        environment=environment,
        strategy="canary",
        version="1",
        created=AT,
        updated=AT,
    )


@pytest.fixture
def driver(admin, schema):
    """A role that may do nothing but log in."""
    name = f"driver_{schema.removeprefix('uno-')}"
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
        mine.acquire(KEY, OWNER, ttl=600)
    assert "README" in caught.value.remedy


@real
def test_the_privileges_of_the_readme_are_enough(postgresql, connect, admin, driver):
    connect().list()
    admin(f"grant usage on schema SCHEMA to {driver}")
    admin(f"grant select, insert, update on all tables in schema SCHEMA to {driver}")
    mine = connect(postgresql.url(driver, "pw"))
    lease = mine.acquire(KEY, OWNER, ttl=600)
    made = mine.create(record(), lease=lease)
    mine.append(made.id, LINE, lease=mine.renew(lease, ttl=600))
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
