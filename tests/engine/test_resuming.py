"""Going on after a driver died: what is left of a wait, fresh verdicts, holds, drift, and changed code."""

import threading

import pytest
from attrs import evolve

from tests.support.played import ERRORS, Play, canary
from uno_core import (
    ConfigError,
    DeploymentResult,
    Locked,
    Slot,
    StateError,
    Status,
    SystemClock,
    Unanswered,
    UnoError,
    share,
    whole,
)
from uno_core.contracts.metrics import Figures
from uno_core.errors import Nondeterminism
from uno_core.journal.memory import MemoryStore
from uno_core.simulation.faults import Crash
from uno_core.simulation.stage import NOBODY


def test_what_is_left_of_a_wait_is_waited():
    play = Play().killed_at(10).until(40)
    assert play.resume().status is Status.SUCCESSFUL
    assert 60 <= play.switched_at() <= 61


def test_a_wait_that_ran_out_unwatched_asks_for_a_fresh_verdict_before_traffic_grows():
    play = Play().killed_at(10).until(90)
    assert play.resume().status is Status.SUCCESSFUL
    assert play.switched_at() >= 90 + play.stage.policy.look_every


def test_where_it_went_bad_meanwhile_the_traffic_goes_back():
    play = Play().killed_at(10)
    play.rates.rates[Slot.GREEN] = Figures(requests=100.0, errors=50.0)
    outcome = play.until(90).resume()
    assert outcome.status is Status.ROLLED_BACK
    splits = [split.get(Slot.GREEN, 0.0) for _, split in play.stage.platform.router.writes]
    assert splits == [0.0, 10.0, 0.0]


def test_what_is_recorded_is_not_done_again():
    play = Play().killed_at(10)
    before = len(play.stage.platform.workload.writes), len(play.stage.platform.router.writes)
    play.until(40)
    play.resume()
    assert len(play.stage.platform.workload.writes) == before[0]
    assert len(play.stage.platform.router.writes) == before[1] + 1


def test_evidence_of_before_the_crash_counts_on():
    play = Play()
    play.rates.rates[Slot.GREEN] = Figures(requests=100.0)
    play.killed_at(30)
    memo = play.stage.store.last_checkpoint(play.id)["memo"]
    assert len(memo["evidence"]["sources"]["simulation"]) >= 5
    play.until(31)
    play.resume()
    evidence = play.stage.happened("evidence")
    assert evidence[-1].data["analysis"]["verdict"] == "pass"


def test_a_strategy_that_asks_for_something_else_stops_with_both_sides():
    play = Play().killed_at(10).until(20)
    writes = len(play.stage.platform.router.writes)

    def other(context):
        context.deploy(Slot.GREEN, context.release, 3)
        return canary(context)

    play.script = other
    with pytest.raises(Nondeterminism) as told:
        play.resume()
    assert "'count': 3" in told.value.found
    assert "'count': 4" in told.value.expected
    assert "uno rollback" in told.value.remedy
    assert len(play.stage.platform.router.writes) == writes
    play.script = canary
    back = play.stage.engine().rollback(play.order(), play.id, "asked for")
    assert back.status is Status.ROLLED_BACK


def test_a_strategy_cannot_swallow_that_it_asks_for_something_else():
    play = Play().killed_at(10).until(20)

    def swallowing(context):
        try:
            context.deploy(Slot.GREEN, context.release, 3)
        except UnoError:
            context.set_traffic(whole(Slot.GREEN))
        return DeploymentResult(True)

    play.script = swallowing
    with pytest.raises(Nondeterminism):
        play.resume()
    assert play.stage.world.observe().split == share(Slot.GREEN, 10)


def test_what_has_ended_is_not_resumed():
    play = Play().killed_at(10).until(40)
    play.resume()
    with pytest.raises(ConfigError, match="nothing to go on with"):
        play.resume()


def test_what_somebody_else_drives_is_not_resumed():
    play = Play().killed_at(10)
    play.stage.store.acquire("shop-test", evolve(NOBODY, pid=99), ttl=60)
    with pytest.raises(Locked, match="another uno") as told:
        play.resume()
    assert "process 99 on stage" in told.value.found


