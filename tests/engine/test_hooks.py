"""Hooks at their moments: once each, again after a crash, and what their failure does."""

import pytest

from tests.support.played import Play, answers, canary, say
from tests.support.scripted import Scripted, switch
from uno_core import Slot, Status, UnoError, share
from uno_core.contracts.engine import PHASES
from uno_core.contracts.platform import Capabilities
from uno_core.simulation.faults import Crash
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import Stage


def running(event, phase, state="running"):
    return event.kind == "hook" and (event.data["phase"], event.data["state"]) == (phase, state)


def hook(name, *, timeout=600.0, on_failure="rollback", **more):
    return {"run": [name], "timeout": timeout, "on_failure": on_failure, "env": {}, "secrets": {}, **more}


EVERY = {phase: hook(phase) for phase in (*PHASES, "on_rollback")}


def staged(**plays):
    stage = Stage()
    stage.live("v1")
    stage.commands.plays.update(plays)
    return stage


def ran(stage):
    return [command.env["UNO_HOOK"] for command in stage.commands.started]


def test_each_runs_once_at_its_moment():
    stage = staged()
    moments = []
    stage.react = lambda event: moments.append(
        event.data["phase"] if event.kind == "hook" and event.data["state"] == "started" else event.kind
    )
    assert stage.deploy(Scripted(switch), "v2", hooks=EVERY).status is Status.SUCCESSFUL
    told = [m for m in moments if m in (*PHASES, "instances", "split", "promoted")]
    assert list(dict.fromkeys(told)) == [
        "before_deploy", "instances", "before_traffic", "split", "after_traffic", "before_finish", "promoted",
    ]  # fmt: skip
    assert ran(stage) == list(PHASES)


def test_a_canary_reaches_people_with_its_first_share_and_has_it_all_at_the_end():
    play = Play()
    order = play.stage.order(Scripted(canary), "v2", hooks=EVERY)
    seen = []
    router = play.stage.platform.router
    play.stage.react = lambda e: (
        seen.append((e.data["phase"], router.observe().split)) if e.data.get("state") == "started" else None
    )
    assert play.stage.engine().deploy(order).status is Status.SUCCESSFUL
    assert {phase: split.get(Slot.GREEN, 0.0) for phase, split in seen} == {
        "before_deploy": 0, "before_traffic": 0, "after_traffic": 100, "before_finish": 100,
    }  # fmt: skip


def test_in_place_the_first_new_instance_reaches_people():
    stage = Stage(rules=Rules(capabilities=Capabilities(mixed=True)))
    stage.live("v1")

    def rolling(context):
        context.update(Slot.BLUE, context.release, 1)
        context.update(Slot.BLUE, context.release, context.initial.size)
        context.promoted()

    wanted = []
    stage.react = lambda e: (
        wanted.append(
            (e.data["phase"], [str(r) for r in stage.platform.workload.observe().slots[Slot.BLUE].wanted])
        )
        if e.kind == "hook" and e.data["state"] == "started"
        else None
    )
    assert stage.deploy(Scripted(rolling), "v2", hooks=EVERY).status is Status.SUCCESSFUL
    assert dict(wanted)["before_traffic"] == ["v1"]
    assert dict(wanted)["after_traffic"] == ["v2"]
    assert stage.commands.started[-1].env["UNO_SLOT"] == "blue"


def test_it_is_told_of_the_deployment():
    stage = staged()
    outcome = stage.deploy(Scripted(switch), "v2", hooks=EVERY, reason="because")
    env = stage.commands.started[1].env
    assert env["UNO_HOOK"] == "before_traffic"
    assert env["UNO_HOOK_ID"] == f"{outcome.deployment}/before_traffic"
    assert (env["UNO_VERSION"], env["UNO_PREVIOUS_VERSION"]) == ("v2", "v1")
    assert (env["UNO_SLOT"], env["UNO_LIVE_SLOT"], env["UNO_REASON"]) == ("green", "blue", "because")


@pytest.mark.parametrize("phase", PHASES)
def test_one_that_fails_takes_the_application_back(phase):
    stage = staged(**{phase: (1.0, 3)})
    outcome = stage.deploy(Scripted(switch), "v2", hooks=EVERY)
    assert outcome.status is Status.ROLLED_BACK
    assert f"the hook {phase} failed" in outcome.message
    assert "exit code 3; it said: said by" in outcome.message
    assert ran(stage) == [*PHASES[: PHASES.index(phase) + 1], "on_rollback"]
    assert stage.world.observe().split[Slot.BLUE] == 100


