"""How a deployment that was driven here ended, or was left, and how to go on from there."""

from __future__ import annotations

from collections.abc import Mapping

from uno_core import wording
from uno_core.cli import printing
from uno_core.contracts.engine import Outcome
from uno_core.contracts.state import Mark, Record
from uno_core.engine.attention import AT_A_GATE
from uno_core.errors import UnoError
from uno_core.model import Json, Status
from uno_core.session import Session

LOOK = 5.0
"""Seconds that the platform has to say what serves, once everything else is done."""

_FINAL: Mapping[Status, str] = {
    Status.HALTED: "`uno resume --reassert` writes uno's split over it and goes on,"
    " `uno rollback` takes the application back",
    Status.STOPPED: "`uno rollback` takes the application back to what served before",
    Status.ROLLBACK_FAILED: "`uno rollback` tries again",
    Status.LOST: "`uno status` shows who drives it now",
}


def way_on(status: Status, *, gate: bool = False) -> str:
    """What a person can do with a deployment that nobody drives; empty where nothing is to be done."""
    if status.final:
        return _FINAL.get(status, "")
    if status is Status.ROLLBACK_IN_PROGRESS:
        return "`uno resume` and `uno rollback` go on taking the application back"
    on = "`uno promote` passes the gate and goes on" if gate else "`uno resume` goes on from there"
    return f"{on}, `uno rollback` takes the application back"


def at_a_gate(session: Session, record: Record) -> bool:
    """Whether it waits at a gate of its strategy, and is not held by `uno pause`: so says its journal."""
    if record.status is not Status.PAUSED:
        return False
    entries = session.store.entries(record.id, "deploy")
    return bool(entries) and entries[-1].op == "pause" and entries[-1].mark is Mark.INTENT


def made_from(record: Record, why: str) -> Mapping[str, Json]:
    """The facts of a deployment that was begun before."""
    return {
        "application": record.application,
        "environment": record.environment,
        "release": record.version,
        "strategy": record.strategy,
        "why": why,
    }


def answer(
    session: Session, outcome: Outcome, facts: Mapping[str, Json], output: str, seconds: float
) -> None:
    """The result on stdout: a line, a document, or the last one of the events; the way on on stderr."""
    snapshot = outcome.snapshot
    result: dict[str, Json] = {
        "deployment": outcome.deployment,
        "status": outcome.status.value,
        "exit_code": outcome.exit_code,
        "message": outcome.message,
        **facts,
        "split": {s.value: percent for s, percent in snapshot.in_force.items()} if snapshot else None,
        "seconds": round(seconds, 3),
    }
    if output == "json":
        printing.document(result)
    elif output == "jsonl":
        printing.event({"at": session.clock.now().isoformat(), "kind": "result", **result})
    else:
        name = f"{outcome.deployment} " if outcome.deployment else ""
        printing.out(f"{name}{outcome.status.value}: {outcome.message}")
    tell_way_on(session, outcome)


def tell_way_on(session: Session, outcome: Outcome) -> None:
    """On stderr: that nothing more is written, what serves, and what can be done."""
    record = session.store.get(outcome.deployment) if outcome.deployment else None
    gate = record is not None and at_a_gate(session, record)
    if not (way := way_on(outcome.status, gate=gate)):
        return
    if not outcome.status.final:
        left = "at the gate" if gate and outcome.exit_code == AT_A_GATE else "as it is"
        printing.err(f"left {left}; nothing more is written: {_serving(session)}")
    printing.err(way)


def _serving(session: Session) -> str:
    try:
        return wording.serving(session.clock.within(LOOK, session.world.observe))
    except UnoError as problem:
        return f"what serves could not be seen ({problem.message})"


def back_code(outcome: Outcome) -> int:
    """Being back is what was asked for; the removal of a first deployment (FAILED) is that, too."""
    if outcome.status in (Status.ROLLED_BACK, Status.FAILED):
        return 0
    if not outcome.status.final:
        return outcome.exit_code
    return 5 if outcome.status is Status.LOST else 4
