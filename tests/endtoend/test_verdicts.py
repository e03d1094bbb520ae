"""Good and bad canaries on real processes behind Envoy, judged by what it counts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from shop import Shop
from steady import Steady

pytestmark = [pytest.mark.component("envoy")]

RATED = Path(__file__).parents[1] / "support" / "rated.py"
QUICK = ("verify_for=0s", "drain=0s", "keep_old_for=1s")
STEPS = ("drain=0s", "keep_old_for=1s")
RATE = 60.0


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


def canary(shop, version, first, interval, *more, code):
    """Deploy it under load; how it ended, and what its users saw."""
    steps = (*STEPS, f"initial_percentage={first}", f"increment_interval={interval}", *more)
    with Steady(shop.port, RATE) as load:
        ended = shop.deploy(version, "canary", *steps, code=code)
    mine = load.of(version)
    bad = [a for a in mine if a.bad]
    seconds = mine[-1].at - (bad[0] if bad else mine[0]).at
    print(
        f"{version}: {len(mine)} answers, {len(bad)} bad, {seconds:.1f} s from its first bad answer to its last"
    )
    assert not [a for a in load.answers if a.status == 0], "no request may be lost"
    return ended.document["message"]


def test_a_broken_canary_goes_back_though_nobody_wrote_a_bound(shop):
    message = canary(shop, "broken", 10, "5m", "increments=[100]", code=3)
    assert "sequential" in message
    assert "100.00% of" in message


def test_five_times_the_errors_go_back(shop):
    message = canary(shop, "x5", 50, "5m", "increments=[100]", code=3)
    assert "sequential" in message
    assert "errors" in message


def test_half_as_slow_again_goes_back(shop):
    message = canary(shop, "slow", 50, "5m", "increments=[100]", code=3)
    assert "sequential" in message
    assert "latency" in message


def test_a_good_canary_is_promoted_and_told_with_its_evidence(shop):
    canary(shop, "good", 25, "15s", "increments=[100]", "metrics_threshold={error_rate: 10%}", code=0)
    told = shop.tell("show")
    assert [row["finding"]["metric"] for row in told["comparison"]].count("sequential") > 3
    shares = {
        seen["window"]["share"] for seen in told["measured"]["metrics"] if not seen["window"].get("baseline")
    }
    assert {25.0, 100.0} <= shares
    said = shop.uno("show", "--config-file", str(shop.file)).out
    assert "evidence: pass" in said
    assert "error_rate: " in said
