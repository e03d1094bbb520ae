"""Good and bad canaries on real processes, judged by what Envoy counts, or Prometheus scraped of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from shop import Shop, ended, until
from steady import Steady
from veil import veiled

pytest_plugins = ["prometheus"]
pytestmark = [pytest.mark.component("envoy")]
PROMETHEUS = pytest.mark.component("prometheus")

RATED = Path(__file__).parents[1] / "support" / "rated.py"
QUICK = ("verify_for=0s", "drain=0s", "keep_old_for=1s")
STEPS = ("drain=0s", "keep_old_for=1s")
SLOWLY = ("increments=[100]", "increment_interval=5m")
RATE = 60.0
MORE = 180.0
"""Requests a second where what differs is rare: the sooner enough of it was seen."""


def rated(folder, more=""):
    command = [sys.executable, str(RATED), "{port}", "{version}", "x5=0.05/1", "broken=1/1", "slow=0.01/1.5"]
    return Shop(folder, instances=2, command=command, look_every="2s", more=more)


@pytest.fixture
def shop(tmp_path):
    made = rated(tmp_path)
    try:
        made.deploy("v1", "blue-green", *QUICK)
        yield made
    finally:
        made.close()


def scrape(shop):
    """Where its Envoy tells its numbers."""
    admin = json.loads((shop.root / "state" / "run.json").read_text())["admin"]
    return SimpleNamespace(instance=f"127.0.0.1:{admin}")


@pytest.fixture
def scraped(shop, start_prometheus):
    """The same, its Envoy scraped every second by a real Prometheus, which uno goes by."""
    server = start_prometheus([scrape(shop)], path="/stats/prometheus")
    settings = f'{{name: prometheus, url: "{server.url}", preset: envoy, interval: 1s, lag: 1s}}'
    shop.file.write_text(f"{shop.file.read_text()}metrics: {settings}\n")
    return shop, server


def canary(shop, version, first, *more, code, rate=MORE):
    """Deploy it under load; how it ended, and what its users saw."""
    steps = (*STEPS, f"initial_percentage={first}", *more)
    with Steady(shop.port, rate) as load:
        ended = shop.deploy(version, "canary", *steps, code=code)
    mine = load.of(version)
    bad = [a for a in mine if a.bad]
    seconds = mine[-1].at - (bad[0] if bad else mine[0]).at
    print(f"{version}: {len(mine)} answers, {len(bad)} bad, in {seconds:.1f} s from the first bad one on")
    assert not [a for a in load.answers if a.status == 0], "no request may be lost"
    return ended.document["message"]


def test_a_broken_canary_goes_back_though_nobody_wrote_a_bound(shop):
    message = canary(shop, "broken", 10, *SLOWLY, code=3, rate=RATE)
    assert "sequential" in message
    assert "100.00% of" in message


def test_five_times_the_errors_go_back(shop):
    message = canary(shop, "x5", 50, *SLOWLY, code=3)
    assert "sequential" in message
    assert "errors" in message


def test_half_as_slow_again_goes_back(shop):
    message = canary(shop, "slow", 50, *SLOWLY, code=3)
    assert "sequential" in message
    assert "latency" in message


def test_a_good_canary_is_promoted_and_told_with_its_evidence(shop):
    canary(
        shop,
        "good",
        25,
        "increments=[100]",
        "increment_interval=10s",
        "metrics_threshold={error_rate: 10%}",
        code=0,
    )
    told = shop.tell("show")
    assert [row["finding"]["metric"] for row in told["comparison"]].count("sequential") > 3
    shares = {
        seen["window"]["share"] for seen in told["measured"]["metrics"] if not seen["window"].get("baseline")
    }
    assert {25.0, 100.0} <= shares
    said = shop.uno("show", "--config-file", str(shop.file)).out
    assert "evidence: pass" in said
    assert "error_rate: " in said


@PROMETHEUS
@pytest.mark.parametrize(
    ("version", "first", "told"), [("broken", 10, "100.00%"), ("x5", 50, "errors"), ("slow", 50, "latency")]
)
def test_what_prometheus_scraped_takes_them_back_too(scraped, version, first, told):
    message = canary(scraped[0], version, first, *SLOWLY, code=3)
    assert "sequential" in message
    assert told in message


@PROMETHEUS
def test_a_prometheus_that_is_away_holds_the_split_and_is_measured_again_when_it_is_back(scraped):
    """ERROR never promotes: 50 % stay 50 % until there is evidence again."""
    shop, server = scraped
    options = ("initial_percentage=50", "increments=[100]", "increment_interval=10s")

    with Steady(shop.port, RATE) as load:
        until(lambda: any("a broken release after" in line for line in _foreseen(shop)))
        bounds = "metrics_threshold={error_rate: 10%}"
        process = shop.start(*shop.asking("good", "canary", *STEPS, *options, bounds))
        until(lambda: load.of("good"))
        server.kill()
        until(lambda: _says(shop, "error"))
        assert _seen(shop)["split"]["split"] == {"blue": 50.0, "green": 50.0}
        server.start()
        said = ended(process, code=0)
    assert "failed 5 times in a row" in said.err
    assert not [a for a in load.answers if a.status == 0]


@PROMETHEUS
def test_no_bad_answer_is_taken_for_a_good_one(shop, start_prometheus):
    """A good release that nobody can say anything of holds its share, and goes on when somebody can."""
    server = start_prometheus([scrape(shop)], path="/stats/prometheus")
    with veiled(server.url) as veil, Steady(shop.port, RATE) as load:
        settings = "preset: envoy, interval: 1s, lag: 1s, timeout: 2s"
        shop.file.write_text(
            f'{shop.file.read_text()}metrics: {{name: prometheus, url: "{veil.url}", {settings}}}\n'
        )
        until(lambda: any("a broken release after" in line for line in _foreseen(shop)))
        veil.answers = "empty"
        bounds = "metrics_threshold={error_rate: {max: 10%, consecutive_error_limit: 0}}"
        options = ("initial_percentage=50", "increments=[100]", "increment_interval=5s")
        process = shop.start(*shop.asking("good", "canary", *STEPS, *options, bounds))
        until(lambda: load.of("good"))
        for answers, verdict, words in (
            ("empty", "inconclusive", "no series"),
            ("failing", "error", "500"),
            ("nan", "inconclusive", "a sample is nan"),
            ("slow", "error", "no answer within 2 s"),
        ):
            veil.answers = answers
            until(lambda: _says(shop, verdict, words))  # noqa: B023 - called at once
            assert _seen(shop)["split"]["split"] == {"blue": 50.0, "green": 50.0}
        veil.answers = "well"
        veil.leave.set()
        ended(process, code=0)
    assert not [a for a in load.answers if a.status == 0]


def _seen(shop):
    return shop.tell("show")["last_seen"] or {}


def _says(shop, verdict, words=""):
    """Whether this is the verdict of now, with these words on the error rate."""
    analysis = _seen(shop).get("evidence", {}).get("analysis", {})
    mine = [f["reason"] for f in analysis.get("findings", ()) if f["metric"] == "error_rate"]
    return analysis.get("verdict") == verdict and words in " ".join(mine)


def _foreseen(shop):
    return shop.tell("plan", "--version", "good", "--strategy", "canary")["foreseen"]
