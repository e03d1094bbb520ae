"""What a journal holds. The format is final: later versions read what this one wrote."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from attrs import field, frozen

from uno_core.model import Json, Status


class Mark(StrEnum):
    """An intent is written before an effect is performed, a result (or an error) after it."""

    INTENT = "intent"
    RESULT = "result"


@frozen(kw_only=True)
class Driver:
    """Who drives a deployment: enough to find the process, and to tell it from another with its pid."""

    host: str
    pid: int
    started: str
    user: str


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
    """A word from another process: `promote`, `abort`. `answer` is empty until it was heard."""

    id: int
    kind: str
    payload: Mapping[str, Json]
    by: str
    at: datetime
    answer: str = ""
