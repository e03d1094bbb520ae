"""`uno plugins`: what became of every plugin, why, and how to mend it. Works whatever is broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from uno_core.cli import printing
from uno_core.cli.opening import debug, output
from uno_core.config.load import load_choices
from uno_core.discovery import Claim, PluginReport
from uno_core.entrypoints import commands
from uno_core.model import Json
from uno_core.registry import Registry


@click.command()
@click.option("--metadata-only", is_flag=True, help="Import nothing: only what the metadata say.")
@click.option(
    "--config-file", type=click.Path(path_type=Path), metavar="PATH", help="Configuration (uno.yaml)."
)
@output("json")
@debug
def plugins(metadata_only: bool, config_file: Path | None, output: str) -> None:
    """Show every plugin: from which distribution, what became of it, why, and how to mend it."""
    registry = Registry.discover(choices=load_choices(config_file), metadata_only=metadata_only)
    brought = {name: f"{entry.distribution} {entry.version}" for name, entry in commands().items()}
    if output == "json":
        listed: Json = [_facts(plugin) for plugin in registry.plugins]
        printing.document({"plugins": listed, "commands": brought})
        return
    rows = [(p.name, str(p), p.status.value, "; ".join(_registers(p))) for p in registry.plugins]
    printing.table(("PLUGIN", "DISTRIBUTION", "STATUS", "REGISTERS"), rows)
    for plugin in registry.plugins:
        if plugin.reason:
            printing.out(f"\n{plugin.name} of {plugin} is {plugin.status}: {plugin.reason}")
            printing.out(f"  remedy: {plugin.remedy}")
    for line in _disputed(registry):
        printing.out(line)
    for name, source in brought.items():
        printing.out(f"\nuno {name} comes from {source}")


def _registers(plugin: PluginReport) -> Iterator[str]:
    for claim in plugin.registrations:
        said = "" if claim.status is Claim.ACTIVE else f" ({claim.status})"
        yield f"{claim.kind.words} {claim.name}{said}"


def _disputed(registry: Registry) -> Iterator[str]:
    """The names that two plugins claim, and how to choose."""
    seen: dict[str, list[PluginReport]] = {}
    for plugin in registry.plugins:
        for claim in plugin.registrations:
            if claim.status is Claim.AMBIGUOUS:
                seen.setdefault(claim.key, []).append(plugin)
    for key, rivals in seen.items():
        yield f"\n{key} is ambiguous: {' and '.join(map(str, rivals))} provide it"
        yield f"  remedy: choose one in the configuration, plugins: {{{key}: {rivals[0].distribution}}}"


def _facts(plugin: PluginReport) -> Mapping[str, Json]:
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "status": plugin.status.value,
        "reason": plugin.reason,
        "remedy": plugin.remedy,
        "registrations": [
            {"kind": c.kind.value, "name": c.name, "status": c.status.value, "summary": c.info.summary}
            for c in plugin.registrations
        ],
    }
