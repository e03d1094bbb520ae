"""Several processes: signals, words from another terminal, a driver that dies, readers that go away."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys

import pytest

BLUE = {"blue": 100.0, "green": 0.0}
GREEN = {"blue": 0.0, "green": 100.0}
HOLD = ("--option", "strategy.hold=1h")
GATE = ("--option", "strategy.gate=true")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_takes_the_traffic_back(shop, number):
    process = shop.begun(*HOLD)
    process.send_signal(number)
    said = shop.end(process)
    assert said.code == 3
    assert shop.world.split() == BLUE
    assert shop.world.versions("green") == []
    name = signal.Signals(number).name
    assert f"{name}: the traffic goes back" in said.err
    assert said.out == f"shop-test-1 rolled_back: v1 serves again: interrupted by {name}\n"


def test_a_runner_that_sends_one_signal_after_the_other_does_not_stop_the_way_back(shop):
    """As CI services cancel a job: SIGINT, seconds later SIGTERM, to the whole group."""
    process = shop.begun(*HOLD)
    shop.world.fault("blind")  # so that the way back takes a while
    for number in (signal.SIGINT, signal.SIGINT):
        process.send_signal(number)
    shop.until_status("rollback_in_progress")
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    shop.world.fault("")
    said = shop.end(process)
    assert said.code == 3
    assert "SIGTERM: it is going back already" in said.err
    assert "Traceback" not in said.err
    assert shop.world.split() == BLUE


def test_where_it_is_to_hold_a_signal_leaves_it_to_be_gone_on_with(shop):
    with (shop.root / "uno.yaml").open("a") as file:
        file.write("on_interrupt: hold\n")
    process = shop.begun("--option", "strategy.hold=3s")
    shop.until(lambda: "last wait" in shop.uno("status").out)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    said = shop.end(process)
    assert said.code == 143
    assert "SIGTERM: it stops before its next effect" in said.err
    assert shop.world.split() == {"blue": 50.0, "green": 50.0}
    assert shop.uno("resume").code == 0
    assert shop.world.split() == GREEN


def test_the_way_back_is_not_turned_around(shop):
    process = shop.begun(*HOLD)
    shop.world.fault("blind")
    assert shop.uno("abort").code == 8
    process.send_signal(signal.SIGINT)
    shop.world.fault("")
    said = shop.end(process)
    assert said.code == 3
    assert "SIGINT: it is going back already" in said.err
    assert shop.world.split() == BLUE


def test_a_driver_that_died_is_taken_back(shop):
    process = shop.begun(*HOLD)
    shop.until(lambda: "last evidence: PASS" in shop.uno("status").out)
    process.kill()
    shop.end(process)
    said = shop.uno("status")
    assert "v1 and v2 serve (blue 50 %, green 50 %)" in said.out
    assert "gone: `uno resume` goes on from there, `uno rollback` takes the application back" in said.out
    assert "step: a share of the traffic" in said.out
    assert "last evidence: PASS" in said.out
    refused = shop.uno("deploy", "--version", "v3")
    assert refused.code == 5
    assert "uno rollback" in refused.err
    back = shop.uno("rollback")
    assert back.code == 0
    assert "going back: rolled back by " in back.err
    assert shop.world.split() == BLUE


def test_aborting_from_another_terminal(shop):
    process = shop.begun(*HOLD)
    shop.until(lambda: "last wait: until" in shop.uno("status").out)
    assert "alive" in shop.uno("status").out
    other = shop.uno("deploy", "--version", "v3", "--output", "json")
    assert other.code == 5
    assert other.json["error"]["code"] == "locked"
    assert shop.uno("promote").code == 1
    said = shop.uno("abort", "--reason", "customers call")
    assert said.code == 0
    assert "rolled_back: v1 serves again: customers call (by " in said.out
    assert shop.end(process).code == 3
    assert shop.world.split() == BLUE
    assert "abort by " in shop.uno("show").out
    assert shop.uno("abort").code == 1


def test_promoting_from_another_terminal(shop):
    process = shop.begun(*GATE)
    shop.until_status("paused")
    assert "waits for a person: look at it first; `uno promote` lets it go on" in shop.uno("status").out
    said = shop.uno("promote", "--reason", "looks fine", "--output", "json")
    assert said.code == 0
    assert said.json["answer"] == "promoted"
    ended = shop.end(process)
    assert ended.code == 0
    assert "goes on, promoted by " in ended.err
    assert shop.world.split() == GREEN
    assert "gate: look at it first: promoted by " in shop.uno("show").out


def test_a_reader_that_goes_away_ends_no_deployment(shop):
    shop.world.live("v1")
    process = shop.start("deploy", "--version", "v2", "--output", "jsonl", "--option", "strategy.hold=1s")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == ""
    assert shop.world.split() == GREEN


def test_a_reader_of_a_list_may_have_seen_enough(shop):
    process = shop.start("strategies")
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == ""


def test_on_a_terminal_there_is_a_picture(shop):
    shop.world.live("v1")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "uno_core", "deploy", "--version", "v2", "--option", "strategy.hold=1s"],
        env={**shop.environ(), "TERM": "xterm", "COLUMNS": "100"},
        cwd=shop.root,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shop.started.append(process)
    seen = b""
    while True:
        try:
            seen += os.read(ours, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    picture = seen.decode()
    assert process.returncode == 0
    assert out == b"shop-test-1 successful: v2 serves\n"
    for words in (
        "shop-test-1: deploying v2 by swap",
        "✓ a share of the traffic",
        "left",
        "pass         health",
        "blue 50 %, green 50 %",
        "blue 0 %, green 100 %",
        "2/2 ready, 2 of v2",
    ):
        assert words in picture
