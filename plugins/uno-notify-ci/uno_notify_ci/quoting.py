"""Texts of others, made harmless for where they go: commands of a runner, Markdown, a log."""

from __future__ import annotations

import re

LONGEST = 2_000
"""Characters of a text: a message may be a whole log, and runners have limits."""

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def clean(text: str, *, lines: bool = False) -> str:
    """Printable characters only, that can be encoded, and not too many; on one line unless `lines`."""
    text = text.encode("utf-8", errors="replace").decode()[: 2 * LONGEST]
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
    if not lines:
        text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def data(text: str) -> str:
    """The text of a workflow command: its line breaks are escaped, so that no line of it is a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def property_(text: str) -> str:
    """A property of a workflow command: what ends it is escaped, too."""
    return data(text).replace(":", "%3A").replace(",", "%2C")


def markdown(text: str) -> str:
    """A text as it stands, within one cell of a table: no markup, no link, no HTML, no mention."""
    escaped = _PUNCTUATION.sub(r"\\\1", clean(text, lines=True).strip())
    return escaped.replace("\n", "<br>")
