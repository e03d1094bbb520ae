"""What the embedded engine makes of strategies: good ones, bad ones, hostile ones."""

from __future__ import annotations

import pytest
from scripted import Scripted, switch

from uno_core import (
    Bounds,
    DeploymentResult,
    Drift,
    Figures,
    Locked,
    Refused,
    Slot,
    Status,
    UnoError,
    share,
    whole,
)
from uno_core.builtin import ThresholdJudge, ThresholdOptions
from uno_core.contracts.state import Mark
from uno_core.effects.world import Policy
from uno_core.errors import Breach, Unsettled, Unwind
from uno_core.journal.lock import FileLock, this_process
from uno_core.journal.sqlite import FileStore
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import FiguresNow, Stage

ERRORS = {"error_rate": Bounds(max=0.01)}


def stage_with_v1(**more):
    stage = Stage(**more)
    stage.live("v1")
    return stage


def judged(**more):
    stage = stage_with_v1(judge=ThresholdJudge(ThresholdOptions(), None), **more)
    stage.provider = FiguresNow(stage.clock)
    return stage


def test_success_is_what_serves_not_what_the_strategy_says():
    stage = stage_with_v1()
    outcome = stage.deploy(Scripted(lambda context: DeploymentResult(True, "Deployment succeeded")), "v2")
    assert outcome.status is Status.FAILED
    assert outcome.exit_code == 1
    assert "reported success, but v1 serves" in outcome.message
    assert "v1 serves as before" in outcome.message
    assert stage.platform.router.writes[1:] == []


