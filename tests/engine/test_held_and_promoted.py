"""Words to a deployment: hold, go on, promote, abort; to a living driver and to a later one."""

import pytest

from tests.support.played import ERRORS, Play, answers, gated, say
from uno_core import (
    DeploymentResult,
    OnTimeout,
    Slot,
    Status,
    share,
    whole,
)
from uno_core.analysis.source import kept_windows
from uno_core.contracts.metrics import Figures
from uno_core.effects.world import Policy
from uno_core.engine.attention import Ears
from uno_core.engine.embedded import Embedded
from uno_core.journal.lock import this_process
from uno_core.journal.memory import MemoryStore
from uno_core.simulation.faults import Crash
from uno_core.simulation.stage import NOBODY


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


def test_two_promotions_of_one_gate_open_no_other():
    play = Play(gated)
    play.stage.clock.later(20, lambda: (say(play, "promote"), say(play, "promote")))
    play.stage.clock.later(400, lambda: say(play, "abort"))
    assert play.stage.engine().deploy(play.order()).status is Status.ROLLED_BACK
    shares = [split.get(Slot.GREEN, 0.0) for _, split in play.stage.platform.router.writes]
    assert shares == [0.0, 10.0, 0.0]


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


def test_what_is_seen_at_a_gate_and_while_it_is_held_is_kept():
    """What speaks against a release must not be forgotten just when its share grows."""

    def timed(context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.set_traffic(share(Slot.GREEN, 10))
        context.wait(30, slot=Slot.GREEN, thresholds=ERRORS)
        context.pause("look", timeout=300, on_timeout=OnTimeout.PROMOTE)
        context.set_traffic(whole(Slot.GREEN))
        context.wait(30, slot=Slot.GREEN, thresholds=ERRORS)
        context.promoted()
        return DeploymentResult(True)

    play = Play(timed)
    play.stage.clock.later(100, lambda: say(play, "pause"))
    play.stage.clock.later(600, lambda: say(play, "resume"))
    assert play.stage.engine().deploy(play.order()).status is Status.SUCCESSFUL
    checkpoint = play.stage.store.last_checkpoint(play.id)
    (rows,) = kept_windows(checkpoint["memo"]["evidence"]).values()
    covered = sum((row.window.end - row.window.start).total_seconds() for row in rows)
    promoted = play.stage.platform.router.writes[-1][0] - play.began
    assert promoted > 500
    assert covered > promoted - 30, "the waits, the gate, and the time that it was held"


def test_a_promotion_whose_driver_died_before_it_answered_opens_no_other_gate():
    play = Play(gated)
    store = play.stage.store
    play.stage.clock.later(20, lambda: say(play, "promote"))
    answer = store.answer

    def die(*_):
        raise Crash

    store.answer = die
    with pytest.raises(Crash):
        play.stage.engine().deploy(play.order())
    store.answer = answer
    play.stage.clock.later(400, lambda: say(play, "abort"))
    assert play.resume().status is Status.ROLLED_BACK
    shares = [split.get(Slot.GREEN, 0.0) for _, split in play.stage.platform.router.writes]
    assert shares == [0.0, 10.0, 0.0]


def silent_play():
    """Nobody asks the canary anything, and where that is so a person is to be asked."""
    play = Play(policy=Policy(evidence=60.0, asks=True))
    play.rates.rates.pop(Slot.GREEN)
    return play


def test_where_there_is_no_evidence_a_person_may_be_asked():
    play = silent_play()
    play.stage.clock.later(3600, lambda: say(play, "promote"))
    outcome = play.stage.engine().deploy(play.order())
    assert outcome.status is Status.SUCCESSFUL
    paused = play.stage.happened("paused")[0]
    assert "no evidence within 60 s" in paused.data["reason"]
    assert answers(play)["promote"] == "promoted"
    assert play.stage.clock.monotonic() > 3600


def test_a_promotion_of_all_gates_is_none_without_evidence():
    play = silent_play()
    play.stage.clock.later(5, lambda: say(play, "promote", full=True))
    outcome = play.stage.engine().deploy(play.order())
    assert outcome.status is Status.ROLLED_BACK
    assert "nobody answered" in outcome.message


def test_what_fails_while_a_person_is_asked_goes_back_at_once():
    play = silent_play()

    def spoil():
        play.rates.rates[Slot.GREEN] = Figures(requests=100.0, errors=90.0)

    play.stage.clock.later(600, spoil)
    outcome = play.stage.engine().deploy(play.order())
    assert outcome.status is Status.ROLLED_BACK
    assert play.stage.clock.monotonic() < 700


def test_a_driver_that_dies_while_a_person_is_asked_leaves_the_question():
    play = silent_play()

    def die(event):
        if event.kind == "paused":
            raise Crash

    play.stage.react = die
    with pytest.raises(Crash):
        play.stage.engine().deploy(play.order())
    play.stage.react = lambda _: None
    play.stage.clock.sleep(1000)
    play.stage.clock.later(2000, lambda: say(play, "promote"))
    outcome = play.resume()
    assert outcome.status is Status.SUCCESSFUL
    assert len(play.stage.happened("paused")) == 2