def test_drift_halts_and_is_named_and_reasserted_on_request():
    play = Play()
    play.stage.clock.later(40, lambda: play.stage.platform.router.impose(share(Slot.GREEN, 33)))
    halted = play.stage.engine().deploy(play.order())
    assert (halted.status, halted.exit_code) == (Status.HALTED, 7)
    assert "green 33 %" in halted.message
    assert "green 10 %" in halted.message
    assert "--reassert" in halted.message
    again = play.resume()
    assert again.status is Status.HALTED
    assert play.stage.world.observe().split[Slot.GREEN] == 33
    assert play.resume(reassert=True).status is Status.SUCCESSFUL


def test_drift_that_was_undone_by_hand_needs_no_more_than_a_resume():
    play = Play()
    play.stage.clock.later(40, lambda: play.stage.platform.router.impose(share(Slot.GREEN, 33)))
    assert play.stage.engine().deploy(play.order()).status is Status.HALTED
    play.stage.platform.router.impose(share(Slot.GREEN, 10))
    assert play.resume().status is Status.SUCCESSFUL


def test_a_way_back_that_was_begun_goes_on_going_back():
    play = Play().killed_at(10).until(20)

    def die(event):
        if event.kind == "split_written":
            raise Crash

    play.stage.react = die
    with pytest.raises(Crash):
        play.stage.engine().rollback(play.order(), play.id, "asked for")
    play.stage.react = lambda _: None
    assert play.resume().status is Status.ROLLED_BACK


def test_what_was_promoted_before_the_crash_ends_as_a_success():
    def slowly(context):
        result = canary(context)
        context.wait(30, watch=False)
        context.retire(Slot.BLUE)
        return result

    play = Play(slowly)

    def die(event):
        if event.kind == "promoted":
            raise Crash

    play.stage.react = die
    with pytest.raises(Crash):
        play.stage.engine().deploy(play.order())
    play.stage.react = lambda _: None
    assert play.resume().status is Status.SUCCESSFUL
    assert not play.stage.world.observe().slot(Slot.BLUE).instances


# Locks


def test_a_lock_of_the_platform_is_held_and_losing_it_ends_everything():
    play = Play()
    stage = play.stage
    stage.platform.lock = MemoryStore()
    other = evolve(NOBODY, pid=77)

    def steal(event):
        if event.kind == "split":
            stage.platform.lock.acquire("shop-test", other, ttl=60, take_over=True)

    stage.react = steal
    outcome = stage.engine().deploy(play.order())
    assert (outcome.status, outcome.exit_code) == (Status.LOST, 5)
    assert "process 77" in outcome.message
    assert stage.world.observe().split[Slot.GREEN] == 10
    with pytest.raises(Locked, match="another uno"):
        play.resume()


def test_a_lock_of_the_platform_is_given_up_in_the_end():
    play = Play()
    play.stage.platform.lock = MemoryStore()
    assert play.stage.engine().deploy(play.order()).status is Status.SUCCESSFUL
    assert play.stage.platform.lock.holder("shop-test") is None


# What hangs


def test_a_call_that_hangs_is_left_to_itself():
    clock, never = SystemClock(), threading.Event()
    with pytest.raises(Unanswered, match="no answer came in time"):
        clock.within(0.05, never.wait)
    assert clock.within(5, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        clock.within(5, lambda: 1 // 0)
    never.set()


# What a reading as an enemy found


def test_after_a_wait_that_named_no_slot_a_fresh_verdict_is_asked_for_too():
    def slotless(context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.set_traffic(share(Slot.GREEN, 10))
        context.wait(60, thresholds=ERRORS)
        context.set_traffic(whole(Slot.GREEN))
        context.promoted()
        return DeploymentResult(True)

    play = Play(slotless)

    def die(event):
        if event.kind == "split_written" and event.data["split"]["green"] == 10:
            play.stage.clock.later(61, crash)

    def crash():
        raise Crash

    play.stage.react = die
    with pytest.raises(Crash):
        play.stage.engine().deploy(play.order())
    play.stage.react = lambda _: None
    play.rates.rates[Slot.GREEN] = Figures(requests=100.0, errors=50.0)
    play.stage.clock.sleep(7200)
    assert play.resume().status is Status.ROLLED_BACK


def test_a_verdict_waits_for_no_store():
    play = Play()
    stage = play.stage

    def spoil():
        play.rates.rates[Slot.GREEN] = Figures(requests=100.0, errors=50.0)

        def refuse(*_, **__):
            raise StateError("disk full")

        stage.store.append = refuse

    stage.clock.later(20, spoil)
    outcome = stage.engine().deploy(play.order())
    assert outcome.status is Status.ROLLED_BACK
    assert "disk full" not in outcome.message
    assert stage.platform.router.writes[-1][0] < play.began + 30