def test_a_strategy_that_stops_halfway_is_rolled_back():
    stage = stage_with_v1()

    def half(context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.set_traffic(share(Slot.GREEN, 50))

    outcome = stage.deploy(Scripted(half), "v2")
    assert outcome.status is Status.ROLLED_BACK
    assert outcome.exit_code == 3
    assert stage.world.observe().in_force == whole(Slot.BLUE)
    assert stage.world.observe().slot(Slot.GREEN).instances == ()


def test_the_same_release_again_is_a_deployment_of_its_own():
    stage = stage_with_v1()
    assert stage.deploy(Scripted(switch), "v2").status is Status.SUCCESSFUL
    assert stage.deploy(Scripted(switch), "v3").status is Status.SUCCESSFUL
    assert [r.id for r in stage.store.list()] == ["shop-test-2", "shop-test-1"]


@pytest.mark.parametrize("problem", [ValueError("mine"), SystemExit(0), Drift("x"), UnoError("y")])
def test_whatever_a_strategy_raises_is_understood(problem):
    stage = stage_with_v1()

    def bad(context):
        context.deploy(Slot.GREEN, context.release, 1)
        raise problem

    outcome = stage.deploy(Scripted(bad), "v2")
    assert outcome.status is (Status.HALTED if isinstance(problem, Drift) else Status.ROLLED_BACK)
    assert stage.world.observe().in_force == whole(Slot.BLUE)


def test_every_effect_is_announced_before_it_is_done():
    stage = stage_with_v1()
    seen = []

    def look(split):
        entries = stage.store.entries("shop-test-1")
        seen.append((entries[-1].op, entries[-1].mark))

    stage.platform.router.on_write = look
    outcome = stage.deploy(Scripted(switch), "v2")
    assert seen == [("set_traffic", Mark.INTENT)]
    entries = stage.store.entries(outcome.deployment)
    assert [(e.seq, e.mark) for e in entries] == [
        (n, mark) for n in range(len(entries) // 2) for mark in (Mark.INTENT, Mark.RESULT)
    ]
    assert [e.op for e in entries[::2]] == ["converge", "set_traffic", "promoted", "verify"]


def test_too_few_instances_are_never_routed_to():
    stage = stage_with_v1()
    problems = []

    def greedy(context):
        context.deploy(Slot.GREEN, context.release, 1)
        try:
            context.set_traffic(share(Slot.GREEN, 50))
        except Refused as problem:
            problems.append(problem)
        return switch(context)

    assert stage.deploy(Scripted(greedy), "v2").status is Status.SUCCESSFUL
    assert "1 ready of 4" in str(problems[0])
    assert "at least 2" in str(problems[0])


def test_a_serving_slot_is_never_emptied():
    stage = stage_with_v1()
    outcome = stage.deploy(Scripted(lambda c: c.converge(Slot.BLUE, {})), "v2")
    assert outcome.status is Status.ROLLED_BACK
    assert "too few instances would stay" in outcome.message
    assert all(counts for _, slot, counts in stage.platform.workload.writes if slot is Slot.BLUE)


def test_a_declared_outage_may_empty_it():
    stage = stage_with_v1()

    def recreate(context):
        context.converge(Slot.BLUE, {})
        context.deploy(Slot.BLUE, context.release, 4)

    assert stage.deploy(Scripted(recreate), "v2", outage=True).status is Status.SUCCESSFUL


def test_a_foreign_write_halts_and_nothing_more_is_written():
    stage = stage_with_v1()

    def script(context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.set_traffic(share(Slot.GREEN, 10))
        stage.platform.router.write(share(Slot.GREEN, 70), None)
        context.set_traffic(share(Slot.GREEN, 20))

    outcome = stage.deploy(Scripted(script), "v2")
    assert outcome.status is Status.HALTED
    assert outcome.exit_code == 7
    assert "green 70 %" in outcome.message
    assert "green 10 %" in outcome.message
    assert stage.platform.router.writes[-1][1] == share(Slot.GREEN, 70)


def test_two_slots_with_traffic_are_no_place_to_begin():
    stage = stage_with_v1()
    stage.platform.workload.converge(Slot.GREEN, {stage.world.workload.resolve(_r("v0")): 4})
    stage.platform.router.write(share(Slot.GREEN, 30), None)
    stage.clock.sleep(10)
    with pytest.raises(Unsettled, match=r"blue has 70 % with v1 .*green has 30 % with v0") as caught:
        stage.deploy(Scripted(switch), "v2")
    assert caught.value.exit_code == 7
    assert stage.store.list() == []


def test_a_person_may_name_the_stable_slot():
    stage = stage_with_v1()
    stage.platform.workload.converge(Slot.GREEN, {stage.world.workload.resolve(_r("v0")): 4})
    stage.platform.router.write(share(Slot.GREEN, 30), None)
    stage.clock.sleep(10)
    outcome = stage.deploy(Scripted(switch), "v2", stable=Slot.BLUE)
    assert outcome.status is Status.SUCCESSFUL
    assert [split for _, split in stage.platform.router.writes[-2:]] == [whole(Slot.BLUE), whole(Slot.GREEN)]


def test_a_broken_live_release_can_be_replaced():
    stage = stage_with_v1()
    stage.platform.workload.crash(Slot.BLUE, 4)
    with pytest.raises(Unsettled, match="exited with code 1"):
        stage.deploy(Scripted(switch), "v2")
    outcome = stage.deploy(Scripted(switch), "v2", stable=Slot.BLUE)
    assert outcome.status is Status.SUCCESSFUL


def test_the_lock_names_its_owner(tmp_path):
    stage = stage_with_v1(store=FileStore(path=tmp_path / "journal.db"))
    lock = FileLock(tmp_path / "locks" / "shop-test.lock")
    lock.acquire(this_process())
    with pytest.raises(Locked, match=r"process \d+ on .* since ") as caught:
        stage.deploy(Scripted(switch), "v2")
    assert caught.value.exit_code == 5
    lock.release()
    assert stage.deploy(Scripted(switch), "v2").status is Status.SUCCESSFUL


def test_a_deployment_whose_driver_died_is_rolled_back_by_a_person():
    stage = stage_with_v1()

    def die(context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.set_traffic(share(Slot.GREEN, 50))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.deploy(Scripted(die), "v2")
    with pytest.raises(Locked, match="nobody drives it"):
        stage.deploy(Scripted(switch), "v3")
    record = stage.store.list()[0]
    outcome = stage.engine().rollback(stage.order(Scripted(die), "v2"), record.id, "asked for")
    assert outcome.status is Status.ROLLED_BACK
    assert stage.world.observe().in_force == whole(Slot.BLUE)
    assert stage.deploy(Scripted(switch), "v3").status is Status.SUCCESSFUL


def test_nobody_waits_for_what_the_platform_gave_up():
    rules = Rules(broken={"v2": "exited with code 1"}, hopeless=frozenset({"v2"}))
    stage = stage_with_v1(rules=rules)
    outcome = stage.deploy(Scripted(switch), "v2")
    assert outcome.status is Status.ROLLED_BACK
    assert "exited with code 1" in outcome.message
    assert stage.clock.monotonic() < 30


# Evidence


def test_a_bad_verdict_takes_the_traffic_back_at_once():
    stage = judged()
    stage.provider.rates[Slot.GREEN] = Figures(requests=50, errors=25)
    outcome = stage.deploy(Scripted(lambda c: switch(c, seconds=300, thresholds=ERRORS)), "v2")
    assert outcome.status is Status.ROLLED_BACK
    assert "error_rate: 50.00%, above 1.00%" in outcome.message
    verdict = stage.happened("verdict")[0].at
    back = [at for at, split in stage.platform.router.writes if split == whole(Slot.BLUE)][-1]
    assert back == verdict
    assert verdict - stage.happened("split")[0].at <= 10


def test_good_figures_pass_when_the_wait_is_over():
    stage = judged()
    stage.provider.rates[Slot.GREEN] = Figures(requests=50, errors=0.1)
    outcome = stage.deploy(Scripted(lambda c: switch(c, seconds=300, thresholds=ERRORS)), "v2")
    assert outcome.status is Status.SUCCESSFUL
    assert stage.clock.monotonic() < 320


@pytest.mark.parametrize("rate", [None, Figures(requests=50, errors=float("nan")), OSError("down")])
def test_silence_is_never_a_pass(rate):
    stage = judged(policy=Policy(evidence=600))
    stage.provider.rates[Slot.GREEN] = rate
    outcome = stage.deploy(Scripted(lambda c: switch(c, seconds=60, thresholds=ERRORS)), "v2")
    assert outcome.status is Status.ROLLED_BACK
    assert "no evidence within 600 s" in outcome.message


def test_data_that_ended_promotes_nothing():
    stage = judged(policy=Policy(evidence=600))
    stage.provider.rates[Slot.GREEN] = Figures(requests=50)
    stage.clock.at(30, lambda: stage.provider.rates.pop(Slot.GREEN))
    outcome = stage.deploy(Scripted(lambda c: switch(c, seconds=300, thresholds=ERRORS)), "v2")
    assert outcome.status is Status.ROLLED_BACK
    assert "nothing seen for" in outcome.message


def test_a_first_deployment_is_held_to_bounds_but_not_to_traffic():
    stage = Stage(judge=ThresholdJudge(ThresholdOptions(), None))
    stage.provider = FiguresNow(stage.clock)
    first = Scripted(lambda c: c.introduce(thresholds=ERRORS, verify_for=60))
    assert stage.deploy(first, "v1").status is Status.SUCCESSFUL
    assert stage.clock.monotonic() < 70
    stage = Stage(judge=ThresholdJudge(ThresholdOptions(), None))
    stage.provider = FiguresNow(stage.clock)
    stage.provider.rates[Slot.BLUE] = Figures(requests=50, errors=25)
    assert stage.deploy(first, "v1").status is Status.FAILED


def test_silence_that_ends_in_time_is_waited_for():
    stage = judged()
    stage.clock.at(500, lambda: stage.provider.rates.update({Slot.GREEN: Figures(requests=50)}))
    outcome = stage.deploy(Scripted(lambda c: switch(c, seconds=60, thresholds=ERRORS)), "v2")
    assert outcome.status is Status.SUCCESSFUL
    assert 500 < stage.clock.monotonic() < 520


def test_bad_health_under_traffic_leads_back():
    stage = stage_with_v1()
    stage.clock.at(60, lambda: stage.platform.workload.crash(Slot.GREEN, 4))
    outcome = stage.deploy(Scripted(lambda c: switch(c, seconds=300)), "v2")
    assert outcome.status is Status.ROLLED_BACK
    assert "exited with code 1" in outcome.message


def test_an_evaluation_that_failed_cannot_be_passed_over():
    stage = judged()
    stage.provider.rates[Slot.GREEN] = Figures(requests=50, errors=25)

    def stubborn(context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.set_traffic(whole(Slot.GREEN))
        context.evaluate(Slot.GREEN, thresholds=ERRORS)
        context.promoted()

    outcome = stage.deploy(Scripted(stubborn), "v2")
    assert outcome.status is Status.ROLLED_BACK
    assert "went on all the same" in outcome.message


def test_nothing_happens_after_an_unwinding_whatever_the_strategy_catches():
    stage = judged()
    stage.provider.rates[Slot.GREEN] = Figures(requests=50, errors=25)
    caught = []

    def hostile(context):
        try:
            switch(context, seconds=60, thresholds=ERRORS)
        except BaseException as problem:  # noqa: BLE001 - what a hostile strategy does
            caught.append(problem)
            try:
                context.set_traffic(whole(Slot.GREEN))
            except BaseException as again:  # noqa: BLE001 - likewise
                caught.append(again)
        return DeploymentResult(True, "all is well")

    outcome = stage.deploy(Scripted(hostile), "v2")
    assert isinstance(caught[0], Breach)
    assert isinstance(caught[1], Unwind)
    assert outcome.status is Status.ROLLED_BACK
    assert stage.world.observe().in_force == whole(Slot.BLUE)


def test_what_fails_after_promotion_does_not_undo_it():
    stage = stage_with_v1()

    def late(context):
        switch(context)
        raise ValueError("too late")

    outcome = stage.deploy(Scripted(late), "v2")
    assert outcome.status is Status.SUCCESSFUL
    assert "v2 serves; afterwards" in outcome.message


def test_a_method_of_the_strategy_is_an_effect():
    stage = stage_with_v1()

    class Warm(Scripted):
        calls: list[str] = []  # noqa: RUF012 - of this test only

        def warm(self, path):
            self.calls.append(path)
            return {"warmed": path}

    answers = []

    def script(context):
        answers.append(context.call("warm", path="/"))
        return switch(context)

    assert stage.deploy(Warm(script), "v2").status is Status.SUCCESSFUL
    assert answers == [{"warmed": "/"}]
    assert stage.store.entries("shop-test-1")[0].op == "call"


def test_a_split_finer_than_the_platform_is_refused():
    from uno_core import Capabilities

    stage = stage_with_v1(rules=Rules(capabilities=Capabilities(granularity=10)))

    def script(context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.set_traffic(share(Slot.GREEN, 14))

    outcome = stage.deploy(Scripted(script), "v2")
    assert "the nearest possible share is 10 %" in outcome.message


def _r(version):
    from uno_core import Release

    return Release(version)


def test_a_wait_that_is_prolonged_says_why_and_how_long_at_the_most():
    stage = judged(policy=Policy(evidence=600))
    stage.deploy(Scripted(lambda c: switch(c, seconds=60, thresholds=ERRORS)), "v2")
    told = stage.happened("prolonged")
    assert len(told) == 10
    assert "no data yet" in told[0].data["reason"]
    assert told[0].data["gives_up_in"] == 600
