"""How things are said: times, what a terminal must not be told, colours, a view that fails."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from uno_core import wording
from uno_core.cli import printing
from uno_core.cli.driving import Interruption
from uno_core.cli.failing import Terminated
from uno_core.cli.lines import Events, Lines
from uno_core.cli.live import Picture


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.012, "12ms"), (0.4, "0.4s"), (5, "5s"), (90.2, "1m30s"), (3600, "1h"), (9000, "2h30m")],
)
def test_durations_are_short(seconds, text):
    assert wording.lasting(seconds) == text


def test_nobody_elses_words_drive_the_terminal():
    assert printing.safe("a\x1b[2Jb\r\nc\td") == "a�[2Jb�\nc\td"


def test_json_has_no_number_that_is_none():
    assert printing.encoded({"p95": float("inf"), "all": [float("nan"), 1.5]}) == (
        '{"schema_version": 1, "p95": null, "all": [null, 1.5]}'
    )


def test_an_events_own_time_hides_nothing(capsys):
    data = {"slot": "blue", "after": 5.0, "at": "2026-01-01T00:00:00+00:00", "by_platform": False}
    Events().hear("retire", data)
    event = printing.json.loads(capsys.readouterr().out)
    assert event["retire_at"] == data["at"]
    assert event["at"] > data["at"]
    assert event["kind"] == "retire"


def test_only_what_changes_is_a_line(capsys):
    lines = Lines()
    good = {"slot": "green", "healthy": True, "reason": ""}
    for data in (good, good, {**good, "healthy": False, "reason": "503"}, good):
        lines.hear("health", data)
    said = [line.split(" ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert said == ["green: healthy", "green: not healthy: 503", "green: healthy"]
    lines.hear("a kind of a later version", {})
    assert capsys.readouterr().err == ""


def test_the_live_view_shows_what_every_judge_found_with_its_numbers(capsys):
    picture = Picture()
    picture.hear("started", {"id": "shop-1", "version": "v2", "strategy": "canary"})
    within, log = "error_rate: 0.95% is within bounds (old release 0.93%)", {"log_e": -0.782, "limit": 4.605}
    findings = [
        {"verdict": "pass", "reason": within},
        {"verdict": "inconclusive", "reason": "sequential: too little", "advisory": True, "numbers": log},
        {"verdict": "error", "reason": "cpu: it failed\n  where: there", "numbers": {}},
    ]
    picture.hear("evidence", {"analysis": {"verdict": "pass", "findings": findings}})
    Console(width=120).print(picture)
    said = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert said[1:] == [
        "pass         error_rate: 0.95% is within bounds (old release 0.93%)",
        "inconclusive sequential: too little, log e -0.78 of 4.61, counts for nothing",
        "error        cpu: it failed",
    ]


def test_a_view_that_fails_stops_no_deployment(shop, monkeypatch):
    def fails(self, kind, data):
        raise ValueError("no picture")

    monkeypatch.setattr(Lines, "hear", fails)
    shop.world.live("v1")
    said = shop.uno("deploy", "--version", "v2")
    assert said.code == 0
    assert said.err.count("an event could not be shown") == 1


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_before_anything_was_touched_the_first_signal_stops(number, kind, capfd):
    with pytest.raises(kind):
        Interruption(SimpleNamespace(ears=None, following=""), Lines())(number, None)
    assert "nothing was touched" in capfd.readouterr().err


def test_the_log_is_json_where_that_is_asked_for(shop, monkeypatch):
    monkeypatch.setattr(Lines, "hear", lambda *_: 1 / 0)
    shop.world.live("v1")
    said = shop.uno("--log-format", "json", "deploy", "--version", "v2")
    (line,) = [line for line in said.err.splitlines() if line.startswith("{")]
    assert printing.json.loads(line)["event"] == "an event could not be shown"
    shop.uno("--log-level", "error", "--version")
    assert shop.uno("--log-level", "error", "deploy", "--version", "v3").err.count("could not be shown") == 0


@pytest.mark.parametrize("colour", [True, False])
def test_errors_have_colour_on_terminals_alone(shop, colour):
    environ = {**shop.environ(), "TERM": "xterm-256color"}
    if colour:
        del environ["NO_COLOR"]
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "uno_core", "deploy", "--version", "v2", "--strategy", "swop"],
        env=environ,
        cwd=shop.root,
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        check=False,
    )
    os.close(theirs)
    said = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 2
    assert "there is no strategy swop" in said
    assert ("\x1b[1;31m" in said) is colour
