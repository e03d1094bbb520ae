"""Two machines behind one name in a real BIND, with every request of clients counted that follow the TTL."""

from __future__ import annotations

import time

import pytest
from bind import KEY, NAME, OTHER, OTHERS, SECRET, ZONE, Bind
from placed import Placed
from shop import ended, free_port, until

pytestmark = [pytest.mark.component("bind"), pytest.mark.component("envoy")]


@pytest.fixture
def bind(tmp_path):
    running = Bind(tmp_path / "bind", "127.0.0.1", free_port())
    running.start()
    yield running
    running.stop(kill=True)


@pytest.fixture
def app(bind, tmp_path):
    made = Placed.behind(bind, tmp_path)
    made.deploy("blue-green", "v1")
    yield made
    made.close()


def test_there_and_back_nothing_is_lost(app):
    with app.load() as load:
        app.deploy("blue-green", "v2")
        assert app.answered() == {"green"}
        app.deploy("blue-green", "v3")
    assert app.answered() == {"blue"}
    assert not load.lost(), load.lost()
    assert load.of("v2")
    assert load.of("v3")


def test_a_canary_has_the_share_of_the_answers_that_it_is_to_have(app):
    with app.load(rate=60) as load:
        began = app.start(*app.asking("canary", "v2"))
        until(lambda: app.answered() == {"blue", "green"})
        since = time.monotonic()
        until(lambda: app.answered() == {"green"})
        left = time.monotonic()
        ended(began)
    assert not load.lost(), load.lost()
    asked = [address for at, address in load.first if since <= at < left]
    share = asked.count(app.addresses["green"]) / len(asked)
    assert len(asked) > 50
    assert abs(share - 0.5) < 5 * (0.25 / len(asked)) ** 0.5


def test_a_bad_one_is_taken_back_within_what_the_plan_said(app, record_property):
    plan = app.plan("canary", "bad")
    worst = plan["steps"][0]["way_back"]["in_force"]
    bounds = "metrics_threshold={error_rate: 1%}"
    with app.load() as load:
        done = app.deploy("canary", "bad", bounds, "increment_interval=60s", code=3)
        time.sleep(app.config["look_every"] == "1s" and 1)  # so that somebody asks after it has ended
    assert "error_rate" in done.err
    assert app.answered() == {"blue"}
    bad = [answer for answer in load.answers if answer.status == 500]
    assert bad
    verdict = bad[0].at
    record_property("seconds from the first bad answer to the last", round(bad[-1].at - verdict, 1))
    record_property("seconds that the plan says a way back takes at most", worst)
    assert not load.of("v1")[-1].bad
    assert load.of("v1")[-1].at > bad[-1].at


def test_killed_in_the_middle_it_goes_on(app):
    with app.load() as load:
        process = app.start(*app.asking("canary", "v2"))
        until(lambda: app.answered() == {"blue", "green"})
        process.kill()
        ended(process, code=-9)
        app.uno("resume")
    assert not load.lost(), load.lost()
    assert app.answered() == {"green"}


def test_what_somebody_else_writes_in_the_middle_stops_it(app, bind):
    process = app.start(*app.asking("canary", "v2", "increment_interval=60s"))
    until(lambda: app.answered() == {"blue", "green"})
    bind.update(KEY, SECRET, lambda update: update.replace(f"{NAME}.", 2, "A", app.addresses["blue"]))
    done = ended(process, code=7)
    assert "somebody else changed" in done.err
    assert "blue 100 %, green 0 %" in done.err
    assert app.answered() == {"blue"}
    app.uno("rollback")


def test_an_address_that_somebody_adds_stops_it_and_is_no_hindrance_to_go_back(app, bind):
    process = app.start(*app.asking("canary", "v2", "increment_interval=60s"))
    until(lambda: app.answered() == {"blue", "green"})
    bind.update(KEY, SECRET, lambda update: update.add(f"{NAME}.", 2, "A", "203.0.113.9"))
    done = ended(process, code=7)
    assert "somebody else changed" in done.err
    back = app.uno("rollback")
    assert "203.0.113.9" in back.out + back.err, "what is taken out is told"
    assert bind.values("shop") == [app.addresses["blue"]]


def test_a_name_server_that_refuses_and_restarts_in_the_middle_costs_nothing(app, bind):
    with app.load() as load:
        process = app.start(*app.asking("canary", "v2"))
        until(lambda: app.answered() == {"blue", "green"})
        bind.stop(kill=True)
        bind.start(uno=False)
        time.sleep(3)  # for so long it refuses updates
        bind.stop()
        bind.start()
        ended(process)
    assert not load.lost(), load.lost()
    assert app.answered() == {"green"}


def test_whoever_may_not_write_is_told_what_he_may_not(app):
    app.config["traffic"]["rfc2136"] |= {"key": OTHER, "secret": {"file": str(app.folder / "others")}}
    (app.folder / "others").write_text(OTHERS)
    app.write()
    done = app.deploy("blue-green", "v2", code=9)
    assert f"the key {OTHER} permitted for" in done.err
    assert "update-policy" in done.err
    assert app.answered() == {"blue"}


def test_a_copy_that_lags_is_waited_for(tmp_path, record_property):
    primary = Bind(tmp_path / "bind", "127.0.0.1", free_port())
    copy = Bind(tmp_path / "copy", "127.0.0.1", free_port(), primary=primary)
    primary.copies = [copy]
    primary.start()
    copy.start()
    app = Placed.behind(primary, tmp_path, propagation="10s")
    app.config["traffic"]["rfc2136"]["secondaries"] = [f"127.0.0.1:{copy.port}"]
    app.write()
    try:
        app.deploy("blue-green", "v1")
        copy.pause()
        process = app.start(*app.asking("blue-green", "v2", "verify_for=16s"))
        until(lambda: app.answered() == {"green"})
        began = time.monotonic()
        seen = app.uno("status").out
        assert "not in force" in seen or "under way" in seen, seen
        time.sleep(6)
        copy.go_on()
        out = ended(process)
        record_property("seconds waited", round(time.monotonic() - began, 1))
        assert "traffic: blue 0 %, green 100 %" in out.err
        copy.until(lambda: set(copy.values("shop")) == {app.addresses["green"]})
    finally:
        app.close()
        copy.stop(kill=True)
        primary.stop(kill=True)
    assert ZONE in NAME
