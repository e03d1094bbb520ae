"""`uno promote`, `uno pause` and `uno abort`: a word for whoever drives, and what it made of it.

Where nobody drives, this process does what was asked for itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta

import click

from uno_core import wording
from uno_core.cli import ending, printing
from uno_core.cli.driving import drive, view_for
from uno_core.cli.opening import Request, configured, debug, output
from uno_core.config.values import DURATION, duration, write_duration
from uno_core.contracts.state import Record
from uno_core.engine.attention import HOLD, HOLDS
from uno_core.engine.tenure import TTL
from uno_core.errors import StateError
from uno_core.following import GOES_ON
from uno_core.journal.lock import this_process
from uno_core.journal.origin import who
from uno_core.model import Json, Status
from uno_core.session import Session

PATIENCE = 5.0
"""Seconds that a command waits for the driver's answer, and again for the end."""


_reason = click.option("--reason", default="", metavar="TEXT", help="Why; stands in the journal.")


def _seconds(_ctx: click.Context, _param: click.Parameter, given: str) -> float:
    """A duration as in the configuration. Raises BadParameter."""
    try:
        seconds = duration(given)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise click.BadParameter(f"found {given}, expected {DURATION}")
    return seconds


@click.command()
@configured()
@click.option("--full", is_flag=True, help="Pass all later gates, too.")
@click.option(
    "--no-wait", is_flag=True, help="Where it is driven here: exit with 6 at a later gate, as uno deploy."
)
@_reason
@output("json")
@debug
@click.pass_context
def promote(
    ctx: click.Context, request: Request, *, full: bool, no_wait: bool, reason: str, output: str
) -> None:
    """Let the deployment that waits at a gate go on.

    One that was left at its gate by its driver is driven here, and exits as `uno deploy` does. Exits
    with 1 where no gate waits: a promotion is never left lying for a later gate.
    """
    began = time.monotonic()
    payload: Mapping[str, Json] = {"reason": reason, "full": full}
    with printing.answering(output), request.open() as session:
        record = session.last()
        if not record.status.final:
            _check_gate(session, record)
        if record.status.final or session.driven():
            record, answer = say(session, "promote", payload)
            tell(output, record, answer or "has not answered yet")
            code = 0 if answer == "promoted" else (1 if answer else GOES_ON)
        else:
            code = _promoted_here(session, record, payload, output, began, patient=not no_wait)
    ctx.exit(code)


def _check_gate(session: Session, record: Record) -> None:
    """Raises StateError where a promotion would be left lying for a gate that nobody looked at."""
    if ending.at_a_gate(session, record):
        return
    held = record.status is Status.PAUSED
    raise StateError(
        f"{record.id} waits at no gate",
        found="it is held" if held else f"it is {record.status.value}",
        expected="a gate of its strategy",
        remedy="`uno resume` lets it go on" if held else "`uno status` shows what it does",
    )


def _promoted_here(
    session: Session,
    record: Record,
    payload: Mapping[str, Json],
    output: str,
    began: float,
    *,
    patient: bool,
) -> int:
    """Leave the word, and drive on from the gate in this process."""
    by = who()
    number = session.store.signal(record.id, "promote", payload, by=by, at=session.clock.now())
    try:
        outcome = drive(session, view_for(output), lambda: session.resume(record.id, patient=patient))
    finally:
        # Where nothing came of it, it must not pass the gate whenever somebody else resumes.
        if not _answer(session, record, number):
            session.store.answer(number, "nothing came of it: the deployment did not get to its gate")
    ending.answer(
        session, outcome, ending.made_from(record, f"promoted by {by}"), output, time.monotonic() - began
    )
    return outcome.exit_code


@click.command()
@configured()
@click.option(
    "--timeout",
    callback=_seconds,
    default=write_duration(HOLD),
    show_default=True,
    metavar="DURATION",
    help="How long it holds; then the traffic goes back.",
)
@_reason
@output("json")
@debug
@click.pass_context
def pause(ctx: click.Context, request: Request, *, timeout: float, reason: str, output: str) -> None:
    """Hold the deployment that is under way before its next effect. `uno resume` lets it go on.

    Exits with 0 when its driver has answered, and with 8 when it has not in time; with 1 where nothing
    is under way that could be held.
    """
    with printing.answering(output), request.open() as session:
        record = session.last()
        if record.status is Status.ROLLBACK_IN_PROGRESS and session.driven():
            raise StateError(
                f"{record.id} is going back: nothing holds that",
                found=record.message,
                remedy="`uno status` shows it",
            )
        asked = session.clock.now()
        record, answer = say(session, "pause", {"timeout": timeout, "reason": reason})
        if answer.startswith(HOLDS):
            until = asked + timedelta(seconds=timeout)
            answer = (
                f"holds before its next effect, until {wording.clock(until)}; then the traffic goes back."
                " `uno resume` lets it go on"
            )
            code = 0
        else:
            code = 1 if answer else GOES_ON
        tell(output, record, answer or "has not answered yet")
    ctx.exit(code)


