"""`uno resume` and `uno tend`: going on with a deployment that nobody drives."""

from __future__ import annotations

import time

import click

from uno_core import wording
from uno_core.cli import ending, printing
from uno_core.cli.deploying import no_wait
from uno_core.cli.driving import drive, view_for
from uno_core.cli.opening import Request, configured, debug, output
from uno_core.cli.signalling import say, tell
from uno_core.contracts.engine import Outcome
from uno_core.contracts.state import Record
from uno_core.engine.attention import release_hold
from uno_core.following import GOES_ON
from uno_core.journal.lock import describe
from uno_core.journal.origin import who
from uno_core.model import Status
from uno_core.session import Session


@click.command()
@click.argument("id", required=False)
@configured()
@click.option(
    "--reassert", is_flag=True, help="Write uno's split over what somebody else has written meanwhile."
)
@click.option(
    "--changed-plugins", is_flag=True, help="Go on although other plugins are installed than it began with."
)
@no_wait
@output("json", "jsonl")
@debug
@click.pass_context
def resume(
    ctx: click.Context,
    request: Request,
    *,
    id: str | None,
    reassert: bool,
    changed_plugins: bool,
    no_wait: bool,
    output: str,
) -> None:
    """Go on with a deployment that is held, or that was left by its driver.

    ID is as in the history, or its number alone; the last deployment where it is left out. One that
    nobody drives is driven here, and exits as `uno deploy` does. Exits with 2 where there is nothing
    to go on with.
    """
    began = time.monotonic()
    with printing.answering(output), request.open() as session:
        record = session.named(id) if id else session.last()
        if not record.status.final and session.driven():
            code = _ask(session, record, output)
        else:
            by = who()
            outcome = drive(
                session,
                view_for(output),
                lambda: _resumed(
                    session, record, by, reassert=reassert, changed=changed_plugins, patient=not no_wait
                ),
            )
            code = outcome.exit_code
            facts = ending.made_from(record, f"resumed by {by}")
            ending.answer(session, outcome, facts, output, time.monotonic() - began)
    ctx.exit(code)


def _resumed(
    session: Session, record: Record, by: str, *, reassert: bool, changed: bool, patient: bool
) -> Outcome:
    if not record.status.final:
        release_hold(session.store, record.id, by=by, at=session.clock.now())
    return session.resume(record.id, reassert=reassert, changed=changed, patient=patient)


def _ask(session: Session, record: Record, output: str) -> int:
    """The word to a living driver; that it does not hold is no mistake."""
    if record.status is Status.ROLLBACK_IN_PROGRESS:
        tell(output, record, "is going back; its driver is alive")
        return 0
    gate = ending.at_a_gate(session, record)
    record, answer = say(session, "resume", {"reason": ""})
    if not answer:
        tell(output, record, "has not answered yet")
        lease = session.holder()
        if lease is not None and lease.expires is not None:
            printing.err(
                f"its lease expires at {wording.clock(lease.expires)} unless it is renewed: then `uno resume`"
                " goes on here; `uno unlock --force` does not wait for that"
            )
        printing.err("`uno rollback --take-over` ends a driver that does not answer")
        return GOES_ON
    if answer.startswith("it does not hold"):
        answer = "is under way; its driver is alive"
        if gate:
            answer += ", and waits at a gate: `uno promote` lets it go on"
    tell(output, record, answer)
    return 0


@click.command()
@configured()
@output("json", "jsonl")
@debug
@click.pass_context
def tend(ctx: click.Context, request: Request, output: str) -> None:
    """Go on with a deployment whose driver is gone, or take it back, as `tend:` says: for a timer.

    Empties what is due to be emptied, too. Never waits at a gate. Exits with 0 where there was
    nothing to do, otherwise as the deployment ends.
    """
    began = time.monotonic()
    with printing.answering(output), request.open() as session:
        records = session.history(limit=1)
        record = records[0] if records else None
        holder = session.holder() if record else None
        if record is None or record.status.final or holder is not None:
            session.tend("")
            left = f"{record.id} is {record.status.value}" if record else "there was never a deployment"
            drives = f", driven by {describe(holder.owner)}" if holder else ""
            _idle(output, record, f"nothing to do: {left}{drives}")
            code = 0
        else:
            driver = f", its driver was {describe(record.driver)}" if record.driver else ""
            does = "goes back" if session.config.settings.tend == "rollback" else "is gone on with"
            printing.err(f"nobody drives {record.id}{driver}: it {does}")
            code = _tend(session, record, output, began)
    ctx.exit(code)


def _tend(session: Session, record: Record, output: str, began: float) -> int:
    why = f"tended by {who()}: nobody drove it"
    missed = Outcome(deployment=record.id, status=record.status, message="ended meanwhile", exit_code=0)
    outcome = drive(session, view_for(output), lambda: session.tend(why) or missed)
    if outcome is missed:
        _idle(output, record, f"nothing to do: {record.id} is driven, or has ended, meanwhile")
    else:
        ending.answer(session, outcome, ending.made_from(record, why), output, time.monotonic() - began)
    return outcome.exit_code


def _idle(output: str, record: Record | None, text: str) -> None:
    if output == "text":
        printing.out(text)
        return
    document = {
        "deployment": record.id if record else "",
        "status": record.status.value if record else None,
        "exit_code": 0,
        "message": text,
    }
    if output == "json":
        printing.document(document)
    else:
        printing.event({"kind": "result", **document})
