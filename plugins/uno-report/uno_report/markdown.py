"""The report as Markdown, for a merge request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from uno_core import Story
from uno_report import telling

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~@&$]|:(?=//))")
SIGNS = {"good": "✅", "back": "↩️", "bad": "❌", "going": "⏳"}


def markdown(story: Story) -> str:
    """A few lines and two tables. Foreign text cannot leave its cell, mention anybody, or become HTML."""
    words, look = telling.status(story)
    lines = [
        f"## {SIGNS[look]} {plain(story.record.id)}: {plain(story.record.version)} {words}",
        "",
        plain(story.why),
        "",
        *(f"- {name}: {plain(value)}" for name, value in telling.facts(story)),
    ]
    lines += _table("Evidence", ("metric", "verdict", "found"), [row[:3] for row in telling.findings(story)])
    lines += _table("Steps", ("time", "took", "what", "outcome"), list(telling.steps(story)))
    lines += _table("Who said what", ("time", "who", "what", "became"), list(telling.words(story)))
    return "\n".join([*lines, "", telling.MARK]) + "\n"


def plain(text: str) -> str:
    """Text that means nothing but itself, on one line."""
    # An entity, since a backslash does not keep a mention from being one.
    return _SPECIAL.sub(lambda found: f"&#{ord(found[1])};", telling.printable(" ".join(text.split())))


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    yield from ("", f"### {title}", "", f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}")
    for row in rows:
        yield f"| {' | '.join(plain(cell) for cell in row)} |"
