"""What the engine does not let a strategy do, and what it does not take for somebody else's doing."""

from __future__ import annotations

import pytest
from scripted import Scripted, switch

from uno_core import (
    Bounds,
    DeploymentResult,
    Figures,
    Refused,
    Release,
    Slot,
    Status,
    SwitchTimeout,
    Unanswered,
    share,
    whole,
)
from uno_core.builtin import ThresholdJudge, ThresholdOptions
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import FiguresNow, Stage

ERRORS = {"error_rate": Bounds(max=0.01)}
BAD, GOOD = Figures(requests=50, errors=25), Figures(requests=50)


def stage_with_v1(**more):
    stage = Stage(willing=False, **more)
    stage.live("v1")
    return stage


def judged(rate):
    stage = stage_with_v1(judge=ThresholdJudge(ThresholdOptions(), None))
    stage.provider = FiguresNow(stage.clock)
    stage.provider.rates[Slot.GREEN] = rate
    return stage


def looks(stage, *rates, last=lambda context: None):
    """Switch, then evaluate green once for each of the rates."""

    def script(context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.set_traffic(whole(Slot.GREEN))
        for rate in rates:
            stage.provider.rates[Slot.GREEN] = rate
            context.evaluate(Slot.GREEN, thresholds=ERRORS, timeout=20)
        last(context)

    return Scripted(script)


def test_a_release_with_a_fail_verdict_does_not_succeed_without_promotion_either():
    stage = judged(BAD)
    outcome = stage.deploy(looks(stage, BAD), "v2")
    assert outcome.status is Status.ROLLED_BACK
    assert "went on all the same" in outcome.message


@pytest.mark.parametrize(
    "last",
    [
        lambda c: c.promoted(),
        lambda c: (c.evaluate(Slot.BLUE, thresholds=ERRORS, timeout=20), c.promoted()),
    ],
)
def test_only_a_pass_of_the_same_slot_answers_a_fail(last):
    stage = judged(BAD)
    stage.provider.rates[Slot.BLUE] = GOOD
    assert stage.deploy(looks(stage, BAD, None, last=last), "v2").status is Status.ROLLED_BACK


def test_a_pass_of_the_same_slot_answers_a_fail():
    stage = judged(BAD)

    def better(context):
        context.wait(3600, watch=False)
        context.evaluate(Slot.GREEN, thresholds=ERRORS, timeout=60)
        context.promoted()

    assert stage.deploy(looks(stage, BAD, GOOD, last=better), "v2").status is Status.SUCCESSFUL


@pytest.mark.parametrize("down", [0, 4])
def test_a_slot_with_traffic_is_not_retired(down):
    stage = stage_with_v1()

    def script(context):
        stage.platform.workload.crash(Slot.BLUE, down)
        context.retire(Slot.BLUE)
        assert len(context.observe().slot(Slot.BLUE).instances) == 4
        if not down:
            switch(context)
            return DeploymentResult(True, "done")
        return DeploymentResult(False, "no")

    outcome = stage.deploy(Scripted(script), "v2")
    assert outcome.status is (Status.ROLLBACK_FAILED if down else Status.SUCCESSFUL)
    assert not any(slot is Slot.BLUE and not counts for _, slot, counts in stage.platform.workload.writes)


def test_what_a_method_of_the_strategy_did_is_the_strategys_to_take_back():
    stage = stage_with_v1()
    taken_back = []

    class Careful(Scripted):
        def lower_ttl(self): ...

        def rollback(self, context):
            taken_back.append("ttl")
            return super().rollback(context)

    def script(context):
        context.call("lower_ttl")
        raise ValueError("no")

    assert stage.deploy(Careful(script), "v2").status is Status.ROLLED_BACK
    assert taken_back == ["ttl"]


def unanswered(stage, *, meanwhile):
    """The first write of the split is not answered; `meanwhile` happens before the second one."""
    real, calls = stage.platform.router.write, []

    def write(split, expect):
        calls.append(split)
        if len(calls) == 1:
            raise Unanswered("the answer was lost")
        if len(calls) == 2:
            meanwhile(real, calls[0])
        real(split, expect)

    stage.platform.router.write = write


def test_an_own_write_that_lands_late_is_no_drift():
    stage = stage_with_v1()
    unanswered(stage, meanwhile=lambda write, late: write(late, None))
    assert stage.deploy(Scripted(switch), "v2").status is Status.SUCCESSFUL


def test_a_foreign_write_after_an_unanswered_one_is_drift():
    stage = stage_with_v1()
    foreign = share(Slot.GREEN, 60)
    unanswered(stage, meanwhile=lambda write, _: write(foreign, None))
    outcome = stage.deploy(Scripted(switch), "v2")
    assert outcome.status is Status.HALTED
    assert "green 60 %" in outcome.message
    assert stage.platform.router.writes[-1][1] == foreign


def test_an_own_write_that_was_not_in_force_in_time_is_no_drift():
    stage = stage_with_v1(rules=Rules(propagation=60))

    def script(context):
        context.deploy(Slot.GREEN, context.release, 4)
        with pytest.raises(SwitchTimeout):
            context.set_traffic(whole(Slot.GREEN), timeout=1)
        context.set_traffic(whole(Slot.BLUE))
        return DeploymentResult(False, "not today")

    outcome = stage.deploy(Scripted(script), "v2")
    assert outcome.status is Status.ROLLED_BACK
    assert "not today" in outcome.message


def test_the_stable_slot_gets_no_more_than_it_can_carry():
    stage = stage_with_v1()
    stage.platform.workload.converge(Slot.GREEN, {stage.world.workload.resolve(Release("v0")): 1})
    stage.platform.router.write(share(Slot.GREEN, 20), None)
    stage.clock.sleep(10)
    with pytest.raises(Refused, match="1 ready of 4"):
        stage.deploy(Scripted(switch), "v2", stable=Slot.GREEN)
    assert stage.platform.router.writes[-1][1] == share(Slot.GREEN, 20)
    assert stage.store.list() == []
