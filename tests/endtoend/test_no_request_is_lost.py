"""Real processes behind a real Envoy under a real load: while releases move, nobody notices."""

from __future__ import annotations

import json
import sys

import pytest
from shop import Shop, Wrk

pytestmark = [pytest.mark.component("envoy"), pytest.mark.component("wrk"), pytest.mark.alone]

QUICK = ("drain=1s", "keep_old_for=1s")


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path, instances=3)
    yield made
    made.close()


def test_switches_lose_nothing(shop):
    shop.deploy("v0", "blue-green", "verify_for=1s")
    load = Wrk(shop.port)
    for number in range(1, 6):
        shop.deploy(f"v{number}", "blue-green", "verify_for=1s", *QUICK)
    seen = load.stop()
    assert seen.failed == 0
    assert seen.per_second >= 500
    assert shop.ask() == (200, "v5")


def test_a_rolling_update_of_six_instances_loses_nothing(tmp_path):
    shop = Shop(tmp_path, instances=6)
    try:
        shop.deploy("v1", "rolling")
        load = Wrk(shop.port)
        shop.deploy("v2", "rolling", "batch_size=1")
        shop.deploy("v3", "rolling", "batch_size=50%", "max_unavailable=3")
        seen = load.stop()
        assert seen.failed == 0
        assert seen.per_second >= 500
        assert shop.ask() == (200, "v3")
    finally:
        shop.close()


def test_a_whole_canary_loses_nothing(shop):
    shop.deploy("v1", "blue-green", "verify_for=1s")
    load = Wrk(shop.port)
    metrics = "metrics_threshold={error_rate: 1%, latency_p95: 2s}"
    shop.deploy("v2", "canary", "increment_interval=2s", metrics, *QUICK)
    seen = load.stop()
    assert seen.failed == 0
    assert seen.per_second >= 500
    assert shop.ask() == (200, "v2")


def test_a_bad_canary_is_taken_back_and_costs_only_its_own_answers(shop):
    shop.deploy("v1", "blue-green", "verify_for=1s")
    metrics = "metrics_threshold={error_rate: 1%, latency_p95: 2s}"
    load = Wrk(shop.port)
    ended = shop.deploy("bad", "canary", "increment_interval=60s", metrics, *QUICK, code=3)
    seen = load.stop()
    assert ended.document["status"] == "rolled_back"
    assert "error_rate" in ended.document["message"]
    assert 0 < seen.failed < 0.2 * seen.requests
    assert shop.ask() == (200, "v1")


CRASHES = "import sys; print('no database here'); sys.exit(7)"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ([sys.executable, "-c", CRASHES, "{port}", "{version}"], "no database here"),
        (["./no-such-program", "{port}"], "no-such-program"),
    ],
)
def test_a_release_that_cannot_start_is_told_with_its_log_and_touches_nothing(tmp_path, command, said):
    shop = Shop(tmp_path)
    try:
        shop.deploy("v1", "blue-green", "verify_for=1s")
        broken = f"platform.command={json.dumps(command)}"
        ended = shop.uno(
            "deploy", "--config-file", str(shop.file), "--version", "v2", "--strategy", "blue-green",
            "--option", broken, code=None,
        )  # fmt: skip
        assert ended.code in (2, 3)
        assert said in ended.out + ended.err
        assert shop.ask() == (200, "v1")
    finally:
        shop.close()
