"""The contract, where a document is well, spoilt, and not there."""

import pytest
from answers import hang
from attrs import evolve
from status_page import COUNTS, STATS, document, say

from uno_core.testing import MetricProviderContract, PluginContract
from uno_metrics_web.plugin import uno_register_metric_providers

pytest_plugins = ["uno_core.testing.fixtures"]

AILMENTS = {
    "nan": say(b'{"load": {"cpu": NaN}, "processes": [{"rss": NaN}], "http": {"all": NaN, "bad": NaN}}'),
    "infinite": say(
        b'{"load": {"cpu": 1e999}, "processes": [{"rss": -Infinity}], "http": {"all": Infinity}}'
    ),
    "empty": say({}),
    "wrong_shape": say({"load": {"cpu": "0.5"}, "processes": "many", "http": {"all": True, "bad": "0"}}),
    "error": say(b"oops", 500),
    "slow": hang,
}


class Contract(MetricProviderContract):
    """For values, and for counters."""

    options: dict
    metrics: tuple = ()

    @pytest.fixture
    def known(self, source):
        """The counters of the shop, at the URL of the application."""
        counts = {"all": 100, "bad": 1}

        def how(request):
            request.say(200, document(http=dict(counts)) if request.path == "/shop/blue" else {})

        server = source(how)
        server.counts = counts
        return server

    @pytest.fixture
    def provider(self, known, asking):
        return asking(known.url + "/{app}/{slot}", **self.options)

    @pytest.fixture
    def info(self):
        return uno_register_metric_providers()[0]

    @pytest.fixture
    def query(self, blue):
        return evolve(blue, metrics=self.metrics)

    @pytest.fixture
    def ailing(self, source, asking, closed):
        def make(ailment):
            url = closed if ailment == "refused" else source(AILMENTS[ailment]).url
            return asking(url, timeout=1.0 if ailment == "slow" else 10.0, **self.options)

        return make


class TestValues(Contract):
    options = {"values": STATS}  # noqa: RUF012 - the base class's own way
    metrics = ("cpu", "memory")


class TestCounters(Contract):
    options = {**COUNTS, "values": STATS}  # noqa: RUF012 - likewise
    metrics = ("error_rate", "cpu")

    @pytest.fixture
    def traffic(self, known):
        return lambda: known.counts.update(all=known.counts["all"] + 10)


class TestPlugin(PluginContract):
    distribution = "uno-metrics-web"
    sdks = ("requests", "urllib3", "jmespath")
