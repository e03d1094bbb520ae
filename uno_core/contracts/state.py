"""State stores: where journals, signals and leases live, and what they hold.

The format of what they hold is final: later versions read what this one wrote.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from uno_core.contracts.services import Info
from uno_core.model import Json, Status


class Mark(StrEnum):
    """An intent is written before an effect is performed, a result (or an error) after it."""

    INTENT = "intent"
    RESULT = "result"


@frozen(kw_only=True)
class Driver:
    """Who drives a deployment: enough to find the process, and to tell it from another with its pid.

    born: when the process began, as its machine tells it; no two processes share pid and birth.
    """

    host: str
    pid: int
    started: str
    user: str
    born: str = ""


@frozen(kw_only=True)
class Record:
    """One deployment as a whole.

    params: the facts that the strategy was given (release, initial snapshot, options as JSON).
    plugins: distribution and version of everything in use.
    """

    id: str
    application: str
    environment: str
    strategy: str
    version: str
    status: Status = Status.PENDING
    message: str = ""
    params: Mapping[str, Json] = field(factory=dict)
    plugins: Mapping[str, str] = field(factory=dict)
    driver: Driver | None = None
    exit_code: int | None = None
    created: datetime
    updated: datetime


@frozen(kw_only=True)
class Entry:
    """One line of the journal.

    run: `deploy`, then `rollback 1` and so on. attempt: counts how often the effect was begun.
    value: the arguments of an intent (and the absolute deadline of a wait), the JSON of a result.
    """

    run: str
    seq: int
    mark: Mark
    attempt: int
    op: str
    fingerprint: str
    value: Json = None
    error: Mapping[str, Json] | None = None
    at: datetime


@frozen(kw_only=True)
class Signal:
    """A word from another process: `promote`, `pause`, `resume`, `abort`, `rollback`.

    `answer` is empty until it was heard.
    """

    id: int
    kind: str
    payload: Mapping[str, Json]
    by: str
    at: datetime
    answer: str = ""


@frozen(kw_only=True)
class Lease:
    """The right to drive one application, for as long as it lasts.

    epoch: the fencing token, greater with every new owner. expires: when it ends unless it is
    renewed; None where the owner's death ends it, as the kernel's lock on one machine.
    """

    key: str
    owner: Driver
    epoch: int
    since: datetime
    expires: datetime | None = None


class Lock(ABC):
    """At most one driver of a thing at a time: what state stores hold, and platforms that can.

    All of it must be atomic, also between machines. Raises StateError where it cannot be reached.
    """

    @abstractmethod
    def acquire(self, key: str, owner: Driver, *, ttl: float, take_over: bool = False) -> Lease:
        """Take the lease at once, for `ttl` seconds where it expires at all.

        The epoch is greater than every one before. Raises Locked, naming the owner, while somebody
        else's has not expired. `take_over` takes it all the same, and the former owner is fenced off.
        """

    @abstractmethod
    def renew(self, lease: Lease, *, ttl: float) -> Lease:
        """Keep it for `ttl` seconds more. Raises LockLost where it is somebody else's, or nobody's."""

    @abstractmethod
    def release(self, lease: Lease) -> None:
        """Give it up. Idempotent; a lease that is lost already is left to its new owner."""

    @abstractmethod
    def holder(self, key: str) -> Lease | None:
        """Whose it is now; None where nobody's, or where it has expired."""


class StateStore(Lock):
    """Deployments, their journals, and words between processes. Safe for several processes at once.

    What a call writes is durable when it returns. Where a `lease` is given, the write and the check
    that its epoch is still the newest are one: raises LockLost, and nothing is written. Raises
    StateError where the store cannot be used.
    """

    def __init__(self, options: Any, services: Any) -> None:
        """Keep what is needed; connect at the first use."""

    @abstractmethod
    def create(self, record: Record, *, lease: Lease | None = None) -> Record:
        """Begin a deployment; the id, `<application>-<environment>-<n>`, is given here.

        Raises Locked, naming the one that is under way, where the application has one.
        """

    @abstractmethod
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
        """Change what is given, and leave the rest."""

    @abstractmethod
    def get(self, id: str) -> Record | None:
        """One deployment; None where there is none of this id."""

    @abstractmethod
    def list(
        self, *, application: str | None = None, environment: str | None = None, limit: int = 1000
    ) -> Sequence[Record]:
        """Deployments, the newest first, by the order in which they began: a clock can be set back."""

    @abstractmethod
    def append(self, id: str, entry: Entry, *, lease: Lease | None = None) -> None:
        """Write one line of the journal.

        The very same line once more is fine: its first answer may have been lost. Another one of the
        same run, number, mark and attempt raises StateError.
        """

    @abstractmethod
    def entries(self, id: str, run: str | None = None) -> Sequence[Entry]:
        """The lines of a deployment, or of one run of it, in the order in which they were written."""

    @abstractmethod
    def signal(self, id: str, kind: str, payload: Mapping[str, Json], *, by: str, at: datetime) -> int:
        """Leave a word for the driver of a deployment, whichever process that is; returns its number."""

    @abstractmethod
    def signals(self, id: str, *, unanswered: bool = True) -> Sequence[Signal]:
        """The words for a deployment, in their order."""

    def called(self) -> Sequence[str]:
        """The deployments under way for which there is a word that is not answered."""
        return [r.id for r in self.list() if not r.status.final and self.signals(r.id)]

    @abstractmethod
    def answer(self, signal: int, text: str) -> None:
        """Say what came of a word."""

    @abstractmethod
    def checkpoint(self, id: str, value: Json, *, at: datetime) -> None:
        """Overwrite what is measured and seen: it lies beside the journal, and is no part of it."""

    @abstractmethod
    def last_checkpoint(self, id: str) -> Json:
        """What was kept last; None where nothing was."""

    def exists(self) -> bool:
        """Whether anything may be kept here; False where nothing ever was, and a look would create it."""
        return True

    def close(self) -> None:
        """Let go of connections. Idempotent."""


@frozen(kw_only=True)
class StateStoreInfo(Info):
    """A state store, as registered.

    remote: it outlives this machine, and other machines can go on from it. schemes: the URLs that
    name it, `postgresql` for `state: postgresql://…`; the URL becomes the option `url`.
    """

    remote: bool = False
    schemes: frozenset[str] = frozenset()
