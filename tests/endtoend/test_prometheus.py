"""A canary on the local platform, judged by what a real Prometheus scraped of its Envoy."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from shop import Shop, Wrk, until

from uno_core import Application, Figures, Kind, Query, Services, Slot, SystemClock
from uno_core.testing.fixtures import RecordingLogger, TableOfSecrets
from uno_metrics_prometheus.options import PrometheusOptions
from uno_metrics_prometheus.provider import PrometheusMetrics

pytest_plugins = ["prometheus"]
pytestmark = [pytest.mark.component(name) for name in ("envoy", "prometheus", "wrk")]

QUICK = ("blue-green", "verify_for=1s", "drain=0s", "keep_old_for=1s")
CANARY = ("canary", "initial_percentage=50", "increments=[100]", "increment_interval=5s", "drain=0s")


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path)
    try:
        made.deploy("v1", *QUICK)
        yield made
    finally:
        made.close()


@pytest.fixture
def watched(shop, start_prometheus):
    """The shop under load, its Envoy scraped, and uno told to go by that."""
    admin = json.loads((shop.root / "state" / "run.json").read_text())["admin"]
    envoy = SimpleNamespace(instance=f"127.0.0.1:{admin}")
    server = start_prometheus([envoy], path="/stats/prometheus")
    shop.file.write_text(
        f"{shop.file.read_text()}"
        f'metrics: {{name: prometheus, url: "{server.url}", preset: envoy, interval: 1s, lag: 1s}}\n'
        "judge: threshold\n"
        "strategies: {canary: {metrics_threshold: {error_rate: 1%, latency_p95: 5s}}}\n"
    )
    with Wrk(shop.port, connections=4, paced=True):
        yield shop, server


def test_a_good_canary_is_promoted_and_a_bad_one_goes_back(watched):
    shop, _ = watched
    assert shop.deploy("v2", *CANARY).document["status"] == "successful"
    bad = shop.deploy("bad", *CANARY, code=3).document
    assert bad["status"] == "rolled_back"
    assert "error_rate" in bad["message"]
    assert shop.ask() == (200, "v2")


def test_it_counts_what_envoy_counts(watched, tmp_path):
    shop, server = watched
    services = Services(
        application=Application(name="shop", environment="testing", kind=Kind.TESTING),
        logger=RecordingLogger(),
        clock=SystemClock(),
        state_dir=tmp_path,
        secrets=TableOfSecrets({}),
    )
    provider = PrometheusMetrics(PrometheusOptions(url=server.url, preset="envoy", interval=1), services)
    rows = json.loads((shop.root / "state" / "status.json").read_text())["slots"]
    (slot,) = [Slot(name) for name, running in rows.items() if running]
    query = Query(application="shop", environment="testing", slot=slot)
    begun = datetime.now(UTC)

    def told():
        found = provider.window(query, begun, datetime.now(UTC))
        # Envoy tells counters at once, and histograms every five seconds.
        return (
            found
            if isinstance(found, Figures) and found.requests > 100 and any(found.latency.values())
            else 0
        )

    figures = until(told)
    assert figures.errors == 0
    edges = sorted(figures.latency)
    assert (edges[0], edges[-2]) == (0.0005, 3600), "Envoy's are half a millisecond to an hour"
