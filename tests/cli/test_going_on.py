"""Deployments that nobody drives any more go on, or go back: resume, rollback, tend, and who may."""

from __future__ import annotations

import os
import signal

import pytest

BLUE = {"blue": 100.0, "green": 0.0}
GREEN = {"blue": 0.0, "green": 100.0}
WATCHED = ("--option", "strategy.hold=3s")
LONG = ("--option", "strategy.hold=1h")
GATE = ("--option", "strategy.gate=true")


def status(shop):
    return shop.uno("status", "--output", "json").json["deployment"]


def without_a_driver(shop, *options):
    """A deployment at its gate whose driver has left as asked."""
    shop.world.live("v1")
    said = shop.uno("deploy", "--version", "v2", "--no-wait", *GATE, *options)
    assert said.code == 6
    return said


# Resuming


def test_a_driver_that_was_killed_is_gone_on_from(shop):
    shop.left(*WATCHED)
    said = shop.uno("resume")
    assert said.code == 0
    assert said.out == "shop-test-1 successful: v2 serves\n"
    assert "shop-test-1: going on with v2 by swap" in said.err
    assert "it was left at step: a share of the traffic, traffic: blue 50 %, green 50 %" in said.err
    assert shop.world.split() == GREEN


def test_a_driver_that_was_killed_is_gone_on_from_by_its_number_as_events(shop):
    shop.left(*WATCHED)
    events = shop.uno("resume", "1", "--output", "jsonl").events
    kinds = [event["kind"] for event in events]
    assert kinds[0] == "resumed"
    assert kinds[-2:] == ["finished", "result"]
    assert {event["deployment"] for event in events} == {"shop-test-1"}
    assert events[-1]["why"].startswith("resumed by ")


def test_a_driver_that_was_killed_is_taken_back(shop):
    shop.left(*LONG)
    assert shop.uno("rollback").code == 0
    assert shop.world.split() == BLUE
    again = shop.uno("resume")
    assert again.code == 2
    assert "there is nothing to go on with in shop-test-1" in again.err
    assert "remedy" in again.err


def test_a_way_back_that_was_killed_is_gone_on_from(shop):
    process = shop.begun(*LONG)
    shop.world.fault("blind")
    process.send_signal(signal.SIGTERM)
    shop.until_status("rollback_in_progress")
    process.kill()
    shop.end(process)
    shop.world.fault("")
    assert "`uno resume` and `uno rollback` go on taking the application back" in shop.uno("status").out
    said = shop.uno("resume")
    assert said.code == 3
    assert shop.world.split() == BLUE


def test_nothing_to_go_on_with(shop):
    never = shop.uno("resume")
    assert never.code == 2
    assert "was never deployed" in never.err
    shop.world.live("v1")
    assert shop.uno("deploy", "--version", "v2").code == 0
    ended = shop.uno("resume", "--output", "json")
    assert ended.code == 2
    assert "it ended successful" in ended.json["error"]["found"]
    unknown = shop.uno("resume", "7")
    assert unknown.code == 2
    assert "there is no deployment 7" in unknown.err


def test_other_plugins_than_it_began_with(shop):
    without_a_driver(shop)
    info = shop.site / "uno_platform_filed-1.0.dist-info" / "METADATA"
    info.write_text(info.read_text().replace("Version: 1.0", "Version: 2.0"))
    refused = shop.uno("resume")
    assert refused.code == 2
    assert "uno-platform-filed 1.0 then, uno-platform-filed 2.0 now" in refused.err
    promoted = shop.uno("promote")
    assert promoted.code == 2
    # The word that came to nothing passes no gate later.
    assert shop.uno("resume", "--changed-plugins", "--no-wait").code == 6
    assert "promote by " in shop.uno("show").out
    assert status(shop)["status"] == "paused"


def test_a_split_of_somebody_else_is_written_over_only_where_that_is_asked_for(shop):
    shop.left(*WATCHED)
    with shop.world.change() as world:
        world["split"] = {"blue": 70.0, "green": 30.0}
        world["version"] += 1
    halted = shop.uno("resume")
    assert halted.code == 7
    assert "`uno resume --reassert` writes uno's split over it" in halted.err
    seen = shop.uno("status").out
    assert "uno resume --reassert" in seen
    assert "uno rollback" in seen
    assert shop.world.split() == {"blue": 70.0, "green": 30.0}
    assert shop.uno("resume", "--reassert").code == 0
    assert shop.world.split() == GREEN


