"""How a command fails: the exit code, and what is said on stderr. No traceback without `--debug`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from uno_core import _log

if TYPE_CHECKING:
    from uno_core.errors import UnoError

LABELS = ("where", "found", "expected", "remedy")


@dataclass
class Terms:
    """What was asked of the whole command line."""

    debug: bool = False


class Terminated(KeyboardInterrupt):
    """SIGTERM."""

    exit_code = 143


def fail(problem: BaseException, terms: Terms) -> int:
    """Say what went wrong, and give the exit code for it."""
    if isinstance(problem, SystemExit):
        return _code(problem)
    if isinstance(problem, BrokenPipeError):
        # Whoever read us has seen enough. What Python flushes at its end goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    if terms.debug and not isinstance(problem, KeyboardInterrupt | click.Abort):
        import traceback

        click.echo(_log.hide("".join(traceback.format_exception(problem))), err=True)
    if isinstance(problem, click.ClickException):
        problem.show()
        return problem.exit_code
    if isinstance(problem, KeyboardInterrupt | click.Abort):
        terminated = isinstance(problem, Terminated)
        click.echo("terminated" if terminated else "interrupted", err=True)
        return 143 if terminated else 130
    if (error := understood(problem)) is not None:
        show(error)
        return error.exit_code
    told = f"{type(problem).__name__}: {problem}"
    click.echo(
        _log.hide(
            f"Error: this is a bug in uno, or in a plugin: {told}\n  --debug shows where it was raised"
        ),
        err=True,
    )
    return 1


def _code(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    click.echo(end.code, err=True)
    return 1


def understood(problem: BaseException) -> UnoError | None:
    """The problem, where it is one of uno's own. Imports nothing: where none was raised, none is loaded."""
    errors = sys.modules.get("uno_core.errors")
    return problem if errors is not None and isinstance(problem, errors.UnoError) else None


def parts(error: UnoError) -> Iterator[tuple[str, str]]:
    """The labels of an error that say something, in their order."""
    return ((label, text) for label in LABELS if (text := getattr(error, label)))


def show(error: UnoError) -> None:
    """Print an error, and each of several by itself; in colour only on a terminal."""
    several = getattr(error, "errors", None) or (error,)
    for one in several:
        if sys.stderr.isatty():
            _show_in_colour(one)
        else:
            click.echo(plain(one), err=True)


def plain(error: UnoError) -> str:
    """An error as text, its labels aligned."""
    lines = [f"Error: {error.message}"]
    for label, text in parts(error):
        lines.append(f"  {label:<9} " + text.replace("\n", "\n" + " " * 12))
    return str(_log.hide("\n".join(lines)))


def _show_in_colour(error: UnoError) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    console.print(Text.assemble(("Error: ", "bold red"), (str(_log.hide(error.message)), "bold")))
    rows = Table.grid(padding=(0, 1))
    styles = {"found": "red", "expected": "green", "remedy": "cyan"}
    for label, text in parts(error):
        rows.add_row(Text(f"  {label}", "dim"), Text(str(_log.hide(text)), styles.get(label, "")))
    console.print(rows)
