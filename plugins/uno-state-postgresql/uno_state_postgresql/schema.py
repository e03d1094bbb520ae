"""The tables, and the format that they are in."""

from __future__ import annotations

from typing import Any

from psycopg import Cursor, sql

from uno_core import StateError, Status

FORMAT = 1
"""Raised with every change to the tables; a newer one is refused."""

UNDER_WAY = tuple(sorted(status.value for status in Status if not status.final))

# JSON is kept as it was written (`json`, not `jsonb`): numbers and the order of keys come back as they were.
_TABLES = """
create table {schema}.format(version integer not null);
create table lease(
  key text primary key, epoch bigint not null, owner json not null,
  since timestamptz not null, expires timestamptz not null);
create table deployment(
  line bigint generated always as identity primary key, id text not null unique,
  application text not null, environment text not null, n integer not null,
  status text not null, record json not null);
create unique index one_under_way on deployment(application, environment) where status in ({under_way});
create table journal(
  line bigint generated always as identity primary key, deployment text not null,
  run text not null, seq integer not null, mark text not null, attempt integer not null,
  entry json not null, unique(deployment, run, seq, mark, attempt));
create table signal(
  id bigint generated always as identity primary key, deployment text not null,
  kind text not null, payload json not null, by text not null, at timestamptz not null,
  answer text not null default '');
create index signal_deployment on signal(deployment);
create table checkpoint(deployment text primary key, value json not null, at timestamptz not null);
insert into format values({format});
"""


def exists(cursor: Cursor[Any], schema: str) -> bool:
    """Whether the tables are there. By the catalogue, which everybody may read."""
    cursor.execute(
        "select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = %s and c.relname = 'format'",
        (schema,),
    )
    return cursor.fetchone() is not None


def prepare(cursor: Cursor[Any], schema: str, where: str) -> None:
    """Make the tables where there are none; two processes at once make one set.

    Raises StateError where a newer uno made them.
    """
    if not exists(cursor, schema):
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"uno schema {schema}",))
        if not exists(cursor, schema):
            _make(cursor, schema)
    cursor.execute(sql.SQL("select version from {}.format").format(sql.Identifier(schema)))
    row = cursor.fetchone()
    found = row["version"] if row else 0
    if found > FORMAT:
        raise StateError(
            "the state was written by a newer uno",
            found=f"format {found}",
            expected=f"format {FORMAT} or older",
            where=where,
            remedy="upgrade uno-state-postgresql",
        )


def _make(cursor: Cursor[Any], schema: str) -> None:
    cursor.execute("select 1 from pg_namespace where nspname = %s", (schema,))
    if cursor.fetchone() is None:  # `if not exists` asks for the privilege all the same
        cursor.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
    # The search path of the session names this schema alone: all but the first table go there by it. The
    # first one names it, since a schema of the path that may not be used is passed over without a word.
    cursor.execute(
        sql.SQL(_TABLES).format(
            schema=sql.Identifier(schema),
            under_way=sql.SQL(", ").join(map(sql.Literal, UNDER_WAY)),
            format=sql.Literal(FORMAT),
        )
    )
