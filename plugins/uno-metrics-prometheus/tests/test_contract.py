"""The contract, where a Prometheus answers well, badly, and not at all."""

import pytest
from answers import hang, well
from attrs import evolve

from uno_core.testing import MetricProviderContract, PluginContract
from uno_metrics_prometheus.plugin import uno_register_metric_providers

pytest_plugins = ["uno_core.testing.fixtures"]

AILMENTS = {
    "nan": lambda request: well(request, lambda _: "NaN"),
    "infinite": lambda request: well(request, lambda _: "+Inf"),
    "empty": lambda request: request.result("matrix", []),
    "wrong_shape": lambda request: request.result("string", [0, "ten"]),
    "error": lambda request: request.say(500, b"<html>oops</html>"),
    "slow": hang,
}


class TestContract(MetricProviderContract):
    @pytest.fixture
    def provider(self, source, asking):
        return asking(source(well).url)

    @pytest.fixture
    def info(self):
        return uno_register_metric_providers()[0]

    @pytest.fixture
    def ailing(self, source, asking, closed):
        def make(ailment):
            url = closed if ailment == "refused" else source(AILMENTS[ailment]).url
            return asking(url, timeout=1.0 if ailment == "slow" else 10.0)

        return make


class TestContractOfQueries(MetricProviderContract):
    """The same for numbers by queries of one's own."""

    query_text = 'sum(memory{app="{app}"})'

    @pytest.fixture
    def info(self):
        return uno_register_metric_providers()[0]

    @pytest.fixture
    def query(self, blue):
        return evolve(blue, metrics=("memory",))

    @pytest.fixture
    def provider(self, source, asking):
        def one(request):
            known = 'app="shop"' in request.asked["query"]
            request.result("vector", [{"metric": {}, "value": [1, "12"]}] if known else [])

        return asking(source(one).url, queries={"memory": self.query_text})

    @pytest.fixture
    def ailing(self, source, asking, closed):
        def number(text):
            return lambda request: request.result("vector", [{"metric": {}, "value": [1, text]}])

        ways = {
            **AILMENTS,
            "nan": number("NaN"),
            "infinite": number("-Inf"),
            "empty": lambda request: request.result("vector", []),
            "wrong_shape": number(True),
        }

        def make(ailment):
            url = closed if ailment == "refused" else source(ways[ailment]).url
            return asking(
                url, queries={"memory": self.query_text}, timeout=1.0 if ailment == "slow" else 10.0
            )

        return make


class TestPlugin(PluginContract):
    distribution = "uno-metrics-prometheus"
    sdks = ("requests", "urllib3")
