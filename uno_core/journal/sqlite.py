"""The journal in one SQLite file, for one machine and a local disk (no NFS).

An entry is on the disk when the call that writes it returns: WAL with `synchronous=FULL`, one
commit an entry. At most one deployment of an application is under way, held by a unique index.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import evolve

from uno_core.contracts.diagnosis import Diagnosis
from uno_core.contracts.state import Driver, Entry, Lease, Mark, Record, Signal, StateStore
from uno_core.errors import Locked, LockLost, StateError
from uno_core.journal import examination
from uno_core.journal.database import Database
from uno_core.journal.lock import FileLock, describe, end
from uno_core.model import Json, Status
from uno_core.wire import from_json, to_json

TAKING_OVER = 10.0
"""Seconds that a killed owner has to be gone."""


class FileStore(StateStore):
    """The deployments of one state directory, for one machine.

    The kernel holds the lock: it is free at once when its owner dies, and a stopped (SIGSTOP) owner
    keeps it, so that nobody is taken over behind their back. The epoch fences off one that was.
    """

    def __init__(self, options: Any = None, services: Any = None, *, path: Path | None = None) -> None:
        """`path` is created at the first use; without one all lives in memory and dies with the process."""
        if options is not None:
            path = (options.directory or services.state_dir) / "journal.db"
        self.path = path
        self._locks: dict[str, FileLock] = {}
        self._leases: dict[str, Lease] = {}
        self._database = Database(path)

    def exists(self) -> bool:
        return self.path is None or self.path.exists()

    def diagnose(self) -> Sequence[Diagnosis]:
        """Whether its folder and its file can be written to, and whether the disk has room."""
        if self.path is None:
            return ()
        return (*examination.folder("state", self.path.parent), *examination.file("journal", self.path))

    def close(self) -> None:
        self._database.close()
        for lock in self._locks.values():
            lock.release()

    # The lease

    def acquire(self, key: str, owner: Driver, *, ttl: float, take_over: bool = False) -> Lease:  # noqa: ARG002 - the kernel's lock ends with its owner
        if self.path is not None:
            self._take(key, owner, take_over=take_over)
        now = datetime.now(UTC)
        try:
            with self._database.transaction() as db:
                db.execute(
                    "insert into lease(key, epoch, owner, since) values(:key, 1, :owner, :since)"
                    " on conflict(key) do update set epoch = epoch + 1, owner = :owner, since = :since",
                    {"key": key, "owner": json.dumps(to_json(owner)), "since": now.isoformat()},
                )
                epoch = db.execute("select epoch from lease where key = ?", (key,)).fetchone()[0]
        except StateError:
            # A full disk must not keep the traffic at a bad release: the kernel's lock is held.
            epoch = 0
        self._leases[key] = Lease(key=key, owner=owner, epoch=epoch, since=now)
        return self._leases[key]

    def _take(self, key: str, owner: Driver, *, take_over: bool) -> None:
        lock = self._lock(key)
        try:
            lock.acquire(owner)
        except Locked:
            former = lock.owner()
            if not take_over or former is None:
                raise
            end(former)
            lock.acquire(owner, patience=TAKING_OVER)
        self._locks[key] = lock

    def _lock(self, key: str) -> FileLock:
        assert self.path is not None  # noqa: S101 - asked before
        return FileLock(self.path.parent / "locks" / f"{key}.lock")

    def renew(self, lease: Lease, *, ttl: float) -> Lease:  # noqa: ARG002 - nothing expires
        with self._database.guard:
            try:
                self._check(lease)
            except sqlite3.Error as problem:
                raise self._database.failed("read", problem) from problem
            if self._leases.get(lease.key) != lease:
                raise LockLost(
                    "the lock of this application was given up: nothing more is written",
                    found="nobody's lock",
                    expected=f"epoch {lease.epoch}",
                    where=str(self.path),
                )
        return lease

    def release(self, lease: Lease) -> None:
        if self._leases.get(lease.key) != lease:
            return  # given up before, and perhaps taken anew since
        del self._leases[lease.key]
        lock = self._locks.pop(lease.key, None)
        if lock is not None:
            lock.release()

    def holder(self, key: str) -> Lease | None:
        if self.path is None or not (lock := self._lock(key)).held():
            return None
        owner = lock.owner()
        rows = self._database.select("select * from lease where key = ?", key)
        if owner is None or not rows:
            return None
        since = datetime.fromisoformat(rows[0]["since"])
        return Lease(key=key, owner=owner, epoch=rows[0]["epoch"], since=since)

    def _check(self, lease: Lease | None) -> None:
        """Raises LockLost where another owner came since; to be called in the write's transaction."""
        if lease is None or not lease.epoch:
            return
        held = self._database.connection.execute(
            "select epoch from lease where key = ?", (lease.key,)
        ).fetchone()
        if held is not None and held[0] == lease.epoch:
            return  # the way of every line that is written
        rows = self._database.select("select epoch, owner from lease where key = ?", lease.key)
        if not rows or rows[0]["epoch"] != lease.epoch:
            now = from_json(json.loads(rows[0]["owner"]), Driver) if rows else None
            raise LockLost(
                "the lock of this application was taken over: nothing more is written",
                found=f"epoch {rows[0]['epoch']}, {describe(now)}" if now else "nobody's lock",
                expected=f"epoch {lease.epoch}",
                where=str(self.path),
                remedy="uno status shows what its new owner does",
            )

    # Deployments

    def create(self, record: Record, *, lease: Lease | None = None) -> Record:
        with self._database.transaction() as db:
            self._check(lease)
            place = (record.application, record.environment)
            # Of the joined name: `shop` in `eu-prod` and `shop-eu` in `prod` share their numbers.
            n = db.execute(
                "select coalesce(max(n), 0) + 1 from deployment"
                " where application || '-' || environment = ? || '-' || ?",
                place,
            ).fetchone()[0]
            record = evolve(record, id=f"{record.application}-{record.environment}-{n}")
            row = {**_row(record), "n": n}
            try:
                db.execute(
                    f"insert into deployment({', '.join(row)}) values({', '.join(':' + k for k in row)})",
                    row,
                )
            except sqlite3.IntegrityError as problem:
                raise self._under_way(record) from problem
        return record

    def _under_way(self, record: Record) -> Locked:
        others = self.list(application=record.application, environment=record.environment)
        other = next((o for o in others if not o.status.final), None)
        return Locked(
            f"another deployment of {record.application} in {record.environment} is under way",
            found=f"{other.id}" + (f", {describe(other.driver)}" if other.driver else "") if other else "",
            where=str(self.path),
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
        changes: dict[str, Any] = {"updated": at.isoformat()}
        if status is not None:
            changes["status"] = status.value
        if message is not None:
            changes["message"] = message
        if exit_code is not None:
            changes["exit_code"] = exit_code
        if driver is not None:
            changes["driver"] = json.dumps(to_json(driver))
        with self._database.transaction() as db:
            self._check(lease)
            try:
                db.execute(
                    f"update deployment set {', '.join(f'{k} = :{k}' for k in changes)} where id = :id",  # noqa: S608 - column names of our own
                    {**changes, "id": id},
                )
            except sqlite3.IntegrityError as problem:
                raise self._under_way(
                    _record(self._database.select("select * from deployment where id = ?", id)[0])
                ) from problem

    def get(self, id: str) -> Record | None:
        rows = self._database.select("select * from deployment where id = ?", id)
        return _record(rows[0]) if rows else None

    def list(
        self, *, application: str | None = None, environment: str | None = None, limit: int = 1000
    ) -> Sequence[Record]:
        rows = self._database.select(
            "select * from deployment where (?1 is null or application = ?1)"
            " and (?2 is null or environment = ?2)"
            " order by rowid desc limit ?3",
            application,
            environment,
            limit,
        )
        return [_record(row) for row in rows]

    # Entries

    def append(self, id: str, entry: Entry, *, lease: Lease | None = None) -> None:
        with self._database.transaction() as db:
            self._check(lease)
            inserted = db.execute(
                "insert or ignore into journal(dep, run, seq, mark, attempt, op, fp, value, error, at)"
                " values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    id,
                    entry.run,
                    entry.seq,
                    entry.mark.value,
                    entry.attempt,
                    entry.op,
                    entry.fingerprint,
                    json.dumps(entry.value),
                    json.dumps(entry.error) if entry.error is not None else None,
                    entry.at.isoformat(),
                ),
            ).rowcount
        if not inserted and _as_read(entry) not in self.entries(id, entry.run):
            raise StateError(
                "this line of the journal was written already, with other words",
                found=f"{entry.run} {entry.seq} {entry.mark} {entry.attempt}",
                where=str(self.path),
                remedy="two drivers wrote one deployment: uno show tells what each did",
            )

    def entries(self, id: str, run: str | None = None) -> Sequence[Entry]:
        rows = self._database.select(
            "select run, seq, mark, attempt, op, fp as fingerprint, value, error, at from journal"
            " where dep = ?1 and (?2 is null or run = ?2) order by line",
            id,
            run,
        )
        return [
            Entry(
                run=row["run"],
                seq=row["seq"],
                mark=Mark(row["mark"]),
                attempt=row["attempt"],
                op=row["op"],
                fingerprint=row["fingerprint"],
                value=json.loads(row["value"]),
                error=json.loads(row["error"]) if row["error"] else None,
                at=datetime.fromisoformat(row["at"]),
            )
            for row in rows
        ]

    # Words between processes

    def signal(self, id: str, kind: str, payload: Mapping[str, Json], *, by: str, at: datetime) -> int:
        with self._database.transaction() as db:
            cursor = db.execute(
                "insert into signal(dep, kind, payload, by, at) values(?, ?, ?, ?, ?)",
                (id, kind, json.dumps(dict(payload)), by, at.isoformat()),
            )
            return int(cursor.lastrowid or 0)

    def signals(self, id: str, *, unanswered: bool = True) -> Sequence[Signal]:
        rows = self._database.select(
            "select * from signal where dep = ? and (answer = '' or not ?) order by id", id, unanswered
        )
        return [
            Signal(
                id=row["id"],
                kind=row["kind"],
                payload=json.loads(row["payload"]),
                by=row["by"],
                at=datetime.fromisoformat(row["at"]),
                answer=row["answer"],
            )
            for row in rows
        ]

    def called(self) -> Sequence[str]:
        return [
            row["dep"] for row in self._database.select("select distinct dep from signal where answer = ''")
        ]

    def answer(self, signal: int, text: str) -> None:
        with self._database.transaction() as db:
            db.execute("update signal set answer = ? where id = ?", (text, signal))

    # What is measured lies beside the journal, overwritten

    def checkpoint(self, id: str, value: Json, *, at: datetime) -> None:
        with self._database.transaction() as db:
            db.execute(
                "insert or replace into checkpoint values(?, ?, ?)", (id, json.dumps(value), at.isoformat())
            )

    def last_checkpoint(self, id: str) -> Json:
        rows = self._database.select("select value from checkpoint where dep = ?", id)
        value: Json = json.loads(rows[0]["value"]) if rows else None
        return value


def _as_read(entry: Entry) -> Entry:
    """A tuple is a list once it was written."""
    return evolve(entry, value=json.loads(json.dumps(entry.value)), error=json.loads(json.dumps(entry.error)))


def _row(record: Record) -> dict[str, Any]:
    row = dict(to_json(record))
    for key in ("params", "plugins", "driver"):
        row[key] = json.dumps(row[key]) if row[key] is not None else None
    return row


def _record(row: Mapping[str, Any]) -> Record:
    value = {key: row[key] for key in row if key != "n"}
    for key in ("params", "plugins", "driver"):
        value[key] = json.loads(value[key]) if value[key] else None
    return from_json(value, Record)
