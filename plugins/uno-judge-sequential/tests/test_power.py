"""`uno power`: what it finds out, how it says so, and what it refuses."""

from __future__ import annotations

import json
import math

import pytest
from attrs import evolve
from click.testing import CliRunner

from uno_core import ConfigError
from uno_judge_sequential.options import SequentialOptions
from uno_judge_sequential.power.canaries import Canary, steps
from uno_judge_sequential.power.command import power
from uno_judge_sequential.power.odds import Trial, most, quantile

SHARES = (10.0, 25.0, 50.0, 75.0, 100.0)
# Nothing is skipped here, as in the study whose numbers these are held against.
STUDIED = Canary(rps=50, error_rate=0.001, shares=SHARES, interval=300, window=10, skipped=0)
TRIAL = Trial(options=SequentialOptions(), runs=200, seed=1)


def asked(*flags, rps="50", rate="0.1%"):
    return CliRunner().invoke(power, ["--rps", rps, "--error-rate", rate, *flags])


def document(*flags, **more):
    told = asked("--output", "json", *flags, **more)
    assert told.exit_code == 0, told.output
    return json.loads(told.stdout)


# Share caught, median and p90 of seconds, bad answers in the mean: of 200 canaries each, by another program.
STUDY = [
    (1.0, 0.0, None, None, 39),
    (2.0, 0.015, None, None, 77),
    (3.0, 0.20, 740, 1140, 100),
    (5.0, 0.97, 610, 940, 40),
    (10.0, 1.0, 245, 400, 14),
    (20.0, 1.0, 75, 150, 9),
    (None, 1.0, 20, 20, 100),
]


@pytest.mark.parametrize(("ratio", "caught", "median", "ninth", "bad"), STUDY)
def test_it_agrees_with_the_study(ratio, caught, median, ninth, bad):
    odds = TRIAL.odds(STUDIED, ratio)
    both = (odds.share + caught) / 2
    assert abs(odds.share - caught) <= 4 * math.sqrt(2 * max(both * (1 - both), 0.002) / 200)
    assert odds.bad == pytest.approx(bad, rel=0.2)
    if median is not None:
        # Of three times as many errors a fifth is caught: forty canaries on either side, and so less sure.
        close = 0.2 if caught > 0.9 else 0.35
        assert odds.median == pytest.approx(median, rel=close)
        assert odds.ninth == pytest.approx(ninth, rel=close)


def test_the_smallest_regression_agrees_with_the_study():
    known = [TRIAL.odds(STUDIED, ratio) for ratio in (3.0, 5.0)]
    assert TRIAL.smallest(STUDIED, known) == pytest.approx(4.8, abs=0.3)


def test_the_first_window_of_a_step_counts_for_nothing_but_costs():
    """20 s and 100 bad answers of a broken release, and ten seconds and 50 answers that nobody looks at."""
    odds = TRIAL.odds(evolve(STUDIED, skipped=1), None)
    assert (odds.median, odds.ninth) == (30, 30)
    assert odds.bad == pytest.approx(150, rel=0.05)


def test_the_same_seed_the_same_numbers():
    assert asked("--runs", "20").stdout == asked("--runs", "20").stdout
    assert asked("--runs", "20").stdout != asked("--runs", "20", "--seed", "2").stdout


def test_what_is_told():
    told = document("--runs", "40")
    assert told["schema_version"] == 1
    assert told["canary"]["shares"] == list(SHARES)
    ratios = {row["ratio"]: row for row in told["ratios"]}
    assert list(ratios) == [1, 2, 3, 5, 10, 20, None]
    assert ratios[None]["caught"] == 40
    assert told["broken_bad_answers"] == ratios[None]["bad_answers"]
    assert told["false_rollbacks"] == {"caught": 0, "runs": 40, "at_most": pytest.approx(0.0722, abs=1e-3)}
    smallest = told["smallest"]
    assert 4 < smallest["ratio"] < 6
    assert smallest["caught"] >= 36
    assert told["least_requests"] == smallest["requests_needed"]
    assert told["warnings"] == []


def test_the_table_and_the_document_say_the_same():
    told, text = document("--runs", "40"), asked("--runs", "40").stdout
    row = next(row for row in told["ratios"] if row["ratio"] == 10)
    assert [line.split()[:3] for line in text.splitlines() if line.startswith("10 ")] == [
        ["10", "1%", "100%"]
    ]
    assert f"{row['requests_needed']:,}" in text
    assert f"least_requests: {told['least_requests']}" in text
    assert f"{told['smallest']['ratio']:.2g} times" in text


def test_too_little_traffic_is_said_with_what_would_help():
    told = document("--runs", "60", rps="1")
    (warning,) = told["warnings"]
    assert warning["kind"] == "blind"
    assert told["smallest"] is None or told["smallest"]["ratio"] > 20
    (interval,) = [one.split()[-1] for one in warning["remedies"] if "--interval" in one]
    # What it says would help does: the same canary with it sees what it is to see.
    window = f"{10 * int(interval.removesuffix('m')) // 5}s"
    mended = document("--runs", "60", "--interval", interval, "--window", window, rps="1")
    assert mended["warnings"] == []
    assert mended["smallest"]["ratio"] <= 20


