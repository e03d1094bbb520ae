"""Files that are not what they should be: told with their place, and never with a traceback."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uno_judge_sequential.replaying.command import replay

HEADER = "start,end,canary_requests,canary_errors,stable_requests,stable_errors"
ROW = {
    "start": 0,
    "end": 10,
    "canary_requests": 5,
    "canary_errors": 0,
    "stable_requests": 9,
    "stable_errors": 0,
}
WINDOW = {
    "start": "2026-03-01T12:00:00+00:00",
    "end": "2026-03-01T12:00:10+00:00",
    "slot": "green",
    "candidate": {"requests": 5, "errors": 0, "latency": {}, "values": {}},
    "stable": None,
    "share": 10.0,
    "baseline": False,
}


def asked(text, *flags):
    """What it says of this on stdin."""
    return CliRunner().invoke(replay, ["-", *flags], input=text if isinstance(text, bytes) else text.encode())


def row(**changed):
    return json.dumps([{name: value for name, value in {**ROW, **changed}.items() if value is not ...}])


def measured(**changed):
    return json.dumps({"measured": {"metrics": [{"window": {**WINDOW, **changed}, "skipped": False}]}})


TABLES = {
    "empty": ("", "stdin", "an empty file"),
    "only spaces": (" \n\n", "stdin", "an empty file"),
    "only a header": (HEADER, "stdin", "none that counts"),
    "a column is missing": (
        HEADER.replace(",canary_errors", "") + "\n",
        "stdin, line 1",
        "missing canary_errors",
    ),
    "other separators": (HEADER.replace(",", ";"), "stdin, line 1", "missing start"),
    "an unknown column": (f"{HEADER},shar\n", "stdin, line 1", "did you mean share?"),
    "a column twice": (f"{HEADER},start\n", "stdin, line 1", "twice start"),
    "not a number": (f"{HEADER}\n0,10,5,0,9,0\n10,20,many,0,9,0", "stdin, line 3", "'many'"),
    "nothing where a number is": (f"{HEADER}\n0,10,,0,9,0", "stdin, line 2", "nothing"),
    "one of the stable counts": (f"{HEADER}\n0,10,5,0,9,", "stdin, line 2", "stable_errors is wrong"),
    "negative": (f"{HEADER}\n0,10,5,-1,9,0", "stdin, line 2", "'-1'"),
    "NaN": (f"{HEADER}\n0,10,5,0,NaN,0", "stdin, line 2", "'NaN'"),
    "infinite": (f"{HEADER}\n0,10,5,0,1e999,0", "stdin, line 2", "'1e999'"),
    "hexadecimal": (f"{HEADER}\n0,10,0x5,0,9,0", "stdin, line 2", "'0x5'"),
    "more errors than requests": (f"{HEADER}\n0,10,5,6,9,0", "stdin, line 2", "6 of 5 requests"),
    "of the stable slot too": (f"{HEADER}\n0,10,5,5,9,10", "stdin, line 2", "10 of 9 requests"),
    "too few values": (f"{HEADER}\n0,10,5", "stdin, line 2", "3 values"),
    "too many values": (f"{HEADER}\n0,10,5,0,9,0,1", "stdin, line 2", "7 values"),
    "out of order": (
        f"{HEADER}\n10,20,5,0,9,0\n0,10,5,0,9,0",
        "stdin, line 3",
        "before the end of the window",
    ),
    "overlapping": (f"{HEADER}\n0,10,5,0,9,0\n5,15,5,0,9,0", "stdin, line 3", "sort the rows by start"),
    "an end before its start": (f"{HEADER}\n10,10,5,0,9,0", "stdin, line 2", "a time after the start"),
    "no time": (f"{HEADER}\nnoon,10,5,0,9,0", "stdin, line 2", "'noon'"),
    "a time beyond all time": (f"{HEADER}\n0,1e14,5,0,9,0", "stdin, line 2", "end is wrong"),
    "a time before all time": (
        f"{HEADER}\n0001-01-01T00:00:00+14:00,1,5,0,9,0",
        "stdin, line 2",
        "start is wrong",
    ),
    "a share beyond 100": (f"{HEADER},share\n0,10,5,0,9,0,101", "stdin, line 2", "from 0 to 100"),
    "neither true nor false": (f"{HEADER},baseline\n0,10,5,0,9,0,maybe", "stdin, line 2", "'maybe'"),
    "a baseline later": (
        f"{HEADER},baseline\n0,10,5,0,9,0,\n10,20,,,9,0,true",
        "stdin, line 3",
        "the baseline before all others",
    ),
    "a quote that never ends": (f'{HEADER}\n"0,10,5,0,9,0', "stdin, line 2", "it is no CSV"),
    "a field without end": (f"{HEADER}\n{'0' * 200_000},10,5,0,9,0", "stdin, line 2", "field larger"),
    "binary": (b"\x7fELF\x02\x01\x00\x00\xff\xfe", "stdin, line 1", "it is no text"),
    "another encoding": (f"{HEADER}\n0,10,5,0,9,0".encode("utf-16"), "stdin, line 1", "UTF-8"),
    "a byte of zero": (f"{HEADER}\n0,10,5,\0,9,0", "stdin, line 2", "a byte of zero"),
    "too large": (b"0" * 10_000_001, "stdin", "more than 10 MB"),
    "no JSON": ("[{]", "stdin, line 1", "it is no JSON"),
    "NaN in JSON": ('[{"start": NaN}]', "stdin", "NaN, which is no number"),
    "a number without end": (f"[{'9' * 5000}]", "stdin", "it is no JSON"),
    "nesting without end": ("[" * 100_000, "stdin", "it is no JSON"),
    "no windows": ("{}", "stdin", "an object without them"),
    "windows that are none": ('{"windows": 3}', "stdin", "a list of objects"),
    "no window": ("[]", "stdin", "none that counts"),
    "a window that is none": ("[3]", "stdin, window 1", "a number"),
    "a key is missing": (row(canary_errors=...), "stdin, window 1", "missing canary_errors"),
    "an unknown key": (row(baselin=True), "stdin, window 1", "did you mean baseline?"),
    "true is no number": (row(canary_errors=True), "stdin, window 1", "canary_errors is wrong"),
    "a huge number": (row(canary_requests=10**400), "stdin, window 1", "a huge number"),
    "a list is no number": (row(canary_errors=[]), "stdin, window 1", "canary_errors is wrong"),
    "no time in JSON": (row(start=None), "stdin, window 1", "start is wrong"),
    "nothing was measured": ('{"measured": {}}', "stdin, measured", "no provider at all"),
    "measured is none": ('{"measured": []}', "stdin, measured", "a list"),
    "a provider's are none": ('{"measured": {"m": 3}}', "stdin, measured.m", "a list of windows"),
    "a row without a window": ('{"measured": {"m": [{}]}}', "stdin, measured.m[0].window", "null"),
    "a window without a candidate": (
        measured(candidate=None),
        "stdin, measured.metrics[0].window.candidate",
        "an object",
    ),
    "a count that is none": (
        measured(candidate={"requests": "many", "errors": 0}),
        "stdin, measured.metrics[0].window",
        "'many'",
    ),
    "an edge that is none": (
        measured(candidate={"requests": 1, "errors": 0, "latency": {"nan": 1}}),
        "stdin, measured.metrics[0].window.candidate.latency",
        "seconds, or inf",
    ),
    "a bucket that is none": (
        measured(candidate={"requests": 1, "errors": 0, "latency": {"1.0": -1}}),
        "stdin, measured.metrics[0].window.candidate.latency",
        "-1",
    ),
}


@pytest.mark.parametrize(("text", "where", "said"), TABLES.values(), ids=TABLES)
def test_what_is_wrong_is_said_with_its_place(text, where, said):
    told = asked(text)
    assert told.exit_code == 2, told.output
    assert isinstance(told.exception, SystemExit)
    assert f"where: {where}\n" in told.stderr
    assert said in told.stderr
    assert "expected: " in told.stderr
    assert told.stdout == ""


def test_files_that_cannot_be_read(tmp_path):
    for path, said in (
        (tmp_path / "none.csv", "No such file"),
        (tmp_path, "Is a directory"),
        ("a\0b", "null"),
    ):
        told = CliRunner().invoke(replay, [str(path)])
        assert told.exit_code == 2
        assert said in told.stderr
        assert "or - for stdin" in told.stderr


def test_a_table_has_no_providers():
    for text in (f"{HEADER}\n0,10,5,0,9,0", row()):
        told = asked(text, "--provider", "web")
        assert told.exit_code == 2
        assert "a table has no providers" in told.stderr


def test_an_error_is_a_document_too():
    told = asked("", "--output", "json")
    error = json.loads(told.stdout)
    assert (told.exit_code, error["exit_code"]) == (2, 2)
    assert error["error"]["found"] == "an empty file"


def test_what_stands_in_a_file_does_not_drive_the_terminal():
    told = asked(f"{HEADER},\x1b[31mred")
    assert "\x1b" not in told.stderr
    told = asked('{"measured": {"\\ud800": [], "\\u001b[2J": []}}')
    assert told.exit_code == 2
    assert "\x1b" not in told.stderr


def sane(told):
    """Answered or refused, in words."""
    assert told.exit_code in (0, 2), told.output
    assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
    assert "Traceback" not in told.output
    if told.exit_code == 2:
        assert told.stderr.startswith("Error: ")


fuzz = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
numbers = st.one_of(
    st.integers(-5, 5000), st.integers(), st.floats(), st.sampled_from([5e-324, 1e-12, 1e15, 1e308, 2.5])
)
words = st.one_of(
    numbers.map(str), st.sampled_from(["", "NaN", "true", "-0", "2026-03-01", '"', "é"]), st.text()
)
anything = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@fuzz
@given(st.binary())
def test_any_bytes(found):
    sane(asked(found))


@fuzz
@given(
    st.lists(st.lists(words, min_size=5, max_size=9)), st.sampled_from(["", ",share", ",baseline,skipped"])
)
def test_any_table(rows, more):
    sane(asked("\n".join([HEADER + more, *(",".join(row) for row in rows)]).encode("utf-8", "replace")))


@fuzz
@given(anything)
def test_any_document(found):
    for value in (found, [found], {"windows": [found]}, {"measured": found}, {"measured": {"m": found}}):
        sane(asked(json.dumps(value)))


@fuzz
@given(
    st.dictionaries(st.sampled_from([*WINDOW, "more"]), anything),
    st.dictionaries(st.sampled_from(["requests", "errors", "latency"]), anything),
)
def test_any_window_of_a_deployment(changed, figures):
    candidate = {**WINDOW["candidate"], **figures}
    sane(asked(measured(**{"candidate": candidate, "stable": candidate, **changed})))


counts = st.one_of(st.floats(0, 1e15), st.integers(0, 1000), st.sampled_from([0, 5e-324, 1e-300, 1e-9, 1e15]))


@fuzz
@given(st.lists(st.tuples(counts, counts, counts, counts), min_size=1, max_size=30))
def test_any_counts_are_judged(found):
    """Whatever could be counted is judged: nothing overflows, and nothing is divided by nothing."""
    rows = [
        {**ROW, "start": 10 * k, "end": 10 * k + 10}
        | {"canary_requests": max(a, b), "canary_errors": min(a, b)}
        | {"stable_requests": max(c, d), "stable_errors": min(c, d)}
        for k, (a, b, c, d) in enumerate(found)
    ]
    told = asked(json.dumps(rows), "--output", "json")
    assert told.exit_code == 0, told.output
    for one in json.loads(told.stdout)["replays"]:
        assert one["verdict"] in ("pass", "fail", "inconclusive")
        assert one["greatest_log_e"] >= one["log_e"]
