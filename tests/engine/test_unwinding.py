"""A verdict, an abort or an error ends a strategy, never the engine's own way back."""

from __future__ import annotations

import asyncio

import pytest
from scripted import Scripted, switch

from uno_core import Bounds, Figures, Probe, Slot, Status, share, whole
from uno_core.builtin import ThresholdJudge, ThresholdOptions
from uno_core.simulation.stage import FiguresNow, Stage


def stage_with_v1(**more):
    stage = Stage(willing=False, **more)
    stage.live("v1")
    return stage


def is_back(stage, outcome):
    now = stage.world.observe()
    return (
        outcome.status is Status.ROLLED_BACK
        and now.in_force == whole(Slot.BLUE)
        and now.slot(Slot.BLUE).ready() == 4
        and now.slot(Slot.GREEN).instances == ()
    )


def halfway(context):
    context.deploy(Slot.GREEN, context.release, 4)
    context.set_traffic(share(Slot.GREEN, 50))


def test_a_finally_that_asks_for_something_does_not_hide_a_verdict():
    stage = stage_with_v1(judge=ThresholdJudge(ThresholdOptions(), None))
    stage.provider = FiguresNow(stage.clock)
    stage.provider.rates[Slot.GREEN] = Figures(requests=50, errors=25)

    def tidy(context):
        try:
            return switch(context, seconds=60, thresholds={"error_rate": Bounds(max=0.01)})
        finally:
            context.observe()

    outcome = stage.deploy(Scripted(tidy), "v2")
    assert is_back(stage, outcome)
    assert "error_rate: 50.00%" in outcome.message


@pytest.mark.parametrize(
    "last", [lambda c: c.wait(30, slot=Slot.GREEN), lambda c: c.pause("sure?", timeout=60)]
)
def test_a_rollback_of_the_strategy_that_is_unwound_does_not_end_the_way_back(last):
    stage = stage_with_v1()

    class Careful(Scripted):
        def rollback(self, context):
            last(context)
            return super().rollback(context)

    def script(context):
        halfway(context)
        stage.platform.workload.crash(Slot.GREEN, 4)
        raise ValueError("no")

    assert is_back(stage, stage.deploy(Careful(script), "v2"))


def test_a_cancelled_task_of_the_strategy_is_an_error_like_any_other():
    stage = stage_with_v1()

    def script(context):
        halfway(context)
        raise asyncio.CancelledError

    outcome = stage.deploy(Scripted(script), "v2")
    assert is_back(stage, outcome)
    assert "CancelledError" in outcome.message


class Hanging:
    """A check that does not answer; somebody cancels the job while it is asked."""

    per_instance = True

    def __init__(self):
        self.engine = None
        self.asked = 0
        self.answered = 0

    def check(self, target, timeout):
        self.asked += 1
        if self.engine is not None and self.engine.ears is not None:
            self.engine.ears.interrupt("interrupted by SIGTERM")  # as the signal's handler does
        self.answered += 1
        return Probe(target="shop", healthy=True, answer="200")


def test_a_signal_waits_for_no_answer_of_a_health_check():
    check = Hanging()
    stage = stage_with_v1(health=lambda _: check)
    check.engine = stage.engine()
    outcome = check.engine.deploy(stage.order(Scripted(lambda c: switch(c, seconds=60.0)), "v2"))
    assert is_back(stage, outcome)
    assert (check.asked, check.answered) == (1, 0)


def test_on_the_way_back_a_signal_ends_no_look():
    check = Hanging()
    stage = stage_with_v1(health=lambda _: check)
    assert stage.engine().deploy(stage.order(Scripted(switch), "v2")).status is Status.SUCCESSFUL
    stage.platform.workload.converge(Slot.BLUE, {})
    stage.clock.sleep(10)
    check.engine = stage.engine()
    record = stage.store.list(limit=1)[0]
    outcome = check.engine.rollback(stage.order(Scripted(switch), "v2"), record.id, "asked for")
    assert outcome.status is Status.ROLLED_BACK
    assert check.asked == check.answered > 0
