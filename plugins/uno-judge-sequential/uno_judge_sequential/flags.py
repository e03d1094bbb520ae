"""What the flags of the commands take: durations, shares, percent, and numbers that are numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+"
_PART = re.compile(rf"({_NUMBER})(ms|[dhms])")


if TYPE_CHECKING:
    _Type = click.ParamType[Any]
else:
    _Type = click.ParamType  # generic only in newer clicks


class Written(_Type):
    """A value as people write it. A wrong one ends the command with what was found and expected."""

    def __init__(self, name: str, expected: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._expected = expected
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value; click asks again about its own defaults, which are values already."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value.strip())
        except ValueError:
            self.fail(f"{value!r} was found, expected {self._expected}", param, ctx)


def number(text: str) -> float:
    """A finite number of 0 or more, without a sign. Raises ValueError."""
    if not re.fullmatch(rf"(?:{_NUMBER})(?:[eE][-+]?[0-9]{{1,3}})?", text):
        raise ValueError(text)
    return _within(float(text), 0, math.inf)


def _within(value: float, low: float, high: float) -> float:
    """At least low, less than high."""
    if not low <= value < high:
        raise ValueError(value)
    return value


def _over(value: float, low: float, high: float) -> float:
    """More than low, less than high."""
    if not low < value < high:
        raise ValueError(value)
    return value


def _percent(text: str) -> float:
    return number(text.removesuffix("%").rstrip())


def duration(text: str) -> float:
    """Seconds: `90`, `90s`, `1m30s`, `500ms`. Raises ValueError."""
    if re.fullmatch(rf"(?:{_PART.pattern})+", text):
        return sum(float(count) * _UNITS[unit] for count, unit in _PART.findall(text))
    return number(text)


def share(text: str) -> float:
    """From 0 to less than 1: `0.01` or `1%`. A bare 1 or more is nobody's share. Raises ValueError."""
    value = _percent(text) / 100 if text.endswith("%") else number(text)
    return _within(value, 0, 1)


def _percents(text: str) -> tuple[float, ...]:
    return tuple(_whole_or_part(one.strip()) for one in text.split(","))


def _whole_or_part(text: str) -> float:
    value = _percent(text)
    if not 0 < value <= 100:
        raise ValueError(text)
    return value


RATE = Written(
    "number",
    "requests a second: a number greater than 0, at most 10 million",
    lambda t: _over(number(t), 0, 1e7 + 1),
)
DURATION = Written(
    "duration", "a duration greater than 0: 500ms, 30s, 5m, 1h30m", lambda t: _over(duration(t), 0, 1e8)
)
SHARE = Written(
    "share", "a share greater than 0 and less than 100%: 0.001 or 0.1%", lambda t: _over(share(t), 0, 1)
)
ALPHA = Written(
    "share", "a share greater than 0 and less than 50%: 0.01 or 1%", lambda t: _over(share(t), 0, 0.5)
)
PERCENT = Written("percent", "percent, greater than 0 and at most 100: 10 or 10%", _whole_or_part)
PERCENTS = Written("percents", "percent, separated by commas: 25,50,75,100", _percents)
RATIO = Written(
    "ratio", "a ratio of at least 1 and less than 1000: 1.5", lambda t: _within(number(t), 1, 1000)
)
