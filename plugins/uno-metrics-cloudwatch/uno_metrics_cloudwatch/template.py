"""Names in braces within the values of dimensions: `{slot}`, `{version}` and so on."""

from __future__ import annotations

import re
from collections.abc import Mapping

KNOWN = ("slot", "version", "app", "environment", "target_group", "load_balancer")
"""What may stand in braces."""

_NAME = re.compile(r"\{([^{}]*)\}")


def used(text: str) -> frozenset[str]:
    """The names that stand in it. Raises ValueError for one that nobody knows."""
    names = _NAME.findall(text)
    for name in names:
        if name not in KNOWN:
            raise ValueError(f"{{{name}}} in {text!r}: expected one of {', '.join(KNOWN)}")
    return frozenset(names)


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with what the names stand for. Raises ValueError where that is not known."""
    for name in sorted(used(text)):
        if not values.get(name):
            raise ValueError(f"nobody knows the {name}, which {text!r} goes by")
    return _NAME.sub(lambda found: values[found[1]], text)
