"""YAML as it was written: text with its file and line. What a text means is decided by who asks for it.

So `version: 1.10` stays "1.10" and `region: no` stays "no" where text is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

import yaml
from attrs import evolve, field, frozen
from yaml.resolver import Resolver

from uno_core.errors import ConfigError

MOST_NODES = 50_000
DEEPEST = 50
_DEEP = "this is nested too deeply to be a configuration"
_CORE = "tag:yaml.org,2002:"
_KINDS = ("str", "int", "float", "bool", "null", "map", "seq", "merge", "timestamp", "value")
_KNOWN = frozenset(_CORE + kind for kind in _KINDS)


@frozen(kw_only=True)
class Scalar:
    """A text. `plain` where it was written without quotes, so that it may also be a number or nothing."""

    text: str
    where: str = ""
    folder: Path | None = None
    plain: bool = True

    @property
    def empty(self) -> bool:
        """Whether nothing was written: no value at all, `null` or `~`."""
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")

    def told(self) -> str:
        if self.empty:
            return "nothing"
        return self.text if self.plain else f'the text "{self.text}"'


@frozen(kw_only=True)
class Items:
    """A list."""

    nodes: Sequence[Node]
    where: str = ""
    folder: Path | None = None

    def told(self) -> str:
        return f"a list of {len(self.nodes)}"


@frozen(kw_only=True)
class Table:
    """A mapping. `lines` says where each key stands, `path` its key path where another section took it in."""

    entries: Mapping[str, Node] = field(factory=dict)
    lines: Mapping[str, str] = field(factory=dict)
    where: str = ""
    folder: Path | None = None
    path: str = ""

    def told(self) -> str:
        return "a mapping with " + (", ".join(self.entries) or "nothing in it")

    def line(self, key: str) -> str:
        """Where a key stands, or the whole mapping where it does not have it."""
        return self.lines.get(key) or self.where

    def without(self, *keys: str) -> Table:
        return evolve(self, entries={k: v for k, v in self.entries.items() if k not in keys})

    def with_entry(self, key: str, node: Node) -> Table:
        return evolve(
            self, entries={**self.entries, key: node}, lines={**self.lines, key: node.where or self.where}
        )


Node: TypeAlias = Scalar | Items | Table


def merged(below: Node | None, above: Node) -> Node:
    """Lay one node over another: mappings key by key, anything else replaced."""
    if not (isinstance(below, Table) and isinstance(above, Table)):
        return above
    result = evolve(below, lines={**below.lines, **above.lines})
    entries = dict(result.entries)
    for key, node in above.entries.items():
        entries[key] = merged(entries.get(key), node)
    return evolve(result, entries=entries, where=below.where or above.where)


def from_value(value: object, where: str = "") -> Node:
    """A Python value as a node, as if it had been written: for the command line, scripts and tests."""
    if isinstance(value, Mapping):
        entries = {str(key): from_value(item, where) for key, item in value.items()}
        return Table(entries=entries, lines=dict.fromkeys(entries, where), where=where)
    if isinstance(value, list | tuple):
        return Items(nodes=tuple(from_value(item, where) for item in value), where=where)
    if isinstance(value, bool):
        return Scalar(text=str(value).lower(), where=where)
    if value is None or isinstance(value, int | float):
        return Scalar(text="null" if value is None else repr(value), where=where)
    return Scalar(text=str(value), where=where, plain=False)


def from_option(text: str, where: str) -> Node:
    """The value of `--option key=VALUE`: text as it stands, or a list, a mapping or a quoted text of YAML."""
    # `{version}` by itself is a placeholder, no mapping with one key and no value.
    if text[:1] in ("[", "{", "'", '"') and not re.fullmatch(r"\{\w+\}", text):
        try:
            return parse(text, where, lines=False)
        except ConfigError:
            pass  # `[::1]:80` or `{slot}-{version}`: what is no YAML is text
    return Scalar(text=text, where=where)


def read(path: Path) -> Node:
    """Parse a file. Raises ConfigError with its name and line where it cannot be read or is no YAML."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8", found=str(error), where=str(path), remedy="save it as UTF-8"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read",
            found=error.strerror or str(error),
            where=str(path),
            remedy="name another file with --config-file, or write one: `application: NAME` begins it",
        ) from None
    return parse(text, str(path), folder=path.absolute().parent)


