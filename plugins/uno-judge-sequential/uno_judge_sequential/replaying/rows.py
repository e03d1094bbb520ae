"""Rows of a recorded table, and the windows that they are. What is wrong with one is told with its place."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import field, frozen

from uno_core import ConfigError, Figures, Slot, Window

COUNTS = ("canary_requests", "canary_errors", "stable_requests", "stable_errors")
NEEDED = ("start", "end", *COUNTS)
OPTIONAL = ("share", "baseline", "skipped")
MOST_COUNTED = 1e15
"""A count beyond it is no count of requests any more, and no float tells it from the next one."""

_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_YES, _NO = ("true", "yes", "1"), ("false", "no", "0", "")


@frozen(kw_only=True)
class Row:
    """One line of a table, or one object of a document. where: the file and the place in it.

    exact: more errors than requests are a mistake. What uno has recorded itself may hold them, and the
    judge takes them for as many. latency: histograms by slot, `canary` and `stable`.
    """

    where: str
    values: Mapping[str, Any]
    exact: bool = True
    latency: Mapping[str, Mapping[float, float]] = field(factory=dict)


def windows(rows: Iterable[Row]) -> Sequence[Window]:
    """The windows that count, in order; those that were skipped are left out.

    Raises ConfigError with the place of the first row that is wrong.
    """
    made: list[Window] = []
    for row in rows:
        window = _window(row)
        if made:
            _follows(row, made[-1], window)
        made.append(window)
        if _flag(row, "skipped"):
            made.pop()
    return made


def _window(row: Row) -> Window:
    start, end = _time(row, "start"), _time(row, "end")
    if end <= start:
        raise wrong(row, "end", f"{end.isoformat()}, not after the start", "a time after the start")
    baseline = _flag(row, "baseline")
    share = _number(row, "share") if given(row, "share") else None
    if share is not None and share > 100:
        raise wrong(row, "share", f"{share:g}", "percent, from 0 to 100")
    alone = not given(row, "stable_requests") and not given(row, "stable_errors")
    return Window(
        start=start,
        end=end,
        slot=Slot.GREEN,
        candidate=Figures() if baseline else _figures(row, "canary"),
        stable=None if alone else _figures(row, "stable"),
        share=0.0 if baseline else share,
        baseline=baseline,
    )


def _follows(row: Row, last: Window, window: Window) -> None:
    if window.start < last.end:
        raise wrong(
            row,
            "start",
            f"{window.start.isoformat()}, before the end of the window above, {last.end.isoformat()}",
            "windows in the order of time, that do not overlap",
            remedy="sort the rows by start; take one provider's, and not two",
        )
    if window.baseline and not last.baseline:
        raise wrong(row, "baseline", "true, after windows of the canary", "the baseline before all others")


def _figures(row: Row, slot: str) -> Figures:
    requests, errors = _number(row, f"{slot}_requests"), _number(row, f"{slot}_errors")
    if row.exact and errors > requests:
        raise wrong(
            row, f"{slot}_errors", f"{errors:g} of {requests:g} requests", "not more errors than requests"
        )
    return Figures(requests=requests, errors=errors, latency=row.latency.get(slot, {}))


def given(row: Row, name: str) -> bool:
    """Whether there is anything in a column."""
    value = row.values.get(name)
    return value is not None and not (isinstance(value, str) and not value.strip())


def _number(row: Row, name: str) -> float:
    return counted(row, name, row.values.get(name))


def counted(row: Row, name: str, value: Any) -> float:
    """A count: a number of 0 or more. Raises ConfigError."""
    number = _read(value)
    if number is None or not 0 <= number <= MOST_COUNTED:
        raise wrong(row, name, _shown(value), "a number, from 0 to 10^15")
    return number


def _read(value: Any) -> float | None:
    if isinstance(value, str):
        text = value.strip()
        return float(text) if _NUMBER.fullmatch(text) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # An integer may be greater than any float.
    return float(value) if -MOST_COUNTED * 2 < value < MOST_COUNTED * 2 else math.inf


def _time(row: Row, name: str) -> datetime:
    value = row.values.get(name)
    seconds = _read(value)
    try:
        if seconds is not None:
            return datetime.fromtimestamp(seconds, UTC)
        if isinstance(value, str):
            read = datetime.fromisoformat(value.strip())
            return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass  # told below, as what is no time at all
    raise wrong(row, name, _shown(value), "a time such as 2026-03-01T12:00:00Z, or seconds")


def _flag(row: Row, name: str) -> bool:
    value = row.values.get(name)
    if isinstance(value, bool) or value is None:
        return bool(value)
    word = str(value).strip().lower()
    if word not in (*_YES, *_NO):
        raise wrong(row, name, _shown(value), "true or false")
    return word in _YES


def wrong(row: Row, name: str, found: str, expected: str, remedy: str = "") -> ConfigError:
    """The error of one value."""
    return ConfigError(f"{name} is wrong", found=found, expected=expected, where=row.where, remedy=remedy)


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "nothing"
    text = repr(value) if not isinstance(value, int) or abs(value) < MOST_COUNTED else "a huge number"
    return text if len(text) <= 60 else f"{text[:57]}…"
