"""A schema of its own for each test, and stores that look at it."""

import itertools

import psycopg
import pytest

from uno_state_postgresql.options import PostgresqlOptions
from uno_state_postgresql.store import PostgresqlStore

_numbers = itertools.count(1)


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
