"""Signals on a terminal: the first leaves the deployment to be resumed, the second stops at once."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading

import pytest
from attrs import define, field

BLUE = {"blue": 100.0, "green": 0.0}
HALF = {"blue": 50.0, "green": 50.0}
GREEN = {"blue": 0.0, "green": 100.0}
SHORT = ("--option", "strategy.hold=3s")
LONG = ("--option", "strategy.hold=1h")


@define
class Terminal:
    """A process whose stderr is a terminal that somebody reads."""

    process: subprocess.Popen[bytes]
    reader: threading.Thread = field(init=False)
    _seen: bytearray = field(init=False, factory=bytearray)

    def read(self, end: int) -> None:
        def work() -> None:
            while True:
                try:
                    self._seen.extend(os.read(end, 65536))
                except OSError:  # how Linux says that the other end is closed
                    os.close(end)
                    return

        self.reader = threading.Thread(target=work)
        self.reader.start()

    @property
    def seen(self) -> str:
        return self._seen.decode(errors="replace")

    def end(self) -> tuple[int, str]:
        """How it ended, and what went to stdout."""
        out, _ = self.process.communicate(timeout=60)
        self.reader.join(60)
        return self.process.returncode, out.decode()


@pytest.fixture
def terminal(shop):
    """Run uno with a terminal for its stderr."""

    def run(*arguments: str) -> Terminal:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "uno_core", *arguments],
            env={**shop.environ(), "TERM": "xterm", "COLUMNS": "120"},
            cwd=shop.root,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
        )
        os.close(theirs)
        shop.started.append(process)
        made = Terminal(process)
        made.read(ours)
        return made

    return run


def deploying(shop, terminal, *options):
    """A deployment on a terminal, with half of the traffic."""
    shop.world.live("v1")
    made = terminal("deploy", "--version", "v2", *options)
    shop.until(lambda: "last wait" in shop.uno("status").out)
    return made


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
def test_the_first_signal_leaves_it_to_be_gone_on_with(shop, terminal, number, code):
    deployment = deploying(shop, terminal, *SHORT)
    deployment.process.send_signal(number)
    ended, out = deployment.end()
    name = signal.Signals(number).name
    assert ended == code
    assert out == f"shop-test-1 in_progress: interrupted by {name}\n"
    for words in (
        f"{name}: it stops before its next effect; once more stops at once",
        "nothing more is written: v1 and v2 serve (blue 50 %, green 50 %)",
        "`uno resume` goes on from there, `uno rollback` takes the application back",
    ):
        assert words in deployment.seen
    assert "Traceback" not in deployment.seen
    assert shop.world.split() == HALF
    assert shop.uno("resume").code == 0
    assert shop.world.split() == GREEN


def test_what_was_left_is_taken_back(shop, terminal):
    deployment = deploying(shop, terminal, *LONG)
    deployment.process.send_signal(signal.SIGINT)
    assert deployment.end()[0] == 130
    assert shop.uno("rollback").code == 0
    assert shop.world.split() == BLUE


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_second_signal_stops_at_once_and_it_can_be_gone_on_with(shop, terminal, number, code):
    (shop.site / "stubborn.py").write_text(STUBBORN)
    shop.install("uno-stubborn", "[uno]\nstubborn = stubborn\n")
    shop.world.live("v1")
    deployment = terminal("deploy", "--version", "v2", "--strategy", "stubborn")
    asked = shop.root / "asked"
    shop.until(asked.exists)
    deployment.process.send_signal(number)
    shop.until(lambda: "it stops before its next effect" in deployment.seen)
    deployment.process.send_signal(number)
    assert deployment.end()[0] == code
    assert "stopped at once; `uno resume` goes on from there, `uno rollback` takes" in deployment.seen
    (shop.root / "answered").touch()
    assert shop.uno("resume").code == 0
    assert shop.world.split() == GREEN


STUBBORN = """
import pathlib, time
from uno_core import DeploymentResult, DeploymentStrategy, StrategyInfo, hookimpl, whole

class Stubborn(DeploymentStrategy):
    def deploy(self, context):
        target = context.initial.idle
        context.deploy(target, context.release, context.initial.size)
        context.call("asked")
        context.set_traffic(whole(target))
        return DeploymentResult(True, "done")

    def asked(self):
        pathlib.Path("asked").touch()
        while not pathlib.Path("answered").exists():
            time.sleep(0.05)

@hookimpl
def uno_register_strategies():
    return [StrategyInfo(name="stubborn", summary="does not listen", load=lambda: Stubborn)]
"""


def test_a_deployment_that_goes_back_goes_on_going_back(shop, terminal):
    deployment = deploying(shop, terminal, *LONG)
    shop.world.fault("blind")
    assert shop.uno("abort").code == 8
    deployment.process.send_signal(signal.SIGINT)
    shop.until(lambda: "SIGINT: it is going back already" in deployment.seen)
    shop.world.fault("")
    assert deployment.end()[0] == 3
    assert shop.world.split() == BLUE


def test_a_gate_is_left_for_whoever_promotes(shop, terminal):
    shop.world.live("v1")
    deployment = terminal("deploy", "--version", "v2", "--option", "strategy.gate=true")
    shop.until_status("paused")
    deployment.process.send_signal(signal.SIGINT)
    assert deployment.end()[0] == 130
    assert "`uno promote` passes the gate and goes on" in deployment.seen
    assert shop.uno("promote").code == 0
    assert shop.world.split() == GREEN


def test_whoever_only_asked_stops_waiting_alone(shop, terminal):
    process = shop.begun(*LONG)
    shop.world.fault("blind")
    asking = terminal("rollback")
    shop.until_status("rollback_in_progress")
    asking.process.send_signal(signal.SIGINT)
    assert asking.end()[0] == 130
    assert "what was asked for goes on without this command" in asking.seen
    shop.world.fault("")
    assert shop.end(process).code == 3
    assert shop.world.split() == BLUE
