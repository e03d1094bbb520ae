"""`uno completion`: the script that has a shell complete uno's commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from uno_core.cli.group import uno


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    For bash: eval "$(uno completion bash)"; for zsh the same; for fish: uno completion fish | source.
    """
    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"click knows no completion for {shell}")
    click.echo(made(uno, {}, "uno", "_UNO_COMPLETE").source())
