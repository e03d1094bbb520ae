"""Signals from other processes, gates, and the way back of finished deployments."""

from __future__ import annotations

import re

import pytest
from scripted import Scripted, switch

from uno_core import Capabilities, ConfigError, OnTimeout, PlatformError, Probe, Slot, Status, whole
from uno_core.effects.world import Policy
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import Stage


def stage_with_v1(**more):
    stage = Stage(willing=False, **more)
    stage.live("v1")
    return stage


def say(stage, kind, **payload):
    stage.store.signal("shop-test-1", kind, payload, by="alice", at=stage.clock.now())


def gated(on_timeout=OnTimeout.ROLLBACK):
    def script(context):
        context.deploy(Slot.GREEN, context.release, 4)
        decision = context.pause("look at it", timeout=3600, on_timeout=on_timeout)
        context.set_traffic(whole(Slot.GREEN))
        context.call("note", by=decision.by)
        context.promoted()

    class Gated(Scripted):
        noted = ""

        def note(self, by):
            Gated.noted = by

    return Gated(script)


def test_a_gate_waits_for_a_person():
    stage = stage_with_v1()
    stage.clock.at(500, lambda: say(stage, "promote"))
    paused = []
    stage.clock.at(400, lambda: paused.append(stage.store.get("shop-test-1").status))
    strategy = gated()
    outcome = stage.deploy(strategy, "v2")
    assert outcome.status is Status.SUCCESSFUL
    assert paused == [Status.PAUSED]
    assert strategy.noted == "alice"
    assert stage.happened("continued")[0].at == 500
    assert [s.answer for s in stage.store.signals("shop-test-1", unanswered=False)] == ["promoted"]


