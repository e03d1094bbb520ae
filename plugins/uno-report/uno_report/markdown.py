"""The report as Markdown, for a merge request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from uno_core import Story
from uno_report import telling

_MEANT = re.compile(
    r"""(?P<begins> [@\#!$%&~](?=[\w"]) | :(?=//) | (?<=www)\. | (?<=\bGH)-(?=\d) )
    | (?P<sign> [\\`*_\[\]<>\#|~@&$] )
    | (?P<commit> (?<![0-9a-z]) (?=[a-f]*\d) (?=\d*[a-f]) [0-9a-f]{7,40} (?![0-9a-z]) )""",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
"""What has a meaning of its own on GitHub or GitLab: the sign that begins a mention, a reference or a link,
any other sign, and what may be the name of a commit."""
APART = "<!-- -->"
"""Shows nothing, and keeps two parts from being one word. Mentions, references and commits are looked for in
what entities stand for, so that an entity alone keeps none from being one (github/cmark-gfm, issue 181)."""
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
    return _MEANT.sub(_unmeant, telling.printable(" ".join(text.split())))


def _unmeant(found: re.Match[str]) -> str:
    if name := found["commit"]:
        # No seven of it stand together, which is the least that a commit goes by.
        return APART.join(name[at : at + 6] for at in range(0, len(name), 6))
    return f"&#{ord(found[0])};" + (APART if found["begins"] else "")


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    yield from ("", f"### {title}", "", f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}")
    for row in rows:
        yield f"| {' | '.join(plain(cell) for cell in row)} |"
