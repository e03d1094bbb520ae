"""Words for a living driver: pause, resume, promote, abort. Each is answered, or that it was not is said."""

from __future__ import annotations

import pytest

BLUE = {"blue": 100.0, "green": 0.0}
GREEN = {"blue": 0.0, "green": 100.0}
HALF = {"blue": 50.0, "green": 50.0}
LONG = ("--option", "strategy.hold=1h")
SHORT = ("--option", "strategy.hold=2s")


def at_its_gate(shop, *options):
    shop.world.live("v1")
    process = shop.start("deploy", "--version", "v2", "--option", "strategy.gate=true", *options)
    shop.until_status("paused")
    return process


def test_a_deployment_holds_before_its_next_effect_until_somebody_comes_back(shop):
    process = shop.begun(*SHORT)
    said = shop.uno("pause", "--reason", "lunch")
    assert said.code == 0
    assert said.out.startswith("shop-test-1 holds before its next effect, until ")
    assert "then the traffic goes back. `uno resume` lets it go on" in said.out
    shop.until_status("paused")
    assert "holds, as a person wants; `uno resume` lets it go on" in shop.uno("status").out
    refused = shop.uno("promote")
    assert refused.code == 1
    assert "it is held" in refused.err
    assert shop.world.split() == HALF
    resumed = shop.uno("resume")
    assert (resumed.code, resumed.out) == (0, "shop-test-1 goes on\n")
    ended = shop.end(process)
    assert ended.code == 0
    assert "promoted by resume" not in ended.err
    assert shop.world.split() == GREEN
    assert "pause by " in shop.uno("show").out


def test_where_nobody_comes_back_the_traffic_does(shop):
    process = shop.begun(*SHORT)
    assert shop.uno("pause", "--timeout", "100ms").code == 0
    ended = shop.end(process)
    assert ended.code == 3
    assert "it was held, and nobody came back to it in time" in ended.out
    assert shop.world.split() == BLUE


@pytest.mark.parametrize("timeout", ["soon", "0", "-1s"])
def test_a_timeout_that_is_none(shop, timeout):
    said = shop.uno("pause", f"--timeout={timeout}")
    assert said.code == 2
    assert f"found {timeout}, expected a duration: seconds, or 500ms, 30s, 5m, 1h30m" in said.err


@pytest.mark.parametrize("verb", ["pause", "abort", "promote"])
def test_nothing_is_under_way(shop, verb):
    assert shop.uno(verb).code == 2  # never deployed
    shop.world.live("v1")
    assert shop.uno("deploy", "--version", "v2").code == 0
    said = shop.uno(verb)
    assert said.code == 1
    for words in ("no deployment of shop is under way", "shop-test-1 is successful", "remedy"):
        assert words in said.err


def test_what_nobody_drives_cannot_be_held(shop):
    shop.left(*LONG)
    said = shop.uno("pause", "--output", "json")
    assert said.code == 1
    assert "nobody drives it" in said.json["error"]["found"]
    assert "uno resume goes on with it" in said.json["error"]["remedy"]


def test_a_way_back_is_not_held(shop):
    process = shop.begun(*LONG)
    shop.world.fault("blind")
    assert shop.uno("abort").code == 8
    said = shop.uno("pause")
    shop.world.fault("")
    assert said.code == 1
    assert "is going back: nothing holds that" in said.err
    assert shop.end(process).code == 3


def test_a_gate_is_waited_at_whatever_resume_says(shop):
    process = at_its_gate(shop)
    said = shop.uno("resume")
    assert said.code == 0
    assert "its driver is alive, and waits at a gate: `uno promote` lets it go on" in said.out
    assert process.poll() is None
    assert shop.uno("promote").code == 0
    assert shop.end(process).code == 0


def test_one_promotion_passes_one_gate_and_a_full_one_all(shop):
    process = at_its_gate(shop, "--option", "strategy.gates=3")
    assert shop.uno("promote").code == 0
    shop.until(lambda: "gate 1" in shop.uno("status").out)
    assert shop.uno("promote", "--full", "--output", "json").json["answer"] == "promoted"
    assert shop.end(process).code == 0
    assert shop.world.split() == GREEN
    assert shop.uno("show").out.count("gate: ") == 4


def test_an_abort_may_leave_everything_where_it_is(shop):
    process = shop.begun(*LONG)
    said = shop.uno("abort", "--hold", "--reason", "let me look")
    assert said.code == 0
    assert "shop-test-1 stopped: stopped where it was: let me look (by " in said.out
    ended = shop.end(process)
    assert ended.code == 1
    assert "`uno rollback` takes the application back" in ended.err
    assert shop.world.split() == HALF
    assert "`uno rollback` takes the application back" in shop.uno("status").out
    assert shop.uno("rollback").code == 0
    assert shop.world.split() == BLUE


def test_what_went_back_cannot_be_left_where_it_is(shop):
    process = shop.begun(*LONG)
    shop.world.fault("blind")
    assert shop.uno("abort").code == 8
    held = shop.uno("abort", "--hold")
    shop.world.fault("")
    assert held.code == 8
    assert "going back already" in held.out
    assert shop.end(process).code == 3
