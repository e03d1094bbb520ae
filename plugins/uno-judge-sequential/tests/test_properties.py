"""What is true of the tests whatever is counted."""

from __future__ import annotations

import itertools
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uno_judge_sequential import Dispersion, FloorTest, RatioTest, combine, history_dispersion

CLIP = math.log(50)


@st.composite
def windows(draw):
    n_c, n_s = draw(st.integers(0, 5000)), draw(st.integers(0, 50000))
    return draw(st.integers(0, n_c)), n_c, draw(st.integers(0, n_s)), n_s


def replayed(rows, **options):
    test, dispersion, logs = RatioTest(**{"clip": CLIP, **options}), Dispersion(), []
    for row in rows:
        logs.append(test.update(*row, phi=dispersion.phi))
        dispersion.update(*row)
    return logs


@given(logs=st.lists(st.floats(-50, 700), min_size=1, max_size=6), order=st.randoms())
def test_the_order_of_metrics_is_irrelevant(logs, order):
    pairs = [(log, 1 / len(logs)) for log in logs]
    shuffled = order.sample(pairs, len(pairs))
    both = [combine([log for log, _ in each], [w for _, w in each]) for each in (pairs, shuffled)]
    assert both[0] == pytest.approx(both[1], abs=1e-9)
    assert min(logs) - 1e-9 <= both[0] <= max(logs) + 1e-9


@given(rows=st.lists(windows(), min_size=1, max_size=6), factor=st.floats(1, 1000))
def test_more_requests_in_both_slots_change_nothing(rows, factor):
    """Only the ratio of the requests counts: of the answers it is those that were bad."""
    scaled = [(x_c, n_c * factor, x_s, n_s * factor) for x_c, n_c, x_s, n_s in rows]
    one, two = RatioTest(clip=CLIP), RatioTest(clip=CLIP)
    assert [one.update(*row) for row in rows] == pytest.approx([two.update(*row) for row in scaled], abs=1e-7)


@given(
    row=windows(), more=st.integers(1, 100), phi=st.floats(1, 50), rho=st.sampled_from([1.0, 1.25, 1.5, 2.0])
)
def test_more_bad_answers_of_the_canary_never_lower_the_evidence(row, more, phi, rho):
    x_c, n_c, x_s, n_s = row
    worse = min(n_c, x_c + more)
    low = RatioTest(rho, clip=CLIP).update(x_c, n_c, x_s, n_s, phi)
    assert RatioTest(rho, clip=CLIP).update(worse, n_c, x_s, n_s, phi) >= low - 1e-9


@given(rows=st.lists(windows(), max_size=20))
def test_a_replay_from_json_is_the_same_as_the_stream(rows):
    assert replayed(json.loads(json.dumps(rows))) == replayed(rows)


@given(rows=st.lists(windows(), max_size=12))
def test_everything_stays_finite(rows):
    dispersion = Dispersion()
    for row, log in zip(rows, replayed(rows, clip=None), strict=True):
        assert math.isfinite(log)
        dispersion.update(*row)
        assert 1 <= dispersion.phi <= 50


def _binomial(n, p):
    return [math.comb(n, x) * p**x * (1 - p) ** (n - x) for x in range(n + 1)]


@settings(deadline=None)
@given(
    n_c=st.integers(1, 6),
    n_s=st.integers(1, 8),
    p_s=st.floats(0.01, 0.9),
    rho=st.sampled_from([1.0, 1.25, 1.5, 2.0]),
    part=st.floats(0.05, 1.0),
)
def test_the_evidence_is_not_expected_to_grow_while_the_canary_is_within_its_margin(n_c, n_s, p_s, rho, part):
    """Every outcome of one window enumerated: the expectation of E is at most 1."""
    p_c = min(1.0, part * rho * p_s)
    expected = 0.0
    for (x_c, a), (x_s, b) in itertools.product(
        enumerate(_binomial(n_c, p_c)), enumerate(_binomial(n_s, p_s))
    ):
        expected += a * b * math.exp(RatioTest(rho).update(x_c, n_c, x_s, n_s))
    assert expected <= 1 + 1e-9


@given(n=st.integers(1, 20), p0=st.floats(0.05, 0.9), part=st.floats(0, 1))
def test_the_same_of_the_floor(n, p0, part):
    chances = _binomial(n, part * p0)
    expected = sum(a * math.exp(FloorTest(p0).update(x, n)) for x, a in enumerate(chances))
    assert expected <= 1 + 1e-9


def test_a_regression_that_begins_late_is_found():
    """Restarts: after 300 good windows at high traffic the bets of the beginning are lost."""
    test = RatioTest(1.25, clip=CLIP)
    for _ in range(300):
        test.update(5, 5000, 50, 45000)
    logs = [test.update(15, 5000, 50, 45000) for _ in range(40)]
    assert max(logs) >= math.log(100)


def test_bursts_raise_the_dispersion_and_a_difference_that_stays_does_not():
    bursts, steady = Dispersion(), Dispersion()
    for number in range(60):
        bursts.update(30 if number % 10 == 0 else 0, 1000, 30 if number % 10 == 5 else 0, 1000)
        steady.update(20, 1000, 4, 1000)
    assert bursts.phi > 5
    assert steady.phi < 2


def test_a_history_of_bursts_is_told_from_one_of_chance():
    quiet = [(n % 3, 1000.0) for n in range(40)]
    bursts = [(20.0 if n % 5 == 0 else 0.0, 1000.0) for n in range(40)]
    assert history_dispersion(quiet) < 1.5
    assert history_dispersion(bursts) > 5
    assert history_dispersion(bursts[:5]) == 1.0


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: RatioTest(0.5), "rho = 0.5"),
        (lambda: RatioTest(math.nan), "rho = nan"),
        (lambda: RatioTest(w0=0), "expected 0 < w0"),
        (lambda: RatioTest().update(-1, 10, 0, 10), "-1 bad of 10 requests of the canary"),
        (lambda: RatioTest().update(0, 10, 11, 10), "11 bad of 10 requests of the stable"),
        (lambda: RatioTest().update(math.nan, 10, 0, 10), "nan bad of 10"),
        (lambda: RatioTest().update(0, math.inf, 0, 10), "0 bad of inf"),
        (lambda: RatioTest().update(0, 10, 0, 10, phi=0.5), "phi = 0.5"),
        (lambda: FloorTest(1.0), "p0 = 1.0"),
        (lambda: Dispersion(0.2), "phi0 = 0.2"),
        (lambda: combine([1.0], [0.4]), "summing to 1"),
    ],
)
def test_what_cannot_be_is_refused_and_told(call, told):
    with pytest.raises(ValueError, match=told):
        call()


def test_slots_as_unequal_as_floats_can_tell_have_no_split_to_vary():
    dispersion = Dispersion()
    for _ in range(3):
        dispersion.update(1e15, 1e15, 1e-9, 1e-9)
    assert dispersion.phi == 1