def test_no_except_of_a_strategy_hides_that_it_failed():
    def stubborn(context):
        try:
            switch(context)
        except UnoError:
            context.promoted()

    stage = staged(after_traffic=(0.0, 1))
    assert stage.deploy(Scripted(stubborn), "v2", hooks=EVERY).status is Status.ROLLED_BACK


def test_one_may_fail_and_only_be_told():
    stage = staged(before_traffic=(1.0, 1))
    hooks = {"before_traffic": hook("before_traffic", on_failure="continue")}
    assert stage.deploy(Scripted(switch), "v2", hooks=hooks).status is Status.SUCCESSFUL
    assert [e.data["goes_on"] for e in stage.happened("hook") if e.data["state"] == "failed"] == [True]


def test_one_that_hangs_is_ended_at_its_timeout():
    stage = staged(before_traffic=(1e9, 0))
    outcome = stage.deploy(
        Scripted(switch), "v2", hooks={"before_traffic": hook("before_traffic", timeout=30)}
    )
    assert outcome.status is Status.ROLLED_BACK
    assert "it did not end in time" in outcome.message
    assert stage.commands.started[0].killed
    assert stage.clock.monotonic() < 200


def test_one_that_fails_on_the_way_back_blocks_nothing():
    stage = staged(after_traffic=(0.0, 1), on_rollback=(0.0, 1))
    outcome = stage.deploy(Scripted(switch), "v2", hooks=EVERY)
    assert outcome.status is Status.ROLLED_BACK
    assert [e.data["phase"] for e in stage.happened("hook") if e.data["state"] == "failed"] == [
        "after_traffic",
        "on_rollback",
    ]


def test_the_traffic_is_back_before_the_hook_of_the_way_back():
    stage = staged(before_finish=(0.0, 1))
    seen = []
    stage.react = lambda e: (
        seen.append(stage.platform.router.in_force()[Slot.BLUE])
        if (e.kind == "hook" and e.data["phase"] == "on_rollback")
        else None
    )
    stage.deploy(Scripted(switch), "v2", hooks=EVERY)
    assert seen
    assert set(seen) == {100}


def test_an_abort_ends_it():
    play = Play()
    play.stage.commands.plays["after_traffic"] = (500.0, 0)
    play.stage.react = lambda e: (
        say(play, "abort")
        if (e.kind == "hook" and e.data["phase"] == "after_traffic" and e.data["state"] == "running")
        else None
    )
    outcome = play.stage.engine().deploy(play.stage.order(Scripted(canary), "v2", hooks=EVERY))
    assert outcome.status is Status.ROLLED_BACK
    assert play.stage.commands.started[2].killed


