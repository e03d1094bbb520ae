"""The blue-green strategy in the simulated world."""

from __future__ import annotations

import pytest

from uno_core import Bounds, Figures, Probe, Slot, Status
from uno_core.builtin import ThresholdJudge, ThresholdOptions
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import FiguresNow, Stage
from uno_core.testing import PluginContract, StrategyContract
from uno_strategy_blue_green.options import BlueGreenOptions
from uno_strategy_blue_green.strategy import BlueGreen


class TestContract(StrategyContract):
    @pytest.fixture
    def make(self):
        return BlueGreen

    @pytest.fixture
    def options(self):
        return BlueGreenOptions()


class TestPlugin(PluginContract):
    distribution = "uno-strategy-blue-green"


def deploy(version="v2", rules=None, **options):
    stage = Stage(rules=rules or Rules())
    stage.live("v1")
    return stage, stage.deploy(BlueGreen(), version, BlueGreenOptions(**options))


def test_defaults_are_those_of_the_documentation():
    o = BlueGreenOptions()
    assert (o.health_check_timeout, o.switch_timeout, o.drain, o.keep_old_for) == (60, 300, 30, 600)


def test_the_idle_slot_is_whole_before_one_switch():
    stage, outcome = deploy()
    assert outcome.status is Status.SUCCESSFUL
    assert [split for _, split in stage.platform.router.writes[1:]] == [{"green": 100.0, "blue": 0.0}]
    assert stage.world.observe().slot("green").ready() == 4


def test_the_old_slot_is_kept_and_said_to_go():
    stage, _ = deploy(drain=5, keep_old_for=120)
    assert stage.world.observe().slot("blue").ready() == 4
    assert stage.happened("retire")[0].data["after"] == 120


def test_an_unhealthy_idle_slot_gets_no_traffic():
    class Sick:
        per_instance = False

        def check(self, target, timeout):
            return Probe(target=str(target), healthy=False, answer="503 Service Unavailable")

    stage = Stage(health=lambda url: Sick())
    stage.live("v1")
    outcome = stage.deploy(BlueGreen(), "v2", BlueGreenOptions())
    assert outcome.status is Status.ROLLED_BACK
    assert "503 Service Unavailable" in outcome.message
    assert len(stage.platform.router.writes) == 1


@pytest.mark.parametrize(
    "bad", [{"drain": -1}, {"switch_timeout": 0}, {"health_check_timeout": float("nan")}]
)
def test_bad_options_are_refused(bad):
    with pytest.raises(ValueError, match="expected"):
        BlueGreenOptions(**bad)


def previewed(rate, **options):
    stage = Stage(judge=ThresholdJudge(ThresholdOptions(), None))
    stage.provider = FiguresNow(stage.clock)
    stage.provider.rates = {Slot.GREEN: rate, Slot.BLUE: Figures(requests=100.0)}
    stage.live("v1")
    bounds = {"error_rate": Bounds(max=0.01)}
    chosen = BlueGreenOptions(preview_for=60.0, preview_threshold=bounds, **options)
    return stage, stage.deploy(BlueGreen(), "v2", chosen)


def test_what_is_bad_in_the_preview_never_gets_traffic():
    stage, outcome = previewed(Figures(requests=10.0, errors=5.0))
    assert outcome.status is Status.ROLLED_BACK
    assert all(split[Slot.GREEN] == 0 for _, split in stage.platform.router.writes)


def test_a_preview_that_nobody_asks_anything_ends_without_a_switch():
    stage, outcome = previewed(None)
    assert outcome.status is Status.ROLLED_BACK
    assert "no evidence" in outcome.message
    assert all(split[Slot.GREEN] == 0 for _, split in stage.platform.router.writes)


def test_a_good_preview_is_switched_to():
    stage, outcome = previewed(Figures(requests=10.0))
    assert outcome.status is Status.SUCCESSFUL
    switched = next(at for at, split in stage.platform.router.writes if split[Slot.GREEN] == 100)
    assert switched >= 60


def test_bounds_of_a_preview_need_its_time():
    with pytest.raises(ValueError, match="expected preview_for beside it"):
        BlueGreenOptions(preview_threshold={"error_rate": Bounds(max=0.01)})
