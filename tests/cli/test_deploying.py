"""`uno deploy`, `uno plan` and `uno rollback`: what they do, what they say, how they end."""

from __future__ import annotations

import json

import pytest

BLUE = {"blue": 100.0, "green": 0.0}
GREEN = {"blue": 0.0, "green": 100.0}


def test_a_release_is_deployed_and_told_line_by_line(shop):
    shop.world.live("v1")
    said = shop.uno("deploy", "--version", "v2", "--reason", "because")
    assert said.code == 0
    assert said.out == "shop-test-1 successful: v2 serves\n"
    assert shop.world.split() == GREEN
    lines = [line.split(" ", 1)[1] for line in said.err.splitlines() if line[2] == ":"]
    assert lines == [
        "shop-test-1: deploying v2 by swap",
        "before: v1 serves (blue 100 %, green 0 %)",
        "step: start the new release",
        "green: 0/2 ready (2 of v2)",
        "green: 2/2 ready (2 of v2)",
        "step: a share of the traffic",
        "traffic: blue 50 %, green 50 %",
        "step: all of the traffic",
        "traffic: blue 0 %, green 100 %",
        "promoted: v2 serves",
        "successful: v2 serves",
    ]
    assert "warning: no metric is looked at" in said.err
    again = shop.uno("deploy", "--version", "v2")
    assert (again.code, again.out) == (0, "successful: v2 serves already: nothing to do\n")


def test_the_first_deployment(shop):
    said = shop.uno("deploy", "--version", "v1", "--output", "json")
    assert said.code == 0
    assert shop.world.split() == BLUE
    assert said.json["split"] == BLUE


def test_the_result_as_a_document(shop):
    shop.world.live("v1")
    said = shop.uno("deploy", "--version", "v2", "--output", "json")
    document = said.json
    assert document.pop("seconds") >= 0
    assert document == {
        "schema_version": 1,
        "application": "shop",
        "environment": "test",
        "deployment": "shop-test-1",
        "status": "successful",
        "exit_code": 0,
        "message": "v2 serves",
        "release": "v2",
        "strategy": "swap",
        "why": "named by uno.yaml:4",
        "split": GREEN,
    }
    assert "step: start the new release" in said.err


def test_events_are_lines_of_json(shop):
    shop.world.live("v1")
    said = shop.uno("deploy", "--version", "v2", "--output", "jsonl")
    events = said.events
    assert {event["schema_version"] for event in events} == {1}
    assert all(event["at"] for event in events)
    kinds = [event["kind"] for event in events]
    assert [k for k in kinds if k in ("warning", "started", "promoted", "finished", "result")] == [
        "warning", "warning", "started", "promoted", "finished", "result",
    ]  # fmt: skip
    split = [event["split"] for event in events if event["kind"] == "split"]
    assert split == [{"green": 50.0, "blue": 50.0}, GREEN]
    assert events[-1]["status"] == "successful"
    assert said.err == ""


@pytest.mark.parametrize(
    ("options", "code", "status", "said"),
    [
        (["--option", "strategy.idle=true"], 1, "failed", "reported success, but v1 serves"),
        (["--option", "strategy.bug=true"], 3, "rolled_back", "ValueError: mine"),
        (
            ["--option", "platform.broken=[v2]", "--option", "strategy.ready_timeout=300ms"],
            3,
            "rolled_back",
            "green was not ready within 0.3 s",
        ),
    ],
)
def test_a_deployment_that_fails(shop, options, code, status, said):
    shop.world.live("v1")
    got = shop.uno("deploy", "--version", "v2", "--output", "json", *options)
    assert got.code == code
    assert (got.json["status"], got.json["exit_code"]) == (status, code)
    assert said in got.json["message"]
    assert shop.world.split() == BLUE
    assert "Traceback" not in got.err