def test_bad_health_ends_it():
    """Nobody waits for a command blindly while the release has traffic."""
    play = Play()
    play.stage.commands.plays["after_traffic"] = (500.0, 0)

    def script(context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.set_traffic(share(Slot.GREEN, 50))
        context.wait(10, slot=Slot.GREEN)
        context.set_traffic(share(Slot.GREEN, 100))
        context.promoted()

    def react(event):
        if (
            event.kind == "hook"
            and event.data["phase"] == "after_traffic"
            and event.data["state"] == "running"
        ):
            play.stage.platform.workload.crash(Slot.GREEN, 4)

    play.stage.react = react
    began = play.stage.clock.monotonic()
    outcome = play.stage.engine().deploy(play.stage.order(Scripted(script), "v2", hooks=EVERY))
    assert outcome.status is Status.ROLLED_BACK
    assert "health: " in outcome.message
    assert play.stage.clock.monotonic() - began < 300


def crashed(play, phase, state, order):
    def react(event):
        if running(event, phase, state):
            play.stage.react = lambda _: None
            raise Crash

    play.stage.react = react
    with pytest.raises(Crash):
        play.stage.engine().deploy(order)


@pytest.mark.parametrize("state", ["started", "running", "done"])
def test_after_a_crash_it_runs_again_under_the_same_id(state):
    play = Play()
    order = play.stage.order(Scripted(canary), "v2", hooks=EVERY)
    crashed(play, "before_traffic", state, order)
    assert play.stage.engine().resume(order, play.id).status is Status.SUCCESSFUL
    ids = [c.env["UNO_HOOK_ID"] for c in play.stage.commands.started if c.env["UNO_HOOK"] == "before_traffic"]
    assert len(ids) == (1 if state == "started" else 2)
    assert len(set(ids)) == 1


def test_one_that_a_dead_driver_left_running_is_waited_for_and_never_doubled():
    play = Play()
    play.stage.commands.plays["before_traffic"] = (100.0, 0)
    order = play.stage.order(Scripted(canary), "v2", hooks=EVERY)
    at = []

    def die():
        raise Crash

    def react(event):
        if running(event, "before_traffic"):
            play.stage.clock.later(1, die)

    play.stage.react = react
    with pytest.raises(Crash):
        play.stage.engine().deploy(order)
    first = play.stage.commands.started[-1]
    first.killed = False  # its driver died, and could not end it
    play.stage.react = lambda e: (
        at.append((e.data["state"], first.ended()))
        if (e.kind == "hook" and e.data["phase"] == "before_traffic")
        else None
    )
    assert play.stage.engine().resume(order, play.id).status is Status.SUCCESSFUL
    assert at[0] == ("left", None)
    assert at[1] == ("started", 0)


def test_once_success_is_recorded_it_does_not_run_again():
    play = Play()
    order = play.stage.order(Scripted(canary), "v2", hooks=EVERY)

    def react(event):
        if event.kind == "promoted":
            play.stage.react = lambda _: None
            raise Crash

    play.stage.react = react
    with pytest.raises(Crash):
        play.stage.engine().deploy(order)
    play.stage.engine().resume(order, play.id)
    assert ran(play.stage) == list(PHASES)


class TestForbidden:
    """`rollback: {forbid_after: …}`: from there on it holds, and calls a person."""

    def deploy(self, stage, script=switch, forbid="before_traffic", hooks=None):
        return stage.deploy(
            Scripted(script), "v2", hooks=EVERY if hooks is None else hooks, forbid_after=forbid
        )

    def failing(self, context):
        context.deploy(Slot.GREEN, context.release, 4)
        context.set_traffic(share(Slot.GREEN, 50))
        raise UnoError("something is wrong")

    def test_a_failure_after_it_stops_where_it_is(self):
        stage = staged()
        outcome = self.deploy(stage, self.failing)
        assert (outcome.status, outcome.exit_code) == (Status.STOPPED, 4)
        assert "a person is needed: something is wrong" in outcome.message
        assert "going back is forbidden after before_traffic" in outcome.message
        assert stage.world.observe().split[Slot.GREEN] == 50
        assert "on_rollback" not in ran(stage)

    def test_a_failure_before_it_goes_back(self):
        stage = staged(before_deploy=(0.0, 1))
        assert self.deploy(stage).status is Status.ROLLED_BACK

    def test_the_hook_itself_may_have_changed_something_when_it_fails(self):
        stage = staged(before_traffic=(0.0, 1))
        assert self.deploy(stage).exit_code == 4
        assert stage.world.observe().split[Slot.BLUE] == 100

    def test_it_holds_where_no_hook_stands_at_that_moment(self):
        stage = staged()
        assert self.deploy(stage, self.failing, hooks={}).status is Status.STOPPED

    def test_an_abort_after_it_stops_too(self):
        play = Play()
        order = play.stage.order(Scripted(canary), "v2", forbid_after="before_traffic")
        play.stage.react = lambda e: say(play, "abort") if e.kind == "waiting" else None
        outcome = play.stage.engine().deploy(order)
        assert outcome.status is Status.STOPPED
        assert answers(play)["abort"].startswith("stopped where it is")

    def test_an_interruption_after_it_leaves_it_resumable(self):
        play = Play()
        order = play.stage.order(Scripted(canary), "v2", forbid_after="before_traffic")
        engine = play.stage.engine()
        play.stage.react = lambda e: engine.ears.interrupt("SIGTERM") if e.kind == "waiting" else None
        outcome = engine.deploy(order)
        assert (outcome.status, outcome.exit_code) == (Status.IN_PROGRESS, 143)
        play.stage.react = lambda _: None
        assert play.stage.engine().resume(order, play.id).status is Status.SUCCESSFUL

    def test_it_stays_forbidden_after_a_crash(self):
        play = Play(self.failing)
        order = play.stage.order(Scripted(self.failing), "v2", forbid_after="before_traffic")
        play.stage.react = None

        def react(event):
            if event.kind == "split":
                play.stage.react = lambda _: None
                raise Crash

        play.stage.react = react
        with pytest.raises(Crash):
            play.stage.engine().deploy(order)
        assert play.stage.engine().resume(order, play.id).status is Status.STOPPED
