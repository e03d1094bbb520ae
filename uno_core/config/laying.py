"""Laying one document over another: short forms are written out, sections that change hands replaced."""

from __future__ import annotations

from attrs import evolve

from uno_core.config.document import CHOICES, LISTS, named
from uno_core.config.nodes import Node, Scalar, Table, merged

SHORT = frozenset({*CHOICES, "strategy"})
"""The sections of which `x: name` is short for `x: {name: name}`."""


def long(root: Table) -> Table:
    """`x: name` written out as `x: {name: name}`, so that one lays over the other."""
    for key in SHORT & root.entries.keys():
        node = root.entries[key]
        if isinstance(node, Scalar) and not node.empty:
            table = Table(
                entries={"name": node}, lines={"name": node.where}, where=node.where, folder=node.folder
            )
            root = evolve(root, entries={**root.entries, key: table})
    return root


def lay(below: Table, above: Table) -> Table:
    """An environment over the document. A section that names another plugin replaces the one below."""
    below, above = long(below), long(above)
    for key in SHORT & below.entries.keys() & above.entries.keys():
        old, new = below.entries[key], above.entries[key]
        if isinstance(old, Table) and isinstance(new, Table):
            other = named(new) not in ("", named(old))
            if other or (named(old) == "none" and key == "traffic"):
                below = below.without(key)
    for key in LISTS:
        if key in above.entries:  # whom one environment names is said there as a whole
            below = below.without(key)
    result = merged(below, above)
    return result if isinstance(result, Table) else below


def put(table: Table, path: list[str], node: Node) -> Table:
    """A table with a node at a key path; what is no mapping on the way is replaced by one."""
    if len(path) == 1:
        return table.with_entry(path[0], node)
    child = table.entries.get(path[0])
    inner = child if isinstance(child, Table) else Table(where=node.where)
    return table.with_entry(path[0], put(inner, path[1:], node))
