"""Engines: what drives a deployment, what it is asked to do, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import field, frozen

from uno_core.contracts.services import Info
from uno_core.contracts.strategy import DeploymentStrategy
from uno_core.model import Application, Json, Release, Slot, Snapshot, Status

Listener = Callable[[str, Mapping[str, Json]], None]
"""Told what is going on: the kind of event, and its data. Must not raise."""


def nobody(_kind: str, _data: Mapping[str, Json]) -> None:
    """Nobody listens."""


PHASES = ("before_deploy", "before_traffic", "after_traffic", "before_finish")
"""The moments on the way forward at which a hook may run, in their order."""

ON_ROLLBACK = "on_rollback"
"""The moment on the way back."""


@frozen(kw_only=True)
class Order:
    """One deployment to be made.

    options: what the strategy's context holds; written: the same as JSON, for the journal.
    outage: the strategy declared that it may leave nothing ready. stable: the slot that is to count as
    live where the world is not settled; the traffic goes there first.

    hooks: by the moment at which it runs, a command of the user's as JSON (`run`, `timeout`,
    `on_failure`, `env`, and `secrets`, references only). forbid_after: the moment after which nothing
    is taken back. companions: what else gets the release, after promotion. origin: who asked, from
    where, and for which commit.
    """

    application: Application
    release: Release
    strategy_name: str
    strategy: DeploymentStrategy[Any]
    options: Any = field(factory=dict)
    written: Mapping[str, Json] = field(factory=dict)
    outage: bool = False
    plugins: Mapping[str, str] = field(factory=dict)
    reason: str = ""
    stable: Slot | None = None
    hooks: Mapping[str, Mapping[str, Json]] = field(factory=dict)
    forbid_after: str = ""
    companions: Sequence[str] = ()
    origin: Mapping[str, Json] = field(factory=dict)


@frozen(kw_only=True)
class Outcome:
    """How a deployment ended, or was left. `snapshot` is what was last observed, where anything could be.

    until: when there is something to do again, where it was left to wait.
    """

    deployment: str
    status: Status
    message: str
    exit_code: int
    snapshot: Snapshot | None = None
    until: datetime | None = None


EXIT_CODES: Mapping[Status, int] = {
    Status.SUCCESSFUL: 0,
    Status.FAILED: 1,
    Status.STOPPED: 1,
    Status.ROLLED_BACK: 3,
    Status.ROLLBACK_FAILED: 4,
    Status.LOST: 5,
    Status.HALTED: 7,
}
"""What `uno deploy` returns for each final state."""


@frozen(kw_only=True)
class EngineInfo(Info):
    """An engine, as registered."""
