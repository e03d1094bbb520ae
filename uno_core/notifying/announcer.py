"""Tells every notifier what a command does to a deployment, and how the command ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import define, evolve, field, frozen

from uno_core.clock import Clock
from uno_core.contracts.engine import Outcome
from uno_core.contracts.notifier import Notice, NoticeKind
from uno_core.contracts.services import Logger
from uno_core.contracts.state import Record
from uno_core.errors import UnoError
from uno_core.model import Application, Json, Snapshot, Status
from uno_core.notifying.outlet import Outlet, end
from uno_core.notifying.telling import Telling
from uno_core.wire import from_json

PATIENCE = 10.0
"""Seconds that all notifiers together have at the end."""

HURRY = 3.0
"""The same where somebody wants the command to stop at once."""


@frozen(kw_only=True)
class Facts:
    """What is known of the deployment that the command is about."""

    deployment: str = ""
    version: str = ""
    previous: str = ""
    strategy: str = ""
    reason: str = ""


@define(slots=False)
class Announcer:
    """One command. `known` finds the record of a deployment; of the last one where none is named.

    back: what is driven is a way back that somebody asked for, so that being back is exit code 0.
    Nothing here raises.
    """

    outlets: Sequence[Outlet]
    application: Application
    clock: Clock
    logger: Logger
    known: Callable[[str], Record | None]
    back: bool = False
    _facts: Facts = field(init=False, factory=Facts)
    _telling: Telling = field(init=False, factory=Telling)
    _driving: bool = field(init=False, default=False)
    _ended: bool = field(init=False, default=False)
    _returning: bool = field(init=False, default=False)
    _broken: bool = field(init=False, default=False)

    def about(self, *, version: str, strategy: str, reason: str) -> None:
        """What is asked for, before a deployment is made of it."""
        self._facts = Facts(version=version, strategy=strategy, reason=reason)

    def hear(self, kind: str, data: Mapping[str, Json]) -> None:
        """One event of the engine."""
        if not self.outlets:
            return
        try:
            self._hear(kind, data)
        except Exception as problem:  # noqa: BLE001 - what cannot be told must not stop what is done
            if not self._broken:
                self._broken = True
                self.logger.warning("an event could not be told", kind=kind, problem=str(problem))

    def _hear(self, kind: str, data: Mapping[str, Json]) -> None:
        if kind in ("started", "resumed"):
            self._begin(str(data["id"]))
        elif kind == "rollback" and not self._driving:
            self._begin("")  # somebody else began it, maybe long ago
        self._returning = self._returning or kind == "rollback"
        if (told := self._telling.told(kind, data)) is None:
            return
        notice = self._notice(told.kind, told.message, data)
        if kind == "finished":
            self._driving, self._ended = False, True
            status = Status(str(data["status"]))
            notice = evolve(notice, status=status, exit_code=self._code(status, int(str(data["exit_code"]))))
        self._put(notice)

    def _begin(self, deployment: str) -> None:
        self._driving, self._ended, self._returning = True, False, False
        try:
            record = self.known(deployment)
        except UnoError:  # the store is away for a moment: then less is said
            record = None
        if record is None:
            self._facts = evolve(self._facts, deployment=deployment)
            return
        initial = record.params.get("initial")
        served = from_json(initial, Snapshot).releases if initial else ()
        self._facts = Facts(
            deployment=record.id,
            version=record.version,
            previous=", ".join(map(str, served)),
            strategy=record.strategy,
            reason=str(record.params.get("reason") or ""),
        )

    def _notice(self, kind: NoticeKind, message: str, data: Mapping[str, Json] | None = None) -> Notice:
        facts = self._facts
        return Notice(
            kind=kind,
            at=self.clock.now(),
            application=self.application.name,
            environment=self.application.environment,
            deployment=facts.deployment,
            version=facts.version,
            previous=facts.previous,
            strategy=facts.strategy,
            message=message,
            reason=facts.reason,
            data=dict(data or {}),
        )

    def _put(self, notice: Notice) -> None:
        for outlet in self.outlets:
            outlet.put(notice)

    def _code(self, status: Status, code: int) -> int:
        """As the command exits: who asked for the way back has what was wanted."""
        if not self.back or not status.final:
            return code
        if status in (Status.ROLLED_BACK, Status.FAILED):
            return 0
        return 5 if status is Status.LOST else 4

    # How the command ended

    def came(self, outcome: Outcome | None) -> None:
        """It came to this; None where there was nothing to do at all."""
        if outcome is None or self._ended:
            return
        left = self._driving and not outcome.status.final
        notice = self._notice(NoticeKind.LEFT if left else NoticeKind.ANSWERED, outcome.message)
        if not notice.deployment:
            notice = evolve(notice, deployment=outcome.deployment)
        code = self._code(outcome.status, outcome.exit_code)
        self._put(evolve(notice, status=outcome.status, exit_code=code))

    def failed(self, problem: BaseException) -> None:
        """It raised: before anything was touched, or in the middle of what can be gone on with."""
        if self._ended:
            return
        message = str(problem) or ("interrupted" if isinstance(problem, KeyboardInterrupt) else "")
        if not isinstance(problem, UnoError | KeyboardInterrupt):
            message = f"{type(problem).__name__}: {message}"
        # A KeyboardInterrupt of the command line says itself whether it was SIGTERM.
        usual = 130 if isinstance(problem, KeyboardInterrupt) else 1
        notice = self._notice(NoticeKind.LEFT if self._driving else NoticeKind.REFUSED, message)
        status = Status.ROLLBACK_IN_PROGRESS if self._returning else Status.IN_PROGRESS
        self._put(
            evolve(
                notice,
                status=status if self._driving else None,
                exit_code=int(getattr(problem, "exit_code", usual)),
            )
        )

    def close(self, *, hurry: bool = False) -> None:
        """Wait until everybody was told, for PATIENCE at the longest, or HURRY."""
        end(self.outlets, HURRY if hurry else PATIENCE)
