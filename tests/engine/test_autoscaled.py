"""Slots that an autoscaler sizes while a release is under way."""

from __future__ import annotations

import pytest
from scripted import Scripted, switch

from uno_core import Slot, Status
from uno_core.simulation.stage import Stage


@pytest.mark.parametrize("crashing", [False, True])
def test_what_an_autoscaler_starts_under_traffic_is_waited_for_and_not_held_against_a_release(crashing):
    stage = Stage()
    stage.live("v1")
    workload = stage.platform.workload
    stage.clock.at(60, lambda: workload.grow(Slot.GREEN, 2, seconds=100))
    if crashing:
        stage.clock.at(200, lambda: workload.crash(Slot.GREEN, 1, back_after=1000))
    outcome = stage.deploy(Scripted(lambda c: switch(c, seconds=300)), "v2")
    assert outcome.status is (Status.ROLLED_BACK if crashing else Status.SUCCESSFUL)
    assert not crashing or "exited with code 1" in outcome.message
