"""Sizes that changed, strategies that are gone, bounds that nobody can measure, strategies without an end."""

from __future__ import annotations

import shutil

import pytest

BLUE = {"blue": 100.0, "green": 0.0}
GREEN = {"blue": 0.0, "green": 100.0}

OTHER = """
from uno_core import Bounds, DeploymentResult, DeploymentStrategy, StrategyInfo, hookimpl, whole

class Other(DeploymentStrategy):
    def deploy(self, context):
        {before}
        target = context.initial.idle
        context.deploy(target, context.release, context.initial.size)
        context.set_traffic(whole(target))
        {after}
        return DeploymentResult(True, "done")

    def asked(self):
        return True

@hookimpl
def uno_register_strategies():
    return [StrategyInfo(name="other", summary="another one", load=lambda: Other)]
"""


@pytest.fixture
def other(shop):
    """Install the strategy `other` from a module of its own; returns where its metadata is."""

    def install(name: str, *, before: str = "pass", after: str = "pass"):
        (shop.site / f"{name}.py").write_text(OTHER.format(before=before, after=after))
        shop.install(f"uno-{name}", f"[uno]\n{name} = {name}\n")
        return shop.site / f"uno_{name}-1.0.dist-info"

    return install


def test_fewer_instances_than_are_configured_are_not_nothing_to_do(shop):
    shop.world.live("v1", size=1)
    plan = shop.uno("plan", "--version", "v1", "--output", "json").json
    assert plan["changes"] is True
    said = shop.uno("deploy", "--version", "v1")
    assert said.code == 0
    assert "nothing to do" not in said.out
    assert shop.world.versions("green") == ["v1", "v1"]
    assert shop.world.split() == GREEN


def test_the_way_back_does_not_need_the_strategy_that_deployed(shop, other):
    shop.world.live("v1")
    metadata = other("soon_gone")
    assert shop.uno("deploy", "--version", "v2", "--strategy", "other").code == 0
    shutil.rmtree(metadata)
    said = shop.uno("rollback")
    assert said.code == 0, said.err
    assert shop.world.split() == BLUE
    assert "the strategy's own way back cannot be used" in said.err


def test_bounds_without_anything_to_measure_with_are_no_pass(shop, other):
    shop.world.live("v1")
    other("unmeasured", after="context.evaluate(target, thresholds={'error_rate': Bounds(max=0.01)})")
    said = shop.uno("deploy", "--version", "v2", "--strategy", "other")
    assert said.code == 3
    assert "nothing to measure with" in said.out
    assert shop.world.split() == BLUE


def test_a_strategy_that_waits_for_itself_can_be_rehearsed(shop, other):
    shop.world.live("v1")
    other("patient", before="while not context.call('asked'): context.wait(10, watch=False)")
    plan = shop.uno("plan", "--version", "v2", "--strategy", "other", "--output", "json")
    assert any("no end is in sight" in warning for warning in plan.json["warnings"])
    assert shop.uno("deploy", "--version", "v2", "--strategy", "other").code == 0
    assert shop.world.split() == GREEN
