"""`uno plan`: what would be done, in order, with the split over time and the way back from each step."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from uno_core import wording
from uno_core.cli import printing
from uno_core.cli.opening import Request, configured, debug, output
from uno_core.errors import ConfigError
from uno_core.model import Json, Slot
from uno_core.planning import Plan, Step, WayBack, told
from uno_core.wire import to_json

WIDTH = 20
"""Characters of a bar that stands for the whole traffic."""

INDENT = " " * 16
"""Before what belongs to a step."""


@click.command()
@configured(release=True)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 10 where there are changes.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep the plan there, as JSON: `uno deploy --plan FILE` deploys exactly this.",
)
@output("json")
@debug
@click.pass_context
def plan(
    ctx: click.Context, request: Request, detailed_exitcode: bool, out: Path | None, output: str
) -> None:
    """Show what a deployment would do. Nothing is touched.

    It promises the order where every check passes, and bounds on trying; not success.
    """
    with printing.answering(output), request.open() as session:
        made = session.plan()
        foreseen = session.foreseen(made)
        document: Mapping[str, Json] = {**to_json(made), "foreseen": list(foreseen)}
        if out:
            _keep(out, document)
    if output == "json":
        printing.document(document)
    else:
        _show(made)
        if foreseen:
            printing.out("\nwhat would be caught, at the traffic of now:")
        for line in foreseen:
            printing.out(f"      {line}")
        if out:
            printing.out(f"\nkept in {out}: `uno deploy --plan {out}` deploys exactly this, or nothing")
    ctx.exit(10 if detailed_exitcode and made.changes else 0)


def _keep(path: Path, document: Mapping[str, Json]) -> None:
    try:
        path.write_text(printing.encoded(document, indent=2) + "\n", "utf-8")
    except OSError as problem:
        raise ConfigError(
            "the plan cannot be written",
            found=str(problem.strerror or problem),
            where=str(path),
            remedy="name another file: --out FILE",
        ) from problem


def _show(plan: Plan) -> None:
    serving = ", ".join(plan.serving) or "nothing"
    printing.out(f"{plan.application} in {plan.environment}: {serving} → {plan.release}")
    printing.out(f"on: {plan.runs_on}")
    printing.out(f"strategy: {plan.strategy}, {plan.why}")
    if plan.first:
        printing.out("the first deployment: there is nothing to go back to")
    if plan.under_way:
        printing.out(f"{told(plan.under_way)}; another deployment does not begin before it has ended")
    if not plan.changes:
        printing.out(f"nothing to do: {plan.release} serves already")
    for warning in plan.warnings:
        printing.out(f"warning: {warning}")
    if not plan.changes:
        return
    printing.out(f"\nsteps, at least {wording.lasting(plan.seconds)}:")
    for number, step in enumerate(plan.steps, 1):
        for line in _lines(number, step):
            printing.out(line)
    printing.out(f"\nat most {wording.lasting(plan.greatest)}: every deadline used up and none missed;"
                 " a bound on trying, not on success")  # fmt: skip
    if plan.way_back:
        printing.out(f"way back: {plan.way_back}")
    printing.out("\ntraffic:")
    if not _draw(plan):
        for at, split in plan.split:
            printing.out(f"      {_at(at)}  {_bar(split.get(Slot.GREEN, 0.0)) if split else '·' * WIDTH}"
                         f"  {wording.split(split)}")  # fmt: skip
        printing.out(f"{INDENT}█ green, ░ blue; {plan.release} goes to the slot that is idle now")


def _lines(number: int, step: Step) -> Iterator[str]:
    yield f"  {number:>2}. {_at(step.at)}  {step.title}"
    for effect in step.effects:
        yield f"{INDENT}{effect}"
    filled = [f"{slot} {c.ready}/{c.wanted}" for slot, c in step.capacity.items() if c.ready or c.wanted]
    yield f"{INDENT}capacity: {', '.join(filled) + ' ready' if filled else 'nothing is ready'}"
    if step.way_back:
        yield f"{INDENT}way back: {_way_back(step.way_back)}"
    if step.greatest:
        yield f"{INDENT}at most {wording.lasting(step.greatest)}"


def _way_back(way: WayBack) -> str:
    figures = (("written", way.written), ("in force", way.in_force), ("whole", way.whole))
    if all(seconds == 0 for _, seconds in figures):
        return "nothing has to change for the users"
    return ", ".join(
        f"{name} not in time" if seconds is None
        else (f"{name} ≤ {wording.lasting(seconds)}" if seconds else f"{name} as it is")
        for name, seconds in figures
    )  # fmt: skip


def _draw(plan: Plan) -> bool:
    """Draw the split over time where there is a terminal to draw on."""
    if not sys.stdout.isatty():
        return False
    console = printing.console()
    if console.is_dumb_terminal:
        return False
    from uno_core.cli.timeline import drawn

    console.print(drawn(plan.split, plan.seconds, min(console.width, 100)))
    return True


def _at(seconds: float) -> str:
    return f"+{wording.lasting(seconds)}".ljust(8)


def _bar(green: float) -> str:
    """The share of green, drawn; a share that is there at all is seen."""
    full = round(WIDTH * green / 100)
    full = max(1, full) if green > 0 else 0
    full = min(WIDTH - 1, full) if green < 100 else WIDTH
    return "█" * full + "░" * (WIDTH - full)