def test_a_promotion_before_the_gate_neither_ends_a_wait_nor_is_lost():
    stage = stage_with_v1()
    stage.clock.at(60, lambda: say(stage, "promote"))

    def script(context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.wait(300, watch=False)
        context.pause("look at it", timeout=3600)
        return switch(context)

    assert stage.deploy(Scripted(script), "v2").status is Status.SUCCESSFUL
    assert 300 < stage.clock.monotonic() < 320


def test_a_gate_that_nobody_answers_does_what_it_said():
    back = stage_with_v1()
    assert back.deploy(gated(), "v2").status is Status.ROLLED_BACK
    on = stage_with_v1()
    assert on.deploy(gated(OnTimeout.PROMOTE), "v2").status is Status.SUCCESSFUL


def test_an_abort_ends_a_wait_and_leads_back():
    stage = stage_with_v1()
    stage.clock.at(60, lambda: say(stage, "abort", reason="too risky"))
    outcome = stage.deploy(Scripted(lambda c: switch(c, seconds=300)), "v2")
    assert outcome.status is Status.ROLLED_BACK
    assert outcome.exit_code == 3
    assert "too risky" in outcome.message
    assert stage.happened("rollback")[0].at == 60


def test_a_word_that_comes_too_late_is_answered():
    stage = stage_with_v1()
    stage.react = lambda event: say(stage, "abort") if event.kind == "promoted" else None
    outcome = stage.deploy(Scripted(switch), "v2")
    assert outcome.status is Status.SUCCESSFUL
    answers = [s.answer for s in stage.store.signals("shop-test-1", unanswered=False)]
    assert answers == ["too late: the deployment is successful"]


def roll_back(stage, version="v2"):
    record = stage.store.list()[0]
    return stage.engine().rollback(stage.order(Scripted(switch), version), record.id, "asked for")


def test_the_last_deployment_goes_back_at_once_while_the_old_slot_stands():
    stage = stage_with_v1()
    stage.deploy(Scripted(switch), "v2")
    before = stage.clock.monotonic()
    outcome = roll_back(stage)
    assert outcome.status is Status.ROLLED_BACK
    at, split = stage.platform.router.writes[-1]
    assert (at, split) == (before, whole(Slot.BLUE))


def test_an_old_slot_that_is_gone_is_brought_up_before_it_is_switched_to():
    stage = stage_with_v1()
    stage.deploy(Scripted(switch), "v2")
    stage.platform.workload.converge(Slot.BLUE, {})
    ready = []
    stage.platform.router.on_write = lambda split: ready.append(stage.world.observe().slot(Slot.BLUE).ready())
    outcome = roll_back(stage)
    assert outcome.status is Status.ROLLED_BACK
    assert ready == [4]
    assert [str(r) for r in stage.world.observe().releases] == ["v1"]


def test_one_instance_of_the_old_slot_that_is_down_does_not_hold_an_urgent_way_back():
    stage = stage_with_v1(policy=Policy(rollback=60))

    def script(context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.set_traffic(whole(Slot.GREEN))
        stage.platform.workload.crash(Slot.BLUE)
        stage.platform.workload.crash(Slot.GREEN, 4, reason="crash loop")
        context.wait(300, slot=Slot.GREEN)

    outcome = stage.deploy(Scripted(script), "v2")
    crashed = stage.happened("verdict")[0].at
    at, split = stage.platform.router.writes[-1]
    assert (at, split) == (crashed, whole(Slot.BLUE))
    # The instance stays down in this world, so the way back cannot be complete; that is said.
    assert outcome.status is Status.ROLLBACK_FAILED
    assert outcome.exit_code == 4
    assert "3 ready" in outcome.message


def test_a_way_back_that_fails_says_what_serves_now():
    stage = stage_with_v1(policy=Policy(rollback=120))
    stage.deploy(Scripted(switch), "v2")

    def refuse(split, expect):
        raise PlatformError("the API is away")

    stage.platform.router.write = refuse
    outcome = roll_back(stage)
    assert outcome.exit_code == 4
    assert "green 100 %: v2 serves" in outcome.message
    assert "the API is away" in outcome.message


def test_a_first_deployment_has_nothing_to_go_back_to():
    stage = Stage()
    stage.deploy(Scripted(switch), "v1")
    with pytest.raises(ConfigError, match="first deployment"):
        roll_back(stage, "v1")


def test_a_first_deployment_that_fails_leaves_nothing_behind():
    stage = Stage()

    def script(context):
        context.deploy(Slot.BLUE, context.release, 4)
        context.set_traffic(whole(Slot.BLUE))
        raise ValueError("no")

    outcome = stage.deploy(Scripted(script), "v1")
    assert outcome.status is Status.FAILED
    assert outcome.exit_code == 1
    now = stage.world.observe()
    assert now.split == {}
    assert now.slot(Slot.BLUE).instances == ()
    # It was taken out of the traffic before it was stopped.
    assert stage.platform.router.writes[-1][0] <= stage.platform.workload.writes[-1][0]


def test_a_slot_left_standing_is_retired_by_the_next_deployment():
    stage = stage_with_v1()

    def script(context):
        switch(context)
        context.retire(Slot.BLUE, after=600)

    stage.deploy(Scripted(script), "v2")
    assert stage.world.observe().slot(Slot.BLUE).ready() == 4
    stage.clock.sleep(700)
    done = []

    def in_place(context):
        done.append(context.initial)
        context.converge(Slot.GREEN, {context.initial.releases[0]: 4, context.release: 4})
        context.converge(Slot.GREEN, {context.release: 4})

    assert stage.deploy(Scripted(in_place), "v3").status is Status.SUCCESSFUL
    assert stage.world.observe().slot(Slot.BLUE).instances == ()


class Doctor:
    per_instance = False

    def __init__(self, healthy):
        self.healthy = healthy

    def check(self, target, timeout):
        return Probe(target=str(target), healthy=self.healthy, answer="503")


def test_a_slot_that_is_brought_up_again_is_checked_before_it_is_switched_to():
    doctor = Doctor(healthy=True)
    stage = stage_with_v1(health=lambda url: doctor)
    stage.deploy(Scripted(switch), "v2")
    stage.platform.workload.converge(Slot.BLUE, {})
    doctor.healthy = False
    outcome = roll_back(stage)
    assert outcome.exit_code == 4
    assert "nothing was switched" in outcome.message
    assert "green 100 %: v2 serves" in re.sub(r"blue 0 %, ", "", outcome.message)
    assert stage.world.observe().in_force == whole(Slot.GREEN)


def test_a_driver_that_died_after_promotion_leaves_a_success():
    stage = stage_with_v1()

    def die(context):
        switch(context)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.deploy(Scripted(die), "v2")
    assert stage.deploy(Scripted(switch), "v3").status is Status.SUCCESSFUL
    assert stage.store.get("shop-test-1").status is Status.SUCCESSFUL


def test_an_abort_after_promotion_only_shortens_what_is_left():
    stage = stage_with_v1()

    def script(context):
        switch(context)
        context.wait(3000, watch=False)
        context.retire(Slot.BLUE, after=60)

    stage.clock.at(100, lambda: say(stage, "abort"))
    outcome = stage.deploy(Scripted(script), "v2")
    assert outcome.status is Status.SUCCESSFUL
    assert stage.clock.monotonic() == 100
    assert stage.happened("retire")


def test_the_journal_holds_the_verdict_that_ended_a_wait():
    stage = stage_with_v1()
    stage.clock.at(60, lambda: stage.platform.workload.crash(Slot.GREEN, 4))
    outcome = stage.deploy(Scripted(lambda c: switch(c, seconds=300)), "v2")
    (ended,) = [e for e in stage.store.entries(outcome.deployment) if e.error and e.op == "wait"]
    assert ended.error["code"] == "breach"
    assert ended.error["analysis"]["verdict"] == "fail"


def test_a_disk_that_is_full_does_not_keep_the_traffic_at_a_bad_release():
    stage = stage_with_v1()

    def script(context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.set_traffic(whole(Slot.GREEN))
        stage.store._database.connection.execute("pragma query_only = on")
        stage.platform.workload.crash(Slot.GREEN, 4)
        context.wait(300, slot=Slot.GREEN)

    outcome = stage.deploy(Scripted(script), "v2")
    assert outcome.status is Status.ROLLED_BACK
    assert stage.world.observe().in_force == whole(Slot.BLUE)


def sticky_stage(**rules):
    """Clients stay with the slot that they came to for ten minutes."""
    sticky = Capabilities(mixed=True, granularity=0.01, cas=True, linger=620, sticky=600)
    return stage_with_v1(rules=Rules(capabilities=sticky, **rules))


def test_what_clients_stick_to_stands_until_their_time_is_over():
    stage = sticky_stage()
    stage.clock.at(60, lambda: say(stage, "abort"))
    assert stage.deploy(Scripted(lambda c: switch(c, seconds=300)), "v2").status is Status.ROLLED_BACK
    assert stage.world.observe().slot(Slot.GREEN).ready() == 4, "emptied, it would fail them"
    (told,) = stage.happened("retire")
    assert told.data["after"] == 620
    stage.engine().tidy(stage.order(Scripted(switch), "v2").application)
    assert stage.world.observe().slot(Slot.GREEN).ready() == 4, "not yet"
    stage.clock.sleep(620)
    stage.engine().tidy(stage.order(Scripted(switch), "v2").application)
    assert not stage.world.observe().slot(Slot.GREEN).wanted


def test_what_answers_nobody_is_emptied_though_clients_stick_to_it():
    stage = sticky_stage(broken={"v2": "exited with code 1"})
    assert stage.deploy(Scripted(switch), "v2").status is Status.ROLLED_BACK
    assert not stage.world.observe().slot(Slot.GREEN).wanted
    assert not stage.happened("retire")