def test_a_way_back_that_fails_needs_a_person(shop):
    shop.world.live("v1")
    process = shop.start("deploy", "--version", "v2", "--option", "strategy.gate=true")
    shop.until_status("paused")
    shop.world.fault("forbidden")
    assert shop.uno("abort").code == 4
    ended = shop.end(process)
    assert ended.code == 4
    assert ended.out.startswith("shop-test-1 rollback_failed: the way back failed after: aborted by ")
    shop.world.fault("")
    back = shop.uno("rollback")
    assert back.code == 0
    assert shop.world.split() == BLUE


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["deploy"], 2, "Error: no version is named"),
        (["deploy", "--version", "v2", "--strategy", "swop"], 2, "Error: there is no strategy swop"),
        (["deploy", "--version", "v2", "--option", "strategy.shar=3"], 2, "did you mean share?"),
        (["deploy", "--version", "v2", "--platform", "filled"], 2, "there is no platform filled"),
        (["deploy", "--config-file", "missing.yaml", "--version", "v2"], 2, "missing.yaml"),
        (["deploy", "--nonsense"], 2, "No such option"),
        (["status", "--output", "yaml"], 2, "'yaml' is not one of"),
        (["deplot"], 2, "there is no command deplot; did you mean deploy?"),
        (["show", "7"], 2, "Error: there is no deployment 7"),
        (["rollback"], 2, "was never deployed"),
        (["promote"], 2, "was never deployed"),
    ],
)
def test_mistakes_are_told_without_a_traceback(shop, arguments, code, message):
    said = shop.uno(*arguments)
    assert said.code == code
    assert message in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


def test_an_error_says_where_and_what_next_in_columns(shop):
    said = shop.uno("deploy", "--version", "v2", "--option", "strategy.share=200")
    lines = said.err.splitlines()
    assert lines[0].startswith("Error: ")
    labels = [label for label in ("where", "found", "expected", "remedy") if f"  {label} " in said.err]
    assert len(labels) > 2
    assert [line[:12] for line in lines[1:]] == [f"  {label:<9} " for label in labels]


def test_an_error_is_a_document_where_documents_are_asked_for(shop):
    said = shop.uno("deploy", "--output", "json")
    assert said.code == said.json["exit_code"] == 2
    assert said.json["error"]["code"] == "config"
    assert "Error: no version" in said.err
    (event,) = shop.uno("deploy", "--output", "jsonl").events
    assert event["kind"] == "error"


def test_a_world_that_is_not_settled_is_left_alone(shop):
    shop.world.live("v1")
    with shop.world.change() as world:
        world["slots"]["green"] = world["slots"]["blue"]
        world["split"] = {"blue": 50.0, "green": 50.0}
    said = shop.uno("deploy", "--version", "v2")
    assert said.code == 7
    assert "the application is not in a state to begin from" in said.err


def test_a_platform_that_refuses(shop):
    shop.world.live("v1")
    shop.world.fault("forbidden")
    said = shop.uno("deploy", "--version", "v2")
    assert said.code in (3, 4, 9)
    assert "the file may not be written" in said.out + said.err


def test_a_plan_in_words(shop):
    shop.world.live("v1")
    said = shop.uno(
        "plan", "--version", "v2", "--option", "strategy.hold=5m", "--option", "strategy.share=10"
    )
    assert said.code == 0
    assert said.err == ""
    for words in (
        "shop in test: v1 → v2",
        "strategy: swap, named by ",
        "warning: no metric is looked at",
        "steps, at least 5m:",
        "1. +0s       start the new release",
        "green: 2 of v2",
        "██░░░░░░░░░░░░░░░░░░  blue 90 %, green 10 %",
        "+5m       ████████████████████  blue 0 %, green 100 %",
    ):
        assert words in said.out
    assert shop.world.split() == BLUE
    assert shop.uno("history").out == "shop was never deployed in test\n"


def test_a_plan_as_a_document_and_as_an_exit_code(shop):
    shop.world.live("v1")
    changes = shop.uno("plan", "--version", "v2", "--output", "json", "--detailed-exitcode")
    assert changes.code == 10
    assert changes.json["schema_version"] == 1
    assert (changes.json["changes"], changes.json["strategy"]) == (True, "swap")
    none = shop.uno("plan", "--version", "v1", "--detailed-exitcode")
    assert none.code == 0
    assert "nothing to do: v1 serves already" in none.out


def test_rolling_back_what_finished(shop):
    shop.world.live("v1")
    assert shop.uno("deploy", "--version", "v2").code == 0
    said = shop.uno("rollback", "--reason", "customers call")
    assert said.code == 0
    assert "rolled_back: v1 serves again: rolled back by " in said.out
    assert said.out.splitlines()[-1] == "v1 serves (blue 100 %, green 0 %)"
    assert shop.world.split() == BLUE
    again = shop.uno("rollback", "--output", "json")
    assert again.code == 2
    assert "nothing to take back" in again.json["error"]["message"]


