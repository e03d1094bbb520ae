"""A retirement that the platform has in its calendar does not empty a slot that is in use again."""

from __future__ import annotations

from scripted import Scripted, switch

from uno_core import Capabilities, Slot, Status
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import Stage


def stage_with_v1():
    """A platform that retires by itself: unless the slot has a share then, or was converged before."""
    retiring = Capabilities(mixed=True, granularity=0.01, unroute=True, cas=True, retires=True)
    stage = Stage(rules=Rules(capabilities=retiring), willing=False)
    stage.live("v1")
    workload, converge, due = stage.platform.workload, stage.platform.workload.converge, {}

    def cancelling(slot, counts):
        due.pop(slot, None)
        converge(slot, counts)

    def empty(slot, appointment):
        if due.get(slot) is appointment and not stage.world.router.observe().split.get(slot):
            converge(slot, {})
            due.pop(slot)

    def retire(slot, after):
        due[slot] = appointment = object()
        stage.clock.later(after, lambda: empty(slot, appointment))

    workload.converge, workload.retire = cancelling, retire
    return stage


def keeping(context):
    live = context.initial.live
    switch(context, seconds=100)
    context.retire(live, after=600)


def test_the_old_slot_stands_while_the_deployment_after_a_rollback_is_verified():
    stage = stage_with_v1()
    stage.deploy(Scripted(keeping), "v2")
    retires_at = stage.clock.monotonic() + 600
    record = stage.store.list()[0]
    assert stage.engine().rollback(stage.order(Scripted(keeping), "v2"), record.id, "").exit_code == 3
    stage.clock.sleep(retires_at - stage.clock.monotonic() - 50)
    assert stage.deploy(Scripted(keeping), "v3").status is Status.SUCCESSFUL
    assert stage.clock.monotonic() > retires_at
    assert stage.world.observe().slot(Slot.BLUE).ready() == 4


def test_a_release_that_still_stands_is_not_retired_while_it_is_deployed_again():
    stage = stage_with_v1()
    stage.deploy(Scripted(keeping), "v2")

    def slowly(context):
        context.deploy(Slot.BLUE, context.release, 4)
        context.wait(1000, slot=Slot.BLUE)
        return switch(context)

    outcome = stage.deploy(Scripted(slowly), "v1")
    assert outcome.status is Status.SUCCESSFUL, outcome.message
