"""Going on after a driver died: what is left of a wait, fresh verdicts, holds, drift, and changed code."""

import threading

import pytest
from attrs import evolve

from tests.support.scripted import Scripted
from uno_core import (
    Bounds,
    ConfigError,
    DeploymentResult,
    Locked,
    OnTimeout,
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
from uno_core.engine.attention import Ears
from uno_core.engine.embedded import Embedded
from uno_core.errors import Nondeterminism
from uno_core.journal.lock import this_process
from uno_core.journal.memory import MemoryStore
from uno_core.simulation.faults import Crash
from uno_core.simulation.stage import NOBODY, FiguresNow, Stage
from uno_core.simulation.subject import Harsh

ERRORS = {"error_rate": Bounds(max=0.05)}


def canary(context):
    context.deploy(Slot.GREEN, context.release, 4)
    context.set_traffic(share(Slot.GREEN, 10))
    context.wait(60, slot=Slot.GREEN, thresholds=ERRORS)
    context.set_traffic(whole(Slot.GREEN))
    context.promoted()
    return DeploymentResult(True)


class Play:
    """A deployment whose driver can be killed at a time, and resumed at another."""

    def __init__(self, script=canary, **more):
        self.script = script
        self.rates = None
        self.stage = Stage(willing=False, judge=Harsh(), **more)
        self.rates = FiguresNow(self.stage.clock)
        self.rates.rates = {slot: Figures(requests=100.0) for slot in Slot}
        self.stage.provider = self.rates
        self.stage.live("v1")
        self.began = self.stage.clock.monotonic()

    def order(self):
        return self.stage.order(Scripted(self.script), "v2")

    def killed_at(self, seconds):
        """Deploy, and die so many seconds after the first share was in force."""

        def die():
            raise Crash

        def react(event):
            if event.kind == "split":
                self.stage.react = lambda _: None
                self.at_split = event.at
                self.stage.clock.later(seconds, die)

        self.stage.react = react
        with pytest.raises(Crash):
            self.stage.engine().deploy(self.order())
        return self

    @property
    def id(self):
        return self.stage.store.list(limit=1)[0].id

    def until(self, seconds):
        """Let time pass until so many seconds after the first share."""
        self.stage.clock.sleep(self.at_split + seconds - self.stage.clock.monotonic())
        return self

    def resume(self, **more):
        return self.stage.engine().resume(self.order(), self.id, **more)

    def switched_at(self):
        """Seconds from the first share to the last write of the split."""
        return self.stage.platform.router.writes[-1][0] - self.at_split


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
    assert len(memo["windows"]) >= 5
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


# Words


def say(play, kind, **payload):
    return play.stage.store.signal(play.id, kind, payload, by="ann", at=play.stage.clock.now())


def answers(play):
    return {s.kind: s.answer for s in play.stage.store.signals(play.id, unanswered=False)}


def test_a_pause_holds_before_the_next_effect_and_a_resume_lets_it_go_on():
    play = Play()
    play.stage.clock.later(20, lambda: say(play, "pause"))
    play.stage.clock.later(300, lambda: say(play, "resume"))
    outcome = play.stage.engine().deploy(play.order())
    assert outcome.status is Status.SUCCESSFUL
    assert play.stage.platform.router.writes[-1][0] >= play.began + 300
    assert answers(play)["pause"].startswith("holds before its next effect, until ")
    assert answers(play)["resume"] == "goes on"


def test_a_deployment_that_is_held_is_watched():
    play = Play()
    play.stage.clock.later(20, lambda: say(play, "pause"))

    def spoil():
        play.rates.rates[Slot.GREEN] = Figures(requests=100.0, errors=90.0)

    play.stage.clock.later(200, spoil)
    outcome = play.stage.engine().deploy(play.order())
    assert outcome.status is Status.ROLLED_BACK
    assert play.stage.clock.monotonic() < 250


def test_nobody_comes_back_to_what_is_held():
    play = Play()
    play.stage.clock.later(20, lambda: say(play, "pause", timeout=100))
    outcome = play.stage.engine().deploy(play.order())
    assert outcome.status is Status.ROLLED_BACK
    assert "nobody came back" in outcome.message


def test_an_abort_that_holds_leaves_everything_where_it_is():
    play = Play()
    play.stage.clock.later(20, lambda: say(play, "abort", hold=True))
    outcome = play.stage.engine().deploy(play.order())
    assert (outcome.status, outcome.exit_code) == (Status.STOPPED, 1)
    assert play.stage.world.observe().split[Slot.GREEN] == 10
    back = play.stage.engine().rollback(play.order(), play.id, "asked for")
    assert back.status is Status.ROLLED_BACK


def gated(context):
    context.deploy(Slot.GREEN, context.release, 4)
    for percent in (10, 50, 100):
        context.pause(f"before {percent} %")
        context.set_traffic(share(Slot.GREEN, percent))
    context.promoted()
    return DeploymentResult(True)


def test_one_promotion_can_pass_all_gates_also_of_a_later_driver():
    play = Play(gated)
    play.stage.clock.later(20, lambda: say(play, "promote", full=True))

    def die(event):
        if event.kind == "split":
            raise Crash

    play.stage.react = die
    with pytest.raises(Crash):
        play.stage.engine().deploy(play.order())
    play.stage.react = lambda _: None
    assert play.resume().status is Status.SUCCESSFUL


def test_a_pipeline_leaves_at_a_gate_and_a_promotion_goes_on_from_there():
    play = Play(gated)
    stage = play.stage
    impatient = Embedded(store=stage.store, world=stage.world, owner=NOBODY, hearing=Ears.passing)
    outcome = impatient.deploy(play.order())
    assert (outcome.status, outcome.exit_code) == (Status.PAUSED, 6)
    assert stage.store.holder("shop-test") is None
    say(play, "promote", full=True)
    assert play.resume().status is Status.SUCCESSFUL


def test_a_gate_that_was_left_takes_its_timeout_also_where_nobody_waits():
    play = Play(gated)
    stage = play.stage
    impatient = Embedded(store=stage.store, world=stage.world, owner=NOBODY, hearing=Ears.passing)
    assert impatient.deploy(play.order()).exit_code == 6
    assert impatient.resume(play.order(), play.id).exit_code == 6
    stage.clock.sleep(90000)
    assert impatient.resume(play.order(), play.id).status is Status.ROLLED_BACK


def test_an_abort_that_was_left_while_nobody_drove_is_heard():
    play = Play().killed_at(10)
    say(play, "abort", reason="not today")
    outcome = play.until(20).resume()
    assert outcome.status is Status.ROLLED_BACK
    assert answers(play)["abort"] == "going back"


def test_a_lease_that_expired_ends_the_driver_and_nothing_more_is_written():
    play = Play()
    stage = play.stage
    stage.store = MemoryStore(stage.clock)  # leases that expire, and nobody who renews them meanwhile
    engine = Embedded(store=stage.store, world=stage.world, owner=NOBODY, listener=stage._hear)
    outcome = engine.deploy(play.order())
    assert (outcome.status, outcome.exit_code) == (Status.LOST, 5)
    assert stage.world.observe().split[Slot.GREEN] == 10


def test_a_driver_knows_its_own_birth():
    assert this_process().born


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


def test_two_promotions_of_one_gate_open_no_other():
    play = Play(gated)
    play.stage.clock.later(20, lambda: (say(play, "promote"), say(play, "promote")))
    play.stage.clock.later(400, lambda: say(play, "abort"))
    assert play.stage.engine().deploy(play.order()).status is Status.ROLLED_BACK
    shares = [split.get(Slot.GREEN, 0.0) for _, split in play.stage.platform.router.writes]
    assert shares == [0.0, 10.0, 0.0]


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


def test_a_gate_promotes_by_its_timeout_only_on_a_verdict():
    def timed(context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.set_traffic(share(Slot.GREEN, 10))
        context.wait(30, slot=Slot.GREEN, thresholds=ERRORS)
        context.pause("look", timeout=300, on_timeout=OnTimeout.PROMOTE)
        context.set_traffic(whole(Slot.GREEN))
        context.promoted()
        return DeploymentResult(True)

    play = Play(timed)
    play.stage.clock.later(50, play.rates.rates.clear)
    outcome = play.stage.engine().deploy(play.order())
    assert outcome.status is Status.ROLLED_BACK
    assert "no evidence" in outcome.message
