"""`uno status`: what serves now and what is under way; the journal's part also of a silent platform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from uno_core import wording
from uno_core.cli import ending, printing
from uno_core.cli.opening import Request, configured, debug, output
from uno_core.contracts.state import Lease, Record
from uno_core.errors import UnoError
from uno_core.journal.lock import describe
from uno_core.model import Json, Slot, Snapshot
from uno_core.session import Session
from uno_core.wire import to_json


@click.command()
@configured()
@output("json")
@debug
@click.pass_context
def status(ctx: click.Context, request: Request, output: str) -> None:
    """Show what serves now, and the deployment that is under way.

    Exits with 0 where the platform could be seen, whatever it says, otherwise with the code of the problem.
    """
    with printing.answering(output), request.open() as session:
        record = session.last_changed()
        holder = session.holder() if session.store.exists() else None
        seen: Any = session.last_seen(record) if record else None
        snapshot, problem = _observed(session)
        code = problem.exit_code if problem else 0
        if output == "json":
            deployment = _deployment(record, holder, seen) if record else None
            printing.document(_document(session, snapshot, problem, deployment))
        else:
            _show(session, record, holder, seen or {}, snapshot)
            if problem:
                from uno_core.cli.failing import show

                show(problem)
    ctx.exit(code)


def _observed(session: Session) -> tuple[Snapshot | None, UnoError | None]:
    try:
        return session.world.observe(), None
    except UnoError as problem:
        return None, problem


def _document(
    session: Session,
    snapshot: Snapshot | None,
    problem: UnoError | None,
    deployment: Json,
) -> Mapping[str, Json]:
    application = session.config.application
    return {
        "application": application.name,
        "environment": application.environment,
        "serving": [str(r) for r in snapshot.releases] if snapshot else None,
        "settled": snapshot.settled if snapshot else None,
        "snapshot": {**to_json(snapshot), "captured": {}} if snapshot else None,
        "deployment": deployment,
        "problem": problem.as_json() if problem else None,
    }


def _deployment(record: Record, holder: Lease | None, seen: Json) -> Mapping[str, Json]:
    whole: Mapping[str, Json] = to_json(record)
    under_way = not record.status.final
    return {
        **{key: value for key, value in whole.items() if key != "params"},
        "under_way": under_way,
        "driver_alive": under_way and holder is not None,
        "last_seen": seen,
    }


def _show(
    session: Session,
    record: Record | None,
    holder: Lease | None,
    seen: Mapping[str, Any],
    snapshot: Snapshot | None,
) -> None:
    application = session.config.application
    printing.out(f"{application.name} in {application.environment}, on {session.runs_on}")
    if snapshot:
        printing.out(f"  {wording.serving(snapshot)}")
        held = {s.value: p for s, p in snapshot.split.items()}
        if held != {s.value: p for s, p in snapshot.in_force.items()}:
            printing.out(f"  asked for, but not in force: {wording.split(held)}")
        for slot in Slot:
            printing.out(f"  {slot.value:<6} {wording.instances(snapshot.slot(slot))}")
    if record is None:
        printing.out("  no deployment in the journal")
        return
    printing.out(
        f"{record.id}: {record.version} by {record.strategy}, {record.status.value}"
        f", began {wording.day(record.created)}"
        + (f", ended {wording.day(record.updated)}" if record.status.final else "")
    )
    if record.message:
        printing.out(f"  {record.message}")
    if not record.status.final:
        _show_under_way(session, record, holder, seen)
    elif way := ending.way_on(record.status):
        printing.out(f"  {way}")


def _show_under_way(session: Session, record: Record, holder: Lease | None, seen: Mapping[str, Any]) -> None:
    driven = holder is not None
    if holder is not None:
        printing.out(f"  driver: {describe(holder.owner)}, alive")
    else:
        who = describe(record.driver) if record.driver else "unknown"
        way = ending.way_on(record.status, gate=ending.at_a_gate(session, record))
        printing.out(f"  driver: {who}, gone: {way}")
    if "step" in seen:
        printing.out(f"  step: {seen['step']['title']}")
    # Without a living driver nobody waits, and no gate is open.
    if driven and record.status.value == "paused" and "paused" in seen:
        printing.out(f"  {wording.gate(seen['paused'])}")
    elif driven and "waiting" in seen:
        printing.out(f"  last wait: until {wording.clock(seen['waiting']['until'])}")
    if "evidence" in seen:
        printing.out(f"  last evidence: {wording.evidence(seen['evidence']['analysis'])}")
