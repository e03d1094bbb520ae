"""The second stage: options as they were written become what each plugin declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uno_core.config.document import Choice, Config
from uno_core.config.nodes import Table, merged
from uno_core.config.structure import fields_of, plain, structure
from uno_core.contracts.platform import PlatformInfo
from uno_core.contracts.services import Info
from uno_core.contracts.strategy import StrategyInfo
from uno_core.errors import ConfigError
from uno_core.registry import Registry


def options(table: Table, info: Info, registry: Registry, path: str) -> Any:
    """The options of a plugin: a value of its attrs class, or a mapping where it declares none.

    Raises ConfigError with every mistake in them, PluginError where the declaration itself fails.
    """
    declared = registry.options(info)
    if declared is None:
        return plain(table)
    with registry.guard(info, "reading the options of"):
        return structure(table, declared, table.path or path)


def choice_options(choice: Choice, info: Info, registry: Registry) -> Any:
    """The options of a health check, a metric provider or a judge."""
    return options(choice.options, info, registry, choice.options.path or choice.name)


def strategy_options(config: Config, info: StrategyInfo, registry: Registry) -> Any:
    """The options of a strategy, wherever they were written."""
    return options(config.strategy_options(info.name), info, registry, f"strategies.{info.name}")


def platform_options(config: Config, info: PlatformInfo, registry: Registry) -> Any:
    """The options of the platform, with `traffic` as its field of that name where it takes one.

    Raises ConfigError where traffic was described to a platform that has no word for it.
    """
    table = config.platform.options if config.platform else Table(path="platform")
    traffic = config.traffic
    if traffic is None or not config.routed or config.router is not None:
        return options(table, info, registry, "platform")
    declared = registry.options(info)
    if declared is None or "traffic" in fields_of(declared):
        table = table.with_entry("traffic", merged(table.entries.get("traffic"), traffic.options))
    elif traffic.options.entries:
        raise ConfigError(
            f"the platform {info.name} takes no options of traffic",
            found=traffic.options.told(),
            where=f"{traffic.where}, traffic" if traffic.where else "traffic",
            remedy="take them out, or name the platform that routes: traffic: {name: …}",
        )
    return options(table, info, registry, "platform")


def router_options(config: Config, info: PlatformInfo, registry: Registry) -> Any:
    """The options of another platform whose router is taken, from `traffic: {name: …}`.

    A key that only the platform's own field `traffic` knows goes there.
    """
    table = config.router.options if config.router else Table(path="traffic")
    declared = registry.options(info)
    fields = fields_of(declared) if declared else {}
    inner: Mapping[str, Any] = {}
    if "traffic" in fields:
        kinds = getattr(fields["traffic"][1], "__args__", (fields["traffic"][1],))
        inner = next((fields_of(kind) for kind in kinds if hasattr(kind, "__attrs_attrs__")), {})
    moved = [key for key in table.entries if key in inner and key not in fields]
    if moved:
        rest = [key for key in table.entries if key not in moved]
        table = table.without(*moved).with_entry("traffic", table.without(*rest))
    return options(table, info, registry, "traffic")
