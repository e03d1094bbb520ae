"""What notifiers are told of what the verbs do, and that they can do no harm."""

from __future__ import annotations

import signal
import socket
import sys
from types import SimpleNamespace

import pytest
from filed_notifier import told

from uno_core.cli import printing

FILED = "notify: {name: filed, path: told.jsonl}\n"
HOLD = ("--option", "strategy.hold=1h")
GATE = ("--option", "strategy.gate=true")
LIBRARY = (
    "from uno_core.config.load import load\nfrom uno_core.config.wanted import Overrides\n"
    "from uno_core.registry import Registry\nfrom uno_core.session import Session\n"
    "session = Session(load(overrides=Overrides(version='v2')), Registry.discover())\n"
)
GREEN = {"blue": 0.0, "green": 100.0}


@pytest.fixture
def notified(shop):
    """The shop with a notifier; gives what says whom to tell."""
    shop.install("uno-notify-filed", "[uno]\nfiled = filed_notifier\n")

    def configure(text=FILED):
        path = shop.root / "uno.yaml"
        base = path.read_text().partition("notify:")[0].partition("environments:")[0]
        path.write_text(base + text)
        return shop

    return configure


def kinds(shop, name="told.jsonl"):
    return [notice["kind"] for notice in told(shop.root / name)]


def last(shop):
    return [notice for notice in told(shop.root / "told.jsonl") if notice["kind"] != "closed"][-1]


def test_a_deployment_is_told_from_beginning_to_end(notified):
    shop = notified()
    shop.world.live("v1")
    assert shop.uno("deploy", "--version", "v2", "--reason", "because").code == 0
    notices = told(shop.root / "told.jsonl")
    assert [notice["kind"] for notice in notices] == [
        "started", "step", "step", "traffic", "step", "traffic", "promoted", "finished", "closed",
    ]  # fmt: skip
    finished = notices[-2]
    assert {key: finished[key] for key in ("application", "environment", "deployment", "version")} == {
        "application": "shop", "environment": "test", "deployment": "shop-test-1", "version": "v2",
    }  # fmt: skip
    assert (finished["previous"], finished["strategy"], finished["reason"]) == ("v1", "swap", "because")
    assert (finished["status"], finished["exit_code"]) == ("successful", 0)
    assert all(notice["status"] is None for notice in notices[:-2])
    assert notices[3]["message"] == "blue 50 %, green 50 %"


def test_stdout_stays_one_document(notified):
    shop = notified()
    shop.world.live("v1")
    assert shop.uno("deploy", "--version", "v2", "--output", "json").json["status"] == "successful"


def test_what_goes_back_is_told(notified):
    shop = notified()
    shop.world.live("v1")
    assert shop.uno("deploy", "--version", "v2", "--option", "strategy.bug=true").code == 3
    assert kinds(shop)[-3:] == ["rolling_back", "finished", "closed"]
    assert (last(shop)["status"], last(shop)["exit_code"]) == ("rolled_back", 3)


def test_nothing_to_do_is_answered(notified):
    shop = notified()
    shop.world.live("v1")
    assert shop.uno("deploy", "--version", "v1").code == 0
    assert kinds(shop) == ["answered", "closed"]
    assert (last(shop)["version"], last(shop)["status"], last(shop)["exit_code"]) == ("v1", "successful", 0)
    assert "serves already" in last(shop)["message"]


def test_what_is_refused_is_told_with_its_code(notified):
    shop = notified()
    shop.left(*HOLD)
    (shop.root / "told.jsonl").unlink()
    assert shop.uno("deploy", "--version", "v3").code == 5
    assert kinds(shop) == ["refused", "closed"]
    assert (last(shop)["version"], last(shop)["status"], last(shop)["exit_code"]) == ("v3", None, 5)


def test_a_gate_is_told_and_what_is_gone_on_with(notified):
    shop = notified()
    shop.world.live("v1")
    assert shop.uno("deploy", "--version", "v2", "--no-wait", *GATE).code == 6
    assert kinds(shop)[-3:] == ["paused", "left", "closed"]
    assert (last(shop)["status"], last(shop)["exit_code"]) == ("paused", 6)
    (shop.root / "told.jsonl").unlink()
    assert shop.uno("promote").code == 0
    assert kinds(shop)[0] == "resumed"
    assert (last(shop)["status"], last(shop)["previous"]) == ("successful", "v1")


def test_a_rollback_of_what_is_finished_is_told_with_its_own_code(notified):
    shop = notified()
    shop.world.live("v1")
    assert shop.uno("deploy", "--version", "v2").code == 0
    (shop.root / "told.jsonl").unlink()
    assert shop.uno("rollback").code == 0
    assert kinds(shop)[0] == "rolling_back"
    finished = last(shop)
    assert (finished["kind"], finished["status"], finished["exit_code"]) == ("finished", "rolled_back", 0)
    assert (finished["deployment"], finished["version"]) == ("shop-test-1", "v2")


def test_who_only_asks_the_driver_does_not_tell_twice(notified):
    shop = notified()
    process = shop.begun(*HOLD)
    assert shop.uno("rollback").code == 0
    assert shop.end(process).code == 3
    assert kinds(shop).count("finished") == 1
    assert kinds(shop).count("answered") == 1
    assert kinds(shop).count("rolling_back") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_driver_that_is_told_to_leave_tells_how_it_left(notified, number):
    shop = notified("on_interrupt: hold\n" + FILED)
    process = shop.begun(*HOLD)
    process.send_signal(number)
    code = shop.end(process).code
    assert code in (130, 143)
    assert kinds(shop)[-2:] == ["left", "closed"]
    assert (last(shop)["status"], last(shop)["exit_code"]) == ("in_progress", code)


