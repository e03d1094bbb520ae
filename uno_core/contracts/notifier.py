"""Notifiers: who else is told what becomes of a deployment. What they do never touches it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from uno_core.contracts.services import Info, Services
from uno_core.model import Json, Status


class NoticeKind(StrEnum):
    """What is told. The last four are how a command ends; a command ends with at most one of them.

    finished: the deployment has ended. left: it has not, and can be gone on with. answered: nothing
    was driven here, since there was nothing to do or another process did it. refused: an error came
    before anything was touched.
    """

    STARTED = "started"
    RESUMED = "resumed"
    STEP = "step"
    TRAFFIC = "traffic"
    PAUSED = "paused"
    CONTINUED = "continued"
    VERDICT = "verdict"
    WARNING = "warning"
    PROMOTED = "promoted"
    ROLLING_BACK = "rolling_back"
    FINISHED = "finished"
    LEFT = "left"
    ANSWERED = "answered"
    REFUSED = "refused"

    @property
    def last(self) -> bool:
        """Whether this is how a command ends."""
        return self in _LAST


_LAST = frozenset({NoticeKind.FINISHED, NoticeKind.LEFT, NoticeKind.ANSWERED, NoticeKind.REFUSED})


@frozen(kw_only=True)
class Notice:
    """One thing that became of a deployment. It holds no secret that uno has seen.

    version: what is deployed; previous: what served before, empty where nothing did or nobody knows.
    status and exit_code: only where the kind is one of the last; exit_code is the command's own.
    message: what happened, reason: why the deployment was made, both as people wrote or caused them:
    text that nobody has checked. data: the event as the engine told it.
    """

    kind: NoticeKind
    at: datetime
    application: str
    environment: str
    deployment: str = ""
    version: str = ""
    previous: str = ""
    strategy: str = ""
    status: Status | None = None
    exit_code: int | None = None
    message: str = ""
    reason: str = ""
    data: Mapping[str, Json] = field(factory=dict)


class Notifier(ABC):
    """Tells people or programs. One thread calls it, one notice after the other.

    Must do no I/O when it is made; may raise ConfigError then, and nothing is touched. Must end
    `notify` within `timeout` seconds: who does not loses notices, never a deployment. May raise what
    it likes: the first time is a warning in the log. Must not write to stdout, which is the command's.
    """

    def __init__(self, options: Any, services: Services) -> None:
        self.options = options
        self.services = services

    @abstractmethod
    def notify(self, notice: Notice, timeout: float) -> None:
        """Tell it. Raises UnoError, with no secret in it, where it did not get through."""

    def close(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Nothing more is told. Idempotent."""


@frozen(kw_only=True)
class NotifierInfo(Info):
    """A notifier, as registered."""
