"""Platforms, checks and judges that raise what is not uno's, hiccup, or answer nonsense."""

from __future__ import annotations

import pytest
from scripted import Scripted, switch

from uno_core import Bounds, DeploymentResult, Figures, PlatformError, Slot, Status, Throttled, whole
from uno_core.builtin import ThresholdJudge, ThresholdOptions
from uno_core.effects.world import Policy
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import FiguresNow, Stage


def stage_with_v1(**more):
    stage = Stage(willing=False, **more)
    stage.live("v1")
    return stage


def failing(real, problem, *, times=1, after=0):
    """`real`, which raises so many times once it was called `after` times."""
    calls = []

    def call(*arguments, **named):
        calls.append(arguments)
        if after < len(calls) <= after + times:
            raise problem
        return real(*arguments, **named)

    return call


def switched_then(stage, happens):
    def script(context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.set_traffic(whole(Slot.GREEN))
        happens(context)
        raise ValueError("no")

    return Scripted(script)


def is_back(stage, outcome):
    now = stage.world.observe()
    return (
        outcome.status is Status.ROLLED_BACK
        and now.in_force == whole(Slot.BLUE)
        and now.slot(Slot.GREEN).instances == ()
    )


@pytest.mark.parametrize("half", ["workload", "router"])
@pytest.mark.parametrize("problem", [ConnectionError("reset by peer"), KeyError("items"), SystemExit(1)])
def test_a_way_back_tries_again_whatever_a_platform_raises(half, problem):
    stage = stage_with_v1()

    def breaks(_):
        part = getattr(stage.platform, half)
        part.observe = failing(part.observe, problem, times=5)

    assert is_back(stage, stage.deploy(switched_then(stage, breaks), "v2"))


def test_a_platform_that_stays_broken_ends_in_an_outcome_that_names_it():
    stage = stage_with_v1(policy=Policy(rollback=60))

    def breaks(_):
        stage.platform.workload.observe = failing(
            stage.platform.workload.observe, OSError("gone"), times=10**6
        )

    outcome = stage.deploy(switched_then(stage, breaks), "v2")
    assert outcome.status is Status.ROLLBACK_FAILED
    assert "what serves could not be seen (SimulatedWorkload.observe failed" in outcome.message
    assert stage.store.list()[0].status is Status.ROLLBACK_FAILED


def test_a_watch_that_breaks_does_not_end_a_way_back():
    stage = stage_with_v1(rules=Rules(propagation=2))

    def breaks(_):
        problem = PlatformError("watch closed")
        stage.platform.wait_for_change = failing(stage.platform.wait_for_change, problem, times=3)

    assert is_back(stage, stage.deploy(switched_then(stage, breaks), "v2"))


@pytest.mark.parametrize("after", range(14))
def test_a_platform_that_asks_for_patience_once_does_not_end_a_deployment(after):
    stage = stage_with_v1()

    def script(context):
        stage.platform.workload.observe = failing(
            stage.platform.workload.observe, Throttled("slow down"), after=after
        )
        context.observe()
        return switch(context, seconds=20)

    assert stage.deploy(Scripted(script), "v2").status is Status.SUCCESSFUL


def test_an_abort_is_heard_while_the_platform_asks_for_patience():
    stage = stage_with_v1()

    def script(context):
        real = stage.platform.workload.observe
        stage.platform.workload.observe = failing(real, Throttled("slow down"), times=10**6)
        stage.clock.at(
            30, lambda: stage.store.signal("shop-test-1", "abort", {}, by="al", at=stage.clock.now())
        )
        stage.clock.at(300, lambda: setattr(stage.platform.workload, "observe", real))
        context.deploy(Slot.GREEN, context.release, 4)

    assert stage.deploy(Scripted(script), "v2").status is Status.ROLLED_BACK
    assert stage.happened("rollback")[0].at < 40


def test_a_health_check_that_answers_nonsense_is_an_error():
    class Shrugs:
        per_instance = True

        def check(self, target, timeout):
            return None

    stage = stage_with_v1(health=lambda _: Shrugs())
    reports = []

    def script(context):
        context.deploy(Slot.GREEN, context.release, 4)
        reports.append(context.check_health(Slot.GREEN))
        return DeploymentResult(False, "no")

    stage.deploy(Scripted(script), "v2")
    assert reports[0].verdict == "error"
    assert "expected a Probe, found None" in reports[0].reason


@pytest.mark.parametrize("findings", [None, ["fine"], [None]])
def test_a_judge_that_answers_nonsense_is_an_error_and_never_a_pass(findings):
    class Shrugs(ThresholdJudge):
        def judge(self, windows, bounds):
            return findings

    stage = stage_with_v1(judge=Shrugs(ThresholdOptions(), None), policy=Policy(evidence=60))
    stage.provider = FiguresNow(stage.clock)
    stage.provider.rates[Slot.GREEN] = Figures(requests=50)
    bounds = {"error_rate": Bounds(max=0.01)}
    outcome = stage.deploy(Scripted(lambda c: switch(c, seconds=30, thresholds=bounds)), "v2")
    assert outcome.status is Status.ROLLED_BACK
    assert "the judge failed: TypeError" in outcome.message
    assert "no evidence within 60 s" in outcome.message