def test_where_nothing_helps_it_says_so():
    told = asked("--runs", "20", "--interval", "20s", rps="0.001")
    assert "smallest regression caught nine times in ten: none" in told.stdout
    assert "warning: nothing is caught nine times in ten" in told.stdout
    assert "metrics_threshold" in told.stdout


def test_a_costly_broken_release_is_said_with_what_would_help():
    told = document("--runs", "20", rps="5000", rate="1%")
    (warning,) = told["warnings"]
    assert warning["kind"] == "costly"
    first, shorter = warning["remedies"]
    assert "--initial 1 --increments 10,25,50,75,100" in first
    assert "--window 5s" in shorter
    mended = document(
        "--runs", "20", "--initial", "1", "--increments", "10,25,50,75,100", rps="5000", rate="1%"
    )
    assert mended["broken_bad_answers"] < told["broken_bad_answers"] / 5


def test_the_budget_and_the_target_are_ones_own():
    assert document("--runs", "20", "--budget", "100")["warnings"][0]["kind"] == "costly"
    assert document("--runs", "40", "--target", "2")["warnings"][0]["kind"] == "blind"


def test_a_rate_of_errors_that_cannot_be_multiplied_stops_at_broken():
    told = document("--runs", "20", rate="30%")
    assert [row["ratio"] for row in told["ratios"]] == [1, 2, 3, None]
    assert told["false_rollbacks"]["caught"] == 0


def test_below_the_floor_nothing_is_caught():
    told = document("--runs", "20", "--floor", "1%")
    assert next(row for row in told["ratios"] if row["ratio"] == 5)["caught"] == 0


def test_steps_are_those_of_the_strategy():
    assert steps(10, (25, 50, 75, 100), None) == [10, 25, 50, 75, 100]
    assert steps(5, (50,), None) == [5, 50, 100]
    assert steps(10, (25, 50, 75, 100), 5) == [10, 25, 50, 75, 95, 100]
    assert steps(10, (50, 97, 100), 5) == [10, 50, 95, 100]


def test_a_rest_of_an_interval_is_served_and_not_looked_at():
    canary = Canary(rps=1, error_rate=0.01, shares=(50.0, 100.0), interval=25, window=10)
    assert [(span.share, span.seconds, span.seen) for span in canary.spans] == [
        (50, 10, False), (50, 10, True), (50, 5, False), (100, 10, False), (100, 10, True), (100, 5, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--rps", "0"], "expected requests a second"),
        (["--rps", "nan"], "'nan' was found"),
        (["--rps", "1e999"], "expected requests a second"),
        (["--rps", "-5"], "expected requests a second"),
        (["--error-rate", "1"], "0.001 or 0.1%"),
        (["--error-rate", "0%"], "0.001 or 0.1%"),
        (["--error-rate", "many"], "'many' was found"),
        (["--interval", "5y"], "5m, 1h30m"),
        (["--interval", ""], "5m, 1h30m"),
        (["--window", "0s"], "5m, 1h30m"),
        (["--initial", "101"], "at most 100"),
        (["--increments", "25,,50"], "25,50,75,100"),
        (["--margin", "0.5"], "at least 1"),
        (["--alpha", "60%"], "less than 50%"),
        (["--runs", "1"], "20"),
        (["--increments", "50,25"], "each greater than the one before"),
        (["--interval", "15s"], "a longer --interval, or a shorter --window"),
        (["--window", "100ms"], "a longer --window"),
        (["--hold-back", "90"], "less than 90 %"),
    ],
)
def test_what_cannot_be_is_refused(flags, said):
    told = asked(*flags)
    assert told.exit_code == 2
    assert said in told.stderr
    assert isinstance(told.exception, SystemExit)


def test_an_error_is_a_document_too():
    told = asked("--increments", "50,25", "--output", "json")
    error = json.loads(told.stdout)
    assert (told.exit_code, error["exit_code"], error["error"]["code"]) == (2, 2, "config")
    assert "Error: the shares do not grow" in told.stderr


def test_a_canary_that_is_never_looked_at_cannot_be_made():
    with pytest.raises(ConfigError, match="nothing is looked at"):
        evolve(STUDIED, window=301)


@pytest.mark.parametrize(("happened", "runs"), [(0, 300), (3, 200), (19, 20), (10, 20)])
def test_what_is_believable_at_the_most(happened, runs):
    """With that chance, so few come about once in twenty."""
    chance = most(happened, runs)
    few = sum(math.comb(runs, k) * chance**k * (1 - chance) ** (runs - k) for k in range(happened + 1))
    assert few == pytest.approx(0.05, abs=1e-9)
    assert most(runs, runs) == 1


def test_quantiles():
    assert quantile([3, 1, 2, 4, 5, 6, 7, 8, 9, 10], 0.9) == 9
    assert quantile([7], 0.5) == 7
    assert quantile([1, math.inf], 0.9) == math.inf
