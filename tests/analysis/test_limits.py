"""The limits of one metric: what a measurement is, how many may fail, say nothing, or err."""

from __future__ import annotations

import math

import pytest
from evidence import BAD, GOOD, NOTHING, Answering, Watching, metric, source, watching

from uno_core import Figures, NoData, Verdict
from uno_core.analysis.evidence import Evidence
from uno_core.simulation.clock import Hangs, VirtualClock

DOWN = OSError("connection refused")


def test_the_first_failure_fails_where_none_is_let_pass():
    watched = watching(GOOD, BAD)
    assert watched.verdicts(2) == ["pass", "fail"]


@pytest.mark.parametrize("limit", [0, 1, 2, 5])
def test_one_more_failure_than_the_limit_fails(limit):
    """Limit 2: the third failure fails."""
    watched = watching(BAD, interval=5.0, failure_limit=limit)
    verdicts = watched.verdicts(limit + 1)
    assert verdicts == ["inconclusive"] * limit + ["fail"]
    told = watched.evidence.verdict().reason
    assert (f"{limit + 1} failures, {limit} allowed" in told) is (limit > 0)


def test_a_failure_that_is_let_pass_is_no_pass():
    watched = watching(GOOD, BAD, GOOD, interval=5.0, failure_limit=2)
    assert watched.verdicts(3) == ["pass", "inconclusive", "pass"]
    assert "failure 1 of 2 allowed" not in watched.evidence.verdict().reason


def test_errors_are_retried_on_a_cadence_of_their_own():
    """Ten seconds apart, without using up the count; four in a row are let pass, the fifth is ERROR."""
    clock = VirtualClock()
    provider = Answering([DOWN])
    one = source(clock, provider)
    watched = Watching(clock, Evidence([one], [metric(one, count=2)], clock))
    verdicts = watched.verdicts(10)
    assert len(provider.asked) == 5
    assert verdicts[:8] == ["inconclusive"] * 8
    assert verdicts[-1] == "error"
    assert "failed 5 times in a row: connection refused" in watched.evidence.verdict().reason
    assert watched.evidence.ended


def test_an_error_between_does_not_use_up_the_count():
    watched = watching(GOOD, DOWN, DOWN, GOOD, count=2, interval=5.0)
    verdicts = watched.verdicts(7)
    assert verdicts[-1] == "pass"
    assert "pass" not in verdicts[:-2]


def test_a_success_begins_the_row_of_errors_anew():
    watched = watching(*[DOWN] * 4, GOOD, *[DOWN] * 4, GOOD)
    assert "error" not in watched.verdicts(18)


def test_a_provider_that_is_back_after_an_error_is_measured_again():
    watched = watching(*[DOWN] * 5, GOOD)
    verdicts = watched.verdicts(12)
    assert "error" in verdicts
    assert verdicts[-1] == "pass"


@pytest.mark.parametrize("before", [(), (GOOD,)], ids=["never", "well before"])
def test_a_provider_that_is_back_and_has_no_data_is_no_error_and_no_pass(before):
    watched = watching(*before, DOWN, NOTHING, consecutive_error_limit=0)
    verdicts = watched.verdicts(len(before) + 3)
    assert verdicts[-3:] == ["error", "error", "inconclusive"]
    told = watched.look().reason
    assert "times in a row" not in told
    assert ("nothing seen yet since played failed; before" if before else "no requests") in told


def test_how_many_errors_are_let_pass_can_be_said():
    watched = watching(DOWN, consecutive_error_limit=0)
    assert watched.verdicts(1) == ["error"]


def test_a_count_ends_the_measurements():
    clock = VirtualClock()
    provider = Answering([GOOD])
    one = source(clock, provider)
    watched = Watching(clock, Evidence([one], [metric(one, count=3, interval=10.0)], clock))
    assert watched.verdicts(6) == ["inconclusive"] * 4 + ["pass", "pass"]
    assert "3 of 3 measurements passed" in watched.evidence.verdict().reason
    watched.evidence._sources[0].watcher._provider.answers = [BAD]
    assert watched.look().verdict is Verdict.PASS


def test_a_count_of_failures_alone_never_passes():
    watched = watching(BAD, count=2, failure_limit=9, interval=5.0)
    assert "pass" not in watched.verdicts(5)


def test_nothing_is_measured_before_the_delay():
    watched = watching(BAD, GOOD, GOOD, delay=10.0)
    assert watched.look().verdict is Verdict.INCONCLUSIVE
    assert "measured from 10 s after the beginning on" in watched.evidence.verdict().reason
    # The bad window of before the delay counts for nothing.
    assert watched.look(2).verdict is Verdict.PASS


def test_an_interval_measures_what_was_seen_since():
    watched = watching(BAD, GOOD, interval=30.0, failure_limit=1)
    watched.look()
    assert watched.look(6).verdict is Verdict.PASS


def test_inconclusive_beyond_its_limit_ends_it():
    watched = watching(GOOD, NOTHING, inconclusive_limit=1, interval=5.0)
    assert watched.verdicts(3) == ["pass", "inconclusive", "inconclusive"]
    assert watched.evidence.ended
    assert "2 measurements said nothing" in watched.evidence.verdict().reason


