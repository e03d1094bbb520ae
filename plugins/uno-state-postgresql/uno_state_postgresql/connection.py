"""One connection: made at the first use, made anew when it was lost, and used by one thread at a time."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row

from uno_core import ConfigError, Forbidden, Secret, Services, StateError, UnoError
from uno_state_postgresql import schema
from uno_state_postgresql.options import PostgresqlOptions

T = TypeVar("T")
Cursor: TypeAlias = psycopg.Cursor[DictRow]

SHUT_DOWN = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03"})
"""The states in which the server ends a session: stopped, crashed, starting, idle for too long."""

PAUSE = 0.2
"""Seconds between two attempts to reach a server that was there before."""

SESSION = """
select set_config('synchronous_commit', 'on', false)
  where current_setting('synchronous_commit') in ('off', 'local', 'remote_write');
set time zone 'UTC';
set statement_timeout = '30s';
set idle_in_transaction_session_timeout = '10s'
"""
"""A stricter `synchronous_commit` stays; and no transaction of a machine that is gone holds others up."""


class Connection:
    """Runs transactions. Whatever psycopg raises is StateError, or Forbidden for want of a privilege."""

    def __init__(self, options: PostgresqlOptions, services: Services) -> None:
        """Keep the options; do no I/O."""
        self._options = options
        self._services = services
        self._db: psycopg.Connection[DictRow] | None = None
        self._prepared = False
        self._was_there = False
        self._where = "PostgreSQL"
        self._password = ""
        self._guard = threading.RLock()

    @property
    def where(self) -> str:
        """The server and the database, without user and password."""
        return self._where

    def run(self, work: Callable[[Cursor], T], *, again: bool, prepare: bool = True) -> T:
        """Run `work` as one transaction, and once more on a fresh connection where this one was lost.

        again: it may be repeated even though it may have been committed. Without it, it is repeated
        only where no commit was sent; otherwise raises StateError that says so.
        """
        with self._guard:
            doubtful = False
            for last in (False, True):
                try:
                    return self._once(work, prepare)
                except _Lost as lost:
                    doubtful = doubtful or lost.committing
                    if last or (doubtful and not again):
                        said = self._unknown if doubtful else self._failed
                        raise said(lost.problem) from lost.problem
        raise AssertionError  # the last round returns or raises

    def close(self) -> None:
        """Idempotent; the next use connects again."""
        with self._guard:
            if self._db is not None:
                self._db.close()
            self._db = None

    def _once(self, work: Callable[[Cursor], T], prepare: bool) -> T:
        db = self._connected()
        committing = False
        try:
            with db.cursor() as cursor:
                if prepare and not self._prepared:
                    schema.prepare(cursor, self._options.schema, self._where)
                    db.commit()
                    self._prepared = True
                done = work(cursor)
            committing = True
            db.commit()
            return done
        except psycopg.Error as problem:
            if _is_lost(db, problem):
                self.close()
                raise _Lost(problem, committing) from problem
            self._let_go(db)
            raise self._failed(problem) from problem
        except UnoError:
            self._let_go(db)
            raise
        except BaseException:
            self.close()  # interrupted in the middle of a statement: nobody knows what would come next
            raise

    def _let_go(self, db: psycopg.Connection[DictRow]) -> None:
        """Roll back; a connection that cannot even do that is closed."""
        try:
            db.rollback()
        except psycopg.Error:
            self.close()

    def _connected(self) -> psycopg.Connection[DictRow]:
        if self._db is None or self._db.closed:
            self.close()
            self._db = self._connect()
            self._prepared = False
            self._was_there = True
        return self._db

    def _connect(self) -> psycopg.Connection[DictRow]:
        """Patiently where the server was there before: it may be starting again."""
        conninfo = self._conninfo()
        clock = self._services.clock
        end = clock.monotonic() + (self._options.connect_timeout if self._was_there else 0)
        while True:
            try:
                return self._open(conninfo)
            except psycopg.Error as problem:
                if clock.monotonic() >= end or isinstance(problem, errors.InsufficientPrivilege):
                    raise self._unreachable(problem) from problem
            clock.sleep(PAUSE)

    def _open(self, conninfo: str) -> psycopg.Connection[DictRow]:
        db = psycopg.connect(conninfo, row_factory=dict_row, autocommit=True)
        try:
            db.execute(SESSION)
            db.execute(sql.SQL("set search_path to {}").format(sql.Identifier(self._options.schema)))
            db.autocommit = False
        except BaseException:
            db.close()
            raise
        return db

    def _conninfo(self) -> str:
        """What libpq is told; what the URL says itself comes first."""
        url = self._options.url
        url = self._services.secrets.reveal(url) if isinstance(url, Secret) else url
        given = _parts(url)
        if given is None:
            # Neither the URL nor the problem is told: both may hold the password.
            raise ConfigError(
                "the URL of the state store postgresql cannot be understood",
                expected="postgresql://user:password@host:port/database, @ in a part as %40, / as %2F",
                remedy="correct `url` of `state`",
            )
        self._password = str(given.get("password") or "")
        place = f"{given.get('host') or given.get('hostaddr') or 'the local socket'}"
        port = f":{given['port']}" if given.get("port") else ""
        self._where = (
            f"{place}{port}/{given.get('dbname') or given.get('user') or ''}, schema {self._options.schema}"
        )
        seconds = max(2, math.ceil(self._options.connect_timeout))
        defaults: dict[str, Any] = {
            "connect_timeout": seconds,
            "application_name": "uno",
            "target_session_attrs": "read-write",
            "keepalives_idle": seconds,
            "keepalives_interval": seconds,
            "keepalives_count": 3,
            "tcp_user_timeout": 3000 * seconds,
        }
        return make_conninfo(**{**defaults, **given})

    # Problems

    def _failed(self, problem: psycopg.Error) -> UnoError:
        if isinstance(problem, errors.InsufficientPrivilege):
            return Forbidden(
                "PostgreSQL refuses for want of a privilege",
                found=self._said(problem),
                where=self._where,
                remedy="grant it: the README of uno-state-postgresql lists what uno needs",
            )
        return StateError(
            "the state in PostgreSQL cannot be read or written",
            found=self._said(problem),
            expected="a server that answers, and takes writes",
            where=self._where,
            remedy="nothing was written; once the server is well again, go on",
        )

    def _unknown(self, problem: psycopg.Error) -> StateError:
        return StateError(
            "the connection to PostgreSQL was lost at a write, which may or may not have been made",
            found=self._said(problem),
            expected="an answer to the commit",
            where=self._where,
            remedy="uno status shows whether it was",
        )

    def _unreachable(self, problem: psycopg.Error) -> UnoError:
        if isinstance(problem, errors.InsufficientPrivilege):
            return self._failed(problem)
        return StateError(
            "PostgreSQL cannot be reached",
            found=self._said(problem),
            expected="a connection",
            where=self._where,
            remedy="check `url` of `state`, the server, and what its pg_hba.conf allows",
        )

    def _said(self, problem: psycopg.Error) -> str:
        """In one line, and never with the password."""
        text = " ".join(str(problem).split()) or type(problem).__name__
        for hidden in (self._password, quote(self._password, safe="")):
            if hidden:
                text = text.replace(hidden, "***")
        return text


def _parts(url: str) -> dict[str, Any] | None:
    """What the URL says; None where it cannot be read, or a password may have fallen into another part."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        return None
    shown = "".join(str(given.get(name) or "") for name in ("host", "hostaddr", "dbname"))
    ports = str(given.get("port") or "0").split(",")
    return given if "@" not in shown and all(port.isdecimal() for port in ports) else None


class _Lost(Exception):
    """The connection is gone. committing: a commit had been sent, and its answer did not come."""

    def __init__(self, problem: psycopg.Error, committing: bool) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.committing = committing


def _is_lost(db: psycopg.Connection[DictRow], problem: psycopg.Error) -> bool:
    state = problem.sqlstate or ""
    return db.closed or state in SHUT_DOWN or state[:2] in ("08", "40")
