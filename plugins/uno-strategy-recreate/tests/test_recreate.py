"""The recreate strategy in the simulated world."""

from __future__ import annotations

import pytest

from uno_core import Status
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import Stage
from uno_core.testing import PluginContract, StrategyContract
from uno_strategy_recreate.options import RecreateOptions
from uno_strategy_recreate.strategy import Recreate


class TestContract(StrategyContract):
    outage = True

    @pytest.fixture
    def make(self):
        return Recreate

    @pytest.fixture
    def options(self):
        return RecreateOptions()


class TestPlugin(PluginContract):
    distribution = "uno-strategy-recreate"


def deploy(version="v2", **rules):
    stage = Stage(rules=Rules(**rules))
    stage.live("v1")
    return stage, stage.deploy(Recreate(), version, RecreateOptions(), outage=True)


def releases_at_each_write(stage):
    return [[str(r) for r in counts] for _, _, counts in stage.platform.workload.writes]


def test_the_old_release_stops_before_the_new_one_starts():
    stage, outcome = deploy()
    assert outcome.status is Status.SUCCESSFUL
    assert releases_at_each_write(stage) == [["v1"], [], ["v2"]]


def test_the_old_release_is_put_back_and_never_runs_beside_the_new_one():
    stage, outcome = deploy("bad", broken={"bad": "exited with code 1"})
    assert outcome.status is Status.ROLLED_BACK
    assert releases_at_each_write(stage)[:5] == [["v1"], [], ["bad"], [], ["v1"]]
    assert all(len(releases) < 2 for releases in releases_at_each_write(stage))
