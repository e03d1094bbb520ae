"""The sections that may name several plugins: a name, a mapping, or a list of either, each as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import evolve

from uno_core.config.document import Choice, named
from uno_core.config.mistakes import Mistakes
from uno_core.config.nodes import Items, Node, Scalar, Table

EXAMPLES = {
    "notify": 'notify: [{name: webhook, url: "${URL}"}], or notify: [] for nobody',
    "more_metrics": "more_metrics: [{name: web, …}]",
    "more_judges": "more_judges: [{name: sequential, …}], or more_judges: [] for none",
}
"""How each is written."""


def listed(root: Table, section: str, mistakes: Mistakes) -> Sequence[Choice]:
    """Every plugin that is named, in order; none for an empty list. What is no name is a mistake."""
    node = root.entries.get(section)
    if node is None:
        return ()
    if isinstance(node, Items):
        each = [_choice(one, section, f"[{number}]", mistakes) for number, one in enumerate(node.nodes)]
    else:
        each = [_choice(node, section, "", mistakes)]
    return tuple(_made(each))


def _made(choices: Sequence[Choice | None]) -> Iterator[Choice]:
    return (choice for choice in choices if choice is not None)


def _choice(node: Node, section: str, number: str, mistakes: Mistakes) -> Choice | None:
    path = section + number
    if isinstance(node, Scalar) and node.text and not node.empty:
        return Choice(name=node.text, options=Table(path=path, where=node.where), where=node.where)
    if isinstance(node, Table) and (name := named(node)):
        where = node.entries["name"].where
        return Choice(name=name, options=evolve(node.without("name"), path=path), where=where)
    mistakes.add(
        f"{path} names nobody",
        found=node.told(),
        expected="a name, {name: NAME, …}, or a list of these",
        where=f"{node.where}, {path}" if node.where else path,
        remedy=f"write {EXAMPLES[section]}",
    )
    return None
