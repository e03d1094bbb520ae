"""`uno strategies`: the selection guide, and every option as its declaration says it."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import attrs
import click

from uno_core import wording
from uno_core.cli import printing
from uno_core.cli.opening import debug, output
from uno_core.config.load import load_choices
from uno_core.config.options import OptionSpec, spec_of
from uno_core.config.structure import fields_of
from uno_core.config.values import write_share
from uno_core.contracts.strategy import StrategyInfo
from uno_core.model import Amount, Bounds, Json, Kind
from uno_core.planning import DEFAULTS
from uno_core.registry import Registry

_file = click.option(
    "--config-file", type=click.Path(path_type=Path), metavar="PATH", help="Configuration (uno.yaml)."
)


@click.group(invoke_without_command=True)
@_file
@output("json")
@debug
@click.pass_context
def strategies(ctx: click.Context, config_file: Path | None, output: str) -> None:
    """Compare the strategies that are installed. `uno strategies show NAME` tells the options of one."""
    if ctx.invoked_subcommand:
        return
    registry = Registry.discover(choices=load_choices(config_file))
    infos = registry.infos(StrategyInfo)
    if output == "json":
        printing.document({"strategies": [_facts(info, registry) for info in infos.values()]})
        return
    if not infos:
        printing.out("no strategy is installed: pip install uno-strategy-blue-green; uno plugins shows more")
        return
    columns = (
        "STRATEGY",
        "BEST FOR",
        "RESOURCES",
        "COMPLEXITY",
        "ROLLBACK SPEED",
        "RECOMMENDED FOR",
        "DEFAULT OF",
    )
    printing.table(columns, [_row(info) for info in infos.values()])


def _default_of(name: str) -> Sequence[Kind]:
    return [kind for kind, names in DEFAULTS.items() if name in names]


def _row(info: StrategyInfo) -> Sequence[str]:
    guide = info.guide
    defaults = ", ".join(_default_of(info.name))
    if guide is None:
        return (info.name, info.summary, "", "", "", "", defaults)
    return (
        info.name,
        guide.best_for,
        guide.resources,
        guide.complexity,
        guide.rollback_speed,
        guide.environments,
        defaults,
    )


def _facts(info: StrategyInfo, registry: Registry) -> Mapping[str, Json]:
    guide = attrs.asdict(info.guide) if info.guide else None
    if guide:
        guide["recommended"] = sorted(guide["recommended"])
    return {
        "name": info.name,
        "summary": info.summary,
        "from": registry.provider(info),
        "needs": sorted(info.needs),
        "outage": info.outage,
        "default_of": list(_default_of(info.name)),
        "guide": guide,
    }


@strategies.command("show")
@click.argument("name")
@_file
@output("json")
@debug
def show(name: str, config_file: Path | None, output: str) -> None:
    """Every option of a strategy: type, default, limits, what it is for."""
    with printing.answering(output):
        registry = Registry.discover(choices=load_choices(config_file))
        info = registry.find(StrategyInfo, name)
        declared = registry.options(info)
        options = [described(key, *found) for key, found in fields_of(declared).items()] if declared else None
    if output == "json":
        listed: Json = [dict(o) for o in options] if options is not None else None
        printing.document({**_facts(info, registry), "options": listed})
        return
    _describe(info, registry)
    if options is None:
        printing.out("\nit declares no options: any are taken, and none can be checked")
        return
    printing.out("")
    columns = ("OPTION", "TYPE", "DEFAULT", "LIMITS", "WHAT FOR")
    keys = ("name", "type", "default", "limits", "help")
    printing.table(columns, [[option[key] for key in keys] for option in options])


def _describe(info: StrategyInfo, registry: Registry) -> None:
    printing.out(f"{info.name}: {info.summary}")
    rows = [("from", registry.provider(info)), ("needs", ", ".join(sorted(info.needs)))]
    if guide := info.guide:
        rows += [
            ("best for", guide.best_for),
            ("resources", guide.resources),
            ("complexity", guide.complexity),
            ("rollback speed", guide.rollback_speed),
            ("recommended for", guide.environments),
        ]
    rows += [("default of", ", ".join(_default_of(info.name)))]
    rows += [("outage", "the old release stops before the new one starts")] if info.outage else []
    for label, text in rows:
        if text:
            printing.out(f"  {label:<16} {text}")


def described(name: str, attribute: attrs.Attribute[Any], kind: Any) -> Mapping[str, str]:
    """An option in words: name, type, default, limits, help. The reference in the docs is made of these."""
    spec = spec_of(attribute)
    limits = [spec.limits(), f"one of {', '.join(spec.choices)}" if spec.choices else ""]
    return {
        "name": name,
        "type": _type(kind, spec),
        "default": _default(attribute, spec),
        "limits": "; ".join(filter(None, limits)),
        "help": spec.help,
    }


_UNITS = {"s": "duration", "%": "percent", "share": "share"}
_WORDS: Mapping[Any, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    Amount: "number or percent of instances",
    Bounds: "bounds",
    type(None): "",
}


def _type(kind: Any, spec: OptionSpec) -> str:
    """A type in words: `duration`, `list of percent`, `mapping to bounds`."""
    if kind in (int, float) and spec.unit:
        return _UNITS.get(spec.unit, spec.unit)
    if kind in _WORDS:
        return _WORDS[kind]
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(filter(None, (_type(one, spec) for one in inner))))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"mapping to {_type(inner[1], spec)}"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return f"list of {_type(inner[0], spec)}"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(str(one.value) for one in kind)
    return str(getattr(kind, "__name__", kind)).lower()


def _default(attribute: attrs.Attribute[Any], spec: OptionSpec) -> str:
    default: Any = attribute.default
    if default is attrs.NOTHING:
        return "required"
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class, though typed as a function
        default = None if default.takes_self else default.factory()
    return _value(default, spec)


def _value(value: Any, spec: OptionSpec) -> str:
    """A value as it can be written into a configuration."""
    if value is None or value == "" or value in ((), [], {}):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(one, spec) for one in value) + "]"
    if isinstance(value, int | float):
        writers = {"s": wording.precise, "%": lambda v: f"{v:g}%", "share": write_share}
        return writers.get(spec.unit, lambda v: f"{v:.15g}")(float(value))
    return str(value.value if isinstance(value, Enum) else value)
