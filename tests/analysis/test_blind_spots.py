"""Where data is missing, late or about nobody, and something else is there: none of that decides."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from evidence import BAD, GOOD, Answering, Watching, metric, source

from uno_core import Bounds, Compare, Figures, Slot, Verdict, Window
from uno_core.analysis.evidence import Evidence
from uno_core.builtin import ThresholdJudge, ThresholdOptions
from uno_core.simulation.clock import VirtualClock

UNKNOWN = {"requests": "no series"}


def watched(*answers, name="error_rate", share=None, lag=0.0, stable=(), **bounds):
    clock = VirtualClock()
    more = {"share": share, "stable": Slot.BLUE} if stable else {"share": share}
    one = source(clock, Answering(answers, stable=stable), lag=lag, **more)
    return Watching(clock, Evidence([one], [metric(one, name=name, **bounds)], clock))


def judged(windows, metric_name="error_rate", options=None, **bounds):
    judge = ThresholdJudge(options or ThresholdOptions(), None)
    (finding,) = judge.judge(windows, {metric_name: Bounds(**bounds)})
    return finding


def table(rows, share):
    clock = VirtualClock()
    made = []
    for candidate, stable in rows:
        start = clock.now()
        clock.sleep(5.0)
        made.append(
            Window(
                start=start, end=clock.now(), slot=Slot.GREEN, candidate=candidate, stable=stable, share=share
            )
        )
    return made


# One metric falls silent, and requests flow


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("queue", {"values": {"queue": 5.0}}),
        ("latency_p95", {"latency": {0.05: 950.0, 0.1: 50.0}}),
    ],
)
def test_a_metric_that_vanishes_is_no_pass_though_requests_flow(name, known):
    well, without = Figures(requests=1000.0, **known), Figures(requests=1000.0)
    seen = watched(well, well, without, name=name, max=10.0)
    assert seen.look(2).verdict is Verdict.PASS
    assert seen.look(11).verdict is Verdict.PASS, "what was seen stands for a minute"
    told = seen.look(3)
    assert told.verdict is Verdict.INCONCLUSIVE
    assert "nothing seen for" in told.reason


@pytest.mark.parametrize(
    ("name", "unknown"),
    [("queue", "queue"), ("latency_p95", "latency"), ("latency_p95", "requests"), ("error_rate", "requests")],
)
def test_what_a_provider_says_is_unknown_is_inconclusive_at_once(name, unknown):
    known = {"values": {"queue": 5.0}, "latency": {0.05: 1000.0}, "requests": 1000.0}
    blind = Figures(**known, unknown={unknown: "the query is empty"})
    seen = watched(Figures(**known), blind, name=name, max=10.0)
    assert seen.look().verdict is Verdict.PASS
    told = seen.look()
    assert told.verdict is Verdict.INCONCLUSIVE
    assert "the query is empty" in told.reason


def test_requests_that_are_unknown_are_not_none():
    """A floor on requests neither fails nor passes by what nobody counted."""
    blind = Figures(values={"queue": 5.0}, unknown=UNKNOWN)
    seen = watched(Figures(requests=50.0), blind, Figures(requests=50.0), name="requests", min=10.0)
    assert seen.verdicts(2) == ["pass", "inconclusive"]
    assert "fail" not in seen.verdicts(30)


def test_unknown_counts_are_compared_with_nothing():
    blind = Figures(values={"queue": 5.0}, unknown=UNKNOWN)
    seen = watched(GOOD, GOOD, blind, stable=[GOOD], share=50.0)
    seen.look(4)
    assert [w.stable is None for w in seen.evidence.windows] == [False, True, True]


# Measurements at intervals


@pytest.mark.parametrize("lag", [0.0, 5.0, 30.0])
def test_every_window_belongs_to_one_measurement_however_late_it_can_be_read(lag):
    """Three requests a second that all fail: twenty of them are seen in every interval."""
    assert "fail" in watched(Figures(requests=15.0, errors=15.0), lag=lag, interval=30.0).verdicts(18)
    asked = []

    class Listening(ThresholdJudge):
        def judge(self, windows, bounds):
            asked.append([(w.start, w.end) for w in windows])
            return super().judge(windows, bounds)

    clock = VirtualClock()
    one = source(clock, Answering([Figures(requests=15.0)]), lag=lag)
    judge = Listening(ThresholdOptions(), None)
    Watching(clock, Evidence([one], [metric(one, judge=judge, interval=30.0)], clock)).look(60)
    flat = [window for measurement in asked for window in measurement]
    assert len(flat) == len(set(flat)), "none is judged twice"
    assert all(a[1] == b[0] for a, b in pairwise(flat)), "none is left out"


def test_a_value_that_is_read_seldom_fails_at_its_intervals():
    """Fewer readings than `least_readings` fit into one."""
    high = Figures(requests=100.0, values={"memory": 9e9})
    seen = watched(high, name="memory", max=2e9, interval=10.0, failure_limit=2)
    assert "fail" in seen.verdicts(12)


@pytest.mark.parametrize(
    ("answers", "bounds", "verdict"),
    [([BAD], {"interval": 10.0}, Verdict.FAIL), ([GOOD], {"interval": 10.0, "count": 3}, Verdict.PASS)],
)
def test_what_had_come_to_its_end_has_after_a_crash_too(answers, bounds, verdict):
    clock = VirtualClock()
    one = source(clock, Answering(answers))
    first = Watching(clock, Evidence([one], [metric(one, **bounds)], clock))
    while not first.evidence.ended:
        said = first.look()
    assert said.verdict is verdict
    other = source(clock, Answering(answers))
    second = Watching(clock, Evidence([other], [metric(other, **bounds)], clock))
    second.evidence.recall(first.evidence.memo(), same=True)
    assert second.evidence.verdict().verdict is verdict
    assert second.look(5).reason == said.reason


# Comparisons


@pytest.mark.parametrize("share", [100.0, 50.0])
def test_probes_of_a_slot_without_traffic_are_no_control(share):
    """They never fail, and are all that it gets once the other one has everything."""
    rows = [(Figures(requests=500.0, errors=5.0), Figures(requests=5.0 if share == 100 else 500.0))] * 20
    before = [
        Window(start=w.start, end=w.end, slot=Slot.GREEN, candidate=Figures(), baseline=True, share=0.0,
               stable=Figures(requests=500.0, errors=5.0))
        for w in table(rows, 0.0)
    ]  # fmt: skip
    found = judged([*before, *table(rows, share)], max=1.5, compare=Compare.RATIO)
    assert found.verdict is (Verdict.PASS if share == 100 else Verdict.FAIL)


def test_a_control_that_is_missing_is_not_made_up_for_by_the_past():
    """Both have traffic: what was before the deployment says nothing of an outage that both have now."""
    before = Window(
        start=VirtualClock().now(), end=VirtualClock().now(), slot=Slot.GREEN, candidate=Figures(), share=0.0,
        baseline=True, stable=Figures(requests=5000.0, errors=25.0),
    )  # fmt: skip
    now = table([(Figures(requests=500.0, errors=15.0), None)] * 10, 50.0)
    found = judged([before, *now], max=1.5, compare=Compare.RATIO)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "nothing to compare with" in found.reason


@pytest.mark.parametrize("share", [10, 50, 95])
def test_two_equal_releases_seldom_differ_beyond_a_ratio_by_chance(share):
    """It was nine in ten where one count was held against the other as if neither had any chance in it."""
    rng, failed = random.Random(share), 0
    for _ in range(100):
        rows = []
        for _ in range(60):
            bad = [
                sum(rng.random() < 0.01 for _ in range(n))
                for n in (250 * share // 100, 250 - 250 * share // 100)
            ]
            rows.append((
                Figures(requests=250.0 * share / 100, errors=float(bad[0])),
                Figures(requests=250.0 - 250 * share / 100, errors=float(bad[1])),
            ))  # fmt: skip
        windows = table(rows, float(share))
        failed += any(
            judged(windows[:n], max=1.5, compare=Compare.RATIO).verdict is Verdict.FAIL for n in range(1, 61)
        )
    assert failed <= 25


def test_ten_times_the_errors_differ():
    rows = [(Figures(requests=250.0, errors=25.0), Figures(requests=2250.0, errors=22.0))] * 3
    assert judged(table(rows, 10.0), max=1.5, compare=Compare.RATIO).verdict is Verdict.FAIL
    assert judged(table(rows, 10.0), max=0.02, compare=Compare.DIFFERENCE).verdict is Verdict.FAIL


def test_errors_beside_none_at_all_differ_once_they_are_more_than_a_few():
    few, many = Figures(requests=100.0, errors=3.0), Figures(requests=100.0, errors=30.0)
    clean = Figures(requests=900.0)
    found = judged(table([(few, clean)], 10.0), max=1.5, compare=Compare.RATIO)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "too few to be sure" in found.reason
    assert judged(table([(many, clean)], 10.0), max=1.5, compare=Compare.RATIO).verdict is Verdict.FAIL
