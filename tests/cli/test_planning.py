"""`uno plan` and `uno deploy --plan`: what is said, what is kept, and what is refused when it is old."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys

import pytest

BLUE = {"blue": 100.0, "green": 0.0}
GREEN = {"green": 100.0, "blue": 0.0}


@pytest.fixture
def kept(shop):
    """A plan of v2, kept in a file; v1 is live."""
    shop.world.live("v1")
    assert shop.uno("plan", "--version", "v2", "--out", "plan.json").code == 0
    return shop.root / "plan.json"


def untouched(shop) -> bool:
    return shop.world.split() == BLUE and not shop.world.versions("green")


def test_each_step_in_words(shop):
    shop.world.live("v1")
    said = shop.uno("plan", "--version", "v2", "--option", "strategy.hold=5m")
    lines = [line.strip() for line in said.out.splitlines()]
    assert lines[lines.index("steps, at least 5m:") + 1 :][:8] == [
        "1. +0s       start the new release",
        "green: 2 of v2",
        "capacity: blue 2/2, green 2/2 ready",
        "way back: nothing has to change for the users",
        "at most 10m",
        "2. +0s       a share of the traffic",
        "traffic: green 50 %, blue 50 %",
        "capacity: blue 2/2, green 2/2 ready",
    ]
    assert "way back: written ≤ 1s, in force ≤ 2s, whole as it is" in lines
    assert any(line.startswith("at most 55m: every deadline used up") for line in lines)
    assert "not on success" in said.out
    assert untouched(shop)


@pytest.mark.parametrize("verb", ["plan", "deploy"])
@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("refuse", "there is nothing to measure with"),
        ("stumble", "Provider.assure failed with an error that is not uno's"),
    ],
)
def test_who_can_measure_nothing_here_says_so_before_anything_is_touched(shop, verb, does, words):
    shop.install("ailing", "[uno]\nailing = ailing\n")
    more = f"metrics: {{name: ailing, does: {does}}}\n"
    (shop.root / "uno.yaml").write_text((shop.root / "uno.yaml").read_text() + more)
    shop.world.live("v1")
    asked = ("--version", "v2", "--strategy", "canary")
    bound = ("--option", "strategy.metrics_threshold={cpu: 2}")
    said = shop.uno(verb, *asked, *bound)
    assert said.code == 1
    assert words in said.err
    assert untouched(shop)
    # Nothing is measured then, so nobody is asked.
    assert shop.uno("plan", *asked).code == 0


@pytest.mark.parametrize("strategy", ["blue-green", "canary", "rolling", "recreate"])
def test_the_document_of_every_strategy(shop, strategy):
    shop.world.live("v1")
    made = shop.uno("plan", "--version", "v2", "--strategy", strategy, "--output", "json").json
    assert made["schema_version"] == 1
    assert made["strategy"] == strategy
    assert made["greatest"] == sum(step["greatest"] for step in made["steps"]) > made["seconds"]
    for step in made["steps"]:
        assert set(step["capacity"]) == {"blue", "green"}
        assert set(step["way_back"]) == {"written", "in_force", "whole"}
    assert made["outage"] is (strategy == "recreate")
    assert made["under_way"] is None
    assert untouched(shop)


def test_the_first_deployment(shop):
    said = shop.uno("plan", "--version", "v1")
    assert "way back: the first deployment: a failure removes what was started" in said.out
    assert "capacity: blue 2/2 ready" in said.out
    assert "written" not in said.out


def test_a_change_of_configuration_alone_is_told(shop):
    shop.world.live("v1", config="of before")
    said = shop.uno("plan", "--version", "v1", "--detailed-exitcode")
    assert said.code == 10
    assert "warning: changed configuration: v1 serves already, configured in another way" in said.out
    assert "changed configuration" not in shop.uno("plan", "--version", "v2").out


def test_a_step_that_is_too_short_is_refused_by_both_verbs(shop):
    shop.world.live("v1")
    for verb in ("plan", "deploy"):
        said = shop.uno(verb, "--version", "v2", "--option", "strategy.hold=500ms")
        assert said.code == 2
        for words in ("hold = 500ms", "at least 1s", "strategies.swap.hold", "--option strategy.hold=1s"):
            assert words in said.err
    assert untouched(shop)


def test_what_is_kept_is_what_is_deployed(shop, kept):
    document = json.loads(kept.read_text())
    printed = shop.uno("plan", "--version", "v2", "--output", "json").json
    assert document == printed
    assert document["made_from"]["world"]["split"] == BLUE
    # The plan names the version where nothing else does.
    said = shop.uno("deploy", "--plan", "plan.json")
    assert said.code == 0, said.err
    assert shop.world.split() == GREEN


@pytest.mark.parametrize(
    ("asked", "differs"),
    [
        (("--version", "v3"), "release.version: v2 then, v3 now"),
        (("--strategy", "blue-green"), "strategy: swap then, blue-green now"),
        (("--option", "strategy.share=10"), "options.share: 50.0 then, 10.0 now"),
    ],
)
def test_something_else_than_was_planned_is_refused(shop, kept, asked, differs):
    said = shop.uno("deploy", "--plan", "plan.json", *asked, "--output", "json")
    assert said.code == 7
    assert said.json["error"]["code"] == "stale-plan"
    assert differs in said.json["error"]["found"]
    assert "uno plan --out" in said.json["error"]["remedy"]
    assert untouched(shop)
    assert shop.uno("history").out == "shop was never deployed in test\n"


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda world: world.live("v1", size=3), "wanted.blue."),
        (lambda world: world.live("v0"), "live: "),
    ],
)
def test_another_world_than_was_planned_is_refused(shop, kept, change, differs):
    change(shop.world)
    before = shop.world.read()
    said = shop.uno("deploy", "--plan", "plan.json")
    assert said.code == 7
    assert differs in said.err
    assert shop.world.read() == before
    assert shop.uno("history").out == "shop was never deployed in test\n"


def test_other_plugins_than_was_planned_with_are_refused(shop, kept):
    info = shop.site / "uno_platform_filed-1.0.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: uno-platform-filed\nVersion: 1.1\n")
    said = shop.uno("deploy", "--plan", "plan.json")
    assert said.code == 7
    assert "plugins.swap: uno-platform-filed 1.0 then, uno-platform-filed 1.1 now" in said.err
    assert untouched(shop)


def test_instances_by_another_name_are_the_same_world(shop, kept):
    with shop.world.change() as world:
        world["version"] += 1
    assert shop.uno("deploy", "--plan", "plan.json").code == 0


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("{\n  not json", "plan.json:2"),
        ("[]", "plan.json"),
        ("{}", "plan.json"),
        (None, "plan.json"),
        ("changed", "plan.json"),
        ("other schema", "plan.json"),
    ],
)
def test_a_file_that_is_no_plan(shop, kept, text, where):
    document = json.loads(kept.read_text())
    if text is None:
        kept.unlink()
    elif text == "changed":
        document["made_from"]["release"]["version"] = "v9"
        kept.write_text(json.dumps(document))
    elif text == "other schema":
        kept.write_text(json.dumps({**document, "schema_version": 2}))
    else:
        kept.write_text(text)
    said = shop.uno("deploy", "--plan", "plan.json", "--version", "v2", "--output", "json")
    assert said.code == 2
    assert said.json["error"]["where"] == where
    assert untouched(shop)


@pytest.mark.parametrize("other", [("--app-name", "till"), ("--environment", "staging")])
def test_a_plan_for_another_application(shop, kept, other):
    said = shop.uno("deploy", "--plan", "plan.json", *other)
    assert said.code == 2
    assert "the plan is for another" in said.err
    assert untouched(shop)


def test_a_file_that_cannot_be_written(shop):
    shop.world.live("v1")
    said = shop.uno("plan", "--version", "v2", "--out", "nowhere/plan.json")
    assert said.code == 2
    assert "nowhere/plan.json" in said.err


def test_a_deployment_that_is_under_way_is_named(shop):
    shop.world.live("v1")
    process = shop.start("deploy", "--version", "v2", "--option", "strategy.gate=true")
    shop.until_status("paused")
    said = shop.uno("plan", "--version", "v3", "--output", "json")
    assert said.code == 7
    error = said.json["error"]
    assert error["code"] == "unsettled"
    assert error["message"].startswith(
        f"shop-test-1 (v2) is under way: paused, driven by process {process.pid} "
    )
    assert "uno abort" in error["remedy"]
    process.kill()
    process.communicate()
    said = shop.uno("plan", "--version", "v3")
    assert said.code == 7
    assert "nobody drives it" in said.err
    assert "uno resume" in said.err


def test_a_deployment_that_has_moved_no_traffic_yet_is_named_too(shop):
    shop.world.live("v1")
    gate = ("--option", "strategy.gate=true", "--option", "strategy.share=100")
    shop.start("deploy", "--version", "v2", *gate)
    shop.until_status("paused")
    said = shop.uno("plan", "--version", "v3")
    assert said.code == 0
    assert "shop-test-1 (v2) is under way: paused, driven by process " in said.out
    assert shop.uno("plan", "--version", "v3", "--output", "json").json["under_way"]["driver_alive"] is True


def on_a_terminal(shop, *arguments: str, **environ: str) -> str:
    """What a command prints where its stdout is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "uno_core", *arguments],
        env={**shop.environ(), "TERM": "xterm-256color", "COLUMNS": "100", **environ},
        cwd=shop.root,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(ours, 4096):
            said += chunk
    except OSError:  # the other side is closed: it has ended
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", said.decode())


