"""`uno adopt`: what was there before uno is taken over, and nothing is deployed."""

from __future__ import annotations

import click

from uno_core.cli import printing
from uno_core.cli.opening import Request, configured, debug, output


@click.command()
@configured()
@click.option("--dry-run", is_flag=True, help="Say what would be taken over; write nothing.")
@output("json")
@debug
def adopt(request: Request, *, dry_run: bool, output: str) -> None:
    """Take over what was there before uno, as the first deployment would with --adopt.

    What the traffic follows stays as it is. Exits with 0, whether there was something to take or not, 2 where
    it must not be taken, and 5 where somebody deploys.
    """
    with printing.answering(output), request.open() as session:
        done = list(session.remarks() if dry_run else session.adopt())
        if output == "json":
            printing.document({"dry_run": dry_run, "remarks" if dry_run else "done": done})
            return
        for line in done:
            printing.out(line)
        if not done:
            printing.out("there is nothing to take over")
