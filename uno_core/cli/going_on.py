"""`uno resume`, `uno rollback` and `uno tend`: what nobody drives any more goes on, or goes back."""

from __future__ import annotations

import time

import click

from uno_core.cli import printing, wording
from uno_core.cli.deploying import answer, facts_of
from uno_core.cli.driving import drive, view_for
from uno_core.cli.opening import Request, configured, debug, output
from uno_core.cli.signalling import say, tell
from uno_core.contracts.engine import Outcome
from uno_core.contracts.state import Record
from uno_core.errors import ConfigError
from uno_core.journal.lock import who
from uno_core.model import Status
from uno_core.session import Session

IMPATIENT = click.option("--no-wait", is_flag=True, help="Leave at a gate with exit code 6.")


@click.command()
@click.argument("id", required=False)
@configured()
@click.option("--reassert", is_flag=True, help="Write uno's split over the one that somebody else wrote.")
@click.option("--changed-plugins", is_flag=True, help="Go on although plugins are others than it began with.")
@IMPATIENT
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
    """Go on with what is paused, or with a deployment whose driver is gone.

    What is recorded is not done again, and what is left of a wait is waited. ID is as in the
    history, or its number alone; the last deployment where it is left out.
    """
    began = time.monotonic()
    with printing.answering(output), request.open() as session:
        record = session.named(id) if id else session.last()
        if session.driven() and not record.status.final:
            code = _let_go_on(session, record, output)
        else:
            outcome = drive(
                session,
                view_for(output),
                lambda: session.resume(
                    record.id, reassert=reassert, changed=changed_plugins, patient=not no_wait
                ),
            )
            code = outcome.exit_code
            answer(session, outcome, facts_of(record, "resumed"), output, time.monotonic() - began)
    ctx.exit(code)


def _let_go_on(session: Session, record: Record, output: str) -> int:
    """A living driver needs no other: it is told not to hold any more."""
    record, answered = say(session, "resume", "")
    tell(output, record, answered or "not answered yet; its driver is alive")
    return 0 if answered else 8


@click.command()
@configured()
@click.option("--reason", default="", metavar="TEXT", help="Why; stands in the history.")
@click.option(
    "--take-over", is_flag=True, help="End a driver that does not answer, and take the application back here."
)
@output("json", "jsonl")
@debug
@click.pass_context
def rollback(ctx: click.Context, request: Request, *, reason: str, take_over: bool, output: str) -> None:
    """Take the last deployment back to what served before it, in whatever state it is.

    A living driver is asked to; otherwise it is done here. Exits with 0 when the application is
    back, with 4 when a person is needed, with 5 where a driver does not answer.
    """
    by = who()
    why = f"rolled back by {by}" + (f": {reason}" if reason else "")
    with printing.answering(output), request.open() as session:
        code = take_back(session, why, output, take_over=take_over)
    ctx.exit(code)


def take_back(session: Session, why: str, output: str, *, take_over: bool = False) -> int:
    """Take the last deployment back, show it, and say how that ended: the exit code."""
    began = time.monotonic()
    record = session.last()
    outcome = drive(session, view_for(output), lambda: session.rollback(why, take_over=take_over))
    code = exit_code(outcome)
    facts = {**facts_of(session.named(outcome.deployment or record.id), why), "exit_code": code}
    answer(session, outcome, facts, output, time.monotonic() - began)
    if outcome.snapshot and output == "text":
        printing.out(wording.serving(outcome.snapshot))
    return code


def exit_code(outcome: Outcome) -> int:
    """Being back is what was asked for here; the removal of a first deployment (FAILED) is that, too."""
    if outcome.status in (Status.ROLLED_BACK, Status.FAILED):
        return 0
    return 5 if outcome.status is Status.LOST else 4


@click.command()
@configured()
@output("json", "jsonl")
@debug
@click.pass_context
def tend(ctx: click.Context, request: Request, *, output: str) -> None:
    """Go on with what nobody drives, or take it back, and empty what is due: for a timer.

    `tend: resume` or `tend: rollback` in the configuration decides. Exits with 0 where there was
    nothing to do, otherwise as the deployment ended.
    """
    began = time.monotonic()
    with printing.answering(output), request.open() as session:
        if not session.history(limit=1):
            tell_nothing(output, "there is no deployment to tend")
            ctx.exit(0)
        if session.driven():
            tell_nothing(output, f"{session.last().id} is driven: nothing to do")
            ctx.exit(0)
        record = session.last()
        outcome = drive(
            session, view_for(output), lambda: session.tend(f"tended by {who()}") or _nothing(record)
        )
        answer(session, outcome, facts_of(record, "tended"), output, time.monotonic() - began)
    ctx.exit(outcome.exit_code)


def _nothing(record: Record) -> Outcome:
    return Outcome(
        deployment=record.id, status=record.status, message="nothing to do but what was due", exit_code=0
    )


def tell_nothing(output: str, words: str) -> None:
    """That there is nothing to do, in the form that was asked for."""
    if output == "text":
        printing.out(words)
    else:
        printing.document({"deployment": None, "message": words})


@click.command()
@configured()
@click.option("--force", is_flag=True, help="Take a lease that expires from its owner, and free it.")
@output("json")
@debug
@click.pass_context
def unlock(ctx: click.Context, request: Request, *, force: bool, output: str) -> None:
    """Say who holds the lock of the application, and what freeing it means.

    Exits with 0 where it is free, with 5 where somebody holds it.
    """
    with printing.answering(output), request.open() as session:
        lease = session.holder()
        if lease is None:
            tell_nothing(output, f"nobody holds the lock of {session.config.application.key}")
            ctx.exit(0)
        if force and lease.expires is None:
            raise ConfigError(
                "this lock cannot be taken away: the kernel frees it when its owner ends",
                found=wording.lease(lease),
                where=str(session.state_dir),
                remedy="`uno abort` asks its owner to go back; `uno rollback --take-over` ends it",
            )
        words = wording.lease(lease)
        if force:
            session.free(lease)
        if output == "json":
            printing.document(
                {
                    "key": lease.key,
                    "epoch": lease.epoch,
                    "owner": {"host": lease.owner.host, "pid": lease.owner.pid, "user": lease.owner.user},
                    "since": lease.since.isoformat(),
                    "expires": lease.expires.isoformat() if lease.expires else None,
                    "freed": force,
                }
            )
        else:
            printing.out(f"{lease.key}: {words}")
            for line in wording.freed() if force else wording.freeing(lease):
                printing.out(f"  {line}")
    ctx.exit(0 if force else 5)
