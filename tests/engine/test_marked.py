"""A mark beside the routing: whose it is, and what is left alone because of it."""

from __future__ import annotations

import pytest
from attrs import evolve
from scripted import Scripted, switch

from uno_core import Capabilities, Slot, Status
from uno_core.errors import Locked, LockLost, Unsettled
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import Stage


def keeping(context):
    live = context.initial.live
    switch(context, seconds=100)
    context.retire(live, after=600)


@pytest.fixture
def stage():
    made = Stage(
        rules=Rules(
            capabilities=Capabilities(mixed=True, granularity=0.01, unroute=True, cas=True, marks=True)
        ),
        willing=False,
    )
    made.live("v1")
    assert made.deploy(Scripted(keeping), "v2").status is Status.SUCCESSFUL
    return made


def test_a_mark_of_an_ended_one_of_our_own_is_passed_over(stage):
    (record,) = stage.store.list()
    stage.platform.router.mark({"deployment": record.id, "since": record.created.isoformat()})
    assert stage.deploy(Scripted(keeping), "v3").status is Status.SUCCESSFUL


def test_a_mark_of_somebody_elses_of_the_same_name_is_not(stage):
    (record,) = stage.store.list()
    stage.platform.router.mark({"deployment": record.id, "since": "2025-01-01T00:00:00+00:00"})
    written = len(stage.platform.workload.writes)
    with pytest.raises((Unsettled, Locked)):
        stage.deploy(Scripted(keeping), "v3")
    assert len(stage.platform.workload.writes) == written


def test_what_is_due_is_not_emptied_while_somebody_else_is_at_work(stage):
    stage.clock.sleep(700)
    assert stage.world.observe().slot(Slot.BLUE).instances, "it was kept until the next deployment"
    stage.platform.router.mark({"deployment": "shop-9", "since": "2025-01-01T00:00:00+00:00"})
    with pytest.raises((Unsettled, Locked)):
        stage.deploy(Scripted(keeping), "v3")
    stage.engine().tidy(stage.world.application)
    assert stage.world.observe().slot(Slot.BLUE).instances
    stage.platform.router.mark(None)
    stage.engine().tidy(stage.world.application)
    stage.clock.sleep(10)
    assert not stage.world.observe().slot(Slot.BLUE).instances


def test_nothing_is_made_ready_once_the_lock_is_lost(stage):
    def lost():
        raise LockLost("somebody else has it")

    prepared = []
    stage.platform.prepare = lambda: prepared.append(1)
    with pytest.raises(LockLost):
        evolve(stage.world, fence=lost).prepare(going_back=True)
    assert not prepared
