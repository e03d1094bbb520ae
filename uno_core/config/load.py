"""Loading: the file, the environment's overrides laid over it, and the command line over both."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs
from attrs import evolve

from uno_core.config.document import (
    CHOICES,
    KINDS,
    LATER,
    LISTS,
    Choice,
    Config,
    Settings,
    named,
)
from uno_core.config.laying import SHORT, lay, long, put
from uno_core.config.mistakes import Mistakes, nearest
from uno_core.config.naming import listed
from uno_core.config.nodes import Node, Scalar, Table, from_option, read
from uno_core.config.structure import PART, WRONG, structure
from uno_core.config.wanted import Overrides, Wanted, wanted
from uno_core.discovery import PluginKind
from uno_core.errors import ConfigError
from uno_core.model import Application, Kind

DEFAULT_FILE = Path("uno.yaml")
T = TypeVar("T")

SETTINGS = tuple(a.name for a in attrs.fields(Settings))
SECTIONS = ("application", "release", *CHOICES, *LISTS, "strategy", "strategies", "plugins", *SETTINGS)
ROOT = ("uno", "environment", "environments", *SECTIONS)
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
NAMELESS = ("traffic", "state")
"""Sections that may be described without a name: the platform's own router, the store in files."""


def load(path: Path | None = None, *, environment: str = "", overrides: Overrides | None = None) -> Config:
    """Read a configuration for one environment; `uno.yaml` of this folder where no path is given.

    Without any file, everything comes from the command line. Raises ConfigError with every mistake:
    file, line, key, what was found and what was expected. Nothing was touched.
    """
    over = overrides or Overrides()
    if path is None and DEFAULT_FILE.exists():
        path = DEFAULT_FILE
    return load_node(
        read(path) if path else Table(),
        file=path,
        overrides=evolve(over, environment=environment or over.environment),
    )


def load_node(
    root: Node,
    *,
    file: Path | None = None,
    overrides: Overrides | None = None,
    mistakes: Mistakes | None = None,
) -> Config:
    """The same for what was read already, or made with `nodes.from_value`.

    Where `mistakes` is given they are added to it, and what is returned lacks what they spoiled.
    """
    collected = Mistakes() if mistakes is None else mistakes
    config = _Loader(file, overrides or Overrides(), collected).load(root)
    if mistakes is None:
        collected.raise_any()
    return config


def load_layer(layer: Table, *, mistakes: Mistakes, file: Path | None = None, whole: bool = False) -> Config:
    """One layer of a document by itself: its top without `environments`, or one of these.

    Nothing is missing from it, since another layer may have that; what stands in it has to be right.
    whole: no other layer gives its sections their names, so that each has to say it itself.
    """
    return _Loader(file, Overrides(), mistakes).layer(layer, whole=whole)


def load_choices(path: Path | None = None) -> Mapping[str, str]:
    """Only `plugins:`, for commands that have to work while everything else is wrong. Never raises."""
    try:
        root = read(path or DEFAULT_FILE)
    except ConfigError:
        return {}
    node = root.entries.get("plugins") if isinstance(root, Table) else None
    entries = node.entries.items() if isinstance(node, Table) else ()
    return {key: child.text for key, child in entries if isinstance(child, Scalar)}