def test_the_traffic_is_drawn_on_a_terminal_only(shop):
    shop.world.live("v1")
    hold = ("plan", "--version", "v2", "--option", "strategy.hold=5m")
    drawn = on_a_terminal(shop, *hold).partition("traffic:\r\n")[2].splitlines()
    assert drawn[0].startswith(" 100 %  ")
    # Half of the height for five minutes, all of it at the end.
    assert drawn[1].rstrip().endswith(" █")
    assert drawn[2].rstrip().endswith("██████████")
    assert drawn[4].split() == ["+0s", "+5m"]
    assert "blue" in drawn[5]
    plain = on_a_terminal(shop, *hold, TERM="dumb")
    assert plain.replace("\r\n", "\n") == shop.uno(*hold).out


class TestDigest:
    """A tag can be moved: a digest cannot."""

    STRICT = ("--option", "require_digest=true")

    def test_a_tag_alone_is_warned_of(self, shop):
        shop.world.live("v1")
        said = shop.uno("plan", "--image", "r.example/shop:v2")
        assert said.code == 0
        assert "r.example/shop:v2 is deployed by its tag" in said.out + said.err

    def test_and_refused_where_a_digest_is_required(self, shop):
        shop.world.live("v1")
        said = shop.uno("deploy", "--image", "r.example/shop:v2", *self.STRICT)
        assert said.code == 2
        assert "a tag can be moved" in said.err
        assert "r.example/shop:v2" in said.err

    def test_a_digest_is_what_is_required(self, shop):
        shop.world.live("v1")
        image = "r.example/shop@sha256:" + "0" * 64
        assert shop.uno("plan", "--image", image, *self.STRICT).code == 0
