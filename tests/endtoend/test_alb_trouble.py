"""What goes wrong with AWS in the middle of a deployment, and what comes of it."""

from __future__ import annotations

import signal

import pytest
from balanced import Balanced, lost
from shop import ended, until

from tests.aws.applications import Application

pytest_plugins = ["tests.aws.fixtures"]
pytestmark = pytest.mark.component("envoy")

MODIFY = "elasticloadbalancing:ModifyRule"


@pytest.fixture
def app(aws, tmp_path):
    made = Balanced(Application.make(aws), tmp_path)
    made.configure()
    made.serving()
    return made


def canary(app, *more):
    process = app.start("deploy", "--strategy", "canary", "--version", "v1.1.0", *more)
    until(lambda: app.there.weights() == {"blue": 900, "green": 100})
    return process


def patient(app):
    """Look as often as by default."""
    text = (app.folder / "uno.yaml").read_text()
    (app.folder / "uno.yaml").write_text(
        text.replace("poll: 200ms", "poll: 5s").replace("look_every: 1s\n", "")
    )


def front(app):
    return app.there.aws.front


def test_an_answer_that_is_lost_after_it_took_effect_is_found_out_by_reading(app):
    fault = front(app).inject(MODIFY, lost=True)
    with app.load() as load:
        app.deploy("blue-green", "v1.1.0")
    assert (fault.hits, front(app).counted()[MODIFY]) == (1, 1), "it is not written a second time"
    assert app.there.weights() == {"blue": 0, "green": 999}
    assert not lost(load), lost(load)


def test_throttled_to_one_call_a_second_it_takes_longer(app):
    patient(app)
    front(app).throttle("elasticloadbalancing:*", rate=1.0, burst=5.0)
    with app.load() as load:
        app.deploy("blue-green", "v1.1.0")
    assert front(app).counted()[MODIFY]
    front(app).heal()
    assert app.there.weights() == {"blue": 0, "green": 999}
    assert not lost(load), lost(load)


def test_a_right_that_is_taken_away_in_the_middle(app):
    with app.load() as load:
        process = canary(app)
        front(app).denied.add(MODIFY)
        done = ended(process, code=None)
        assert app.there.weights() == {"blue": 900, "green": 100}, "where it stood"
        assert done.code in (4, 9), done.err
        assert "elasticloadbalancing:ModifyRule" in done.err
        front(app).heal()
        app.uno("rollback", code=None)
        assert app.there.weights() == {"blue": 1, "green": 0}, "nothing is lost"
    assert not lost(load), lost(load)


def test_credentials_that_run_out_in_the_middle(app):
    with app.load() as load:
        process = canary(app)
        front(app).expired.add(app.key)
        done = ended(process, code=None)
        assert done.code in (4, 9), done.err
        assert "does not know who asks" in done.err
        app.key = "AKIARENEWED"
        app.uno("rollback", code=None)
        assert app.there.weights() == {"blue": 1, "green": 0}
    assert not lost(load), lost(load)


def test_killed_in_the_middle_of_a_canary_it_goes_on(app):
    with app.load() as load:
        process = canary(app)
        process.send_signal(signal.SIGKILL)
        ended(process, code=-9)
        assert app.there.weights() == {"blue": 900, "green": 100}, "where it stood"
        app.uno("resume")
    assert app.there.weights() == {"blue": 0, "green": 999}
    assert not lost(load), lost(load)


def test_who_looks_on_sees_what_is_under_way(app):
    process = canary(app)
    elsewhere = Balanced(app.there, app.folder / "elsewhere")
    elsewhere.folder.mkdir()
    elsewhere.configure()
    refused = elsewhere.deploy("blue-green", "v1.2.0", code=None)
    assert refused.code == 7, "the mark tells another machine, whose state knows of nothing"
    assert "shop-prod-1" in refused.err
    app.uno("abort", code=None)
    ended(process, code=3)


def test_credentials_of_another_account_touch_nothing(app):
    text = (app.folder / "uno.yaml").read_text()
    (app.folder / "uno.yaml").write_text(text.replace('123456789012"\n', '999999999999"\n', 1))
    done = app.deploy("blue-green", "v1.1.0", code=2)
    assert "another account" in done.err
    assert app.there.weights() == {"blue": 1, "green": 0}


def test_the_calls_of_a_canary_of_five_steps(app):
    patient(app)
    text = (app.folder / "uno.yaml").read_text()
    text = text.replace("increments: [50, 100]", "increments: [25, 50, 75, 100]")
    (app.folder / "uno.yaml").write_text(text)
    front(app).calls.clear()
    app.deploy("canary", "v1.1.0")
    counted = {k: n for k, n in front(app).counted().items() if k.split(":")[0] in SERVICES}
    assert counted[MODIFY] == 5
    assert sum(counted.values()) < 800, counted  # 452 were counted; a busy machine looks more often


SERVICES = ("elasticloadbalancing", "ecs", "application-autoscaling", "sts")
