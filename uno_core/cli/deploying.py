"""`uno deploy` and `uno rollback`: the verbs that begin, and that go back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import click
from attrs import evolve

from uno_core import wording
from uno_core.cli import ending, printing
from uno_core.cli.driving import ASKED, UNTOUCHED, drive, view_for
from uno_core.cli.lines import Events, View
from uno_core.cli.opening import Request, configured, debug, output
from uno_core.journal.lock import describe
from uno_core.journal.origin import who
from uno_core.model import Json, Slot
from uno_core.planning import read
from uno_core.session import Session

no_wait = click.option(
    "--no-wait",
    is_flag=True,
    help="Do not wait at gates: exit with 6 there; `uno promote` goes on from it later.",
)


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
@no_wait
@click.option(
    "--lock-timeout",
    default="",
    metavar="DURATION",
    help="How long another deployment is waited for, 10m for instance; 0 by default, then exit 5.",
)
@click.option(
    "--expect-live",
    default="",
    metavar="VERSION",
    help="Refuse (7) unless this version serves, or `none`: guards against a late job of an old commit.",
)
@click.option("--supersede", is_flag=True, help="Have the deployment under way go back first.")
@output("json", "jsonl")
@debug
@click.pass_context
def deploy(
    ctx: click.Context,
    request: Request,
    *,
    reason: str,
    stable: str | None,
    plan: Path | None,
    no_wait: bool,
    lock_timeout: str,
    expect_live: str,
    supersede: bool,
    output: str,
) -> None:
    """Take the application to a release, or back to what served before when that fails.

    The same release in flight is followed, or gone on with where its driver is gone; where it serves
    already there is nothing to do. Progress goes to stderr, the result to stdout. On a terminal the
    first Ctrl-C leaves the deployment before its next effect, to be resumed, and the second one stops at
    once; elsewhere a signal takes the traffic back, or holds, as `on_interrupt` says.
    """
    began = time.monotonic()
    if lock_timeout:
        request = evolve(request, option=(*request.option, f"lock_timeout={lock_timeout}"))
    with printing.answering(output), request.open() as session:
        view = view_for(output)
        agreed = read(plan) if plan else None
        target = session.target(agreed)
        for warning in session.warnings(target):
            _warn(view, warning)
        superseded = supersede and (now := session.under_way()) is not None
        if superseded and now is not None:
            printing.err(f"{now.id} ({now.version}) goes back first: {target.release.version} supersedes it")
        slot = Slot(stable) if stable else None
        outcome = drive(
            session,
            view,
            lambda: session.deploy(
                reason,
                target,
                stable=slot,
                patient=not no_wait,
                supersede=supersede,
                plan=agreed,
                expect_live=expect_live,
            ),
            begun=ASKED if superseded else UNTOUCHED,
        )
        facts: Mapping[str, Json] = {
            "application": session.config.application.name,
            "environment": session.config.application.environment,
            "release": target.release.version,
            "strategy": target.choice.info.name,
            "why": target.choice.why,
        }
        ending.answer(session, outcome, facts, output, time.monotonic() - began)
    ctx.exit(outcome.exit_code)


def _warn(view: View, warning: str) -> None:
    if isinstance(view, Events):
        view.hear("warning", {"message": warning})
    else:
        printing.err(f"warning: {warning}")


@click.command()
@configured()
@click.option("--reason", default="", metavar="TEXT", help="Why; stands in the history.")
@click.option(
    "--to",
    "to",
    default="",
    metavar="VERSION",
    help="A version that served before, instead of the last one: started, checked, switched to.",
)
@click.option("--even-forbidden", is_flag=True, help="Although `rollback.forbid_after` forbade it by then.")
@click.option(
    "--take-over",
    is_flag=True,
    help="End a driver that does not answer: on this machine it is killed, elsewhere fenced off.",
)
@output("json", "jsonl")
@debug
@click.pass_context
def rollback(
    ctx: click.Context,
    request: Request,
    *,
    reason: str,
    to: str,
    even_forbidden: bool,
    take_over: bool,
    output: str,
) -> None:
    """Take the last deployment back to what served before it, whatever state it is in.

    A living driver is asked to. Exits with 0 when the application is back, with 4 when a person is
    needed, and with 5 where the driver does not answer.
    """
    began = time.monotonic()
    with printing.answering(output), request.open() as session:
        record = session.last()
        by = who()
        why = f"rolled back by {by}" + (f": {reason}" if reason else "")
        _tell_who_is_asked(session)
        outcome = drive(
            session,
            view_for(output),
            lambda: session.rollback(why, take_over=take_over, to=to, forbidden=even_forbidden),
            begun=ASKED,
        )
        made = session.store.get(outcome.deployment)
        # A way to another version is a deployment of its own, and ends like one.
        anew = to and (made is None or made.version == to)
        code = outcome.exit_code if anew else ending.back_code(outcome)
        facts = {**ending.made_from(made or record, why), "exit_code": code}
        ending.answer(session, outcome, facts, output, time.monotonic() - began)
        if outcome.snapshot and output == "text":
            printing.out(wording.serving(outcome.snapshot))
    ctx.exit(code)


def _tell_who_is_asked(session: Session) -> None:
    holder = session.holder() if session.store.exists() else None
    if holder is not None:
        printing.err(f"asking its driver to go back: {describe(holder.owner)}")
