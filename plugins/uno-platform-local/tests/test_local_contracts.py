"""The contracts that every platform, router, workload, provider and plugin keeps."""

import os
import signal
import time

import pytest
from attrs import evolve

from uno_core import Query, Release, Slot, whole
from uno_core.testing import MetricProviderContract, PluginContract, RouterContract, WorkloadContract
from uno_platform_local.files import read_json
from uno_platform_local.metrics import LocalMetrics, NoOptions
from uno_platform_local.plugin import uno_register_metric_providers, uno_register_platforms


class TestPlugin(PluginContract):
    distribution = "uno-platform-local"
    sdks = ("supervisor", "envoy", "psutil")


@pytest.fixture
def options(options):
    return evolve(options, readiness="/health", grace=1.0)


@pytest.fixture
def services(platform):
    return platform.services


@pytest.fixture
def capabilities():
    return uno_register_platforms()[0].capabilities


@pytest.mark.component("envoy")
class TestWorkload(WorkloadContract):
    @pytest.fixture
    def platform(self, platform):
        return platform

    @pytest.fixture
    def capabilities(self, capabilities):
        return capabilities

    @pytest.fixture
    def unstartable(self):
        return Release("9.0.0")

    @pytest.fixture
    def spoil(self, platform):
        def stop(instance):
            rows = read_json(platform.layout.status)["slots"]["blue"]
            os.kill(next(row["pid"] for row in rows if row["id"] == instance.id), signal.SIGSTOP)

        return stop


@pytest.mark.component("envoy")
class TestRouter(RouterContract):
    @pytest.fixture
    def platform(self, platform):
        return platform

    @pytest.fixture
    def capabilities(self, capabilities):
        return capabilities


@pytest.mark.component("envoy")
class TestMetrics(MetricProviderContract):
    @pytest.fixture
    def provider(self, platform, tools, options):
        platform.prepare()
        tools.bring(platform, Slot.BLUE, {tools.resolve(platform): 1})
        tools.route(platform, whole(Slot.BLUE))
        tools.ask(options)
        provider = LocalMetrics(NoOptions(), platform.services)
        tools.until(lambda: timed(provider))
        return provider

    @pytest.fixture
    def info(self):
        return uno_register_metric_providers()[0]

    @pytest.fixture
    def traffic(self, options, tools):
        def make():
            for _ in range(10):
                tools.ask(options)
            time.sleep(1)

        return make


def timed(provider):
    figures = provider.sample(Query(application="shop", environment="testing", slot=Slot.BLUE)).figures
    return sum(figures.latency.values()) >= 1
