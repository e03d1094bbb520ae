"""A workload that goes on a step at a time: uno has it step while it waits, and only while it may write."""

from __future__ import annotations

import pytest
from attrs import evolve
from scripted import Scripted, switch

from uno_core import Capabilities, Release, Slot, Status, StrategyInfo, Throttled, Unanswered, share, whole
from uno_core.planning import Choice, plan
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import NOBODY, SHOP, Stage

PLAIN = Capabilities(granularity=0.01, unroute=True, marks=True, write_horizon=30.0)


class Stepwise:
    """Makes of a simulated workload one of which nothing gets ready before as many steps as `needs`."""

    def __init__(self, stage, needs=3):
        self.stage, self.needs = stage, needs
        self.steps, self.left, self.fails = [], dict.fromkeys(Slot, 0), []
        self.workload = stage.platform.workload
        self._converge = self.workload.converge
        self.workload.converge, self.workload.step = self.converge, self.step

    def converge(self, slot, counts):
        self.left[slot] = self.needs
        self._converge(slot, counts)
        for copy in self.workload._copies[slot]:
            if copy.ready_at > self.stage.clock.monotonic():
                copy.ready_at = float("inf")

    def step(self, slot):
        self.steps.append((self.stage.clock.monotonic(), slot))
        if self.fails:
            raise self.fails.pop()
        self.left[slot] -= 1
        if self.left[slot] == 0:
            for copy in self.workload._copies[slot]:
                copy.ready_at = self.stage.clock.monotonic()
            self.workload._seen.clear()


@pytest.fixture
def stage():
    made = Stage(rules=Rules(capabilities=PLAIN), willing=False)
    made.live("v1")
    made.world = evolve(made.world, capabilities=evolve(PLAIN, steps=True))
    return made


@pytest.fixture
def stepwise(stage):
    return Stepwise(stage)


def test_a_slot_is_waited_for_with_a_step_between_two_looks(stage, stepwise):
    assert stage.deploy(Scripted(switch), "v2").status is Status.SUCCESSFUL
    assert [slot for _, slot in stepwise.steps] == [Slot.GREEN] * 3
    times = [at for at, _ in stepwise.steps]
    assert len(set(times)) == 3, "each after another wait"


def test_no_step_is_asked_of_a_workload_that_goes_on_by_itself(stage, stepwise):
    stepwise.needs = 0
    stage.world = evolve(stage.world, capabilities=PLAIN)
    stage.deploy(Scripted(switch), "v2")
    assert stepwise.steps == []


@pytest.mark.parametrize("problem", [Throttled("too many requests"), Unanswered("the connection broke")])
def test_a_step_that_was_not_taken_is_gone_again(stage, stepwise, problem):
    stepwise.fails = [problem]
    assert stage.deploy(Scripted(switch), "v2").status is Status.SUCCESSFUL
    assert len(stepwise.steps) == 4


def test_a_step_whose_answer_was_lost_may_still_land(stage, stepwise):
    """So the way back goes on watching until it cannot."""
    stepwise.needs, stepwise.fails = 1000, [Unanswered("the connection broke")]

    def script(context):
        context.deploy(Slot.GREEN, context.release, 4, deadline=5)

    assert stage.deploy(Scripted(script), "v2").status is Status.ROLLED_BACK
    lost = stepwise.steps[0][0]
    assert stage.clock.monotonic() >= lost + PLAIN.write_horizon


def test_the_way_back_steps_in_the_slot_that_it_brings_back(stage, stepwise):
    def script(context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.set_traffic(whole(Slot.GREEN))
        context.deploy(Slot.BLUE, context.release, 4)
        raise RuntimeError("something else")

    assert stage.deploy(Scripted(script), "v2").status is Status.ROLLED_BACK
    assert [slot for _, slot in stepwise.steps] == [Slot.GREEN] * 3 + [Slot.BLUE] * 6
    assert [release.version for release in stage.world.observe().slot(Slot.BLUE).releases] == ["v1"]


def test_whoever_lost_the_lease_steps_no_more(stage, stepwise):
    thief = evolve(NOBODY, pid=77)

    def step(slot):
        stepwise.step(slot)
        stage.store.acquire("shop-test", thief, ttl=60, take_over=True)

    stepwise.workload.step = step
    outcome = stage.deploy(Scripted(switch), "v2")
    assert outcome.status is Status.LOST
    assert "process 77" in outcome.message
    assert len(stepwise.steps) == 1


def test_the_routing_is_read_before_each_step(stage, stepwise):
    """What somebody else routed meanwhile is not stepped on."""

    def step(slot):
        stepwise.step(slot)
        stage.platform.router.impose(share(Slot.GREEN, 33))

    stepwise.workload.step = step
    assert stage.deploy(Scripted(switch), "v2").status is Status.HALTED
    assert len(stepwise.steps) == 1


def test_a_plan_steps_nowhere(stage, stepwise):
    made = plan(
        application=SHOP,
        choice=Choice(info=StrategyInfo(name="scripted", summary="", load=Scripted), why="a test"),
        make=lambda: Scripted(switch),
        options={},
        release=stage.world.workload.resolve(Release("v2")),
        snapshot=stage.world.observe(),
        capabilities=stage.world.capabilities,
    )
    assert not [warning for warning in made.warnings if "would end" in warning]
    assert stepwise.steps == []
