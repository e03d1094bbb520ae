"""How the commands answer: documents where they are asked for, and errors without a traceback."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

SCHEMA_VERSION = 1

output = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: one document.",
)


def guarded(output: str, work: Callable[[], None]) -> None:
    """Run a command; an error that was understood is told without a traceback, and ends it with its code."""
    from uno_core import UnoError

    try:
        work()
    except UnoError as error:
        if output == "json":
            document({"error": error.as_json(), "exit_code": error.exit_code})
        click.echo(safe(f"Error: {error}"), err=True)
        sys.exit(error.exit_code)


def document(value: Mapping[str, Any]) -> None:
    """The one document of a command."""
    click.echo(safe(json.dumps({"schema_version": SCHEMA_VERSION, **value}, indent=2, ensure_ascii=False)))


def safe(text: str) -> str:
    """Without control characters: what stood in a file must not drive the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout: the first column to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
    for row in (columns, *rows):
        cells = [f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)]
        cells[0] = f"{row[0]:<{widths[0]}}"
        click.echo("  ".join(cells).rstrip())


def lasting(seconds: float) -> str:
    """A duration in words: 45s, 4m 30s, 1h 5m."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.2g}s" if seconds < 9.5 else f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m {rest}s" if rest else f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m" if minutes else f"{hours}h"


def percent(share: float) -> str:
    """A share as percent, with as many digits as tell something: 0.48%, 12%, 100%."""
    value = 100 * share
    return f"{value:.3g}%" if value < 100 else "100%"
