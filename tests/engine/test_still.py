"""A platform that knows by its watches that nothing has changed is not asked again and again."""

from __future__ import annotations

import pytest

from tests.support.scripted import Scripted
from uno_core import DeploymentResult, Slot, Status, whole
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import Stage


def switched(context):
    context.deploy(Slot.GREEN, context.release, 4)
    context.set_traffic(whole(Slot.GREEN))
    context.promoted()
    return DeploymentResult(True)


def observed(news):
    """How often it was looked at while instances took two minutes, and how that ended."""
    stage = Stage(Rules(start=120.0))
    stage.live("v1")
    looks, still = [], stage.platform.workload.observe

    def observe():
        looks.append(stage.clock.monotonic())
        return still()

    def wait(timeout):
        stage.clock.sleep(timeout)
        return news

    stage.platform.workload.observe, stage.platform.wait_for_change = observe, wait
    outcome = stage.deploy(Scripted(switched), "v2")
    assert outcome.status is Status.SUCCESSFUL
    return len([at for at in looks if at > 1.0])


@pytest.mark.parametrize(("news", "most"), [(False, 30), (None, 200), (True, 200)])
def test_how_often_it_is_looked_at(news, most):
    count = observed(news)
    assert count <= most
    assert news is False or count > 100, "where nobody can tell, every second"
