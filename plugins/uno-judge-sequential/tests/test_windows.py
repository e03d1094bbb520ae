"""Windows that are not as one would wish: empty, late, of one slot only, of histograms that differ."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from statistics import NormalDist

import pytest

from uno_core import Bounds, Figures, Slot, Verdict, Window
from uno_judge_sequential.judge import SequentialJudge
from uno_judge_sequential.options import SequentialOptions

START = datetime(2026, 1, 1, tzinfo=UTC)
EDGES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
OWN = (0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28)


def window(number, candidate, stable, share=10.0, *, baseline=False):
    """Ten seconds; counts are (bad, requests), or figures."""
    start = START + timedelta(seconds=10 * number)
    return Window(
        start=start, end=start + timedelta(seconds=10), slot=Slot.GREEN,
        candidate=_figures(candidate) or Figures(), stable=_figures(stable), share=share, baseline=baseline,
    )  # fmt: skip


def table(*steps):
    """Each step: its rows, and what holds for all of them."""
    rows = [(row, more) for rows, more in steps for row in rows]
    return [window(number, *row, **more) for number, (row, more) in enumerate(rows)]


def _figures(counts):
    return Figures(errors=counts[0], requests=counts[1]) if isinstance(counts, tuple) else counts


def judged(windows, **options):
    (finding,) = SequentialJudge(SequentialOptions(**options)).judge(windows, {"sequential": Bounds()})
    return finding


def took(requests, edges, factor=1.0, median=0.1):
    """Log-normal latencies in the buckets of somebody; p95 is about three times the median."""
    upto = [requests * NormalDist().cdf(math.log(edge / median / factor) / 0.7) for edge in edges]
    counts = [after - before for before, after in zip((0.0, *upto), (*upto, requests), strict=False)]
    return Figures(requests=requests, latency=dict(zip((*edges, math.inf), counts, strict=True)))


FINE, BROKEN = ((0, 50), (1, 450)), ((50, 50), (1, 450))


# Histograms


def test_a_release_with_buckets_of_its_own_is_not_slow_for_that():
    told = judged(table(([(took(500, OWN), took(4500, EDGES))] * 60, {})))
    assert told.verdict is Verdict.PASS
    assert "latencies are not compared, the histograms have no edge in common" in told.reason
    assert "edge" not in told.numbers


def test_what_the_histograms_have_in_common_is_compared():
    mine = (0.05, 0.1, 0.3, 0.5, 1.0)
    for factor, verdict in ((1.0, Verdict.PASS), (2.0, Verdict.FAIL)):
        told = judged(table(([(took(500, mine, factor), took(4500, EDGES))] * 60, {})))
        assert told.verdict is verdict, told.reason
        assert told.numbers["edge"] in mine


def test_an_empty_bucket_that_is_left_out_hides_nothing():
    """A provider that tells only of buckets with requests in them: nothing of the canary is above 0.1."""
    slow = Figures(requests=4500, latency={0.1: 4000, 0.5: 500})
    assert (
        judged(table(([(Figures(requests=500, latency={0.05: 500}), slow)] * 60, {}))).numbers["edge"] == 0.1
    )


def test_latencies_that_come_later_change_no_weights():
    """One window without histograms at the beginning: from then on they do not count at all."""
    slow = (took(500, EDGES, 2.0), took(4500, EDGES))
    late = table(([((0, 500), (1, 4500))], {}), ([slow] * 60, {}))
    assert "log_e_latency" not in judged(late).numbers
    before = table(
        ([(None, took(4500, EDGES))], {"baseline": True}), ([((0, 500), (1, 4500))], {}), ([slow] * 60, {})
    )
    assert judged(before).verdict is Verdict.FAIL


def test_what_the_latencies_did_before_tells_how_much_they_vary():
    """The old release stutters every few windows; so does the new one, by chance a little more."""

    def beside(factor):
        return [(None, took(900, EDGES, factor if n % 2 else 1.0)) for n in range(60)]

    rows = [(took(100, EDGES, 1.6), took(900, EDGES))] * 3
    steady, stuttering = (
        judged(table((beside(factor), {"baseline": True, "share": 0.0}), (rows, {}))) for factor in (1.0, 1.6)
    )
    assert steady.verdict is Verdict.FAIL
    assert stuttering.verdict is Verdict.INCONCLUSIVE
    assert stuttering.numbers["log_e_latency"] < 1


# Requests that do not come


def _poisson(random, mean):
    limit, count, product = math.exp(-mean), -1, 1.0
    while product > limit:
        product *= random.random()
        count += 1
    return count


def test_little_traffic_leaves_windows_empty_by_chance():
    """Five requests a second, 5 % of them to the canary, windows of five seconds: a quarter has none."""
    source = random.Random(3)
    rows = [((0, _poisson(source, 1.25)), (0, _poisson(source, 23.75))) for _ in range(400)]
    assert sum(row[0][1] == 0 for row in rows) > 80
    told = [judged(table((rows[:n], {"share": 5.0})), least_requests=100) for n in range(200, 401, 20)]
    assert {one.verdict for one in told} == {Verdict.PASS}
    assert all(one.numbers["usable"] == 1 for one in told)


def test_nobody_asks_at_night():
    pause = [((0, 0), (0, 0))] * 30
    assert judged(table(([*[FINE] * 40, *pause], {}))).verdict is Verdict.PASS
    assert judged(table((pause, {}))).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("share", [10.0, None])
def test_a_canary_that_gets_nothing_is_named(share):
    told = judged(table(([*[FINE] * 40, *[((0, 0), (1, 450))] * 3], {"share": share})))
    assert told.verdict is Verdict.INCONCLUSIVE
    assert "no request reached the new release in 3 windows" in told.reason
    again = judged(table(([*[FINE] * 40, *[((0, 0), (1, 450))] * 3, FINE], {"share": share})))
    assert again.verdict is Verdict.PASS


@pytest.mark.parametrize("missing", [(0, 0), None])
def test_windows_without_the_old_release_pass_nothing(missing):
    told = judged(table(([FINE] * 30, {}), ([((0, 50), missing)] * 10, {})))
    assert told.verdict is Verdict.INCONCLUSIVE
    assert "30 of 40 windows have requests of both, 80% are needed" in told.reason


def test_requests_beside_nobody_are_not_enough_to_pass():
    few = [((0, 10), (0, 90))] * 3
    told = judged(table((few, {}), ([((0, 500), (0, 0))] * 10, {"share": 100.0})))
    assert told.verdict is Verdict.INCONCLUSIVE
    assert "are needed beside some of the old one, 30 were" in told.reason


# All of the traffic at once


def before(number=12):
    return [(None, (1, 500))] * number, {"baseline": True, "share": 0.0}


@pytest.mark.parametrize("share", [100.0, None])
def test_a_switch_is_compared_with_what_was_before_whether_its_share_is_known_or_not(share):
    for bad, verdict in ((20, Verdict.FAIL), (1, Verdict.PASS)):
        rows = [((bad, 500), (0, 0))] * 12
        assert judged(table(before(), (rows, {"share": share}))).verdict is verdict


def test_what_a_preview_was_asked_does_not_count():
    """Before the switch only probes and testers come to it: all of that fails, and nobody is hurt."""
    preview = [((20, 20), (1, 500))] * 6, {"share": 0.0}
    fine = [((1, 500), (0, 0))] * 12, {"share": 100.0}
    told = judged(table(before(), preview, fine))
    assert told.verdict is Verdict.PASS
    assert told.numbers["canary_requests"] == 6000
    bad = [((20, 500), (0, 0))] * 12, {"share": 100.0}
    assert judged(table(before(), preview, bad)).verdict is Verdict.FAIL


def test_requests_that_the_old_release_still_gets_are_compared_with():
    """Both fail as much: what it did before would make the new one look bad."""
    both = [((50, 450), (6, 50))] * 12, {"share": 100.0}
    assert judged(table(before(), both)).verdict is not Verdict.FAIL


# What was found


@pytest.mark.parametrize("probes", [5, 20])
@pytest.mark.parametrize(
    "steps", [[], [([((5, 500), (5, 500))] * 30, {"share": 50.0})]], ids=["switched", "grown"]
)
def test_probes_of_the_old_release_are_no_control(probes, steps):
    """Both fail once in a hundred times; what asks the old one, once it has no share, never does."""
    history = [(None, (5, 500))] * 12, {"baseline": True, "share": 0.0}
    alone = [((5, 500), (0, probes))] * 700, {"share": 100.0}
    assert judged(table(history, *steps, alone)).verdict is not Verdict.FAIL


def test_what_failed_stays_as_it_was_found():
    rows = [*[BROKEN] * 2, *[((0, 5000), (0, 45000))] * 100]
    found = judged(table((rows[:2], {})))
    assert found.verdict is Verdict.FAIL
    assert judged(table((rows, {}))) == found
