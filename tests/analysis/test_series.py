"""Counters are counted to the unit, whatever becomes of them and however a window is cut."""

import math
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uno_core import Growth, grown

NEW = "it began within the window, and its first value 7 was left out"


@pytest.mark.parametrize(
    ("samples", "from_zero", "amount", "why"),
    [
        ([(9, 3), (19, 10)], False, 7, ""),
        ([(1, 1), (9, 3), (12, 5), (19, 10), (21, 99)], False, 7, ""),
        ([(10, 3), (20, 10)], False, 7, ""),  # at the edges: the sample at the start belongs to before
        ([(9, 3), (11, 3)], False, 0, ""),
        ([(9, 100), (12, 104), (15, 2), (19, 5)], False, 9, ""),  # 4, then 2 and 3 of the new process
        ([(9, 100), (12, 1), (15, 0), (19, 4)], False, 5, ""),
        ([(9, 3), (14, 8)], False, 5, ""),  # vanished
        ([(15, 7), (19, 9)], False, 2, NEW),
        ([(15, 7)], False, 0, NEW),
        ([(15, 7), (19, 9)], True, 9, ""),
        ([(9, 3), (19, 10)], True, 7, ""),  # there is a sample of before: nothing to assume
        ([], True, 0, ""),
        ([(21, 5)], True, 0, ""),
    ],
)
def test_a_counter_is_counted(samples, from_zero, amount, why):
    assert grown(samples, 10, 20, from_zero=from_zero) == Growth(amount, why)


@pytest.mark.parametrize("from_zero", [False, True])
@pytest.mark.parametrize("samples", [[(9, 3)], [(1, 1), (9, 3), (21, 5)]])
def test_a_counter_that_was_not_looked_at_is_unknown(samples, from_zero):
    assert grown(samples, 10, 20, from_zero=from_zero) == Growth(None, "it has no sample in the window")


def test_a_new_counter_is_unknown_unless_it_was_zero():
    assert grown([], 10, 20).amount is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -1])
@pytest.mark.parametrize("at", [9, 15, 20])
def test_what_is_no_number_is_unknown_and_not_zero(bad, at):
    samples = [(8, 1), (9, 3), (15, 5), (20, 7)]
    spoiled = [(when, bad if when == at else value) for when, value in samples]
    assert grown(spoiled, 10, 20) == Growth(None, f"a sample is {bad:g}")


def test_what_is_no_number_outside_of_the_window_is_nothing_to_it():
    assert grown([(8, math.nan), (9, 3), (19, 10), (21, math.nan)], 10, 20) == Growth(7)


COUNTERS = st.lists(
    st.tuples(st.integers(0, 100), st.integers(0, 1000)), max_size=30, unique_by=lambda sample: sample[0]
).map(sorted)
"""Samples in time; every step down is a restart."""


@given(COUNTERS, st.lists(st.integers(0, 100), min_size=2, unique=True).map(sorted), st.booleans())
def test_the_parts_of_a_window_sum_to_the_whole(samples, cuts, from_zero):
    whole = grown(samples, cuts[0], cuts[-1], from_zero=from_zero)
    parts = [grown(samples, a, b, from_zero=from_zero) for a, b in pairwise(cuts)]
    assert sum(part.amount or 0 for part in parts) == (whole.amount or 0)
    assert (whole.amount is None) == all(part.amount is None for part in parts)


@given(COUNTERS, st.integers(0, 100), st.integers(0, 100), st.booleans())
def test_no_counter_ever_grows_by_less_than_nothing(samples, one, other, from_zero):
    growth = grown(samples, min(one, other), max(one, other), from_zero=from_zero)
    assert growth.amount is None or growth.amount >= 0


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=5), min_size=1, max_size=6))
def test_what_several_processes_counted_is_all_there_is(lives):
    """Each begins at zero and is scraped after every step."""
    values = [total for steps in lives for total in accumulate(steps, initial=0)]
    samples = [(float(at), float(value)) for at, value in enumerate(values)]
    assert grown(samples, 0, len(samples)).amount == sum(map(sum, lives))
