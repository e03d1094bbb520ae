"""`uno deploy` and `uno rollback`: the verbs that drive."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import click

from uno_core.cli import printing, wording
from uno_core.cli.driving import drive, view_for
from uno_core.cli.lines import Events, View
from uno_core.cli.opening import Request, configured, debug, output
from uno_core.contracts.engine import Outcome
from uno_core.journal.lock import who
from uno_core.model import Json, Slot, Status
from uno_core.planning import read
from uno_core.session import Session


@click.command()
@configured(release=True)
@click.option("--reason", default="", metavar="TEXT", help="Why; stands in the history.")
@click.option(
    "--stable",
    type=click.Choice(["blue", "green"]),
    help="The slot that counts as live where the application is not settled; all traffic goes there first.",
)
@click.option(
    "--plan",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Deploy exactly what `uno plan --out FILE` planned; refused where anything is different by now.",
)
@output("json", "jsonl")
@debug
@click.pass_context
def deploy(
    ctx: click.Context, request: Request, *, reason: str, stable: str | None, plan: Path | None, output: str
) -> None:
    """Take the application to a release, or back to what served before when that fails.

    Progress goes to stderr, the result to stdout. The first Ctrl-C takes the traffic back, the
    second one stops at once.
    """
    began = time.monotonic()
    with printing.answering(output), request.open() as session:
        view = view_for(output)
        agreed = read(plan) if plan else None
        target = session.target(agreed)
        for warning in session.warnings(target):
            _warn(view, warning)
        slot = Slot(stable) if stable else None
        outcome = drive(session, view, lambda: session.deploy(reason, target, stable=slot, plan=agreed))
        facts: Mapping[str, Json] = {
            "application": session.config.application.name,
            "environment": session.config.application.environment,
            "release": target.release.version,
            "strategy": target.choice.info.name,
            "why": target.choice.why,
        }
        _answer(session, outcome, facts, output, time.monotonic() - began)
    ctx.exit(outcome.exit_code)


def _warn(view: View, warning: str) -> None:
    if isinstance(view, Events):
        view.hear("warning", {"message": warning})
    else:
        printing.err(f"warning: {warning}")


def _answer(
    session: Session, outcome: Outcome, facts: Mapping[str, Json], output: str, seconds: float
) -> None:
    """The result on stdout: a line, a document, or the last one of the events."""
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


@click.command()
@configured()
@click.option("--reason", default="", metavar="TEXT", help="Why; stands in the history.")
@output("json", "jsonl")
@debug
@click.pass_context
def rollback(ctx: click.Context, request: Request, reason: str, output: str) -> None:
    """Take the last deployment back to what served before it, finished or left by a driver that died.

    Exits with 0 when the application is back, and with 4 when a person is needed.
    """
    began = time.monotonic()
    with printing.answering(output), request.open() as session:
        record = session.last()
        by = who()
        why = f"rolled back by {by}" + (f": {reason}" if reason else "")
        outcome = drive(session, view_for(output), lambda: session.rollback(why))
        code = exit_code(outcome)
        facts: Mapping[str, Json] = {
            "application": record.application,
            "environment": record.environment,
            "release": record.version,
            "strategy": record.strategy,
            "why": why,
            "exit_code": code,
        }
        _answer(session, outcome, facts, output, time.monotonic() - began)
        if outcome.snapshot and output == "text":
            printing.out(wording.serving(outcome.snapshot))
    ctx.exit(code)


def exit_code(outcome: Outcome) -> int:
    """Being back is what was asked for here; the removal of a first deployment (FAILED) is that, too."""
    if outcome.status in (Status.ROLLED_BACK, Status.FAILED):
        return 0
    return 5 if outcome.status is Status.LOST else 4
