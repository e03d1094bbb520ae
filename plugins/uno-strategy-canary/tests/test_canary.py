"""The canary strategy in the simulated world."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from uno_core import Bounds, Figures, Status
from uno_core.builtin import ThresholdJudge, ThresholdOptions
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import FiguresNow, Stage
from uno_core.testing import PluginContract, StrategyContract
from uno_strategy_canary.options import CanaryOptions
from uno_strategy_canary.strategy import Canary


class TestContract(StrategyContract):
    @pytest.fixture
    def make(self):
        return Canary

    @pytest.fixture
    def options(self):
        return CanaryOptions(increment_interval=20, drain=5)


class TestPlugin(PluginContract):
    distribution = "uno-strategy-canary"


def deploy(version="v2", rules=None, willing=True, **options):
    stage = Stage(rules=rules or Rules(), willing=willing)
    stage.live("v1")
    return stage, stage.deploy(Canary(), version, CanaryOptions(**options))


def shares(stage):
    return [split["green"] for _, split in stage.platform.router.writes[1:]]


def test_defaults_are_those_of_the_documentation():
    o = CanaryOptions()
    assert (o.initial_percentage, o.increments, o.increment_interval) == (
        10.0,
        (25.0, 50.0, 75.0, 100.0),
        300.0,
    )
    assert o.metrics_threshold is None


def test_the_shares_grow_and_each_is_watched():
    stage, outcome = deploy()
    assert outcome.status is Status.SUCCESSFUL
    assert shares(stage) == [10, 25, 50, 75, 100]
    times = [at for at, _ in stage.platform.router.writes[1:]]
    assert all(after - before >= 300 for before, after in pairwise(times))


def test_the_canary_grows_before_its_share_and_the_old_slot_stays_whole():
    stage, _ = deploy(rules=Rules(size=10))
    green = [sum(c.values()) for _, slot, c in stage.platform.workload.writes if slot == "green"]
    assert green == [1, 3, 5, 8, 10]
    assert [slot for _, slot, _ in stage.platform.workload.writes].count("blue") == 1


def test_a_bad_canary_goes_back_at_once():
    stage = Stage(judge=ThresholdJudge(ThresholdOptions(), None))
    stage.provider = FiguresNow(stage.clock)
    stage.provider.rates["green"] = Figures(requests=10, errors=9)
    stage.live("v1")
    outcome = stage.deploy(Canary(), "v2", CanaryOptions(metrics_threshold={"error_rate": Bounds(max=0.01)}))
    assert outcome.status is Status.ROLLED_BACK
    assert shares(stage) == [10, 0]
    assert stage.platform.router.writes[-1][0] - stage.platform.router.writes[-2][0] < 15


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"step": 20.0, "max": 50.0}, [10, 30, 50, 100]),
        ({"step": 30.0}, [10, 40, 70, 100]),
        ({"increments": (50.0,)}, [10, 50, 100]),
        ({"initial_percentage": 100.0, "increments": ()}, [100]),
        ({"initial_percentage": 0.1, "increments": (1.0,)}, [0.1, 1, 100]),
    ],
)
def test_shares(options, expected):
    assert CanaryOptions(**options).shares == expected


@given(st.floats(0.1, 100), st.floats(0.1, 100), st.floats(0.1, 100))
def test_a_cap_is_a_cap(first, step, cap):
    assume(first <= cap)
    shares = CanaryOptions(initial_percentage=first, step=step, max=cap).shares
    assert list(shares) == sorted(set(shares))
    assert all(share <= cap for share in shares[:-1])
    assert shares[-1] == 100


def test_a_gate_waits():
    stage = Stage(willing=False)
    stage.live("v1")

    def promote():
        stage.store.signal(stage.store.list()[0].id, "promote", {}, by="eve", at=stage.clock.now())

    stage.clock.at(5000, promote)
    outcome = stage.deploy(Canary(), "v2", CanaryOptions(gates=(50.0,)))
    assert outcome.status is Status.SUCCESSFUL
    at = {split["green"]: at for at, split in stage.platform.router.writes[1:]}
    assert at[25] < 1000
    assert at[50] >= 5000


def test_warm_up_comes_before_evidence():
    stage, _ = deploy(warm_up=60.0, metrics_threshold={"error_rate": Bounds(max=0.01)})
    first = stage.happened("evidence")[0].at
    assert first - stage.platform.router.writes[1][0] >= 60


@pytest.mark.parametrize(
    "bad",
    [
        {"increments": (50.0, 25.0)},
        {"increments": (25.0, 25.0)},
        {"increments": (120.0,)},
        {"initial_percentage": 0.0},
        {"initial_percentage": 30.0},
        {"max": 50.0},
        {"step": 10.0, "increments": (30.0,)},
        {"step": 0.0},
        {"gates": (33.0,)},
    ],
)
def test_bad_options_are_refused(bad):
    with pytest.raises(ValueError, match="expected"):
        CanaryOptions(**bad)


def test_a_hold_back_is_one_more_step_with_something_to_compare_with():
    stage, outcome = deploy(hold_back=5.0, increments=(50.0, 97.0))
    assert outcome.status is Status.SUCCESSFUL
    assert shares(stage) == [10, 50, 95, 100]


@pytest.mark.parametrize("held", [90.0, 95.0])
def test_a_hold_back_that_leaves_nothing_to_begin_with_is_refused(held):
    with pytest.raises(ValueError, match="hold_back = 9"):
        CanaryOptions(hold_back=held)