class _Loader:
    def __init__(self, file: Path | None, over: Overrides, mistakes: Mistakes) -> None:
        self._file = file
        self._over = over
        self._mistakes = mistakes
        self._part = False
        self._nameless: Sequence[str] = NAMELESS

    def load(self, root: Node) -> Config:
        if not isinstance(root, Table):
            raise ConfigError(
                "a configuration is a mapping",
                found=root.told(),
                where=root.where,
                remedy="begin with `application: NAME`",
            )
        self._known(root, ROOT, "")
        self._version(root)
        name, kind, laid = self._environment(root)
        laid, over_strategy = self._overrides(long(laid))
        return self._config(laid, over_strategy, name, kind)

    def layer(self, table: Table, *, whole: bool) -> Config:
        self._part = True
        self._nameless = NAMELESS if whole else tuple(SHORT)
        self._text(table, "environment")
        return self._config(long(table), Table(), "", Kind.PRODUCTION)

    def _known(self, table: Table, known: tuple[str, ...], path: str) -> None:
        for key in table.entries:
            where = f"{table.line(key)}, {path}{key}"
            if key in LATER:
                self._mistakes.add(
                    f"{key} is not supported by this version of uno",
                    where=where,
                    remedy=f"take {key} out, or install a version that has it",
                )
            elif key not in known:
                near = nearest(key, known)
                self._mistakes.add(
                    f"there is no key {path}{key}",
                    found=key,
                    expected="" if near else f"one of {', '.join(known)}",
                    where=where,
                    remedy=near or f"take {key} out",
                )

    def _version(self, root: Table) -> None:
        node = root.entries.get("uno")
        if node is not None and not (isinstance(node, Scalar) and node.text in ("1", "1.0")):
            self._mistakes.add(
                "this version of uno does not read this form of configuration",
                found=f"uno: {node.told()}",
                expected="uno: 1",
                where=f"{root.line('uno')}, uno",
                remedy="write uno: 1, or pip install --upgrade uno-core",
            )

    def _text(self, root: Table, key: str) -> str:
        node = root.entries.get(key)
        if node is None:
            return ""
        if isinstance(node, Scalar) and not node.empty and NAME.fullmatch(node.text):
            return node.text
        self._mistakes.add(
            f"{key} is not what it has to be",
            found=node.told(),
            expected="a name of at most 63 letters, digits, dots, dashes and underscores",
            where=f"{node.where}, {key}" if node.where else key,
            remedy="it stands in the names of files and objects: choose one without other characters",
        )
        return ""

    def _environment(self, root: Table) -> tuple[str, Kind, Table]:
        """Which environment, its kind, and the document with the environment laid over it."""
        if self._over.environment:
            given = Scalar(text=self._over.environment, where="--environment", plain=False)
            root = root.with_entry("environment", given)
        declared = root.entries.get("environments", Table())
        if not isinstance(declared, Table):
            self._mistakes.add(
                "environments is a mapping of names",
                found=declared.told(),
                where=f"{root.line('environments')}, environments",
                remedy="write it as {prod: {kind: production}}",
            )
            declared = Table()
        sections: dict[str, Table] = {}
        for key, node in declared.entries.items():
            path = f"environments.{key}."
            if isinstance(node, Table):
                self._known(node, ("kind", *SECTIONS), path)
                sections[key] = node
            elif isinstance(node, Scalar) and node.empty:
                sections[key] = Table(where=node.where)
            else:
                self._mistakes.add(
                    f"environments.{key} is a mapping",
                    found=node.told(),
                    where=f"{node.where}, {path[:-1]}",
                    remedy=f"write {key}: {{kind: production}}",
                )
        name = self._text(root, "environment") or self._only(root, sections)
        section = sections.get(name, Table())
        kind = self._kind(root, name, declared, section)
        return name, kind, lay(root.without("environments"), section.without("kind"))

    def _only(self, root: Table, sections: Mapping[str, Table]) -> str:
        if len(sections) > 1 and "environment" not in root.entries:
            self._mistakes.add(
                "no environment was named",
                expected=f"one of {', '.join(sections)}",
                where=root.line("environments"),
                remedy=f"--environment {next(iter(sections))}",
            )
        return next(iter(sections), "prod")

    def _kind(self, root: Table, name: str, declared: Table, section: Table) -> Kind:
        if "kind" in section.entries:
            made = self._made(Table(entries={"kind": section.entries["kind"]}), _Kind, f"environments.{name}")
            return made.kind if made else Kind.PRODUCTION
        if name in KINDS:
            return KINDS[name]
        strategy = self._over.strategy or "strategy" in section.entries or "strategy" in root.entries
        if self._file is None or (name in declared.entries and strategy):
            return Kind.PRODUCTION  # the most careful one
        near = nearest(name, [*declared.entries, *KINDS])
        self._mistakes.add(
            f"nobody knows what the environment {name} is for",
            found=name,
            expected=f"one of {', '.join(dict.fromkeys([*declared.entries, *KINDS]))}",
            where=root.entries["environment"].where if "environment" in root.entries else declared.line(name),
            remedy=f"{near + ' or ' if near else ''}declare it: "
            f"environments: {{{name}: {{kind: {' | '.join(Kind)}}}}}",
        )
        return Kind.PRODUCTION

    def _overrides(self, root: Table) -> tuple[Table, Table]:
        over = self._over
        flags = (
            ("application", "--app-name", over.application),
            ("platform", "--platform", over.platform),
            ("strategy", "--strategy", over.strategy),
        )
        for key, flag, text in flags:
            if text:
                given = Scalar(text=text, where=flag, plain=False)
                root = lay(root, Table(entries={key: given}, lines={key: flag}, where=flag))
        if over.namespace:
            given = Scalar(text=over.namespace, where="--namespace", plain=False)
            root = put(root, ["platform", "namespace"], given)
        if over.adopt:
            root = put(root, ["platform", "adopt"], Scalar(text="true", where="--adopt", plain=True))
        strategy = Table(where="--option")
        for written in over.options:
            where = f"--option {written}"
            key, sign, text = written.partition("=")
            path = key.strip().split(".")
            if not sign or not all(path) or path[0] in ("uno", "environment", "environments"):
                self._mistakes.add(
                    "this option cannot be read",
                    found=written,
                    expected="strategy.key=value, platform.key=value, or the like",
                    where="--option",
                    remedy="the environment is named with --environment",
                )
            elif path[0] == "strategy" and len(path) > 1:
                strategy = put(strategy, path[1:], from_option(text, where))
            else:
                self._known(Table(entries={path[0]: Table()}, where=where), SECTIONS, "")
                root = long(put(root, path, from_option(text, where)))
        return root, strategy

    def _made(self, node: Node, cls: type[T], path: str) -> T | None:
        made = structure(node, cls, path, mistakes=self._mistakes, partial=self._part)
        return None if made is WRONG or made is PART else made

    def _choice(self, root: Table, key: str) -> Choice | None:
        node = root.entries.get(key)
        if node is None:
            return None
        name = node.entries.get("name") if isinstance(node, Table) else None
        if not isinstance(node, Table) or (name is None and key not in self._nameless):
            self._mistakes.add(
                f"{key} names nobody",
                found=node.told(),
                expected="a name",
                where=f"{root.line(key)}, {key}",
                remedy=f"write {key}: NAME, or {key}: {{name: NAME, …}}",
            )
            return None
        if name is not None and not (isinstance(name, Scalar) and name.text and not name.empty):
            self._mistakes.add(f"{key}.name is no name", found=name.told(), where=f"{name.where}, {key}.name",
                               remedy=f"write {key}: {{name: NAME, …}}")  # fmt: skip
            return None
        options = evolve(node.without("name"), path=key)
        if key == "traffic" and named(node) == "none" and options.entries:
            self._mistakes.add(
                "traffic: none has no options", found=options.told(), where=f"{node.where}, traffic",
                remedy="take out the options, or the none",
            )  # fmt: skip
        return Choice(name=named(node), options=options, where=name.where if name else node.where)

    def _config(self, root: Table, over_strategy: Table, environment: str, kind: Kind) -> Config:
        release = self._made(root.entries.get("release", Table()), Wanted, "release") or Wanted()
        application = self._text(root, "application")
        if "application" not in root.entries and not self._part:
            self._mistakes.add(
                "the application has no name",
                where=root.where if self._file else f"there is no {DEFAULT_FILE} in {Path.cwd()}",
                remedy="write application: NAME into the file, or give --app-name NAME"
                if self._file
                else "name the file with --config-file FILE, or give --app-name NAME",
            )
        settings = evolve(root, entries={k: v for k, v in root.entries.items() if k in SETTINGS})
        strategy = root.entries.get("strategy")
        return Config(
            application=Application(name=application or "unnamed", environment=environment, kind=kind),
            release=wanted(release, self._over, root.line("release"), self._mistakes),
            platform=self._choice(root, "platform"),
            traffic=self._choice(root, "traffic"),
            state=self._choice(root, "state"),
            engine=self._choice(root, "engine"),
            strategy=named(strategy)
            if self._choice(root, "strategy") and isinstance(strategy, Table)
            else "",
            strategies=self._strategies(root),
            health=self._choice(root, "health"),
            metrics=self._choice(root, "metrics"),
            judge=self._choice(root, "judge"),
            more_metrics=listed(root, "more_metrics", self._mistakes),
            more_judges=listed(root, "more_judges", self._mistakes)
            if "more_judges" in root.entries
            else None,
            notify=listed(root, "notify", self._mistakes),
            plugins=self._plugins(root),
            settings=self._made(settings, Settings, "") or Settings(),
            file=self._file,
            document=root,
            over_strategy=over_strategy,
        )

    def _strategies(self, root: Table) -> Mapping[str, Table]:
        node = self._table(root.entries.get("strategies"), "strategies")
        return {
            name: evolve(self._table(child, f"strategies.{name}"), path=f"strategies.{name}")
            for name, child in node.entries.items()
        }

    def _table(self, node: Node | None, path: str) -> Table:
        if isinstance(node, Table):
            return node
        if node is not None and not (isinstance(node, Scalar) and node.empty):
            self._mistakes.add(
                f"{path} is a mapping", found=node.told(), where=f"{node.where}, {path}",
                remedy=f"write {path.rsplit('.', 1)[-1]}: {{key: value}}",
            )  # fmt: skip
        return Table(where=node.where if node else "")

    def _plugins(self, root: Table) -> Mapping[str, str]:
        node = root.entries.get("plugins")
        if node is None:
            return {}
        table = Table(entries={"plugins": node}, where=node.where)
        made: Any = structure(table, _Plugins, "", mistakes=self._mistakes)
        made = None if made is WRONG else made
        for key in made.plugins if made else ():
            kind, _, name = key.partition(".")
            if kind not in set(PluginKind) or not name:
                self._mistakes.add(
                    f"plugins.{key} chooses nothing",
                    found=key,
                    expected=" or ".join(f"{one}.NAME" for one in PluginKind),
                    where=f"{node.line(key) if isinstance(node, Table) else node.where}, plugins.{key}",
                    remedy=nearest(kind, list(PluginKind))
                    or "write plugins: {strategy.canary: DISTRIBUTION}",
                )
        return made.plugins if made else {}


@attrs.frozen(kw_only=True)
class _Kind:
    kind: Kind


@attrs.frozen(kw_only=True)
class _Plugins:
    plugins: Mapping[str, str] = attrs.field(factory=dict)
