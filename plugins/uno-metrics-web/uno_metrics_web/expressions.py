"""Numbers found in a document by JMESPath, and whatever else is found in words."""

from __future__ import annotations

import json
import math
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError


class Unknown(Exception):
    """What was found is no number, for the reason that it holds: there is no data."""


def check(expression: str) -> None:
    """Raises ValueError for what is no JMESPath, with the place."""
    try:
        jmespath.compile(expression)
    except JMESPathError as wrong:
        raise ValueError(f"{expression!r} is no JMESPath: {' '.join(str(wrong).split())}") from None


def found(expression: str, document: Any) -> Any:
    """What the expression finds; None where that is nothing. Raises Unknown where it cannot be worked out."""
    try:
        return jmespath.search(expression, document)
    except JMESPathError as wrong:
        raise Unknown(f"{expression} cannot be worked out: {' '.join(str(wrong).split())}") from None


def number(expression: str, document: Any) -> float:
    """The number that the expression finds. Raises Unknown for anything else: nothing is converted."""
    value = found(expression, document)
    if value is None:
        raise Unknown(f"{expression} finds nothing in the answer {_shown(document)}")
    if isinstance(value, str):
        raise Unknown(
            f"{expression} is the text {_shown(value)}: expected a number; to_number({expression}) makes one"
            " of it"
        )
    if isinstance(value, bool) or not isinstance(value, int | float):
        kind = {bool: "a truth value", list: "a list", dict: "an object"}.get(type(value), "something else")
        raise Unknown(f"{expression} is {kind}, {_shown(value)}: expected a number")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise Unknown(f"{expression} is {result:g}, which is no number to go by")
    return result


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 160 else text[:160] + "…"
