"""`uno local`, without the configuration."""

import json
import os
import signal
import subprocess
import sys

import pytest
from attrs import evolve
from click.testing import CliRunner

from uno_core import Slot, share
from uno_platform_local import daemon, orphans
from uno_platform_local.cli import local

BLUE, GREEN = Slot.BLUE, Slot.GREEN


def run(*arguments, root):
    return CliRunner().invoke(local, [*arguments, "--root", str(root)])


@pytest.fixture
def canary(platform, tools):
    """Two slots with traffic."""
    platform.prepare()
    tools.bring(platform, BLUE, {tools.resolve(platform): 2})
    tools.bring(platform, GREEN, {tools.resolve(platform, "2.0.0"): 1})
    tools.route(platform, share(GREEN, 25))
    return platform


@pytest.mark.component("envoy")
def test_down_and_up_bring_back_the_same(canary, root, options, tools):
    before = canary.workload.observe()
    assert run("down", root=root).exit_code == 0
    assert orphans.recorded(canary.layout) == []
    down = run("status", "--output", "json", root=root)
    assert down.exit_code == 1
    assert json.loads(down.stdout)["running"] is False
    assert run("down", root=root).output == "nothing was running\n"
    brought = run("up", root=root)
    assert brought.exit_code == 0, brought.output
    after = canary.workload.observe()
    assert {s: after.slots[s].wanted for s in Slot} == {s: before.slots[s].wanted for s in Slot}
    assert canary.router.in_force() == share(GREEN, 25)
    tools.until(lambda: tools.ask(options)[0], lambda status: status == 200)
    assert "everything is stopped" in run("down", root=root).output


@pytest.mark.component("envoy")
def test_a_request_under_way_survives_down(make, with_mode, root, tools):
    options = with_mode("slow")
    platform = make(options)
    platform.prepare()
    tools.bring(platform, BLUE, {tools.resolve(platform): 1})
    tools.route(platform, share(GREEN, 0))
    code = "import sys,urllib.request; print(urllib.request.urlopen(sys.argv[1]).status)"
    client = subprocess.Popen(
        [sys.executable, "-c", code, f"http://{options.traffic.listen}/"], stdout=subprocess.PIPE, text=True
    )
    admin = daemon.admin_of(platform.layout)
    tools.until(lambda: ": 1" in admin.get("/stats?filter=^http.in.downstream_rq_active$"))
    run("down", root=root)
    assert client.communicate(timeout=30)[0] == "200\n"


@pytest.mark.component("envoy")
def test_status_tells_what_is_not_ready_and_why(canary, root, tools, make, with_mode):
    good = run("status", root=root)
    assert good.exit_code == 0, good.output
    assert "25.00 %" in good.output
    bad = make(with_mode("die"))
    bad.workload.converge(GREEN, {tools.resolve(bad): 1})
    tools.until(lambda: run("status", root=root).output, lambda text: "the database is not there" in text)
    document = json.loads(run("status", "--output", "json", root=root).stdout)
    assert document["schema_version"] == 1
    assert document["healthy"] is False


@pytest.mark.component("envoy")
def test_logs_of_one_or_of_all(canary, root):
    assert "supervisord started" in run("logs", "supervisord", root=root).output
    assert run("logs", root=root).exit_code == 0
    unknown = run("logs", "nobody", root=root)
    assert unknown.exit_code == 2
    assert "there is no log of nobody" in unknown.output


@pytest.mark.component("envoy")
def test_in_the_foreground_a_signal_takes_everything_down(canary, root, tools):
    run("down", root=root)
    command = [sys.executable, "-m", "uno_platform_local", "up", "--foreground", "--root", str(root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert "is up" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
    assert orphans.recorded(canary.layout) == []


def test_up_before_anything_was_deployed_says_so(root):
    result = run("up", root=root)
    assert result.exit_code == 2
    assert "nothing was ever deployed here" in result.output


def test_install_prints_a_unit(root):
    text = run("install", root=root).output
    assert f"--foreground --root {root}" in text
    assert "WantedBy=multi-user.target" in text


@pytest.mark.component("envoy")
def test_a_new_listen_address_is_taken_up(canary, options, make, tools):
    moved = evolve(options, traffic=evolve(options.traffic, listen=f"127.0.0.1:{tools.free_port()}"))
    make(moved).prepare()
    tools.until(lambda: _answers(moved, tools))
    assert canary.router.in_force() == share(GREEN, 25)


def _answers(options, tools):
    try:
        return tools.ask(options)[0] == 200
    except OSError:
        return False


@pytest.mark.component("envoy")
def test_what_is_not_ours_is_never_killed(canary):
    """A recorded pid that now belongs to somebody else is left alone."""
    layout = canary.layout
    daemon.stop(layout)
    status = {"processes": [[os.getpid(), 1.0]], "at": 0}
    layout.status.write_text(json.dumps(status))
    assert orphans.recorded(layout) == []
