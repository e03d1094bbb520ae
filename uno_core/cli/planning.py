"""`uno plan`: what would be done, in order, with the split over time."""

from __future__ import annotations

import click

from uno_core.cli import printing, wording
from uno_core.cli.opening import Request, configured, debug, output
from uno_core.model import Slot
from uno_core.planning import Plan
from uno_core.wire import to_json

WIDTH = 20
"""Characters of a bar that stands for the whole traffic."""


@click.command()
@configured(release=True)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 10 where there are changes.")
@output("json")
@debug
@click.pass_context
def plan(ctx: click.Context, request: Request, detailed_exitcode: bool, output: str) -> None:
    """Show what a deployment would do. Nothing is touched.

    It promises the order where every check passes, and the least duration; not success.
    """
    with printing.answering(output), request.open() as session:
        made = session.plan()
    if output == "json":
        printing.document(to_json(made))
    else:
        _show(made)
    ctx.exit(10 if detailed_exitcode and made.changes else 0)


def _show(plan: Plan) -> None:
    serving = ", ".join(plan.serving) or "nothing"
    printing.out(f"{plan.application} in {plan.environment}: {serving} → {plan.release}")
    printing.out(f"strategy: {plan.strategy}, {plan.why}")
    if plan.first:
        printing.out("the first deployment: there is nothing to go back to")
    if not plan.changes:
        printing.out(f"nothing to do: {plan.release} serves already")
    for warning in plan.warnings:
        printing.out(f"warning: {warning}")
    if not plan.changes:
        return
    printing.out(f"\nsteps, at least {wording.lasting(plan.seconds)}:")
    for number, step in enumerate(plan.steps, 1):
        printing.out(f"  {number:>2}. {_at(step.at)}  {step.title}")
        for effect in step.effects:
            printing.out(f"                {effect}")
    printing.out("\ntraffic:")
    for at, split in plan.split:
        printing.out(f"      {_at(at)}  {_bar(split.get(Slot.GREEN, 0.0)) if split else '·' * WIDTH}"
                     f"  {wording.split(split)}")  # fmt: skip
    printing.out(f"                █ green, ░ blue; {plan.release} goes to the slot that is idle now")


def _at(seconds: float) -> str:
    return f"+{wording.lasting(seconds)}".ljust(8)


def _bar(green: float) -> str:
    """The share of green, drawn; a share that is there at all is seen."""
    full = round(WIDTH * green / 100)
    full = max(1, full) if green > 0 else 0
    full = min(WIDTH - 1, full) if green < 100 else WIDTH
    return "█" * full + "░" * (WIDTH - full)
