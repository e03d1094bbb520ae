"""`uno report`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from uno_core import Story


@click.command()
@click.argument("id", required=False, default="")
@click.option(
    "--config-file", type=click.Path(path_type=Path), metavar="PATH", help="Configuration (uno.yaml)."
)
@click.option("--app-name", default="", metavar="NAME", help="The application.")
@click.option("--environment", default="", metavar="NAME", help="Where it is deployed.")
@click.option("--format", "form", type=click.Choice(["html", "markdown"]), default="html", show_default=True,
              help="html: a page that needs no network. markdown: for a merge request.")  # fmt: skip
@click.option("--output", "file", default="", metavar="FILE",
              help="Where it is written, - for stdout; ID.html or ID.md without it.")  # fmt: skip
def report(
    *, id: str, config_file: Path | None, app_name: str, environment: str, form: str, file: str
) -> None:
    """Write what became of a deployment as one page: its steps, what was measured, and why it ended so.

    ID is as in the history, or its number alone; the last deployment where it is left out. A report that
    is there already is written anew; nothing else is.
    """
    from uno_core import UnoError, story_of

    try:
        story = story_of(id, config_file=config_file, application=app_name, environment=environment)
        _write(story, form, file)
    except UnoError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)


def _write(story: Story, form: str, file: str) -> None:
    from uno_core import ConfigError
    from uno_report.markdown import markdown
    from uno_report.page import page
    from uno_report.telling import MARK

    text = page(story) if form == "html" else markdown(story)
    if file == "-":
        click.echo(text, nl=False)
        return
    path = Path(file or f"{story.record.id}.{'html' if form == 'html' else 'md'}")
    try:
        before = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        if before and MARK not in before:
            raise ConfigError(
                "there is a file of this name that is no report",
                found=str(path),
                expected="a new file, or a report of before",
                where="--output",
                remedy="name another file: --output FILE",
            )
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise ConfigError(
            "the report cannot be written",
            found=problem.strerror or str(problem),
            where=str(path),
            remedy="name another file: --output FILE, or --output - for stdout",
        ) from problem
    click.echo(str(path))
