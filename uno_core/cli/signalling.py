"""`uno promote`, `uno pause`, `uno abort`: a word for the process that drives, and what it made of it."""

from __future__ import annotations

import time
from collections.abc import Callable

import click

from uno_core.cli import printing
from uno_core.cli.opening import Request, configured, debug, output
from uno_core.config.values import duration
from uno_core.contracts.state import Record
from uno_core.errors import ConfigError, StateError
from uno_core.journal.lock import who
from uno_core.model import Json, Status
from uno_core.session import Session

PATIENCE = 5.0
"""Seconds that a command waits for the driver's answer, and again for the end."""

GOES_ON = 8
"""The exit code of a command that stopped waiting while the deployment goes on."""


@click.command()
@configured()
@click.option("--reason", default="", metavar="TEXT", help="Why; stands in the journal.")
@click.option("--full", is_flag=True, help="Pass every later gate as well.")
@output("json", "jsonl")
@debug
@click.pass_context
def promote(ctx: click.Context, request: Request, *, reason: str, full: bool, output: str) -> None:
    """Let the deployment that waits at a gate go on; drive it here where nobody does.

    Exits with 1 where no gate waits: a promotion is never left lying for a later gate.
    """
    with printing.answering(output), request.open() as session:
        record = session.last()
        if not record.status.final and record.status is not Status.PAUSED:
            raise StateError(
                f"{record.id} waits at no gate",
                found=f"it is {record.status.value}",
                remedy="uno status shows what it does"
                + ("" if session.driven() else "; uno resume goes on with it"),
            )
        if not record.status.final and not session.driven():
            code = _promote_here(session, record, reason, full=full, output=output)
        else:
            record, answered = say(session, "promote", reason, full=full)
            tell(output, record, answered or "not answered yet")
            code = 0 if answered == "promoted" else (1 if answered else GOES_ON)
    ctx.exit(code)


def _promote_here(session: Session, record: Record, reason: str, *, full: bool, output: str) -> int:
    """Nobody drives it: leave the word, and drive it, so that it is heard."""
    from uno_core.cli.deploying import answer, facts_of
    from uno_core.cli.driving import drive, view_for

    began = time.monotonic()
    payload: dict[str, Json] = {"reason": reason, "full": full}
    session.store.signal(record.id, "promote", payload, by=who(), at=session.clock.now())
    outcome = drive(session, view_for(output), lambda: session.resume(record.id))
    answer(session, outcome, facts_of(record, "promoted"), output, time.monotonic() - began)
    return outcome.exit_code


@click.command()
@configured()
@click.option("--reason", default="", metavar="TEXT", help="Why; stands in the journal.")
@click.option("--timeout", default="24h", show_default=True, metavar="DURATION", help="How long it holds.")
@output("json")
@debug
@click.pass_context
def pause(ctx: click.Context, request: Request, *, reason: str, timeout: str, output: str) -> None:
    """Have the deployment that is under way hold before its next effect.

    What is watched goes on being watched. Where nobody says `uno resume` in time, the traffic goes
    back. Exits with 0 when it holds, with 8 when its driver has not answered yet.
    """
    with printing.answering(output), request.open() as session:
        record, answered = say(session, "pause", reason, timeout=seconds(timeout))
        then = "; `uno resume` lets it go on, otherwise the traffic goes back then" if answered else ""
        tell(output, record, (answered or "not answered yet") + then)
        code = 0 if answered else GOES_ON
    ctx.exit(code)


def seconds(text: str) -> float:
    """A duration of the command line. Raises ConfigError where it is none."""
    try:
        return duration(text)
    except ValueError as problem:
        raise ConfigError(
            "this is no duration", found=text, expected="90s, 30m, 24h or the like", where="--timeout"
        ) from problem


@click.command()
@configured()
@click.option("--reason", default="", metavar="TEXT", help="Why; stands in the journal.")
@click.option("--hold", is_flag=True, help="Leave everything where it is, and end the deployment as stopped.")
@output("json", "jsonl")
@debug
@click.pass_context
def abort(ctx: click.Context, request: Request, *, reason: str, hold: bool, output: str) -> None:
    """Stop the deployment that is under way, and take the traffic back.

    Where nobody drives it, it is taken back here. Exits with 0 when it is back, 4 when that failed,
    8 when it is still going back.
    """
    with printing.answering(output), request.open() as session:
        record = session.last()
        if not record.status.final and not session.driven() and not hold:
            from uno_core.cli.going_on import take_back

            why = f"aborted by {who()}" + (f": {reason}" if reason else "")
            code = take_back(session, why, output)
        else:
            record, answered = say(session, "abort", reason, hold=hold)
            if answered in ("going back", "stopped where it is"):
                _until(lambda: _again(session, record).status.final)
            record = _again(session, record)
            tell(output, record, _words(record, answered))
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


def say(session: Session, kind: str, reason: str, **more: Json) -> tuple[Record, str]:
    """Leave the word, and wait a while for its answer; empty where none came."""
    by = who()
    why = f"{reason} (by {by})" if reason and kind == "abort" else reason
    record, number = session.signal(kind, {"reason": why, **more}, by=by)

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


def tell(output: str, record: Record, answer: str) -> None:
    if output != "text":
        printing.document({"deployment": record.id, "status": record.status.value, "answer": answer})
    else:
        printing.out(f"{record.id} {answer}")
