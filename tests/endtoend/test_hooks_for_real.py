"""Hooks as processes of this machine: a migration that works, fails, hangs, and dies with its driver."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from shop import Shop, ended, until

pytestmark = pytest.mark.component("envoy")

MIGRATE = """\
#!/bin/sh
# One line when it begins and one when it ends: two that run at once would show.
echo "begin $UNO_HOOK $UNO_HOOK_ID $UNO_VERSION $UNO_PREVIOUS_VERSION $UNO_SLOT $$" >> "$0.log"
echo "$UNO_URLS" >> "$0.urls"
if [ -f "$0.d/$UNO_HOOK" ]; then . "$0.d/$UNO_HOOK"; fi
echo "end $UNO_HOOK" >> "$0.log"
exit ${result:-0}
"""
SWITCH = ("blue-green", "verify_for=1s", "drain=0s")


class Migrating(Shop):
    """A shop with one script for every hook; a file says what it does at each of them."""

    def __init__(self, folder: Path, *, more: str = "", timeout: str = "20s") -> None:
        hooks = ", ".join(
            f"{phase}: {{run: [./migrate.sh], timeout: {timeout}}}"
            for phase in ("before_deploy", "before_traffic", "after_traffic", "before_finish", "on_rollback")
        )
        super().__init__(folder, more=f"hooks: {{{hooks}}}\n{more}")
        self.script = folder / "migrate.sh"
        self.script.write_text(MIGRATE)
        self.script.chmod(0o755)
        (folder / "migrate.sh.d").mkdir()

    def does(self, phase: str, what: str) -> None:
        (self.folder / "migrate.sh.d" / phase).write_text(what)

    def log(self) -> list[list[str]]:
        path = self.folder / "migrate.sh.log"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def begun(self) -> list[str]:
        return [line[1] for line in self.log() if line[0] == "begin"]


@pytest.fixture
def shop(tmp_path):
    made = Migrating(tmp_path)
    yield made
    made.close()


def test_it_runs_at_its_moments_and_is_told_of_the_deployment(shop):
    shop.deploy("v1", *SWITCH)
    (shop.folder / "migrate.sh.log").unlink()
    shop.deploy("v2", *SWITCH)
    assert shop.begun() == ["before_deploy", "before_traffic", "after_traffic", "before_finish"]
    first = shop.log()[2]
    assert first[1:6] == ["before_traffic", "shop-development-2/before_traffic", "v2", "v1", "green"]
    urls = (shop.folder / "migrate.sh.urls").read_text().splitlines()[-1].split()
    assert len(urls) == 2
    assert all(url.startswith("http://127.0.0.1:") for url in urls)


def test_one_that_fails_takes_the_application_back_and_says_why(shop):
    shop.deploy("v1", *SWITCH)
    shop.does("before_traffic", "echo no such column; result=3")
    said = shop.deploy("v2", *SWITCH, code=3)
    assert "the hook before_traffic failed" in said.document["message"]
    assert "exit code 3; it said: no such column" in said.document["message"]
    assert shop.begun()[-1] == "on_rollback"
    assert shop.ask() == (200, "v1")
    assert (
        "hook before_traffic: ./migrate.sh: the hook before_traffic failed"
        in shop.uno("show", "--config-file", str(shop.file)).out
    )


def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path):
    shop = Migrating(tmp_path, timeout="2s")
    try:
        shop.deploy("v1", *SWITCH)
        shop.does("after_traffic", 'sleep 300 & echo $! > "$0.child"; wait')
        said = shop.deploy("v2", *SWITCH, code=3)
        assert "it did not end in time" in said.document["message"]
        child = int((shop.folder / "migrate.sh.child").read_text())
        until(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/status").read_text())
        assert shop.ask() == (200, "v1")
    finally:
        shop.close()


def test_one_whose_driver_dies_runs_again_under_its_id_and_never_twice_at_once(shop):
    shop.deploy("v1", *SWITCH)
    (shop.folder / "migrate.sh.log").unlink()
    shop.does("before_traffic", f"sleep 3; rm -f {shop.folder}/migrate.sh.d/before_traffic")
    process = shop.start(*shop.asking("v2", *SWITCH))
    until(lambda: "before_traffic" in shop.begun())
    until(lambda: shop.tell("status")["deployment"]["last_seen"].get("hook", {}).get("process"))
    process.kill()
    process.communicate()
    shop.tell("resume")
    lines = [line[:2] for line in shop.log() if line[1] == "before_traffic"]
    assert lines == [["begin", "before_traffic"], ["end", "before_traffic"]] * 2
    ids = {line[2] for line in shop.log() if line[:2] == ["begin", "before_traffic"]}
    assert ids == {"shop-development-2/before_traffic"}
    assert shop.ask() == (200, "v2")


def test_one_that_dies_with_the_machine_runs_again(shop):
    """Driver and hook end in the same instant, as when the power fails."""
    shop.deploy("v1", *SWITCH)
    shop.does("before_traffic", f"rm -f {shop.folder}/migrate.sh.d/before_traffic; sleep 300")
    process = shop.start(*shop.asking("v2", *SWITCH))
    until(lambda: "before_traffic" in shop.begun()[-1:])
    hook = int(shop.log()[-1][-1])
    process.kill()
    os.killpg(hook, signal.SIGKILL)
    process.communicate()
    assert shop.tell("resume")["status"] == "successful"
    assert shop.begun().count("before_traffic") == 3  # v1's, the one that died, and again
    assert shop.ask() == (200, "v2")


def test_an_interruption_does_not_wait_for_it(shop):
    shop.deploy("v1", *SWITCH)
    shop.does("after_traffic", "sleep 300")
    process = shop.start(*shop.asking("v2", *SWITCH))
    until(lambda: "after_traffic" in shop.begun()[-1:] and len(shop.begun()) > 4)
    process.send_signal(signal.SIGTERM)
    ended(process, code=3)
    assert shop.ask() == (200, "v1")


class TestForbidden:
    @pytest.fixture
    def shop(self, tmp_path):
        made = Migrating(tmp_path, more="rollback: {forbid_after: before_traffic}\n")
        try:
            made.deploy("v1", *SWITCH)
            yield made
        finally:
            made.close()

    def test_what_fails_after_it_stops_where_it_is_and_calls_a_person(self, shop):
        shop.does("after_traffic", "result=1")
        said = shop.deploy("v2", *SWITCH, code=4)
        assert said.document["status"] == "stopped"
        assert "going back is forbidden after before_traffic" in said.document["message"]
        assert shop.begun()[-1] == "after_traffic"
        assert shop.ask() == (200, "v2")
        refused = shop.tell("rollback", code=2)
        assert "is not taken back" in refused["error"]["message"]
        assert "--even-forbidden" in refused["error"]["remedy"]
        assert shop.ask() == (200, "v2")
        # Mended by a new version, as the remedy says.
        (shop.folder / "migrate.sh.d" / "after_traffic").unlink()
        slot = next(slot for slot, percent in shop.tell("status")["snapshot"]["split"].items() if percent)
        shop.uno(*shop.asking("v3", *SWITCH), "--stable", slot)
        assert shop.ask() == (200, "v3")

    def test_a_person_may_take_it_back_all_the_same(self, shop):
        shop.deploy("v2", *SWITCH)
        shop.tell("rollback", code=2)
        shop.deploy("v3", *SWITCH)
        refused = shop.tell("rollback", "--to", "v1", code=2)
        assert "shop-development-3 is not taken back" in refused["error"]["message"]
        assert shop.ask() == (200, "v3")
        shop.tell("rollback", "--to", "v1", "--even-forbidden")
        assert shop.ask() == (200, "v1")
        shop.deploy("v4", *SWITCH)
        shop.tell("rollback", "--even-forbidden")
        assert shop.ask() == (200, "v1")

    def test_an_interruption_after_it_leaves_it_to_be_gone_on_with(self, shop):
        process = shop.start(*shop.asking("v2", "blue-green", "verify_for=1h"))
        until(lambda: shop.ask() == (200, "v2"))
        process.send_signal(signal.SIGTERM)
        ended(process, code=143)
        assert shop.ask() == (200, "v2")
        assert json.loads(shop.uno("status", "--output", "json", "--config-file", str(shop.file)).out)[
            "deployment"
        ]["under_way"]

    def test_the_plan_says_so(self, shop):
        plan = shop.uno(
            "plan", "--config-file", str(shop.file), "--version", "v2", "--strategy", "blue-green"
        )
        assert "run ./migrate.sh (before_traffic)" in plan.out
        assert "once before_traffic has begun nothing is taken back" in plan.out + plan.err
