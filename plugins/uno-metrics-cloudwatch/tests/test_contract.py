"""The contracts of a plugin and of a metric provider."""

import socket

import pytest
from attrs import evolve

from uno_core.testing import MetricProviderContract, PluginContract
from uno_metrics_cloudwatch.plugin import uno_register_metric_providers

pytest_plugins = ["clouds"]


class TestPlugin(PluginContract):
    distribution = "uno-metrics-cloudwatch"
    sdks = ("boto3", "botocore")


@pytest.fixture
def held():
    """A port that is nobody else's, and at which nobody listens yet."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held


@pytest.mark.component("envoy")
class TestProvider(MetricProviderContract):
    @pytest.fixture
    def info(self):
        return uno_register_metric_providers()[0]

    @pytest.fixture
    def provider(self, shop, put):
        self.fill(put)
        return shop

    @pytest.fixture
    def span(self, at):
        return at(0), at(60)

    @pytest.fixture
    def ailing(self, aws, shopping, put, monkeypatch, held):
        def ailing(how):
            self.fill(put)
            if how in ("slow", "refused"):
                if how == "slow":
                    held.listen()  # it is connected to, and nobody reads what comes
                    monkeypatch.setattr("uno_aws.session.READ", 0.5)
                return shopping(endpoint_url=f"http://127.0.0.1:{held.getsockname()[1]}")
            if how == "error":
                aws.front.inject("cloudwatch:*", code="InternalServiceFault", status=500, times=99)
            else:
                aws.metrics.spoil = SPOILT[how]
            return shopping()

        return ailing

    @staticmethod
    def fill(put):
        put("RequestCount", 40)
        put("HTTPCode_Target_5XX_Count", 1)
        put("TargetResponseTime", 0.1, 0.2, 0.3)


def each(value):
    """Every number of the answer is another one."""
    return lambda results: [{**one, "Values": [value for _ in one["Values"]]} for one in results]


SPOILT = {
    "nan": each(float("nan")),
    "infinite": each(float("inf")),
    "empty": lambda _results: [],
    "wrong_shape": lambda results: [{**one, "Timestamps": []} for one in results],
}


def test_names_are_known_before_anything_is_asked():
    (info,) = uno_register_metric_providers()
    reads = info.reads(info.options()())
    for name in ("requests", "error_rate", "latency_p50", "latency_p95", "latency_p99.9"):
        assert reads.knows(name)
    assert not reads.knows("cpu")
    assert not reads.latency, "there are no histograms"


@pytest.mark.component("envoy")
def test_silence_names_what_was_not_there(shop, blue, at):
    answer = shop.window(evolve(blue, metrics=("error_rate",)), at(0), at(60))
    assert "no data point of Sum of AWS/ApplicationELB RequestCount" in answer.reason
    assert "TargetGroup=targetgroup/blue/" in answer.reason
