import os
import sys
import time
from pathlib import Path

import pytest

from uno_core import ConfigError, Release, Secret, Slot, Target
from uno_core.testing import HealthCheckContract, PluginContract
from uno_health_command.check import CommandCheck
from uno_health_command.options import CommandOptions

pytest_plugins = ["uno_core.testing.fixtures"]


def at(version="1.2.0"):
    return Target(
        application="shop",
        slot=Slot.BLUE,
        release=Release(version),
        instance="i-1",
        host="10.0.0.7",
        port=8080,
    )


@pytest.fixture
def run(services):
    def run(*command, timeout=20.0, target=None, **options):
        check = CommandCheck(CommandOptions(command=command, **options), services)
        return check.check(target or at(), timeout)

    return run


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def gone(pid):
    end = time.monotonic() + 10
    while alive(pid):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class TestContract(HealthCheckContract):
    @pytest.fixture
    def check(self, services):
        script = (
            'case "$1" in good) exit 0;; hang) sleep 300;; esac; echo "this is $1"; echo "go away"; exit 3'
        )
        return CommandCheck(CommandOptions(command=("sh", "-c", script, "sh", "{version}")), services)

    @pytest.fixture
    def healthy(self):
        return at("good")

    @pytest.fixture
    def unhealthy(self):
        return at("bad")

    @pytest.fixture
    def unreachable(self):
        return at("worse")

    @pytest.fixture
    def hanging(self):
        return at("hang")


class TestPlugin(PluginContract):
    distribution = "uno-health-command"
    sdks = ("requests", "subprocess")


def test_the_exit_code_decides(run):
    assert run("true").answer == "true exited with 0"
    probe = run("sh", "-c", "echo no database; exit 3")
    assert not probe.healthy
    assert probe.answer == "sh exited with 3, expected 0: no database"
    assert run("sh", "-c", "exit 3", exit_code=3).healthy


def test_the_last_lines_stand_in_the_answer(run):
    answer = run("sh", "-c", "seq 100; echo ' to  you' >&2; exit 1").answer
    assert answer.endswith(": 99 | 100 | to you")


def test_much_output_holds_nothing_up(run):
    assert run("sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x").healthy
    probe = run("yes", timeout=0.5)
    assert not probe.healthy
    assert len(probe.answer) < 500


def test_placeholders_are_filled_in_without_a_shell(run, tmp_path):
    text = "{env} {slot} {host} {port} {version} {app} $HOME;"
    probe = run("echo", text, exit_code=1)
    assert probe.answer.endswith(": blue blue 10.0.0.7 8080 1.2.0 shop $HOME;")
    (tmp_path / "blue").mkdir()
    answer = run(
        "sh", "-c", "pwd; echo $WHERE", working_directory=f"{tmp_path}/{{slot}}", env={"WHERE": "{host}"}
    )
    assert answer.answer.endswith(f": {tmp_path}/blue | 10.0.0.7")


def test_a_secret_is_handed_over_and_never_shown(run):
    probe = run("sh", "-c", 'test "$T" = open-sesame && echo "T is $T"', env={"T": Secret("TOKEN")})
    assert probe.healthy
    assert probe.answer.endswith(": T is ***")
    with pytest.raises(ConfigError):
        run("true", env={"T": Secret("NOBODY")})


def test_the_timeout_kills_the_whole_group(run, tmp_path):
    pids = tmp_path / "pids"
    script = (
        f"trap '' TERM; sleep 300 & echo $! >> {pids}; echo $$ >> {pids}; echo waiting; "
        "while :; do sleep 300; done"
    )
    begun = time.monotonic()
    probe = run("sh", "-c", script, timeout=1.0)
    assert time.monotonic() - begun < 5
    assert not probe.healthy
    assert probe.answer.startswith("sh timed out after 1 s: waiting")
    found = [int(line) for line in pids.read_text().split()]
    assert len(found) == 2
    assert all(gone(pid) for pid in found)


def test_one_that_ends_at_the_signal_may_clean_up(run, tmp_path):
    mark = tmp_path / "cleaned"
    run("sh", "-c", f"trap 'touch {mark}; exit 0' TERM; while :; do sleep 0.05; done", timeout=2.0)
    assert mark.exists()


def test_a_grandchild_that_holds_the_output_delays_nothing(run, tmp_path):
    pid = tmp_path / "pid"
    begun = time.monotonic()
    probe = run("sh", "-c", f"sleep 300 & echo $! > {pid}; echo done")
    assert time.monotonic() - begun < 10
    assert probe.healthy
    assert probe.answer.endswith(": done")
    assert gone(int(pid.read_text())), "a check leaves nothing running"


def test_one_that_left_the_group_delays_nothing_either(run, tmp_path):
    pid = tmp_path / "pid"
    script = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        f" os.setsid(); open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(300)"
    )
    begun = time.monotonic()
    try:
        assert run(sys.executable, "-c", script).healthy
        assert time.monotonic() - begun < 10
        end = time.monotonic() + 10
        while not (pid.exists() and pid.read_text()):
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        if pid.exists() and pid.read_text():
            os.kill(int(pid.read_text()), 9)


def test_one_that_closed_its_output_is_waited_for(run):
    assert run("sh", "-c", "exec >&- 2>&-; sleep 0.3; exit 4").answer == "sh exited with 4, expected 0"


def test_a_signal_is_named(run):
    assert run("sh", "-c", "kill -9 $$").answer == "sh was killed by SIGKILL, expected 0"


def test_nothing_is_read_from_the_terminal(run):
    assert run("cat", timeout=5.0).healthy


@pytest.mark.parametrize("command", [("/nowhere/check",), ("a\0b",)])
def test_what_cannot_run_is_an_error_and_not_bad_health(run, command):
    with pytest.raises(ConfigError, match="cannot run"):
        run(*command)


@pytest.mark.parametrize("command", [(), ("",)])
def test_there_must_be_a_command(services, command):
    with pytest.raises(ConfigError, match="nothing to run"):
        CommandCheck(CommandOptions(command=command), services)


def test_the_slot_as_a_whole(services):
    def whole(*command, **env):
        return not CommandCheck(CommandOptions(command=command, env=env), services).per_instance

    assert whole("check", "{slot}")
    assert not whole("check", "{host}")
    assert not whole("check", PORT="{port}")
