"""Given instances are held to what every workload is held to."""

import pytest

from uno_core import Release
from uno_core.testing import WorkloadContract


class TestGiven(WorkloadContract):
    @pytest.fixture
    def platform(self, make):
        return make()

    @pytest.fixture
    def capabilities(self, platform):
        return platform.declared

    @pytest.fixture
    def missing(self):
        return Release("no tag")

    @pytest.fixture
    def unstartable(self):
        return Release("9.0-unready")

    @pytest.fixture
    def spoil(self, rack):
        def spoil(instance):
            rack.ill[instance.id.partition("@")[0]] = "answers 503"

        return spoil
