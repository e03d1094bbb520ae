"""Recorded windows out of a file: CSV, JSON, or the document of `uno show --output json`."""

from __future__ import annotations

import csv
import difflib
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from uno_core import ConfigError, Window
from uno_judge_sequential.replaying.rows import NEEDED, OPTIONAL, Row, counted, windows, wrong

MOST_BYTES = 10_000_000
"""More than a month of windows of ten seconds: nobody's deployment."""

COLUMNS = (*NEEDED, *OPTIONAL)


def read(name: str, provider: str | None = None) -> Sequence[Window]:
    """The windows of a file, `-` for stdin. provider: whose, where a document has those of several.

    Raises ConfigError that says what is wrong, and where.
    """
    where = "stdin" if name == "-" else name
    text = _text(_bytes(name, where), where)
    if not text.strip():
        raise ConfigError("there is nothing in it", found="an empty file", expected=_EITHER, where=where)
    document = text.lstrip()[:1] in ("{", "[")
    if provider is not None and not document:
        raise ConfigError(
            "a table has no providers", found=f"--provider {provider}", where=where, remedy="leave it out"
        )
    made = windows(_of_json(text, where, provider) if document else _of_csv(text, where))
    if not made:
        raise ConfigError(
            "there is no window in it",
            found="none that counts",
            expected="one window a row",
            where=where,
            remedy="uno show ID --output json has those of a deployment whose provider counts per slot",
        )
    return made


_EITHER = f"CSV with the columns {', '.join(NEEDED)}; or JSON"


def _bytes(name: str, where: str) -> bytes:
    try:
        if name == "-":
            found = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                found = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as problem:
        told = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        raise ConfigError(
            "it cannot be read", found=told, expected="a file, or - for stdin", where=where
        ) from problem
    if len(found) > MOST_BYTES:
        raise ConfigError(
            "it is too large",
            found=f"more than {MOST_BYTES // 1_000_000} MB",
            expected="the windows of one deployment, or of some days",
            where=where,
            remedy="cut it, or take longer windows",
        )
    return found


def _text(found: bytes, where: str) -> str:
    try:
        text = found.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = found.count(b"\n", 0, problem.start) + 1
        raise _no_text(f"{where}, line {line}", f"the byte 0x{found[problem.start]:02x}") from problem
    if "\0" in text:
        raise _no_text(f"{where}, line {text.count(chr(10), 0, text.index(chr(0))) + 1}", "a byte of zero")
    return text


def _no_text(where: str, found: str) -> ConfigError:
    return ConfigError(
        "it is no text", found=found, expected="UTF-8", where=where, remedy="save it as CSV in UTF-8"
    )


def _of_csv(text: str, where: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip() for name in next(reader)]
        _check_names(names, f"{where}, line {reader.line_num}", whole=True)
        for cells in reader:
            place = f"{where}, line {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(names):
                raise ConfigError(
                    "the row has another length than the header",
                    found=f"{len(cells)} values",
                    expected=f"{len(names)}",
                    where=place,
                )
            yield Row(where=place, values=dict(zip(names, cells, strict=True)))
    except csv.Error as problem:
        raise ConfigError(
            "it is no CSV",
            found=str(problem),
            expected="values separated by commas",
            where=f"{where}, line {reader.line_num}",
        ) from problem


def _check_names(names: Sequence[str], where: str, *, whole: bool) -> None:
    missing = [name for name in NEEDED if name not in names] if whole else []
    unknown = [name for name in names if name not in COLUMNS]
    twice = sorted({name for name in names if names.count(name) > 1})
    found = f"missing {', '.join(missing)}" if missing else ""
    found = found or (f"unknown {unknown[0][:60]!r}" if unknown else "")
    found = found or (f"twice {twice[0]}" if twice else "")
    if not found:
        return
    near = difflib.get_close_matches(unknown[0], COLUMNS, n=1) if unknown else []
    raise ConfigError(
        "the columns are wrong",
        found=found,
        expected=f"{', '.join(NEEDED)}; and if you like {', '.join(OPTIONAL)}",
        where=where,
        remedy=f"did you mean {near[0]}?"
        if near
        else "the first line names the columns, separated by commas",
    )


