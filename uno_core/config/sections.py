"""The second stage: options as they were written become what each plugin declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from uno_core.config.document import Choice, Config
from uno_core.config.nodes import Scalar, Table, merged
from uno_core.config.structure import fields_of, plain, structure
from uno_core.contracts.platform import PlatformInfo
from uno_core.contracts.services import Info
from uno_core.contracts.strategy import StrategyInfo
from uno_core.errors import ConfigError
from uno_core.model import Slot
from uno_core.registry import Registry


def options(table: Table, info: Info, registry: Registry, path: str, *, partial: bool = False) -> Any:
    """The options of a plugin: a value of its attrs class, or a mapping where it declares none.

    partial: they are one layer of several, in which nothing is missing yet.

    Raises ConfigError with every mistake in them, PluginError where the declaration itself fails.
    """
    declared = registry.options(info)
    if declared is None:
        return plain(table)
    with registry.guard(info, "reading the options of"):
        return structure(table, declared, table.path or path, partial=partial)


def choice_options(choice: Choice, info: Info, registry: Registry, *, partial: bool = False) -> Any:
    """The options of a health check, a metric provider or a judge."""
    return options(choice.options, info, registry, choice.options.path or choice.name, partial=partial)


def strategy_options(config: Config, info: StrategyInfo, registry: Registry, *, partial: bool = False) -> Any:
    """The options of a strategy, wherever they were written."""
    table = config.strategy_options(info.name)
    return options(table, info, registry, f"strategies.{info.name}", partial=partial)


def store_options(choice: Choice, info: Info, registry: Registry, *, partial: bool = False) -> Any:
    """The options of a state store; a URL that names it becomes its option `url`."""
    if "://" in choice.name:
        url = Scalar(text=choice.name, where=choice.where, plain=False)
        choice = evolve(choice, options=choice.options.with_entry("url", url))
    return options(choice.options, info, registry, "state", partial=partial)


def platform_options(config: Config, info: PlatformInfo, registry: Registry, *, partial: bool = False) -> Any:
    """The options of the platform, with `traffic` as its field of that name where it takes one.

    Raises ConfigError where traffic was described to a platform that has no word for it.
    """
    table = config.platform.options if config.platform else Table(path="platform")
    if not partial:
        places(config, info, registry)  # told together with the rest
    table = _in_common(table, info, registry)
    traffic = config.traffic
    if traffic is None or not config.routed or config.router is not None:
        return options(table, info, registry, "platform", partial=partial)
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
    return options(table, info, registry, "platform", partial=partial)


PLACES = "slots"
"""The key under which each slot's platform is told what is different there."""


def places(config: Config, info: PlatformInfo, registry: Registry) -> Mapping[Slot, Any]:
    """The options of the platform of each slot, where they are two: another cluster, another machine.

    What stands in `platform` holds for both. Raises ConfigError where they are not two.
    """
    table = config.platform.options if config.platform else Table()
    below = _in_common(table, info, registry)
    node = table.entries.get(PLACES)
    if below is table or node is None:
        return {}
    where = f"{node.where}, platform.{PLACES}"
    if not isinstance(node, Table) or sorted(node.entries) != sorted(slot.value for slot in Slot):
        raise ConfigError(
            f"platform.{PLACES} is what is different in the place of each slot",
            found=node.told(), where=where,
            expected="{blue: {…}, green: {…}}",
        )  # fmt: skip
    made = {}
    for slot in Slot:
        whole = merged(below, node.entries[slot.value])
        if not isinstance(whole, Table):
            raise ConfigError("a place is a mapping", found=whole.told(), where=f"{where}.{slot}")
        path = f"platform.{PLACES}.{slot}"
        made[slot] = options(evolve(whole, path=path), info, registry, path)
    return made


def check_places(config: Config, info: PlatformInfo, registry: Registry) -> None:
    """Raises ConfigError where nothing would share out the traffic between two places."""
    table = config.platform.options if config.platform else Table()
    if config.router is None and _in_common(table, info, registry) is not table:
        raise ConfigError(
            "two places need a router that leads to both",
            found="no `traffic: {name: …}` of another platform",
            expected="traffic: {name: dns, …}", where=f"{table.line(PLACES)}, platform.{PLACES}",
            remedy="name it, or take `slots` out: one place has both slots",
        )  # fmt: skip


def _in_common(table: Table, info: PlatformInfo, registry: Registry) -> Table:
    """Without what the places differ in, unless the plugin has that word for something of its own."""
    declared = registry.options(info)
    own = declared is not None and PLACES in fields_of(declared)
    return table if own or PLACES not in table.entries else table.without(PLACES)


def router_options(config: Config, info: PlatformInfo, registry: Registry, *, partial: bool = False) -> Any:
    """The options of another platform whose router is taken, from `traffic: {name: …}`.

    A key that only the platform's own field `traffic` knows goes there.
    """
    table = config.router.options if config.router else Table(path="traffic")
    declared = registry.options(info)
    inner = traffic_fields(declared) if declared else {}
    fields = fields_of(declared) if declared else {}
    moved = [key for key in table.entries if key in inner and key not in fields]
    if moved:
        rest = [key for key in table.entries if key not in moved]
        own = merged(table.entries.get("traffic"), table.without(*rest))
        table = table.without(*moved).with_entry("traffic", own)
    return options(table, info, registry, "traffic", partial=partial)


def traffic_fields(declared: type[Any]) -> Mapping[str, Any]:
    """What a platform's own field `traffic` knows, by key; nothing where it has no such field."""
    fields = fields_of(declared)
    if "traffic" not in fields:
        return {}
    kinds = getattr(fields["traffic"][1], "__args__", (fields["traffic"][1],))
    return next((fields_of(kind) for kind in kinds if hasattr(kind, "__attrs_attrs__")), {})
