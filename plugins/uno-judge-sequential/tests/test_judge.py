"""The judge: what it makes of a table of windows."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from uno_core import Bounds, Figures, Slot, Traffic, Verdict, Window
from uno_core.testing import JudgeContract, PluginContract
from uno_judge_sequential.judge import SequentialJudge
from uno_judge_sequential.options import SequentialOptions

START = datetime(2026, 1, 1, tzinfo=UTC)
ASKED = {"sequential": Bounds()}


class TestContract(JudgeContract):
    @pytest.fixture
    def judge(self, services):
        return SequentialJudge(SequentialOptions(), services)

    @pytest.fixture
    def bounds(self):
        return ASKED


class TestPlugin(PluginContract):
    distribution = "uno-judge-sequential"


def table(*rows, share=10.0, baseline=0):
    """Windows of ten seconds: (bad, requests) of the canary, then of the stable slot."""
    made = []
    for number, (candidate, stable) in enumerate(rows):
        start = START + timedelta(seconds=10 * number)
        made.append(
            Window(
                start=start,
                end=start + timedelta(seconds=10),
                slot=Slot.GREEN,
                candidate=figures(candidate) or Figures(),
                stable=figures(stable),
                share=0.0 if number < baseline else share,
                baseline=number < baseline,
            )
        )
    return made


def figures(counts):
    if counts is None or isinstance(counts, Figures):
        return counts
    return Figures(errors=counts[0], requests=counts[1])


def judged(windows, **options):
    (finding,) = SequentialJudge(SequentialOptions(**options)).judge(windows, ASKED)
    return finding


FINE, BROKEN = ((0, 50), (1, 450)), ((50, 50), (1, 450))


def test_a_broken_canary_fails_at_the_second_window():
    """50 requests a second, 10 % to the canary, a look every ten seconds: 20 s and 100 bad answers."""
    verdicts = [judged(table(*[BROKEN] * n)).verdict for n in (1, 2)]
    assert verdicts == [Verdict.INCONCLUSIVE, Verdict.FAIL]
    told = judged(table(BROKEN, BROKEN))
    assert "100.00% of 100 requests failed, 0.22% of 900 of the old release" in told.reason
    assert told.numbers["log_e"] > told.numbers["limit"]


def test_a_good_canary_passes_once_there_is_enough():
    assert judged(table(*[FINE] * 3)).verdict is Verdict.INCONCLUSIVE
    assert judged(table(*[FINE] * 40)).verdict is Verdict.PASS


def test_what_once_was_enough_stays_enough():
    windows = table(*[BROKEN] * 3, *[((0, 5000), (0, 45000))] * 200)
    assert judged(windows).verdict is Verdict.FAIL


def test_a_few_bad_answers_are_not_enough_however_rare_the_old_ones_are():
    assert judged(table(*[((0, 50), (0, 450))] * 30, ((2, 2), (0, 450)))).verdict is not Verdict.FAIL


def test_a_longer_table_is_read_on_and_another_one_from_its_beginning():
    judge = SequentialJudge(SequentialOptions())
    windows = table(*[FINE] * 20, *[BROKEN] * 2, *[FINE] * 5)
    grown = [judge.judge(windows[:n], ASKED)[0] for n in range(1, len(windows) + 1)]
    assert grown == [judged(windows[:n]) for n in range(1, len(windows) + 1)]
    other = table(*[FINE] * 10)
    assert judge.judge(other, ASKED)[0] == judged(other)
    same = [evolve(window) for window in windows]
    assert judge.judge(same, ASKED)[0] == grown[-1]


def test_common_trouble_is_nobodys_fault():
    """Half of everything fails, in both slots, for a minute."""
    rough = ((25, 50), (225, 450))
    assert judged(table(*[FINE] * 10, *[rough] * 6, *[FINE] * 30)).verdict is Verdict.PASS


def test_a_drift_of_both_while_the_share_grows_is_nobodys_fault():
    """What makes pooled counts fail: early at 10 % and rare errors, late at 50 % and frequent ones."""
    random.seed(7)

    def binomial(n, p):
        return sum(random.random() < p for _ in range(n))

    rows = [((binomial(200, 0.001), 200), (binomial(1800, 0.001), 1800)) for _ in range(20)]
    rows += [((binomial(1000, 0.02), 1000), (binomial(1000, 0.02), 1000)) for _ in range(20)]
    assert judged(table(*rows)).verdict is Verdict.PASS


def test_no_request_of_the_candidate_is_named():
    told = judged(table(*[FINE] * 40, *[((0, 0), (1, 450))] * 3))
    assert told.verdict is Verdict.INCONCLUSIVE
    assert "no request reached the new release in 3 windows" in told.reason


def test_without_anything_to_compare_with_only_what_is_broken_fails():
    assert judged(table(*[((50, 500), None)] * 30)).verdict is Verdict.INCONCLUSIVE
    broken = judged(table(*[((400, 500), None)] * 3))
    assert broken.verdict is Verdict.FAIL
    assert "it is broken" in broken.reason


def test_the_old_release_in_trouble_keeps_the_trip_wire_silent():
    rough = ((400, 500), (400, 500))
    assert judged(table(*[rough] * 10)).verdict is not Verdict.FAIL


def test_what_the_old_release_was_known_for_keeps_it_silent_when_all_is_switched():
    """A third of everything fails, as it always did: at 100 % nothing else is left to compare with."""
    steps = table(*[((17, 50), (150, 450))] * 30)
    late = [evolve(w, share=100.0) for w in table(*[((167, 500), (0, 0))] * 30)]
    assert judged([*steps, *late]).verdict is not Verdict.FAIL
    worse = [evolve(w, share=100.0) for w in table(*[((450, 500), (0, 0))] * 3)]
    assert judged([*table(*[FINE] * 30), *worse]).verdict is Verdict.FAIL


def test_a_switch_at_once_is_compared_with_what_was_before():
    before = [(None, (1, 500))] * 12
    bad = table(*before, *[((20, 500), (0, 0))] * 6, share=100.0, baseline=12)
    assert judged(bad).verdict is Verdict.FAIL
    good = table(*before, *[((1, 500), (0, 0))] * 12, share=100.0, baseline=12)
    assert judged(good).verdict is Verdict.PASS


def test_after_a_canary_all_of_the_traffic_is_compared_with_nothing():
    steps = table(*[FINE] * 60)
    late = [evolve(w, share=100.0) for w in table(*[((1, 500), (0, 0))] * 30)]
    assert judged([*steps, *late]).verdict is Verdict.PASS


@pytest.mark.parametrize(("slow", "verdict"), [(0.05, Verdict.PASS), (0.2, Verdict.FAIL)])
def test_latency_is_a_test_of_its_own(slow, verdict):
    def latency(n, share):
        return Figures(requests=n, latency={0.1: n * (1 - share), 0.5: n * share, float("inf"): 0.0})

    rows = [(latency(500, slow), latency(4500, 0.05))] * 20
    told = judged(table(*rows))
    assert told.verdict is verdict
    if verdict is Verdict.FAIL:
        assert "20.0% took more than 100 ms, 5.0% of the old release's" in told.reason
        assert told.reason.endswith(": latency")
    assert judged(table(*rows), latency=False).verdict is Verdict.PASS


def test_below_the_floor_nothing_is_minded():
    rows = [((5, 1000), (1, 9000))] * 30
    assert judged(table(*rows)).verdict is Verdict.FAIL
    assert judged(table(*rows), floor=0.01).verdict is Verdict.PASS


def test_the_margin_is_let_pass():
    rows = [((18, 1000), (90, 9000))] * 60
    assert judged(table(*rows), margin=1.25).verdict is Verdict.FAIL
    assert judged(table(*rows), margin=2.0).verdict is Verdict.PASS


def test_more_errors_than_requests_are_as_many():
    assert judged(table(*[((60, 50), (1, 450))] * 2)).verdict is Verdict.FAIL


def foreseen(**traffic):
    given = {
        "rps": 50.0,
        "error_rate": 0.001,
        "shares": (10.0, 50.0, 100.0),
        "interval": 300.0,
        "window": 10.0,
    }
    return SequentialJudge(SequentialOptions()).foresee(Traffic(**{**given, **traffic}))


def test_a_plan_is_told_what_would_be_caught():
    broken, smallest = foreseen()
    assert (
        broken
        == "a broken release after about 30 s and 150 bad answers (50 requests a second, 0.001 of them bad)"
    )
    assert "times the errors nine times in ten" in smallest
    assert foreseen() == [broken, smallest], "the same traffic, the same words"


def test_a_plan_is_told_that_nothing_can_be_caught():
    assert foreseen(rps=0.01)[-1].startswith("no regression of errors nine times in ten")
    assert foreseen(interval=5.0) == ("nothing: a step of 5 s leaves no time to look, every 10 s",)
