"""`uno schema`: what an editor needs to complete and to check a configuration."""

from __future__ import annotations

from pathlib import Path

import click

from uno_core.cli import printing
from uno_core.cli.opening import debug
from uno_core.config.load import load_choices
from uno_core.config.schema import USE
from uno_core.config.schema import schema as made
from uno_core.discovery import PluginStatus
from uno_core.registry import Registry


@click.command()
@click.option(
    "--config-file", type=click.Path(path_type=Path), metavar="PATH", help="Configuration (uno.yaml)."
)
@debug
def schema(config_file: Path | None) -> None:
    """Print the JSON Schema of uno.yaml, with the options of every plugin that is installed.

    For an editor: uno schema > uno.schema.json, and as the first line of uno.yaml
    "# yaml-language-server: $schema=uno.schema.json". Print it anew when plugins are installed.
    """
    import json

    registry = Registry.discover(choices=load_choices(config_file))
    problems = [
        f"{plugin} is left out: {plugin.reason}"
        for plugin in registry.plugins
        if plugin.status in (PluginStatus.BROKEN, PluginStatus.INCOMPATIBLE)
    ]
    document = made(registry, problems)
    for problem in dict.fromkeys(problems):
        printing.err(f"warning: {problem}")
    printing.out(json.dumps(document, indent=2, ensure_ascii=False))
    printing.err(f"for an editor, as the first line of uno.yaml: {USE}")
