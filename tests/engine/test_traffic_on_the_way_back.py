"""Where the traffic goes on the way back: to what is ready, and on nothing but what is known."""

from __future__ import annotations

import pytest
from scripted import Scripted, switch

from uno_core import PlatformError, Slot, Status, Throttled, share, whole
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import Stage


def stage_with_v1():
    stage = Stage(willing=False)
    stage.live("v1")
    return stage


def roll_back(stage):
    record = stage.store.list()[0]
    return stage.engine().rollback(stage.order(Scripted(switch), "v2"), record.id, "asked for")


def blind(stage, times):
    """The workload cannot be read so many times."""
    real, calls = stage.platform.workload.observe, []

    def observe():
        calls.append(1)
        if len(calls) <= times:
            raise Throttled("slow down") if times < 3 else PlatformError("the API is away")
        return real()

    stage.platform.workload.observe = observe
    return real


def watched(stage, observe):
    """What was ready whenever a split was written."""
    seen = []
    stage.platform.router.on_write = lambda split: seen.append(
        (dict(split), {slot: state.ready() for slot, state in observe().slots.items()})
    )
    return seen


@pytest.mark.parametrize("times", [1, 2, 7])
def test_a_slot_that_was_left_is_not_routed_to_blindly(times):
    stage = stage_with_v1()
    stage.deploy(Scripted(switch), "v2")
    stage.platform.workload.converge(Slot.BLUE, {})
    seen = watched(stage, blind(stage, times))
    assert roll_back(stage).exit_code in (3, 4)
    assert all(ready[slot] for split, ready in seen for slot in split if split[slot])


def test_a_slot_that_the_deployment_emptied_is_not_routed_to_blindly():
    stage = stage_with_v1()
    seen = []

    def script(context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.set_traffic(whole(Slot.GREEN))
        context.converge(Slot.BLUE, {})
        seen.append(watched(stage, blind(stage, 4)))
        raise ValueError("no")

    assert stage.deploy(Scripted(script), "v2").status is Status.ROLLED_BACK
    assert [(split, ready[Slot.BLUE]) for split, ready in seen[0]] == [
        (share(Slot.BLUE, 100), 4),
    ]


def test_a_slot_that_was_never_touched_is_routed_to_though_nothing_can_be_read():
    stage = stage_with_v1()

    def script(context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.set_traffic(whole(Slot.GREEN))
        blind(stage, 10)
        raise ValueError("no")

    outcome = stage.deploy(Scripted(script), "v2")
    assert outcome.status is Status.ROLLED_BACK
    at = next(at for at, split in stage.platform.router.writes[2:] if split == whole(Slot.BLUE))
    assert at == stage.happened("rollback")[0].at


def test_what_is_not_ready_keeps_no_share_while_another_is():
    stage = stage_with_v1()
    stage.deploy(Scripted(switch), "v2")
    (v1,) = stage.world.observe().slot(Slot.BLUE).wanted
    stage.platform.workload.converge(Slot.BLUE, {v1: 1})
    stage.platform.workload.crash(Slot.GREEN, 4)
    seen = watched(stage, stage.platform.workload.observe)
    began = stage.clock.monotonic()
    assert roll_back(stage).status is Status.ROLLED_BACK
    assert seen == [(whole(Slot.BLUE), {Slot.BLUE: 1, Slot.GREEN: 0})]
    assert stage.platform.router.writes[-1][0] == began


@pytest.mark.parametrize(("down", "at_once"), [(1, 100), (2, 80)])
def test_one_of_ten_that_is_not_ready_keeps_no_traffic_from_the_way_back(down, at_once):
    stage = Stage(rules=Rules(size=10))
    stage.live("v1")
    blue, workload = Slot.BLUE, stage.platform.workload
    splits = []

    def script(context):
        context.deploy(Slot.GREEN, context.release, 10)
        context.set_traffic(share(Slot.GREEN, 50))
        workload.crash(blue, down, back_after=60)
        seen = watched(stage, workload.observe)
        splits.append(seen)
        raise ValueError("no")

    assert stage.deploy(Scripted(script), "v2").status is Status.ROLLED_BACK
    written = [split[blue] for split, _ in splits[0]]
    assert written[0] == at_once
    assert written[-1] == 100
    assert (splits[0][-1][1][blue] == 10) is (at_once < 100), "the rest when they are ready"