def test_a_driver_that_lives_and_does_not_hold_needs_no_other(shop):
    process = shop.begun(*LONG)
    said = shop.uno("resume")
    assert (said.code, said.out) == (0, "shop-test-1 is under way; its driver is alive\n")
    assert process.poll() is None
    shop.world.fault("blind")
    shop.uno("abort")
    back = shop.uno("resume", "--output", "json")
    shop.world.fault("")
    assert back.code == 0
    assert back.json["answer"] == "is going back; its driver is alive"
    assert shop.end(process).code == 3


# At a gate that nobody waits at


def test_a_pipeline_leaves_at_a_gate_and_another_job_promotes(shop):
    left = without_a_driver(shop)
    assert left.out.startswith("shop-test-1 paused: at a gate")
    assert "left at the gate; nothing more is written: v1 and v2 serve" in left.err
    assert "`uno promote` passes the gate and goes on, `uno rollback` takes" in left.err
    assert "gone: `uno promote` passes the gate and goes on" in shop.uno("status").out
    said = shop.uno("promote", "--reason", "dashboards are fine")
    assert (said.code, said.out) == (0, "shop-test-1 successful: v2 serves\n")
    assert shop.world.split() == GREEN


def test_promoting_leaves_at_the_next_gate_or_passes_all(shop):
    without_a_driver(shop, "--option", "strategy.gates=2")
    said = shop.uno("promote", "--no-wait", "--output", "json")
    assert (said.code, said.json["status"], said.json["exit_code"]) == (6, "paused", 6)
    assert shop.uno("promote", "--full").code == 0
    assert shop.world.split() == GREEN


def test_a_killed_driver_at_a_gate_is_promoted(shop):
    shop.world.live("v1")
    process = shop.start("deploy", "--version", "v2", *GATE)
    shop.until_status("paused")
    process.kill()
    shop.end(process)
    assert shop.uno("promote").code == 0
    assert shop.world.split() == GREEN


def test_no_promotion_of_what_waits_at_no_gate(shop):
    shop.left(*LONG)
    said = shop.uno("promote")
    assert said.code == 1
    for words in ("waits at no gate", "it is in_progress", "a gate of its strategy", "uno status"):
        assert words in said.err
    assert shop.uno("rollback").code == 0


# Aborting what nobody drives


def test_what_nobody_drives_is_taken_back_by_an_abort(shop):
    shop.left(*LONG)
    said = shop.uno("abort", "--reason", "customers call", "--output", "json")
    assert (said.code, said.json["status"], said.json["exit_code"]) == (0, "rolled_back", 0)
    assert "customers call (by " in said.json["message"]
    assert shop.world.split() == BLUE


def test_what_nobody_drives_is_left_where_it_is_and_tended_no_more(shop):
    shop.left(*LONG)
    said = shop.uno("abort", "--hold")
    assert said.code == 0
    assert "stopped: stopped where it was left" in said.out
    assert shop.world.split() == {"blue": 50.0, "green": 50.0}
    assert shop.uno("tend").code == 0
    assert "`uno rollback` takes the application back" in shop.uno("status").out
    assert shop.uno("rollback").code == 0
    assert shop.world.split() == BLUE


# Drivers that stand still


def test_a_driver_that_stands_still_is_taken_over_only_where_that_is_asked_for(shop):
    process = shop.begun(*LONG)
    shop.stopped(process)
    refused = shop.uno("rollback")
    assert refused.code == 5
    for words in ("does not answer", f"process {process.pid} on ", "--take-over"):
        assert words in refused.err
    assert shop.world.split() == {"blue": 50.0, "green": 50.0}
    taken = shop.uno("rollback", "--take-over")
    assert taken.code == 0
    assert process.wait(60) == -signal.SIGKILL
    assert shop.world.split() == BLUE
    # What it was told before it was killed turns nothing around.
    assert status(shop)["status"] == "rolled_back"
    assert shop.uno("rollback").code == 2


def test_a_driver_that_stands_still_answers_no_word(shop):
    process = shop.begun(*LONG)
    shop.stopped(process)
    said = shop.uno("pause")
    assert (said.code, said.out) == (8, "shop-test-1 has not answered yet\n")
    waiting = shop.uno("abort")
    assert waiting.code == 8
    assert "uno rollback --take-over" in waiting.err
    # Once it goes on it hears all of it.
    process.send_signal(signal.SIGCONT)
    assert shop.end(process).code == 3
    assert shop.world.split() == BLUE


