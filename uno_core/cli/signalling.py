"""`uno promote` and `uno abort`: a word for the process that drives, and what it made of it."""

from __future__ import annotations

import time
from collections.abc import Callable

import click

from uno_core.cli import printing
from uno_core.cli.opening import Request, configured, debug, output
from uno_core.contracts.state import Record
from uno_core.errors import StateError
from uno_core.journal.lock import who
from uno_core.model import Status
from uno_core.session import Session

PATIENCE = 5.0
"""Seconds that a command waits for the driver's answer, and again for the end."""

GOES_ON = 8
"""The exit code of a command that stopped waiting while the deployment goes on."""


@click.command()
@configured()
@click.option("--reason", default="", metavar="TEXT", help="Why; stands in the journal.")
@output("json")
@debug
@click.pass_context
def promote(ctx: click.Context, request: Request, reason: str, output: str) -> None:
    """Let the deployment that waits at a gate go on.

    Exits with 1 where no gate waits: a promotion is never left lying for a later gate.
    """
    with printing.answering(output), request.open() as session:
        record = session.last()
        if not record.status.final and session.driven() and record.status is not Status.PAUSED:
            raise StateError(
                f"{record.id} waits at no gate",
                found=f"it is {record.status.value}",
                remedy="uno status shows what it does",
            )
        record, answer = _say(session, "promote", reason)
        _tell(output, record, answer or "not answered yet")
        code = 0 if answer == "promoted" else (1 if answer else GOES_ON)
    ctx.exit(code)


@click.command()
@configured()
@click.option("--reason", default="", metavar="TEXT", help="Why; stands in the journal.")
@output("json")
@debug
@click.pass_context
def abort(ctx: click.Context, request: Request, reason: str, output: str) -> None:
    """Stop the deployment that is under way, and take the traffic back.

    Exits with 0 when it is back, 4 when that failed, 8 when it is still going back.
    """
    with printing.answering(output), request.open() as session:
        record, answer = _say(session, "abort", reason)
        if answer == "going back":
            _until(lambda: _again(session, record).status.final)
        record = _again(session, record)
        _tell(output, record, _words(record, answer))
        code = _ended(record.status)
    ctx.exit(code)


def _words(record: Record, answer: str) -> str:
    if record.status.final:
        late = "too late, " if answer.startswith("too late") else ""
        return f"{late}{record.status.value}: {record.message}"
    going = "going back already" if record.status is Status.ROLLBACK_IN_PROGRESS else "not answered yet"
    return answer or going


def _ended(status: Status) -> int:
    if not status.final:
        return GOES_ON
    if status in (Status.ROLLED_BACK, Status.FAILED, Status.STOPPED):
        return 0
    return 4 if status is Status.ROLLBACK_FAILED else 1


def _say(session: Session, kind: str, reason: str) -> tuple[Record, str]:
    """Leave the word, and wait a while for its answer; empty where none came."""
    by = who()
    why = f"{reason} (by {by})" if reason and kind == "abort" else reason
    record, number = session.signal(kind, {"reason": why}, by=by)

    def answer() -> str:
        signals = session.store.signals(record.id, unanswered=False)
        return next((signal.answer for signal in signals if signal.id == number), "")

    _until(lambda: bool(answer()))
    return record, answer()


def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not done() and time.monotonic() < end:
        time.sleep(0.1)


def _again(session: Session, record: Record) -> Record:
    return session.store.get(record.id) or record


def _tell(output: str, record: Record, answer: str) -> None:
    if output == "json":
        printing.document({"deployment": record.id, "status": record.status.value, "answer": answer})
    else:
        printing.out(f"{record.id} {answer}")
