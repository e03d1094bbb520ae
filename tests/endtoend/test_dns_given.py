"""Ten given machines for each slot behind one name: shares in tenths, with every request counted."""

from __future__ import annotations

import time

import pytest
from bind import Bind
from machines import Machines
from shop import ended, free_port, until

pytestmark = pytest.mark.component("bind")


@pytest.fixture
def app(tmp_path):
    bind = Bind(tmp_path / "bind", "127.0.0.1", free_port())
    bind.start()
    made = Machines.of(bind, tmp_path)
    try:
        made.deploy("blue-green", "v1")
        yield made
    finally:
        made.close()
        bind.stop(kill=True)


def test_a_canary_has_its_tenths_of_the_first_answers(app, record_property):
    since = {}
    with app.load(rate=60) as load:
        process = app.start(*app.asking("canary", "v2"))
        for share in (0.1, 0.2, 0.5, 1.0):
            until(lambda share=share: abs(app.share() - share) < 0.001)
            since[share] = time.monotonic()
        ended(process)
    assert not load.lost(), load.lost()
    for share, following in ((0.1, 0.2), (0.2, 0.5), (0.5, 1.0)):
        seen = app.first_of(load, since[share], since[following])
        measured = sum(seen) / len(seen)
        record_property(f"share of {len(seen)} first answers at {share:.0%}", round(measured, 3))
        assert abs(measured - share) < 5 * (share * (1 - share) / len(seen)) ** 0.5
    assert load.of("v2")


def test_a_sick_one_is_never_led_to(app):
    with app.load() as load:
        done = app.deploy("canary", "v2-sick", code=3)
    assert app.share() == 0
    assert "rolled_back" in done.out + done.err
    assert not load.of("v2-sick"), "it is sick before anybody is led to it"
    assert not load.lost(), load.lost()


def test_rolling_shifts_by_batches(app):
    with app.load() as load:
        app.deploy("rolling", "v2")
    assert app.share() == 1
    assert not load.lost(), load.lost()


def test_recreate_stops_all_of_them_first(app):
    app.deploy("recreate", "v2")
    assert app.share() == 0, "in place, where blue served"
    serving = [one for one in app.uno("status").out.splitlines() if one.startswith("  blue")]
    assert "10 of v2, 10 ready" in serving[0], serving


def test_a_finer_share_than_there_are_addresses_is_refused_with_the_nearest(app):
    done = app.uno(
        "plan", "--strategy", "canary", "--version", "v2", "--option", "strategy.initial_percentage=12",
        code=None,
    )  # fmt: skip
    assert done.code == 2
    assert "the nearest possible share is 10 %" in done.err
