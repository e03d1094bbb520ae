"""The SQLite file of a state store: opened at its first use, durable with every commit."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from uno_core.errors import StateError
from uno_core.model import Status

SCHEMA_VERSION = 2
_UNDER_WAY = ", ".join(f"'{s.value}'" for s in Status if not s.final)
_SCHEMA = f"""
create table if not exists deployment(
  id text primary key, n integer not null, application text not null, environment text not null,
  strategy text not null, version text not null, status text not null, message text not null,
  params text not null, plugins text not null, driver text, exit_code integer,
  created text not null, updated text not null);
create unique index if not exists one_per_application on deployment(application, environment)
  where status in ({_UNDER_WAY});
create unique index if not exists numbered on deployment(application, environment, n);
create table if not exists journal(
  line integer primary key autoincrement,
  dep text not null, run text not null, seq integer not null, mark text not null,
  attempt integer not null, op text not null, fp text not null, value text, error text, at text not null,
  unique(dep, run, seq, mark, attempt));
create table if not exists signal(
  id integer primary key autoincrement, dep text not null, kind text not null, payload text not null,
  by text not null, at text not null, answer text not null default '');
create table if not exists checkpoint(dep text primary key, value text not null, at text not null);
create table if not exists lease(key text primary key, epoch integer not null, owner text not null,
  since text not null);
"""


class Database:
    """One connection that the threads of a process share; several processes may each have one."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.guard = threading.RLock()
        self._opened: sqlite3.Connection | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """Opened at the first use: nothing is created by who only looks whether there is anything."""
        with self.guard:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def _open(self) -> sqlite3.Connection:
        path = self.path
        try:
            if path is not None:
                # What was deployed, by whom and why is nobody else's business on this machine.
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                path.touch(mode=0o600)
            db = sqlite3.connect(
                path or ":memory:", isolation_level=None, timeout=10, check_same_thread=False
            )
            self._write_ahead(db)
            db.execute("pragma synchronous=full")
            # Whoever only looks needs no lock: a driver may be stopped in the middle of a write.
            found = db.execute("pragma user_version").fetchone()[0]
            if found < SCHEMA_VERSION:
                db.execute("begin immediate")
                for statement in _SCHEMA.split(";\n"):
                    db.execute(statement)
                db.execute(f"pragma user_version={SCHEMA_VERSION}")
                db.execute("commit")
        except (sqlite3.Error, OSError) as problem:
            raise self.failed("open", problem) from problem
        if found > SCHEMA_VERSION:
            raise StateError(
                "the journal was written by a newer uno",
                found=f"format {found}",
                expected=f"format {SCHEMA_VERSION} or older",
                where=str(path),
                remedy="upgrade uno-core",
            )
        return db

    @staticmethod
    def _write_ahead(db: sqlite3.Connection) -> None:
        """Where several open a new journal at once, this is refused without sqlite's own patience."""
        for left in reversed(range(200)):
            try:
                db.execute("pragma journal_mode=wal")
                return
            except sqlite3.OperationalError:
                if not left:
                    raise
                time.sleep(0.05)

    def close(self) -> None:
        """Idempotent."""
        if self._opened is not None:
            self._opened.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Committed at its end, and on the disk then; undone where anything is raised."""
        with self.guard:
            try:
                db = self.connection
                db.execute("begin immediate")
                try:
                    yield db
                    db.execute("commit")
                except BaseException:
                    if db.in_transaction:
                        db.execute("rollback")
                    raise
            except sqlite3.Error as problem:
                raise self.failed("write", problem) from problem

    def select(self, query: str, *arguments: object) -> Sequence[dict[str, Any]]:
        """Rows, by the names of their columns."""
        with self.guard:
            try:
                cursor = self.connection.execute(query, arguments)
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            except sqlite3.Error as problem:
                raise self.failed("read", problem) from problem

    def failed(self, verb: str, problem: Exception) -> StateError:
        """What a person is told."""
        return StateError(
            f"cannot {verb} the journal",
            found=str(problem),
            where=str(self.path),
            remedy="check that the disk is not full, and that the directory is yours and on a local disk",
        )
