from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uno_core import Amount
from uno_core.config import values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5m", 300), ("2h", 7200), ("500ms", 0.5), ("300ms", 0.3), ("90", 90), ("1.5", 1.5),
     ("1h30m", 5400), ("1d", 86400), ("0", 0), ("1m500ms", 60.5)],
)  # fmt: skip
def test_durations(text, seconds):
    assert values.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 minutes", "-5s", "s", "5x", "1e999", "nan", "inf", "5m-3s"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="a duration"):
        values.duration(text)


@given(st.floats(min_value=0, max_value=1e12, allow_nan=False) | st.integers(0, 10**9).map(float))
def test_durations_are_written_and_read_back(seconds):
    assert values.duration(values.write_duration(seconds)) == seconds


@given(st.floats(min_value=0, max_value=1, allow_nan=False))
def test_shares_are_written_and_read_back(share):
    assert values.share(values.write_share(share)) == share


@given(st.text())
def test_no_text_surprises(text):
    readers = (values.duration, values.share, values.percent, values.amount, values.number,
               values.whole_number, values.boolean)  # fmt: skip
    for read in readers:
        with contextlib.suppress(ValueError):
            read(text)


@pytest.mark.parametrize(
    ("text", "share"), [("1%", 0.01), ("0.01", 0.01), ("0.1%", 0.001), ("100%", 1), ("0", 0)]
)
def test_shares(text, share):
    assert values.share(text) == share


@pytest.mark.parametrize("text", ["1", "5", "1.0", "250"])
def test_a_bare_number_of_one_or_more_is_an_ambiguous_share(text):
    with pytest.raises(ValueError, match="ambiguous"):
        values.share(text)


def test_an_ambiguous_share_says_how_to_write_it():
    with pytest.raises(ValueError, match=r"write 1% .* or a number below 1 such as 0\.01"):
        values.share("1")


@pytest.mark.parametrize("text", ["101%", "-1%", "-0.1", "many"])
def test_what_is_no_share(text):
    with pytest.raises(ValueError, match=r"100%|a share|a number"):
        values.share(text)


@pytest.mark.parametrize(("text", "number"), [("2", 2), ("2.0", 2), ("-3", -3), ("0.00", 0)])
def test_whole_numbers_as_json_has_them(text, number):
    assert values.whole_number(text) == number


@pytest.mark.parametrize("text", ["010", "2.5", "1e3", "2.", "0x1F", "1_000", "9" * 19])
def test_what_is_no_whole_number(text):
    with pytest.raises(ValueError, match="a whole number"):
        values.whole_number(text)


@pytest.mark.parametrize("text", ["tRuE", "1", "y", ""])
def test_what_is_no_truth_value(text):
    with pytest.raises(ValueError, match="true or false"):
        values.boolean(text)


@pytest.mark.parametrize(("text", "percent"), [("25", 25), ("25%", 25), ("0.1", 0.1), ("0.1 %", 0.1)])
def test_percent_counts_percent(text, percent):
    assert values.percent(text) == percent


@pytest.mark.parametrize(("text", "amount"), [("2", Amount(2)), ("25%", Amount(25, percent=True))])
def test_amounts(text, amount):
    assert values.amount(text) == amount
    assert str(amount) == text


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "0%", "120%", "all"])
def test_what_is_no_amount(text):
    with pytest.raises(ValueError, match="a number of instances"):
        values.amount(text)


@pytest.mark.parametrize(("text", "seconds"), [("300ms", 0.3), ("0.3", 0.3), ("9.9", 9.9), ("300s", 300)])
def test_a_latency_is_a_duration(text, seconds):
    assert values.latency(text) == seconds


@pytest.mark.parametrize("text", ["10", "300", "300.0"])
def test_a_bare_latency_may_have_been_meant_as_milliseconds(text):
    with pytest.raises(ValueError, match="with its unit, 300ms or"):
        values.latency(text)


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("latency_p95", "latency"),
        ("latency", "latency"),
        ("error_rate", "share"),
        ("cpu", "cores"),
        ("memory", ""),
    ],
)
def test_the_unit_of_a_metric_comes_from_its_name(metric, unit):
    assert values.unit_of(metric) == unit