def test_what_stands_in_history_and_journal(shop):
    shop.world.live("v1")
    shop.uno("deploy", "--version", "v2", "--reason", "because")
    shop.uno("deploy", "--version", "v3", "--option", "strategy.bug=true")
    listed = shop.uno("history")
    assert [line.split()[:4] for line in listed.out.splitlines()] == [
        ["ID", "VERSION", "STRATEGY", "STATUS"],
        ["shop-test-2", "v3", "swap", "rolled_back"],
        ["shop-test-1", "v2", "swap", "successful"],
    ]
    assert listed.out.splitlines()[2].endswith("v2 serves — because")
    document = shop.uno("history", "--output", "json").json
    assert [d["id"] for d in document["deployments"]] == ["shop-test-2", "shop-test-1"]
    assert len(shop.uno("history", "--limit", "1", "--output", "json").json["deployments"]) == 1
    shown = shop.uno("show", "1").out
    for words in ("shop-test-1: v2 by swap, successful", "reason: because", "green: 2 of v2",
                  "traffic: blue 50 %, green 50 %", "verify that the release serves"):  # fmt: skip
        assert words in shown
    last = shop.uno("show").out
    for words in ("deploy:", "rollback 1:", "put the traffic back", "restore what was there before"):
        assert words in last
    whole = shop.uno("show", "shop-test-2", "--output", "json").json
    assert whole["deployment"]["status"] == "rolled_back"
    assert {entry["mark"] for entry in whole["journal"]} == {"intent", "result"}


def test_a_secret_is_in_no_output(shop):
    from uno_core import _log

    shop.world.live("v1")
    _log.redact("hunter2secret")
    try:
        said = shop.uno("deploy", "--version", "v2", "--reason", "hunter2secret", "--output", "jsonl")
        shown = shop.uno("show").out + shop.uno("history", "--output", "json").out
    finally:
        _log._secrets.clear()
    assert said.code == 0
    assert "hunter2secret" not in said.out + said.err + shown
    assert "***" in shown


def test_status_of_what_serves(shop):
    empty = shop.uno("status")
    assert empty.code == 0
    assert "no deployment in the journal" in empty.out
    shop.world.live("v1")
    shop.uno("deploy", "--version", "v2")
    said = shop.uno("status")
    assert "v2 serves (blue 0 %, green 100 %)" in said.out
    assert "green  2 of v2, 2 ready" in said.out
    assert "shop-test-1: v2 by swap, successful" in said.out
    document = shop.uno("status", "--output", "json").json
    assert document["serving"] == ["v2"]
    assert document["deployment"]["under_way"] is False
    assert json.dumps(document["snapshot"]["split"])


def test_status_where_the_platform_is_silent(shop):
    shop.world.live("v1")
    shop.uno("deploy", "--version", "v2")
    shop.world.fault("blind")
    said = shop.uno("status")
    assert said.code == 1
    assert "shop-test-1: v2 by swap, successful" in said.out
    assert "Error: the file cannot be read" in said.err
    document = shop.uno("status", "--output", "json").json
    assert document["snapshot"] is None
    assert document["problem"]["code"] == "platform"


@pytest.mark.parametrize("command", ["./no-such-script.sh", "no-such-program-anywhere"])
def test_the_command_of_a_hook_is_looked_for_before_anything_is_touched(shop, command):
    shop.world.live("v1")
    before = shop.world.path.read_text()
    said = shop.uno("deploy", "--version", "v2", "--option", f"hooks.before_traffic.run=[{command}]")
    assert said.code == 2
    assert "the command of the hook before_traffic cannot be started" in said.err
    assert command in said.err
    assert shop.world.path.read_text() == before
    assert shop.uno("history", "--output", "json").json["deployments"] == []


def test_adopting_means_nothing_to_a_platform_that_knows_no_such_thing(shop):
    shop.world.live("v1")
    said = shop.uno("deploy", "--version", "v2", "--adopt")
    assert said.code == 0
    assert "adopt" not in said.err


def test_a_platform_that_keeps_no_state(shop):
    said = shop.uno("deploy", "--version", "v1", "--option", "state=platform")
    assert said.code == 2
    assert "the platform filed keeps no state" in said.err
    assert "state: file" in said.err