def parse(text: str, name: str, *, folder: Path | None = None, lines: bool = True) -> Node:
    """Parse a text; `name` is told in errors, with the line unless `lines` is false.

    Raises ConfigError for what is no YAML, for duplicate keys, foreign tags and endless aliases.
    """
    reader = _Reader(name, folder, lines)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        return Table(where=name, folder=folder) if node is None else reader.node(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark and lines else name
        problem = error.problem or error.context or str(error)
        remedy = "indent with spaces, and quote texts that hold : # { [ or begin with * & ! % @"
        raise ConfigError("this is not YAML", found=problem, where=where, remedy=remedy) from None
    except yaml.YAMLError as error:
        found = str(error).split("\n", maxsplit=1)[0]
        raise ConfigError(
            "this is not YAML", found=found, where=name, remedy="take out the characters that cannot be read"
        ) from None
    except RecursionError:
        raise ConfigError(_DEEP, where=name, remedy="check its brackets") from None


class _Reader:
    def __init__(self, name: str, folder: Path | None, lines: bool) -> None:
        self._name, self._folder, self._lines = name, folder, lines
        self._open: set[int] = set()
        self._count = 0

    def _where(self, node: yaml.Node) -> str:
        return f"{self._name}:{node.start_mark.line + 1}" if self._lines else self._name

    def node(self, node: yaml.Node) -> Node:
        where = self._where(node)
        self._count += 1
        if self._count > MOST_NODES:
            raise ConfigError(
                "this is too much for a configuration",
                found=f"more than {MOST_NODES} values once its aliases are filled in",
                where=where,
                remedy="take out aliases that refer to aliases",
            )
        if len(self._open) > DEEPEST:
            raise ConfigError(_DEEP, where=where, remedy="check its brackets and its indentation")
        if id(node) in self._open:
            raise ConfigError(
                "this alias stands within what it refers to", where=where, remedy="take the alias out"
            )
        if node.tag not in _KNOWN:
            raise ConfigError(
                "tags are not supported",
                found=node.tag.replace(_CORE, "!!"),
                where=where,
                remedy="write the value without a tag; ${ENV_VAR} and {file: path} give secrets",
            )
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.ScalarNode):
                return self._scalar(node, where)
            if isinstance(node, yaml.SequenceNode):
                nodes = tuple(self.node(child) for child in node.value)
                return Items(nodes=nodes, where=where, folder=self._folder)
            return self._table(node, where)
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: yaml.ScalarNode, where: str) -> Scalar:
        plain = node.style is None
        if plain and node.tag == _CORE + "str":
            # `!!str 5` has no quotes, yet is no number.
            resolver = cast("Any", Resolver())
            plain = resolver.resolve(yaml.ScalarNode, node.value, (True, False)) == node.tag
        return Scalar(text=node.value, where=where, folder=self._folder, plain=plain)

    def _table(self, node: yaml.Node, where: str) -> Table:
        entries: dict[str, Node] = {}
        lines: dict[str, str] = {}
        below: list[Table] = []
        for key, value in node.value:
            line = self._where(key)
            if not isinstance(key, yaml.ScalarNode) or not key.value:
                raise ConfigError(
                    "a key has to be a text",
                    where=line,
                    remedy="write `key: value`, or quote what holds { or [",
                )
            if key.tag == _CORE + "merge":
                below += self._merges(value, line)
                continue
            if key.value in entries:
                raise ConfigError(
                    f"{key.value} stands here twice",
                    found=f"first at {lines[key.value]}",
                    where=line,
                    remedy="take one of them out",
                )
            entries[key.value], lines[key.value] = self.node(value), line
        for table in below:
            for name, child in table.entries.items():
                entries.setdefault(name, child)
                lines.setdefault(name, table.line(name))
        return Table(entries=entries, lines=lines, where=where, folder=self._folder)

    def _merges(self, value: yaml.Node, where: str) -> list[Table]:
        node = self.node(value)
        tables = list(node.nodes) if isinstance(node, Items) else [node]
        if not all(isinstance(table, Table) for table in tables):
            raise ConfigError(
                "<< merges mappings only",
                found=node.told(),
                where=where,
                remedy="refer to a mapping: <<: *name",
            )
        return [table for table in tables if isinstance(table, Table)]
