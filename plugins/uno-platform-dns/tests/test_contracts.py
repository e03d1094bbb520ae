"""The platform against the test kit: routers of both providers, and the lock."""

from __future__ import annotations

import pytest
from bind import BLUE, GREEN

from uno_core import Release
from uno_core.testing import LockContract, PluginContract, RouterContract, WorkloadContract
from uno_platform_dns.platform import DnsPlatform

pytest_plugins = ["zones", "hosted"]


class TestPlugin(PluginContract):
    distribution = "uno-platform-dns"
    sdks = ("boto3", "botocore", "dns")


@pytest.mark.component("bind")
class TestTenAddresses(RouterContract):
    """Dynamic updates of a real BIND, ten addresses a slot: shares of tenths."""

    @pytest.fixture
    def platform(self, services, configured):
        made = DnsPlatform(configured(BLUE, GREEN), services)
        yield made
        made.close()

    @pytest.fixture
    def capabilities(self, platform):
        return platform.capable()


@pytest.mark.component("bind")
class TestTwoAddresses(TestTenAddresses):
    """One address a slot: halves, by naming both."""

    @pytest.fixture
    def platform(self, services, configured):
        made = DnsPlatform(configured(BLUE[:1], GREEN[:1]), services)
        yield made
        made.close()


@pytest.mark.component("bind")
class TestHostNames(TestTenAddresses):
    """A CNAME has one value: whole switches."""

    @pytest.fixture
    def platform(self, services, configured):
        made = DnsPlatform(configured(["blue.example.com"], ["green.example.com"]), services)
        yield made
        made.close()


@pytest.mark.component("bind")
class TestLock(LockContract):
    """A TXT record of a real BIND; 40 ask at once."""

    many = 40

    @pytest.fixture
    def open(self, services, configured):
        made = []

        def another():
            made.append(DnsPlatform(configured(), services))
            return made[-1].lock

        yield another
        for one in made:
            one.close()


class TestWeights(RouterContract):
    """Route 53, on the double of AWS: ratios of weights, PENDING before INSYNC."""

    @pytest.fixture
    def platform(self, make_hosted):
        return make_hosted()

    @pytest.fixture
    def capabilities(self, platform):
        return platform.capable()

    @pytest.fixture
    def another(self, make_hosted):
        return make_hosted()


class TestLockOfRoute53(LockContract):
    """A TXT record of Route 53: CREATE, and DELETE of the exact old one; 40 ask at once."""

    many = 40

    @pytest.fixture
    def open(self, make_hosted):
        return lambda: make_hosted().lock


@pytest.mark.component("bind")
class TestGiven(WorkloadContract):
    """Machines of our own behind the name: a command puts a release on each."""

    @pytest.fixture
    def platform(self, given):
        return given(each=3)

    @pytest.fixture
    def capabilities(self, platform):
        return platform.capable()

    @pytest.fixture
    def missing(self):
        return Release("no version")

    @pytest.fixture
    def unstartable(self):
        return Release("9.0-broken")


@pytest.mark.component("bind")
class TestGivenAndRouted(RouterContract):
    """The same, led to by its router."""

    @pytest.fixture
    def platform(self, given):
        return given(each=2)

    @pytest.fixture
    def capabilities(self, platform):
        return platform.capable()