@click.command()
@configured()
@click.option("--hold", is_flag=True, help="Stop, and leave traffic and instances as they are.")
@_reason
@output("json")
@debug
@click.pass_context
def abort(ctx: click.Context, request: Request, *, hold: bool, reason: str, output: str) -> None:
    """Stop the deployment that is under way, and take the traffic back.

    One that nobody drives is taken back here. Exits with 0 when it is back (with --hold: stopped), 4
    when that failed, 8 when it is still going back.
    """
    began = time.monotonic()
    by = who()
    why = f"{reason} (by {by})" if reason else ""
    with printing.answering(output), request.open() as session:
        record = session.last()
        if record.status.final or session.driven():
            record, answer = say(session, "abort", {"reason": why, "hold": hold})
            if answer.startswith(("going back", "stopped where it is")):
                _until(lambda: _again(session, record).status.final)
            record = _again(session, record)
            tell(output, record, _words(record, answer))
            code = _ended(record.status, hold=hold)
            if not record.status.final and not answer:
                printing.err("`uno rollback --take-over` ends a driver that does not answer")
        elif hold:
            code = _stopped_here(session, record, why or f"aborted by {by}", output)
        else:
            why = why or f"aborted by {by}"
            outcome = drive(session, view_for(output), lambda: session.take_back(record, why))
            code = ending.back_code(outcome)
            facts = {**ending.made_from(record, why), "exit_code": code}
            ending.answer(session, outcome, facts, output, time.monotonic() - began)
    ctx.exit(code)


def _stopped_here(session: Session, record: Record, why: str, output: str) -> int:
    """Nobody drives it: that it is stopped is all that is left to be written, so that nobody tends it."""
    key = session.config.application.key
    lease = session.store.acquire(key, this_process(), ttl=TTL)
    try:
        session.store.update(
            record.id,
            at=session.clock.now(),
            status=Status.STOPPED,
            message=f"stopped where it was left: {why}",
            exit_code=1,
            lease=lease,
        )
    finally:
        session.store.release(lease)
    record = _again(session, record)
    tell(output, record, _words(record, ""))
    return 0


def _words(record: Record, answer: str) -> str:
    if record.status.final:
        late = "too late, " if answer.startswith("too late") else ""
        return f"{late}{record.status.value}: {record.message}"
    going = "going back already" if record.status is Status.ROLLBACK_IN_PROGRESS else "has not answered yet"
    return answer or going


def _ended(status: Status, *, hold: bool) -> int:
    if not status.final:
        return GOES_ON
    if status is Status.STOPPED:
        return 0 if hold else 4  # it may not go back: a person is needed
    if status in (Status.ROLLED_BACK, Status.FAILED):
        return 1 if hold else 0
    return 4 if status is Status.ROLLBACK_FAILED else 1


def say(session: Session, kind: str, payload: Mapping[str, Json]) -> tuple[Record, str]:
    """Leave the word, and wait a while for its answer; empty where none came."""
    record, number = session.signal(kind, payload, by=who())
    _until(lambda: bool(_answer(session, record, number)))
    return record, _answer(session, record, number)


def _answer(session: Session, record: Record, number: int) -> str:
    signals = session.store.signals(record.id, unanswered=False)
    return next((signal.answer for signal in signals if signal.id == number), "")


def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not done() and time.monotonic() < end:
        time.sleep(0.1)


def _again(session: Session, record: Record) -> Record:
    return session.store.get(record.id) or record


def tell(output: str, record: Record, answer: str) -> None:
    """What came of a word: a line, or a document."""
    if output == "json":
        printing.document({"deployment": record.id, "status": record.status.value, "answer": answer})
    elif output == "jsonl":
        printing.event(
            {"kind": "answer", "deployment": record.id, "status": record.status.value, "answer": answer}
        )
    else:
        printing.out(f"{record.id} {answer}")
