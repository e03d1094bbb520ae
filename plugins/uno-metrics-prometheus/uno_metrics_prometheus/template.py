"""Placeholders in PromQL: `http_requests_total{slot="{slot}"}`.

In PromQL braces stand outside of quotes, and values inside of them. So a placeholder is a name in
braces inside of quotes, where its value is escaped; outside there is only `{window}`. A literal
`{name}` inside of quotes, as in the route `/items/{name}`, is written with two braces on each side.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import pairwise

from attrs import frozen

Matchers = Mapping[str, tuple[str, str]]
"""For each label the operator and the value, in a selector with its quotes."""

PLACEHOLDERS = ("app", "environment", "slot", "version", "window")

_BRACED = re.compile(r"\{\{([A-Za-z_]\w*)\}\}|\{([A-Za-z_]\w*)\}")
_LABEL = re.compile(r"([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*$")
_SELECTOR = re.compile(r"\s*(?P<metric>[A-Za-z_:][\w:]*)?\s*(?P<matchers>\{[^{}()\[\]]*\})?\s*")


@frozen
class _Piece:
    """A part of a query: text between quotes, or outside of any. comment: nobody reads it.

    quote: which one, empty outside. pattern: it is matched as a regular expression.
    """

    text: str
    quote: str = ""
    pattern: bool = False
    comment: bool = False


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put the values into the places of the placeholders, so that none can break out of its quotes.

    Where a label is matched by `=~` or `!~` a value stands for itself, not for a pattern. Raises
    ValueError for a placeholder that there is not, and for one that stands outside of quotes.
    """
    return "".join(_filled(piece, values) for piece in _pieces(text))


def used(text: str) -> frozenset[str]:
    """The placeholders that stand in it. Raises ValueError as `fill` does."""
    found: set[str] = set()
    for piece in _pieces(text):
        if not piece.comment:
            found |= {match[2] for match in _BRACED.finditer(piece.text) if _known(match, piece)}
    return frozenset(found)


def plain(text: str, values: Mapping[str, str]) -> str:
    """The same in a text that is no PromQL. Raises ValueError for a placeholder that there is not."""
    piece = _Piece(text, quote='"')
    return _BRACED.sub(lambda match: values[match[2]] if _known(match, piece) else "{" + match[1] + "}", text)


def quoted(text: str) -> str:
    """A label's value as PromQL has it; placeholders in it stay."""
    return '"' + _escaped(text, '"') + '"'


def says(value: str, text: str) -> bool:
    """Whether a text in quotes is the one that is written for this value."""
    return text[1:-1] == (value if text[0] == "`" else _escaped(value, text[0]))


def pattern(text: str) -> str:
    """A pattern that matches the text alone; placeholders in it stay."""
    parts = re.split(r"(\{\{?[A-Za-z_]\w*\}\}?)", text)
    return "".join(part if number % 2 else re.escape(part) for number, part in enumerate(parts))


def selector(text: str) -> tuple[str, Matchers]:
    """The metric that a selector names, empty where only labels do, and what it matches them by.

    Raises ValueError where it is anything else, a function or a range for instance.
    """
    pieces = list(_pieces(text))
    outside = "".join(piece.text if not piece.quote else '""' for piece in pieces)
    match = _SELECTOR.fullmatch(outside)
    if not match or not (match["metric"] or match["matchers"]):
        raise ValueError(
            f'{text}: expected a selector such as http_requests_total{{job="shop", slot="{{slot}}"}}, without'
            " function and range: uno counts by the samples themselves"
        )
    matchers, names = {}, [match["metric"] or ""]
    for before, piece in pairwise(pieces):
        if label := _LABEL.search(before.text):
            matchers[label[1]] = (label[2], piece.text)
        elif piece.quote:  # a metric's name that is no word stands among the labels
            names.append(piece.text[1:-1])
    return next(filter(None, names), ""), matchers


def _pieces(text: str) -> Iterator[_Piece]:
    at, before = 0, ""
    while at < len(text):
        begin = next((i for i in range(at, len(text)) if text[i] in "\"'`#"), len(text))
        if begin > at:
            before = text[at:begin]
            yield _Piece(before)
        if begin == len(text):
            return
        if text[begin] == "#":
            at = len(text) if (end := text.find("\n", begin)) < 0 else end
            yield _Piece(text[begin:at], comment=True)
            continue
        at = _closing(text, begin)
        pattern = before.rstrip().endswith(("=~", "!~"))
        yield _Piece(text[begin:at], quote=text[begin], pattern=pattern)
        before = ""


def _closing(text: str, begin: int) -> int:
    """Just behind the quote that ends what the one at `begin` began."""
    quote, at = text[begin], begin + 1
    while at < len(text):
        if text[at] == quote:
            return at + 1
        at += 2 if text[at] == "\\" and quote != "`" else 1
    raise ValueError(f"{text}: the quote {quote} is never closed")


def _filled(piece: _Piece, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if not _known(match, piece):
            return "{" + match[1] + "}"
        text = values[match[2]]
        if not piece.quote:
            return text
        return _escaped(re.escape(text) if piece.pattern else text, piece.quote)

    return piece.text if piece.comment else _BRACED.sub(value, piece.text)


def _known(match: re.Match[str], piece: _Piece) -> bool:
    """Whether it is a placeholder; otherwise braces that are meant. Raises ValueError where it is neither."""
    name = match[2]
    if name is None and piece.quote:
        return False
    if name is None or name not in PLACEHOLDERS:
        near = get_close_matches(name or match[1], PLACEHOLDERS, 1)
        guess = f"; did you mean {{{near[0]}}}?" if near else ""
        expected = ", ".join(f"{{{one}}}" for one in PLACEHOLDERS)
        literal = f"; {{{match[0]}}} for the text itself" if piece.quote else ""
        raise ValueError(f"{match[0]} is no placeholder: expected {expected}{literal}{guess}")
    if not piece.quote and name != "window":
        raise ValueError(f'{match[0]} stands outside of quotes: write label="{match[0]}"')
    if piece.quote == "`":
        raise ValueError(f'{match[0]} stands in backquotes, where nothing can be escaped: use "…"')
    return True


def _escaped(text: str, quote: str) -> str:
    """As it stands between these quotes in PromQL, which escapes as Go does."""
    text = text.replace("\\", "\\\\").replace(quote, "\\" + quote).replace("\n", "\\n")
    return "".join(c if c >= " " else f"\\x{ord(c):02x}" for c in text)
