"""A change that ended a moment ago may still be on its way to everybody when the next deployment begins."""

from __future__ import annotations

from scripted import Scripted, switch

from uno_core import Slot, Status
from uno_core.simulation.stage import Stage


def test_what_is_still_on_its_way_to_everybody_is_waited_for_before_it_is_taken_for_what_serves():
    stage = Stage()
    stage.live("v1")
    router = stage.platform.router
    router.place({Slot.BLUE: 100.0, Slot.GREEN: 0.0})
    router._in_force = {Slot.BLUE: 0.0, Slot.GREEN: 100.0}
    stage.clock.later(20, lambda: router.place({Slot.BLUE: 100.0, Slot.GREEN: 0.0}))
    began = stage.clock.monotonic()
    assert stage.deploy(Scripted(switch), "v2").status is Status.SUCCESSFUL
    assert stage.clock.monotonic() - began >= 20
