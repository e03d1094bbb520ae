"""What a written text means: durations, shares, percent, amounts, numbers.

Each function raises ValueError that says what was expected instead.
"""

from __future__ import annotations

import math
import re

from uno_core.model import Amount, Bounds

_NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_PART = re.compile(rf"({_NUMBER})(ms|[dhms])")

DURATION = "a duration: seconds, or 500ms, 30s, 5m, 1h30m"
SHARE = "a share: 0.01 or 1%"
PERCENT = "percent: 25 or 25%"
BARE = 10
"""Seconds from which on a latency needs its unit."""

LATENCY = "a duration with its unit, 300ms or 0.3s: nobody knows of 300 whether it is milliseconds"
AMOUNT = "a number of instances, or a share of them: 2 or 25%"


def number(text: str) -> float:
    """A finite number, whatever its sign."""
    if re.fullmatch(rf"[-+]?(?:{_NUMBER}|\.[0-9]+)", text) and math.isfinite(value := float(text)):
        return value
    raise ValueError("a number")


def whole_number(text: str) -> int:
    """An integer; `010` is refused, since it is 8 to some and 10 to others. 2.0 is 2, as in JSON."""
    if re.fullmatch(r"[-+]?(?:0|[1-9][0-9]{0,17})(?:\.0+)?", text):
        return int(text.partition(".")[0])
    raise ValueError("a whole number")


def boolean(text: str) -> bool:
    """Any of YAML's words for it."""
    if text in ("true", "True", "TRUE") or text.lower() in ("yes", "on"):
        return True
    if text in ("false", "False", "FALSE") or text.lower() in ("no", "off"):
        return False
    raise ValueError("true or false")


def duration(text: str) -> float:
    """Seconds: `90`, `90s`, `1m30s`, `500ms`."""
    if re.fullmatch(_NUMBER, text):
        total = float(text)
    elif parts := _PART.findall(text) if re.fullmatch(rf"(?:{_PART.pattern})+", text) else []:
        # Divided, not multiplied: 300/1000 is the float that 0.3 is, 300*0.001 need not be.
        total = sum(float(n) / 1000 if unit == "ms" else float(n) * _UNITS[unit] for n, unit in parts)
    else:
        raise ValueError(DURATION)
    if not math.isfinite(total):
        raise ValueError(DURATION)
    return total


def latency(text: str) -> float:
    """A duration; a bare number of 10 or more is refused, since it may have been meant as milliseconds."""
    seconds = duration(text)
    if seconds >= BARE and re.fullmatch(_NUMBER, text):
        raise ValueError(LATENCY)
    return seconds


def write_duration(seconds: float) -> str:
    """The shortest text that `duration` reads as exactly these seconds."""
    for unit, length in _UNITS.items():
        if seconds >= length and seconds % length == 0 and seconds < 1e15:
            return f"{int(seconds // length)}{unit}"
    thousandths = seconds * 1000
    if 0 < thousandths < 1000 and thousandths == int(thousandths) and thousandths / 1000 == seconds:
        return f"{int(thousandths)}ms"
    return f"{seconds!r}s"


def _percent(text: str) -> float | None:
    found = re.fullmatch(rf"({_NUMBER}|\.[0-9]+)\s*%", text)
    return float(found[1]) if found else None


def share(text: str) -> float:
    """From 0 to 1: `0.01` or `1%`. A bare 1 or more is refused: nobody knows whether it is percent."""
    percent = _percent(text)
    if percent is not None:
        if percent <= 100:
            return percent / 100
        raise ValueError("at most 100%")
    value = number(text)
    if value >= 1:
        meant = f"{text}% for {text} in a hundred, " if value <= 100 else ""
        raise ValueError(f"a share, and {text} is ambiguous: write {meant}or a number below 1 such as 0.01")
    if value < 0:
        raise ValueError(SHARE)
    return value


def write_share(value: float) -> str:
    """The text that `share` reads as exactly this share."""
    percent = value * 100
    if percent / 100 == value and value <= 1:
        return f"{percent:g}%" if float(f"{percent:g}") == percent else f"{percent!r}%"
    return repr(value)


def percent(text: str) -> float:
    """A count of percent: `25`, `25%`; 0.1 is 0.1 %."""
    value = _percent(text)
    if value is not None:
        return value
    try:
        return number(text)
    except ValueError:
        raise ValueError(PERCENT) from None


def amount(text: str) -> Amount:
    """`2` or `25%`, more than nothing."""
    value = _percent(text)
    if value is not None and 0 < value <= 100:
        return Amount(value, percent=True)
    if value is None and re.fullmatch(r"[1-9][0-9]{0,8}", text):
        return Amount(float(text))
    raise ValueError(AMOUNT)


def unit_of(metric: str) -> str:
    """The unit of a metric by its name: latencies are durations, rates shares, `cpu` counts cores."""
    if metric.startswith("latency"):
        return "latency"
    if metric == "cpu":
        return "cores"
    return "share" if metric.endswith("_rate") else ""


def cores(text: str) -> float:
    """Processor cores: `1.5`, or `150%` of one."""
    percent = _percent(text)
    return percent / 100 if percent is not None else number(text)


def measure(text: str, unit: str) -> float:
    """A number in a unit: `s`, `latency`, `share`, `cores`, `%`, or a plain number."""
    return {"s": duration, "latency": latency, "share": share, "cores": cores, "%": percent}.get(
        unit, number
    )(text)


def bounds(least: float | None, most: float | None) -> Bounds:
    """Both limits; ValueError where nothing lies between them or none is given."""
    if least is None and most is None:
        raise ValueError("min, max or both")
    if least is not None and most is not None and least > most:
        raise ValueError("a min that is at most the max")
    return Bounds(max=most, min=least)