def test_a_living_driver_takes_it_back_itself(shop):
    process = shop.begun(*LONG)
    said = shop.uno("rollback", "--reason", "customers call")
    assert said.code == 0
    assert f"asking its driver to go back: process {process.pid} on " in said.err
    assert "going back: rolled back by " in said.err
    assert said.out.splitlines()[-1] == "v1 serves (blue 100 %, green 0 %)"
    ended = shop.end(process)
    assert ended.code == 3
    assert "customers call" in ended.out


# Superseding


def test_another_version_supersedes_what_is_under_way(shop):
    process = shop.begun(*LONG)
    said = shop.uno("deploy", "--version", "v3", "--supersede")
    assert said.code == 0
    assert "shop-test-1 (v2) goes back first: v3 supersedes it" in said.err
    ended = shop.end(process)
    assert ended.code == 3
    assert "superseded by v3" in ended.out
    serving = shop.uno("status", "--output", "json").json["serving"]
    assert serving == ["v3"]
    # What it goes back to is what served before both.
    assert shop.uno("rollback").code == 0
    assert shop.uno("status", "--output", "json").json["serving"] == ["v1"]


def test_nobody_is_superseded_where_nothing_is_under_way(shop):
    shop.world.live("v1")
    said = shop.uno("deploy", "--version", "v2", "--supersede")
    assert said.code == 0
    assert "goes back first" not in said.err


def test_what_nobody_drives_is_superseded(shop):
    shop.left(*LONG)
    assert shop.uno("deploy", "--version", "v3", "--supersede").code == 0
    assert shop.uno("status", "--output", "json").json["serving"] == ["v3"]


# Tending


def test_nothing_to_tend(shop):
    said = shop.uno("tend")
    assert (said.code, said.out) == (0, "nothing to do: there was never a deployment\n")
    process = shop.begun(*LONG)
    said = shop.uno("tend", "--output", "json")
    assert said.code == 0
    assert f"shop-test-1 is in_progress, driven by process {process.pid} on " in said.json["message"]
    assert shop.uno("abort").code == 0
    assert shop.end(process).code == 3
    said = shop.uno("tend", "--output", "jsonl")
    assert said.code == 0
    assert said.events[0]["message"] == "nothing to do: shop-test-1 is rolled_back"


@pytest.mark.parametrize(("tend", "code", "split"), [("resume", 0, GREEN), ("rollback", 3, BLUE)])
def test_what_nobody_drives_is_tended_as_configured(shop, tend, code, split):
    shop.left(*WATCHED)
    said = shop.uno("tend", "--option", f"tend={tend}")
    assert said.code == code
    assert "nobody drives shop-test-1, its driver was process " in said.err
    assert shop.world.split() == split


@pytest.mark.parametrize("tend", ["resume", "rollback"])
def test_nobody_who_tends_waits_at_a_gate_or_takes_it_from_whoever_decides(shop, tend):
    without_a_driver(shop)
    said = shop.uno("tend", "--option", f"tend={tend}")
    assert said.code == 6
    assert "`uno promote` passes the gate" in said.err


@pytest.mark.parametrize("tend", ["resume", "rollback"])
def test_what_a_person_holds_is_not_gone_on_with_by_a_timer(shop, tend):
    process = shop.begun(*WATCHED)
    assert shop.uno("pause").code == 0
    process.kill()
    shop.end(process)
    tended = shop.uno("tend", "--option", f"tend={tend}")
    assert tended.code == 6
    assert "held: `uno resume` goes on from here" in tended.out
    assert shop.world.split() == {"blue": 50.0, "green": 50.0}
    refused = shop.uno("promote")
    assert refused.code == 1
    assert "`uno resume` lets it go on" in refused.err
    assert shop.uno("resume").code == 0
    assert shop.world.split() == GREEN


# Two at once


def test_of_two_that_start_at_once_exactly_one_goes_on(shop):
    shop.world.live("v1")
    both = [shop.start("deploy", "--version", version, *LONG) for version in ("v2", "v3")]
    shop.until(lambda: any(process.poll() is not None for process in both))
    (loser,) = [process for process in both if process.poll() is not None]
    (winner,) = [process for process in both if process is not loser]
    refused = shop.end(loser)
    assert refused.code == 5
    for words in (f"process {winner.pid} on {os.uname().nodename}, of ", ", since 20", "uno status"):
        assert words in refused.err
    assert winner.poll() is None
    assert shop.uno("abort").code == 0
    assert shop.end(winner).code == 3
    assert shop.world.split() == BLUE
