"""What is installed beside uno, from metadata alone: nothing is imported, and nothing can break it.

Only the standard library is used here, since `uno --help` lists other people's commands with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import metadata
from typing import Any, NamedTuple

CORE = "uno-core"
PLUGINS = "uno"
COMMANDS = "uno.commands"


class Entry(NamedTuple):
    """One entry point of a distribution. `problem` says why it cannot be used, where that shows already."""

    name: str
    value: str
    distribution: str
    version: str
    source: metadata.Distribution
    problem: str = ""

    def requires(self) -> list[str]:
        """The distribution's requirements, as written."""
        return self.source.requires or []

    def load(self) -> Any:
        """Import the module and return the object. Raises whatever the plugin raises."""
        return metadata.EntryPoint(self.name, self.value, PLUGINS).load()


def normalized(name: str) -> str:
    """A distribution's name as it is compared: `Uno_Strategy.Canary` is `uno-strategy-canary`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _header(source: metadata.Distribution, key: str) -> str:
    # Not `source.metadata`: that parses the whole file as an e-mail, each time it is asked for.
    text = source.read_text("METADATA") or source.read_text("PKG-INFO") or ""
    head = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
    found = re.search(rf"^{key}:[ \t]*(\S+)", head, re.MULTILINE | re.IGNORECASE)
    return found[1] if found else ""


def _in_group(source: metadata.Distribution, group: str) -> list[Entry]:
    name, version = _header(source, "Name"), _header(source, "Version")
    try:
        found = [(e.name, e.value) for e in source.entry_points if e.group == group]
    except Exception as error:  # noqa: BLE001 - one unreadable file must not hide all other plugins
        problem = f"its entry points cannot be read: {type(error).__name__}: {error}"
        return [Entry("", "", name, version, source, problem)]
    return [Entry(key, value, name, version, source) for key, value in found]


def scan(group: str) -> list[Entry]:
    """The entry points of a group, sorted by distribution and name.

    Where a distribution is on the path more than once, the first counts, as it does for imports.
    """
    heading = re.compile(rf"^\s*\[\s*{re.escape(group)}\s*\]", re.MULTILINE)
    first: dict[str, list[Entry]] = {}
    for source in metadata.distributions():
        try:
            if not heading.search(source.read_text("entry_points.txt") or ""):
                continue
            name = _header(source, "Name")
            if name and normalized(name) not in first:
                first[normalized(name)] = _in_group(metadata.distribution(name), group)
        except Exception:  # noqa: BLE001, S112 - a half-removed distribution has no name to report it by
            continue
    entries = (entry for found in first.values() for entry in found)
    return sorted(entries, key=lambda entry: (normalized(entry.distribution), entry.name))


def disabled(entry: Entry, environ: Mapping[str, str]) -> str:
    """The variable that disables this plugin and its commands; empty where none does."""
    listed = {normalized(name.strip()) for name in environ.get("UNO_DISABLE_PLUGINS", "").split(",")}
    if {normalized(entry.name), normalized(entry.distribution)} & (listed - {""}):
        return "UNO_DISABLE_PLUGINS"
    every = environ.get("UNO_NO_PLUGINS", "").lower() not in ("", "0", "false", "no")
    return "UNO_NO_PLUGINS" if every and normalized(entry.distribution) != CORE else ""


def commands() -> dict[str, Entry]:
    """The subcommands that plugins bring, by name; nobody is imported.

    Where two bring one name, the first distribution by name keeps it; the other stands there as
    `NAME@DISTRIBUTION`, so that neither is lost.
    """
    found: dict[str, Entry] = {}
    for entry in scan(COMMANDS):
        if not entry.problem:
            found[f"{entry.name}@{entry.distribution}" if entry.name in found else entry.name] = entry
    return found
