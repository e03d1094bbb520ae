"""Deployments that another process drives: what it does is shown, and how it ends is reported."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from attrs import define, field

from uno_core.contracts.engine import EXIT_CODES, Listener, Outcome, nobody
from uno_core.contracts.state import Record
from uno_core.engine.attention import AT_A_GATE
from uno_core.errors import Locked, UnoError
from uno_core.model import Json, Snapshot, Status
from uno_core.records import Records

SHOWN = ("step", "split", "health", "hook", "waiting", "evidence", "paused", "restoring")
"""What a driver keeps of what it tells, in the order in which a step tells it."""

GOES_ON = 8
"""The exit code of a command that stopped waiting for a deployment that goes on."""


@define(slots=False)
class Following(Records):
    """One application in one environment, and what becomes of it now."""

    listener: Listener = nobody
    following: str = field(init=False, default="")
    _enough: threading.Event = field(init=False, factory=threading.Event)

    def stop_following(self) -> None:
        """Have `follow` return; the deployment goes on. May be called from a signal handler."""
        self._enough.set()

    def follow(self, record: Record, *, patient: bool = True) -> Outcome | None:
        """Show what another process does with a deployment until it ends.

        None where its driver is gone, and it has not ended. patient: whether gates are waited at.
        """
        told: dict[str, Json] = {}
        gate = False

        def over() -> bool:
            nonlocal gate
            seen = self.last_seen(record)
            self._tell_news(seen if isinstance(seen, Mapping) else {}, told)
            now = self.store.get(record.id)
            gate = not patient and now is not None and now.status is Status.PAUSED
            return self._enough.is_set() or gate or self.ended(record)

        self.following = record.id
        driver = record.driver.pid if record.driver else None
        self.listener("following", {"id": record.id, "version": record.version, "driver": driver})
        try:
            while not over():
                self.clock.sleep(1.0, self._enough.is_set)
        finally:
            self.following = ""
        now = self.store.get(record.id) or record
        if now.status.final:
            return self._ended_as(now)
        if self._enough.is_set():
            return self._left(now, GOES_ON, "this command stopped waiting; the deployment goes on")
        return self._left(now, AT_A_GATE, now.message or "it waits at a gate") if gate else None

    def _tell_news(self, seen: Mapping[str, Json], told: dict[str, Json]) -> None:
        for kind in SHOWN:
            data = seen.get(kind)
            if isinstance(data, Mapping) and data != told.get(kind):
                told[kind] = data
                self.listener(kind, data)

    def _ended_as(self, record: Record) -> Outcome:
        """How it ended; the exit code that its own driver had."""
        code = EXIT_CODES[record.status] if record.exit_code is None else record.exit_code
        finished: Mapping[str, Json] = {
            "status": record.status.value,
            "message": record.message,
            "exit_code": code,
        }
        self.listener("finished", finished)
        return Outcome(
            deployment=record.id,
            status=record.status,
            message=record.message,
            exit_code=code,
            snapshot=self._looked(),
        )

    @staticmethod
    def _left(record: Record, code: int, why: str) -> Outcome:
        return Outcome(deployment=record.id, status=record.status, message=why, exit_code=code)

    def _followed_back(self, record: Record, why: str) -> Outcome | None:
        """Wait until its own driver has taken it back, and say how that ended.

        None where it has not: it died, or was promoted, halted or stopped before it heard.
        """
        told: dict[str, Json] = {}

        def ended() -> bool:
            seen = self.last_seen(record)
            going = seen.get("restoring") if isinstance(seen, Mapping) else None
            self._tell_news({"restoring": going}, told)
            return self.ended(record)

        self.listener("rollback", {"why": why})
        self.clock.sleep(self.config.settings.rollback_timeout, ended)
        now = self.store.get(record.id) or record
        if not now.status.final and self.driven():
            raise Locked(
                f"{record.id} is still {now.status.value}",
                found="its driver is at work",
                remedy="uno status shows it; `uno rollback` again, once nobody drives it",
            )
        if now.status not in (Status.ROLLED_BACK, Status.FAILED, Status.ROLLBACK_FAILED):
            return None
        return Outcome(
            deployment=now.id,
            status=now.status,
            message=now.message,
            exit_code=EXIT_CODES[now.status],
            snapshot=self._looked(),
        )

    def _looked(self) -> Snapshot | None:
        """What is there now; None where the platform does not say: how it ended is known all the same."""
        try:
            return self.world.observe()
        except UnoError:
            return None
