"""Placeholders in a URL and in a body: `https://{slot}.shop.example/stats`. Imports nothing heavy."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches

PLACEHOLDERS = ("app", "environment", "slot", "version")

_BRACED = re.compile(r"\{\{([A-Za-z_]\w*)\}\}|\{([A-Za-z_]\w*)\}")


def used(text: str) -> frozenset[str]:
    """The placeholders that stand in it. Raises ValueError for one that there is not."""
    names = [match[2] for match in _BRACED.finditer(text) if match[2]]
    for name in names:
        if name not in PLACEHOLDERS:
            near = get_close_matches(name, PLACEHOLDERS, 1)
            guess = f"; did you mean {{{near[0]}}}?" if near else ""
            expected = ", ".join(f"{{{one}}}" for one in PLACEHOLDERS)
            literal = f"{{{{{name}}}}} for the text itself"
            raise ValueError(f"{{{name}}} is no placeholder: expected {expected}; {literal}{guess}")
    return frozenset(names)


def fill(text: str, values: Mapping[str, str], escape: Callable[[str], str]) -> str:
    """Put the values in, each escaped for where it stands; `{{name}}` becomes `{name}`."""
    return _BRACED.sub(lambda m: escape(values[m[2]]) if m[2] else "{" + m[1] + "}", text)
