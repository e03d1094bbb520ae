"""Releases on given instances behind a load balancer, with every request counted."""

from __future__ import annotations

import json

import pytest
from balanced import Balanced, lost
from shop import ended, until

from tests.aws.applications import Application
from tests.aws.hosts import VERSION, Hosts

pytest_plugins = ["tests.aws.fixtures"]
pytestmark = pytest.mark.component("envoy")


@pytest.fixture
def hosts(tmp_path):
    made = Hosts(tmp_path)
    yield made
    made.close()


@pytest.fixture
def app(aws, tmp_path, hosts):
    made = Balanced(Application.make(aws), tmp_path)
    made.configure()
    workload = {
        "type": "instances", "targets": hosts.targets, "command": hosts.command, "version_url": VERSION,
    }  # fmt: skip
    text = (tmp_path / "uno.yaml").read_text()
    lines = [
        f"  workload: {json.dumps(workload)}" if line.startswith("  workload:") else line
        for line in text.splitlines()
    ]
    text = "\n".join(lines).replace("release: {image: example.com/shop}\n", "")
    (tmp_path / "uno.yaml").write_text(text.replace("batch_size: 2", "batch_size: 1") + "\n")
    made.deploy("blue-green", "v1.0.0")
    until(lambda: aws.ask(made.there.host)[1].startswith("v1.0.0"))
    return made


@pytest.mark.parametrize("strategy", ["blue-green", "canary", "rolling"])
def test_nothing_is_lost(app, strategy):
    with app.load() as load:
        app.deploy(strategy, "v1.1.0")
    assert not lost(load), lost(load)
    assert app.there.weights() == {"blue": 0, "green": 999}
    assert load.of("v1.1.0")
    assert app.there.healthy("green") == 3


def test_a_slot_that_ran_another_release_is_given_the_next_one(app):
    app.deploy("blue-green", "v1.1.0")
    with app.load() as load:
        app.deploy("blue-green", "v1.2.0")
    assert not lost(load), lost(load)
    assert app.there.weights() == {"blue": 999, "green": 0}
    assert load.of("v1.2.0")


@pytest.mark.parametrize(
    ("tag", "told"),
    [("v1.1.0-broken", "there is no artifact of v1.1.0-broken"), ("v1.1.0-unready", "503")],
)
def test_what_cannot_be_put_there_is_told_and_never_routed_to(app, tag, told):
    with app.load() as load:
        done = app.deploy("canary", tag, "--option", "strategy.ready_timeout=12s", code=3)
    assert told in done.err, done.err[-900:]
    assert not lost(load), lost(load)
    assert not load.of(tag)
    assert app.there.weights() == {"blue": 999, "green": 0}


def test_killed_in_the_middle_it_goes_on(app):
    with app.load() as load:
        process = app.start("deploy", "--strategy", "canary", "--version", "v1.1.0")
        until(lambda: app.there.weights() == {"blue": 900, "green": 100})
        process.kill()
        ended(process, code=-9)
        app.uno("resume")
    assert not lost(load), lost(load)
    assert app.there.weights() == {"blue": 0, "green": 999}
