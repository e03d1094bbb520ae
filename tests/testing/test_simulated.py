"""The simulated platform is held to what real ones are held to: plans and proofs rest on it."""

import pytest

from uno_core import Capabilities, Release
from uno_core.simulation.clock import VirtualClock
from uno_core.simulation.platform import Rules, SimulatedPlatform
from uno_core.testing import RouterContract, WorkloadContract

DECLARED = Capabilities(mixed=True, granularity=1.0, unroute=True, marks=True, cas=True, bound=5.0)


class Simulated:
    @pytest.fixture
    def clock(self):
        return VirtualClock()

    @pytest.fixture
    def capabilities(self):
        return DECLARED

    @pytest.fixture
    def platform(self, services, capabilities):
        rules = Rules(
            capabilities=capabilities,
            size=3,
            broken={"broken": "exited with code 1"},
            missing=frozenset({"0.0.0-missing"}),
        )
        return SimulatedPlatform(rules, services)


class TestWorkload(Simulated, WorkloadContract):
    @pytest.fixture
    def unstartable(self):
        return Release("broken")

    @pytest.fixture
    def spoil(self, platform):
        def spoil(instance):
            for copies in platform.workload._copies.values():
                for copy in copies:
                    copy.down = copy.down or copy.id == instance.id
            platform.workload._seen.clear()  # it keeps what it has shown until something is to change

        return spoil


class TestRouter(Simulated, RouterContract):
    @pytest.fixture
    def another(self, platform):
        """A simulated world lives in one process."""
        return platform