def test_what_was_inconclusive_too_often_begins_anew_when_there_is_data_again():
    watched = watching(NOTHING, NOTHING, GOOD, inconclusive_limit=1)
    watched.look(2)
    assert watched.evidence.ended
    assert watched.look().verdict is Verdict.PASS


def test_no_measurement_is_inconclusive():
    watched = watching(GOOD)
    assert watched.evidence.look().verdict is Verdict.INCONCLUSIVE
    assert "no data yet" in watched.evidence.verdict().reason


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("error_rate", Figures(requests=math.nan)),
        ("error_rate", Figures(requests=100.0, errors=math.nan)),
        ("error_rate", Figures(requests=math.inf)),
        ("error_rate", Figures(requests=-5.0)),
        ("latency_p95", Figures(requests=100.0, latency={0.1: math.nan})),
        ("cpu", Figures(requests=100.0, values={"cpu": math.nan})),
        ("cpu", Figures(requests=100.0, values={"cpu": -math.inf})),
    ],
)
@pytest.mark.parametrize("limits", [{"max": 1e9}, {"min": -1e9}, {"min": -1e9, "max": 1e9}])
def test_what_is_no_number_is_no_pass_whatever_the_limits_say(name, figures, limits):
    watched = watching(figures, name=name, **limits)
    assert set(watched.verdicts(4)) == {"inconclusive"}


def test_a_value_that_is_no_number_now_is_no_pass_though_it_was_one_before():
    sound = Figures(requests=100.0, values={"cpu": 0.1})
    watched = watching(sound, Figures(requests=100.0, values={"cpu": math.nan}), name="cpu", max=0.9)
    assert watched.verdicts(2) == ["pass", "inconclusive"]
    assert "cpu is nan" in watched.evidence.verdict().reason


def test_one_value_that_is_no_number_spoils_no_other_metric():
    clock = VirtualClock()
    one = source(clock, Answering([Figures(requests=1000.0, values={"cpu": math.nan})]))
    evidence = Evidence([one], [metric(one), metric(one, name="cpu", max=1.0)], clock)
    analysis = Watching(clock, evidence).look()
    assert [f.verdict for f in analysis.findings] == [Verdict.PASS, Verdict.INCONCLUSIVE]


def test_silence_makes_what_passed_inconclusive_after_a_minute():
    watched = watching(GOOD, NOTHING)
    assert watched.look().verdict is Verdict.PASS
    assert watched.look(11).verdict is Verdict.PASS
    assert watched.look(2).verdict is Verdict.INCONCLUSIVE


def test_a_metric_that_is_only_tried_is_shown_and_counts_for_nothing():
    clock = VirtualClock()
    one = source(clock, Answering([BAD]))
    evidence = Evidence([one], [metric(one, dry_run=True), metric(one, name="requests", min=1.0)], clock)
    analysis = Watching(clock, evidence).look()
    assert analysis.verdict is Verdict.PASS
    tried = analysis.findings[0]
    assert (tried.verdict, tried.advisory) == (Verdict.FAIL, True)


class Hanging:
    """A provider that never answers."""

    def window(self, *_):
        raise Hangs

    sample = window


def test_a_provider_that_hangs_delays_no_verdict_of_another():
    """Traffic goes back in the same simulated second with a hanging provider beside as without."""

    def seconds(*, beside: bool) -> float:
        clock = VirtualClock()
        seen = source(clock, Answering([BAD]))
        sources, metrics = [seen], [metric(seen)]
        if beside:
            hanging = source(clock, Hanging(), key="hanging")
            sources.insert(0, hanging)
            metrics.insert(0, metric(hanging, name="refused", max=1.0))
        evidence = Evidence(sources, metrics, clock)
        clock.sleep(5.0)
        while evidence.look().verdict is not Verdict.FAIL:
            clock.sleep(0.5)
        return clock.monotonic()

    assert seconds(beside=True) - seconds(beside=False) < 0.1


def test_a_provider_that_hangs_is_an_error_every_ten_seconds():
    clock = VirtualClock()
    one = source(clock, Hanging())
    watched = Watching(clock, Evidence([one], [metric(one)], clock))
    watched.look(6)
    assert watched.evidence.verdict().verdict is Verdict.INCONCLUSIVE
    assert watched.look(12).verdict is Verdict.ERROR
    assert "no answer within" in watched.evidence.verdict().reason


def test_a_broken_judge_is_an_error_of_its_own_metric():
    class Broken:
        def judge(self, windows, bounds):
            raise ValueError("no idea")

    clock = VirtualClock()
    one = source(clock, Answering([GOOD]))
    evidence = Evidence([one], [metric(one), metric(one, name="cpu", max=1.0, judge=Broken())], clock)
    analysis = Watching(clock, evidence).look()
    assert [f.verdict for f in analysis.findings] == [Verdict.PASS, Verdict.ERROR]
    assert "the judge failed: ValueError: no idea" in analysis.reason


def test_what_is_missing_is_told_in_the_providers_words():
    watched = watching(NoData("no series match up{job='shop'}"))
    assert "no series match up{job='shop'}" in watched.look().reason
