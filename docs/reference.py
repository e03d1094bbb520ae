"""Writes `configuration-reference.md` from the declarations that uno reads a configuration by.

`nox -s reference`; a test fails where the page is not what this writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from uno_core.cli.choosing import described
from uno_core.config.checking import KINDS, LISTED
from uno_core.config.document import Settings
from uno_core.config.load import ROOT
from uno_core.config.schema import schema
from uno_core.config.shapes import class_in
from uno_core.config.structure import fields_of
from uno_core.config.wanted import Wanted
from uno_core.contracts.strategy import StrategyInfo
from uno_core.discovery import kind_of
from uno_core.registry import Registry

PAGE = Path(__file__).with_name("configuration-reference.md")
HOUSE = {"uno-core", *(path.name for path in Path(__file__).parents[1].glob("plugins/*") if path.is_dir())}
KEYS = {**KINDS, "notify": LISTED["notify"], "strategies": StrategyInfo}
HEAD = """\
# Configuration reference

Every key of `uno.yaml` and every option of the plugins of this house, as they are declared. The page is
written from the declarations (`nox -s reference`); [](configuration.md) is the one to read.
`uno schema` prints the same for an editor, `uno strategies show NAME` for one strategy.
"""


def page() -> str:
    """The whole page."""
    registry = Registry.discover(environ={})
    parts = [HEAD, *_keys(registry)]
    parts += ["## What belongs to no plugin\n", *_options(Settings, "")]
    parts += ["## release\n", *_options(Wanted, "release")]
    for key, kind in KEYS.items():
        if key != "traffic":
            parts += _plugins(registry, key, kind)
    return "\n".join(parts)


def _keys(registry: Registry) -> Iterator[str]:
    made = schema(registry)
    told = {key: made["properties"][key] for key in ROOT}
    for key, shape in told.items():
        if "$ref" in shape and "description" not in shape:
            told[key] = made["$defs"][shape["$ref"].removeprefix("#/$defs/")]
    rows: list[tuple[str, ...]] = [
        (f"`{key}`", _text(shape.get("description", ""))) for key, shape in told.items()
    ]
    yield "## Keys of the document\n"
    yield from _table(("key", "what"), rows)


def _plugins(registry: Registry, key: str, kind: Any) -> Iterator[str]:
    yield f"## {key}\n"
    for name, info in registry.infos(kind).items():
        distribution = registry.provider(info).partition(" ")[0]
        if distribution not in HOUSE:
            continue
        declared = registry.options(info)
        yield f"### {kind_of(kind).words} {name}\n"
        yield f"{_text(info.summary[:1].upper() + info.summary[1:])}. From `{distribution}`.\n"
        if declared is None:
            yield "It declares no options.\n"
        elif fields_of(declared):
            yield from _options(declared, f"strategies.{name}" if key == "strategies" else key)


def _options(cls: type[Any], path: str) -> Iterator[str]:
    """The options of a class in a table, and those of the classes within it in more of them."""
    columns = ("name", "type", "default", "limits", "help")
    rows: list[tuple[str, ...]] = []
    within: list[tuple[str, type[Any]]] = []
    for name, (attribute, kind) in fields_of(cls).items():
        told = dict(described(name, attribute, kind))
        if class_in(kind):
            told["type"] = "mapping"
            told["default"] = "none" if told["default"] == "none" else "see below"
        item = get_args(kind)[-1] if get_origin(kind) is not None and get_args(kind) else kind
        inner, more = class_in(kind), "" if class_in(kind) else ".NAME"
        if inner is None and class_in(item):
            told["type"] = "mapping of mappings"
        if inner := inner or class_in(item):
            within.append((f"{path}.{name}{more}".strip("."), inner))
        rows.append((f"`{name}`", *(_text(told[column]) for column in columns[1:])))
    yield from _table(("key", "type", "default", "limits", "what for"), rows)
    alike = {inner: [where for where, one in within if one is inner] for _, inner in within}
    for inner, places in alike.items():
        yield f"Under {', '.join(f'`{place}`' for place in places)}:\n"
        yield from _options(inner, places[0])


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    lines = [columns, tuple("---" for _ in columns), *rows]
    yield "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines) + "\n"


def _text(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
