"""Deployments, their journals, words between processes, and leases, in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

from psycopg import errors

from uno_core import (
    Driver,
    Entry,
    Json,
    Lease,
    Locked,
    LockLost,
    Record,
    Services,
    Signal,
    StateError,
    StateStore,
    Status,
    from_json,
    to_json,
)
from uno_state_postgresql import schema
from uno_state_postgresql.connection import Connection, Cursor
from uno_state_postgresql.options import PostgresqlOptions

# Asked of the server in the statement itself: the clocks of the machines that deploy need not agree.
_END = "clock_timestamp() + %(ttl)s * interval '1 second'"


class PostgresqlStore(StateStore):
    """The state in one schema of a PostgreSQL database, for any number of machines.

    What a call writes is durable when it returns: the session has `synchronous_commit` on, or stricter
    where the server says so. A lease is a row with an epoch, and ends by the server's clock; a write with
    a lease holds that row against a take-over until it is committed. A lost connection is made anew,
    and what was under way is done again where it cannot have been done, or may be done twice; other
    writes raise StateError, which says that they may have been made.

    Raises StateError where the server cannot be used, Forbidden where a privilege is missing.
    """

    def __init__(self, options: PostgresqlOptions, services: Services) -> None:
        """Keep the options; connect at the first use."""
        self._connection = Connection(options, services)
        self._schema = options.schema

    def exists(self) -> bool:
        """Whether the tables are there; makes none."""
        return self._connection.run(lambda c: schema.exists(c, self._schema), again=True, prepare=False)

    def close(self) -> None:
        """Let go of the connection; the next use makes a new one."""
        self._connection.close()

    # The lease

    def acquire(self, key: str, owner: Driver, *, ttl: float, take_over: bool = False) -> Lease:
        """Take the lease, in one statement. Raises Locked, naming the owner, while somebody has it.

        Where the connection is lost at the commit, raises StateError; the lease may be taken then,
        and ends after `ttl`.
        """
        values = {"key": key, "owner": _text(to_json(owner)), "ttl": ttl, "take_over": take_over}

        def work(cursor: Cursor) -> Lease:
            cursor.execute(
                "insert into lease as held(key, epoch, owner, since, expires)"
                f" values(%(key)s, 1, %(owner)s, clock_timestamp(), {_END})"
                " on conflict(key) do update set epoch = held.epoch + 1, owner = excluded.owner,"
                f" since = clock_timestamp(), expires = {_END}"
                " where held.expires <= clock_timestamp() or %(take_over)s"
                " returning *",
                values,
            )
            row = cursor.fetchone()
            if row is None:
                raise Locked(
                    "another uno holds the lock of this application",
                    found=self._owner(cursor, key),
                    where=self._connection.where,
                    remedy="uno status shows what it does; uno abort takes it back",
                )
            return _lease(row)

        return self._connection.run(work, again=False)

    def renew(self, lease: Lease, *, ttl: float) -> Lease:
        """Prolong it by the server's clock. Raises LockLost where it ended or is somebody else's."""

        def work(cursor: Cursor) -> Lease:
            cursor.execute(
                f"update lease set expires = {_END}"  # noqa: S608 - a text of our own
                " where key = %(key)s and epoch = %(epoch)s and expires > clock_timestamp() returning *",
                {"key": lease.key, "epoch": lease.epoch, "ttl": ttl},
            )
            row = cursor.fetchone()
            if row is None:
                raise self._lost(cursor, lease)
            return _lease(row)

        return self._connection.run(work, again=True)

    def release(self, lease: Lease) -> None:
        """End it now, if it is still its owner's. Idempotent."""
        self._write(
            "update lease set expires = '-infinity' where key = %s and epoch = %s", lease.key, lease.epoch
        )

    def holder(self, key: str) -> Lease | None:
        rows = self._read("select * from lease where key = %s and expires > clock_timestamp()", key)
        return _lease(rows[0]) if rows else None

    def _check(self, cursor: Cursor, lease: Lease | None) -> None:
        """Hold the row against a take-over until the commit. Raises LockLost where it is not the newest."""
        if lease is None:
            return
        cursor.execute(
            "select epoch, expires > clock_timestamp() as lasts from lease where key = %s for share",
            (lease.key,),
        )
        row = cursor.fetchone()
        if row is None or row["epoch"] != lease.epoch or not row["lasts"]:
            raise self._lost(cursor, lease)

    def _lost(self, cursor: Cursor, lease: Lease) -> LockLost:
        return LockLost(
            "the lock of this application was lost: nothing more is written",
            found=self._owner(cursor, lease.key),
            expected=f"epoch {lease.epoch}, still lasting",
            where=self._connection.where,
            remedy="uno status shows what its new owner does",
        )

    def _owner(self, cursor: Cursor, key: str) -> str:
        """Who has it, or had it last, for a person."""
        cursor.execute(
            "select epoch, owner, expires > clock_timestamp() as lasts from lease where key = %s", (key,)
        )
        row = cursor.fetchone()
        if row is None:
            return "nobody's lock"
        ended = "" if row["lasts"] else ", ended"
        return f"epoch {row['epoch']}, {_describe(from_json(row['owner'], Driver))}{ended}"

    # Deployments

    def create(self, record: Record, *, lease: Lease | None = None) -> Record:
        """Begin a deployment. Raises Locked, naming the one under way; LockLost as `append` does.

        Where the connection is lost at the commit, raises StateError; it may be begun then.
        """

        def work(cursor: Cursor) -> Record:
            self._check(cursor, lease)
            # Of the joined name: `shop` in `eu-prod` and `shop-eu` in `prod` share their numbers.
            joined = f"{record.application}-{record.environment}"
            # One after the other, so that no two read the same number.
            cursor.execute(
                "select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"uno {self._schema} {joined}",)
            )
            cursor.execute(
                "select coalesce(max(n), 0) + 1 as n from deployment"
                " where application || '-' || environment = %s",
                (joined,),
            )
            n = (cursor.fetchone() or {})["n"]
            made = {**to_json(record), "id": f"{joined}-{n}"}
            place = (record.application, record.environment)
            cursor.execute(
                "insert into deployment(id, application, environment, n, status, record)"
                " values(%s, %s, %s, %s, %s, %s) on conflict do nothing returning id",
                (made["id"], *place, n, record.status.value, _text(made)),
            )
            if cursor.fetchone() is None:
                raise self._under_way(cursor, *place)
            return from_json(made, Record)

        return self._connection.run(work, again=False)

    def _under_way(self, cursor: Cursor, application: str, environment: str) -> Locked:
        cursor.execute(
            "select record from deployment"
            " where application = %s and environment = %s and status = any(%s) order by line desc limit 1",
            (application, environment, list(schema.UNDER_WAY)),
        )
        row = cursor.fetchone()
        other = from_json(row["record"], Record) if row else None
        driver = f", {_describe(other.driver)}" if other and other.driver else ""
        return Locked(
            f"another deployment of {application} in {environment} is under way",
            found=f"{other.id}{driver}" if other else "",
            where=self._connection.where,
            remedy="uno status shows it",
        )

    def update(
        self,
        id: str,
        *,
        at: datetime,
        status: Status | None = None,
        message: str | None = None,
        exit_code: int | None = None,
        driver: Driver | None = None,
        lease: Lease | None = None,
    ) -> None:
        """Change what is given. Raises Locked where it is to be under way beside another one.

        Raises StateError where there is no deployment of this id.
        """
        changes = {
            "updated": at.isoformat(),
            "status": None if status is None else status.value,
            "message": message,
            "exit_code": exit_code,
            "driver": None if driver is None else to_json(driver),
        }
        changes = {name: value for name, value in changes.items() if value is not None}

        def work(cursor: Cursor) -> None:
            self._check(cursor, lease)
            cursor.execute("select record from deployment where id = %s for update", (id,))
            row = cursor.fetchone()
            if row is None:
                raise StateError("there is no such deployment", found=id, where=self._connection.where)
            record = {**row["record"], **changes}
            try:
                with cursor.connection.transaction():  # a savepoint: whom it collides with is asked after
                    cursor.execute(
                        "update deployment set status = %s, record = %s where id = %s",
                        (record["status"], _text(record), id),
                    )
            except errors.UniqueViolation:
                raise self._under_way(cursor, record["application"], record["environment"]) from None

        self._connection.run(work, again=True)

    def get(self, id: str) -> Record | None:
        rows = self._read("select record from deployment where id = %s", id)
        return from_json(rows[0]["record"], Record) if rows else None

    def list(
        self, *, application: str | None = None, environment: str | None = None, limit: int = 1000
    ) -> Sequence[Record]:
        rows = self._read(
            "select record from deployment"
            " where application = coalesce(%s, application) and environment = coalesce(%s, environment)"
            " order by line desc limit %s",
            application,
            environment,
            limit,
        )
        return [from_json(row["record"], Record) for row in rows]

    # Entries

    def append(self, id: str, entry: Entry, *, lease: Lease | None = None) -> None:
        """Write one line; the very same line once more is fine.

        Raises StateError where another line of the same run, number, mark and attempt is there, and
        LockLost where the lease ended by the server's clock or has a newer epoch: nothing is written.
        """
        line = _text(to_json(entry))

        def work(cursor: Cursor) -> None:
            self._check(cursor, lease)
            mine = (id, entry.run, entry.seq, entry.mark.value, entry.attempt)
            cursor.execute(
                "insert into journal(deployment, run, seq, mark, attempt, entry)"
                " values(%s, %s, %s, %s, %s, %s) on conflict do nothing returning line",
                (*mine, line),
            )
            if cursor.fetchone() is not None:
                return
            cursor.execute(
                "select entry from journal"
                " where deployment = %s and run = %s and seq = %s and mark = %s and attempt = %s",
                mine,
            )
            row = cursor.fetchone()
            if row is None or row["entry"] != json.loads(line):
                raise StateError(
                    "this line of the journal was written already, with other words",
                    found=" ".join(map(str, mine)),
                    where=self._connection.where,
                    remedy="two drivers wrote one deployment: uno show tells what each did",
                )

        self._connection.run(work, again=True)

    def entries(self, id: str, run: str | None = None) -> Sequence[Entry]:
        rows = self._read(
            "select entry from journal where deployment = %s and run = coalesce(%s, run) order by line",
            id,
            run,
        )
        return [from_json(row["entry"], Entry) for row in rows]

    # Words between processes

    def signal(self, id: str, kind: str, payload: Mapping[str, Json], *, by: str, at: datetime) -> int:
        """Leave a word. Where the connection is lost at the commit, raises StateError; it may be there."""

        def work(cursor: Cursor) -> int:
            cursor.execute(
                "insert into signal(deployment, kind, payload, by, at) values(%s, %s, %s, %s, %s)"
                " returning id",
                (id, kind, _text(dict(payload)), by, at),
            )
            return int((cursor.fetchone() or {})["id"])

        return self._connection.run(work, again=False)

    def signals(self, id: str, *, unanswered: bool = True) -> Sequence[Signal]:
        rows = self._read(
            "select id, kind, payload, by, at, answer from signal"
            " where deployment = %s and (answer = '' or not %s) order by id",
            id,
            unanswered,
        )
        return [Signal(**row) for row in rows]

    def answer(self, signal: int, text: str) -> None:
        self._write("update signal set answer = %s where id = %s", text, signal)

    # What is measured lies beside the journal, overwritten

    def checkpoint(self, id: str, value: Json, *, at: datetime) -> None:
        self._write(
            "insert into checkpoint(deployment, value, at) values(%s, %s, %s)"
            " on conflict(deployment) do update set value = excluded.value, at = excluded.at",
            id,
            _text(value),
            at,
        )

    def last_checkpoint(self, id: str) -> Json:
        rows = self._read("select value from checkpoint where deployment = %s", id)
        value: Json = rows[0]["value"] if rows else None
        return value

    # Underneath

    def _read(self, query: LiteralString, *values: object) -> Sequence[dict[str, Any]]:
        return self._connection.run(lambda c: c.execute(query, values).fetchall(), again=True)

    def _write(self, query: LiteralString, *values: object) -> None:
        """For what may be done twice."""
        self._connection.run(lambda c: c.execute(query, values), again=True)


def _text(value: Any) -> str:
    """As JSON in ASCII, which holds what a text of the server does not, as the character 0."""
    return json.dumps(value)


def _lease(row: Mapping[str, Any]) -> Lease:
    return Lease(**{**row, "owner": from_json(row["owner"], Driver)})


def _describe(driver: Driver) -> str:
    """An owner for a person: process, machine, user, since when."""
    return f"process {driver.pid} on {driver.host}, of {driver.user}, since {driver.started}"
