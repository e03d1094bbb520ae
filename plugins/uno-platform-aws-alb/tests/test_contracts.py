"""The contracts of workload and router, on the double of AWS."""

from __future__ import annotations

import pytest

from uno_core import Release
from uno_core.testing import PluginContract, RouterContract, WorkloadContract

pytest_plugins = ["clouds"]


class TestPlugin(PluginContract):
    distribution = "uno-platform-aws-alb"
    sdks = ("boto3", "botocore")


@pytest.mark.component("envoy")
class TestWorkload(WorkloadContract):
    @pytest.fixture
    def platform(self, make):
        return make()

    @pytest.fixture
    def capabilities(self, platform):
        return platform.capable()

    @pytest.fixture
    def missing(self):
        return Release("no tag")

    @pytest.fixture
    def unstartable(self):
        return Release("9.0-unready")


@pytest.mark.component("envoy")
class TestGiven(WorkloadContract):
    @pytest.fixture
    def platform(self, given):
        return given()

    @pytest.fixture
    def capabilities(self, platform):
        return platform.capable()

    @pytest.fixture
    def missing(self):
        return Release("no tag")

    @pytest.fixture
    def unstartable(self):
        return Release("9.0-unready")


@pytest.mark.component("envoy")
@pytest.mark.parametrize("where", ["rule", "listener"])
class TestRouter(RouterContract):
    @pytest.fixture
    def platform(self, make, where, there):
        return make() if where == "rule" else make(listener=there.plain_listener())

    @pytest.fixture
    def capabilities(self, platform):
        return platform.capable()