def _of_json(text: str, where: str, provider: str | None) -> Iterator[Row]:
    try:
        document = json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as problem:
        raise ConfigError(
            "it is no JSON", found=problem.msg, expected=_EITHER, where=f"{where}, line {problem.lineno}"
        ) from problem
    except (ValueError, RecursionError) as problem:
        found = "a nesting without end" if isinstance(problem, RecursionError) else str(problem)
        raise ConfigError("it is no JSON", found=found, expected=_EITHER, where=where) from problem
    if isinstance(document, Mapping) and "measured" in document:
        return _of_measured(document["measured"], where, provider)
    if provider is not None:
        raise ConfigError(
            "a table has no providers", found=f"--provider {provider}", where=where, remedy="leave it out"
        )
    rows = document.get("windows") if isinstance(document, Mapping) else document
    if not isinstance(rows, list):
        raise ConfigError(
            "there are no windows in it",
            found="an object without them",
            expected="a list of objects, or an object with windows or measured",
            where=where,
            remedy="uno show ID --output json makes one",
        )
    return _of_list(rows, where)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word}, which is no number")


def _of_list(rows: Sequence[Any], where: str) -> Iterator[Row]:
    for number, values in enumerate(rows):
        place = f"{where}, window {number + 1}"
        _check_object(values, place)
        # A baseline has no canary, and needs no zeros for it.
        _check_names(list(values), place, whole=not values.get("baseline"))
        yield Row(where=place, values=values)


def _check_object(value: Any, where: str) -> None:
    if not isinstance(value, Mapping):
        raise ConfigError("it is no object", found=_kind(value), expected="an object", where=where)


def _kind(value: Any) -> str:
    names = {type(None): "null", bool: "true or false", str: "a text", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")


def _of_measured(measured: Any, where: str, provider: str | None) -> Iterator[Row]:
    _check_object(measured, f"{where}, measured")
    key = _chosen(measured, where, provider)
    rows = measured[key]
    if not isinstance(rows, list):
        raise ConfigError(
            "it is no list", found=_kind(rows), expected="a list of windows", where=f"{where}, measured.{key}"
        )
    for number, row in enumerate(rows):
        place = f"{where}, measured.{key}[{number}]"
        _check_object(row, place)
        _check_object(row.get("window"), f"{place}.window")
        yield _recorded(row["window"], skipped=row.get("skipped"), where=f"{place}.window")


def _chosen(measured: Mapping[str, Any], where: str, provider: str | None) -> str:
    if provider is not None and provider in measured:
        return provider
    counting = [key for key, rows in measured.items() if _counts(rows)]
    if provider is None and len(counting) == 1:
        return counting[0]
    if provider is None and not counting and len(measured) == 1:
        return next(iter(measured))
    raise ConfigError(
        "it is not clear whose windows are meant" if provider is None else f"there is no provider {provider}",
        found=", ".join(measured) or "no provider at all",
        expected="one that counts requests",
        where=f"{where}, measured",
        remedy=f"--provider {counting[0]}" if counting else "a deployment that was measured",
    )


def _counts(rows: Any) -> bool:
    """Whether there is any request in what a provider gave; what has another shape is told of later."""
    if not isinstance(rows, list):
        return False
    found = [row.get("window") for row in rows if isinstance(row, Mapping)]
    slots = [w.get(slot) for w in found if isinstance(w, Mapping) for slot in ("candidate", "stable")]
    return any(slot.get("requests") for slot in slots if isinstance(slot, Mapping))


def _recorded(window: Mapping[str, Any], *, skipped: Any, where: str) -> Row:
    values: dict[str, Any] = {name: window.get(name) for name in ("start", "end", "share", "baseline")}
    values["skipped"] = skipped
    latency: dict[str, Mapping[float, float]] = {}
    for slot, named in (("canary", "candidate"), ("stable", "stable")):
        figures: Any = window.get(named)
        if figures is None and slot == "stable":
            continue
        _check_object(figures, f"{where}.{named}")
        values |= {f"{slot}_{count}": figures.get(count) for count in ("requests", "errors")}
        latency[slot] = _histogram(figures.get("latency"), f"{where}.{named}.latency")
    return Row(where=where, values=values, exact=False, latency=latency)


def _histogram(found: Any, where: str) -> Mapping[float, float]:
    if found is None:
        return {}
    _check_object(found, where)
    row = Row(where=where, values=found)
    made: dict[float, float] = {}
    for edge, count in found.items():
        try:
            upper = float(edge)
        except ValueError:
            upper = -1.0
        if not upper >= 0:  # NaN is not either
            raise wrong(row, "an edge", repr(edge)[:60], "seconds, or inf")
        made[upper] = counted(row, edge, count)
    return made