def test_who_stops_at_once_tells_so(notified):
    shop = notified()
    shop.world.live("v1")
    program = LIBRARY + (
        "def stop(kind, data):\n    if kind == 'split':\n        raise KeyboardInterrupt\n"
        "session.listener = stop\nsession.deploy()\n"
    )
    assert "KeyboardInterrupt" in shop.python(program).err
    assert kinds(shop)[-2:] == ["left", "closed"]
    assert (last(shop)["status"], last(shop)["exit_code"]) == ("in_progress", 130)


@pytest.mark.parametrize("does", ["fail", "exit"])
def test_a_notifier_that_fails_is_a_warning_and_no_more(notified, does):
    shop = notified(f"notify: [{{name: filed, does: {does}}}, {{name: filed, path: good.jsonl}}]\n")
    shop.world.live("v1")
    said = shop.uno("deploy", "--version", "v2")
    assert said.code == 0
    assert shop.world.split() == GREEN
    assert said.err.count("a notifier failed") == 1
    assert kinds(shop, "good.jsonl")[-2:] == ["finished", "closed"]


def test_a_notifier_that_hangs_ends_with_the_process(notified, monkeypatch):
    monkeypatch.setattr("uno_core.notifying.announcer.PATIENCE", 0.05)
    shop = notified("notify: {name: filed, does: hang}\n")
    shop.world.live("v1")
    said = shop.uno("deploy", "--version", "v2")
    assert said.code == 0
    assert shop.world.split() == GREEN
    assert said.err.count("a notifier was not told everything") == 1


def test_a_process_does_not_wait_for_a_notifier_that_hangs(notified):
    shop = notified("notify: {name: filed, does: hang}\n")
    shop.world.live("v1")
    said = shop.end(shop.start("deploy", "--version", "v2"))
    assert said.code == 0
    assert "a notifier was not told everything" in said.err


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("notify: {name: filed, pth: x}\n", 2, "did you mean path?"),
        ("notify: filde\n", 2, "there is no notifier filde"),
        ('notify: {name: filed, secret: "${NOT_THERE}"}\n', 2, "NOT_THERE"),
        ("notify: {name: filed, does: refuse}\n", 1, "not today"),
    ],
)
def test_one_that_cannot_be_made_is_an_error_before_anything_is_touched(notified, text, code, words):
    shop = notified(text)
    shop.world.live("v1")
    before = shop.world.read()
    said = shop.uno("deploy", "--version", "v2")
    assert said.code == code
    assert words in said.err
    assert shop.world.read() == before


def test_one_that_cannot_be_made_does_not_block_the_way_back(notified):
    shop = notified()
    shop.world.live("v1")
    assert shop.uno("deploy", "--version", "v2").code == 0
    notified("notify: {name: filed, does: refuse}\n")
    said = shop.uno("rollback")
    assert said.code == 0
    assert "a notifier cannot be made" in said.err
    assert shop.world.split() == {"blue": 100.0, "green": 0.0}


def test_an_environment_says_as_a_whole_whom_it_tells(notified):
    shop = notified(
        "notify: {name: filed, path: every.jsonl}\n"
        "environments: {test: {notify: {name: filed, path: test.jsonl}}}\n"
    )
    shop.world.live("v1")
    assert shop.uno("deploy", "--version", "v2").code == 0
    assert "finished" in kinds(shop, "test.jsonl")
    assert not (shop.root / "every.jsonl").exists()
    notified("notify: filed\nenvironments: {test: {notify: []}}\n")
    assert shop.uno("deploy", "--version", "v3").code == 0
    assert not (shop.root / "told.jsonl").exists()


def test_nobody_is_told_of_a_plan(notified):
    shop = notified()
    shop.world.live("v1")
    assert shop.uno("plan", "--version", "v2").code == 0
    assert not kinds(shop)


def test_a_library_tells_as_the_command_line_does(notified):
    shop = notified()
    shop.world.live("v1")
    said = shop.python(LIBRARY + "print(session.deploy().exit_code)\n")
    assert (said.code, said.out) == (0, "0\n")
    assert kinds(shop)[-2:] == ["finished", "closed"]


def test_a_line_of_progress_is_one_write(monkeypatch):
    """A notifier writes to stderr as well: what it says begins at the beginning of a line."""
    writes = []
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(write=writes.append, flush=lambda: None))
    printing.err("going on")
    assert [text for text in writes if text] == ["going on\n"]


def test_the_url_of_a_webhook_is_seen_nowhere(notified, monkeypatch):
    shop = notified('notify: {name: webhook, url: "${HOOK}", tries: 1}\n')
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: refused
        monkeypatch.setenv("HOOK", f"http://127.0.0.1:{held.getsockname()[1]}/services/geheim")
        shop.world.live("v1")
        said = shop.end(shop.start("deploy", "--version", "v2", "--debug", "--output", "json"))
    assert said.code == 0
    assert said.err.count("was not delivered") == 1
    assert "connection refused" in said.err
    assert "geheim" not in said.err + said.out + shop.uno("show", "--output", "json").out
    assert not [path for path in shop.root.rglob("*") if path.is_file() and b"geheim" in path.read_bytes()]
