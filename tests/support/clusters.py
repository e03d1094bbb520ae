"""The fixtures of the test cluster, for plugins: where the wheel stands alone, there is none."""

import importlib.util

import pytest

try:
    found = importlib.util.find_spec("tests.cluster.fixtures") is not None
except ModuleNotFoundError:
    found = False

if found:
    pytest_plugins = ["tests.cluster.fixtures"]
else:

    def _skip():
        pytest.skip("the test cluster is not here")

    there = pytest.fixture(_skip, name="there")
    cluster = pytest.fixture(_skip, name="cluster", scope="session")
    kubernetes_client = pytest.fixture(_skip, name="kubernetes_client", scope="session")
