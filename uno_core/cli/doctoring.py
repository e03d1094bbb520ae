"""`uno doctor`: what is right and wrong here, and how it is mended. Writes nothing, hangs nowhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from uno_core.cli import printing
from uno_core.cli.opening import Request, configured, debug, output
from uno_core.config.load import DEFAULT_FILE, load_choices
from uno_core.contracts.diagnosis import Condition, Diagnosis
from uno_core.diagnosis import Found, examine, exit_code, installation, told
from uno_core.errors import UnoError
from uno_core.registry import Registry

COLOURS = {Condition.OK: "green", Condition.WARNING: "yellow", Condition.ERROR: "red"}


@click.command()
@configured()
@output("json")
@debug
@click.pass_context
def doctor(ctx: click.Context, request: Request, output: str) -> None:
    """Say what is installed, what of the configuration works, and how to mend what does not.

    Only looks: nothing is written, and each probe has five seconds. Exits with 0 where nothing is
    broken, 1 where something is, 2 where it is only the configuration, and 9 where a right is missing.
    """
    found: list[Found] = []
    for one in _findings(request):
        found.append(one)
        if output == "text":
            _show(one.diagnosis)
    code = exit_code(found)
    if output == "json":
        counts = {c.value: sum(one.condition is c for one in found) for c in Condition}
        printing.document({"findings": [one.as_json() for one in found], "counts": counts, "exit_code": code})
    else:
        _sum_up(found)
    ctx.exit(code)


def _findings(request: Request) -> Iterator[Found]:
    yield from installation(Registry.discover(choices=load_choices(request.config_file)))
    if request.config_file is None and not DEFAULT_FILE.exists() and not request.app_name:
        note = f"there is no {DEFAULT_FILE} here: only what is installed was looked at; `uno init` writes one"
        yield Found(Diagnosis.ok("configuration", note))
        return
    try:
        # Not as a context: what hangs in it must not keep its end waiting. `examine` closes it.
        session = request.session()
    except UnoError as problem:
        yield from told("configuration", problem)
        return
    where = str(session.config.file or "the command line")
    application = session.config.application
    yield Found(Diagnosis.ok("configuration", f"{where}: {application.name} in {application.environment}"))
    yield from examine(session)


def _show(one: Diagnosis) -> None:
    word = f"{one.condition.value:<8}"
    if sys.stdout.isatty():
        word = click.style(word, fg=COLOURS[one.condition])
    found = printing.safe(one.found).replace("\n", "\n" + " " * 10)
    click.echo(f"{word}{printing.safe(one.about)}: {found}")
    if one.remedy:
        remedy = printing.safe(one.remedy).replace("\n", "\n" + " " * 10)
        click.echo(f"          remedy: {remedy}")


def _sum_up(found: list[Found]) -> None:
    wrong = sum(one.condition is Condition.ERROR for one in found)
    doubtful = sum(one.condition is Condition.WARNING for one in found)
    errors = f"{wrong} error{'s' * (wrong != 1)}"
    printing.out(
        f"\n{errors}, {doubtful} warning{'s' * (doubtful != 1)}" if wrong or doubtful else "\nall is well"
    )
