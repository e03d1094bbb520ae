"""Doubles that are right pass every contract, and uno's own plugins do."""

import pytest

from tests.testing import correct, doubles
from uno_core.testing import JudgeContract, PluginContract


class TestWorkload(correct.MemoryWorkloadContract):
    pass


class TestRouter(correct.MemoryRouterContract):
    pass


class Least(doubles.MemoryPlatform):
    declared = doubles.Capabilities(bound=2.0)

    class router_class(doubles.MemoryRouter):  # noqa: N801 - in the place of an attribute
        granularity = 100.0


class TestLeastWorkload(correct.MemoryWorkloadContract):
    platform_class = Least


class TestLeastRouter(correct.MemoryRouterContract):
    platform_class = Least


class TestSteppingWorkload(correct.MemoryWorkloadContract):
    platform_class = doubles.SteppingPlatform


class TestSteppingRouter(correct.MemoryRouterContract):
    platform_class = doubles.SteppingPlatform


class TestHealthCheck(correct.MemoryCheckContract):
    pass


class TestCounters(correct.MemoryCountersContract):
    pass


class TestHistory(correct.MemoryHistoryContract):
    pass


class TestJudge(correct.MemoryJudgeContract):
    pass


class TestPlugin(correct.MemoryPluginContract):
    pass


class TestOwnPlugin(PluginContract):
    distribution = "uno-core"
    module = "uno_core.builtin"
    sdks = ("cattrs", "structlog", "yaml", "rich", "click")

    @pytest.mark.skip(reason="the core is what others require")
    def test_it_requires_uno_core_with_an_upper_bound(self):
        pass


class TestThresholdJudge(JudgeContract):
    @pytest.fixture
    def judge(self, services):
        from uno_core.builtin import ThresholdJudge, ThresholdOptions

        return ThresholdJudge(ThresholdOptions(), services)
