"""The fixtures of the double of AWS, for plugins: where the wheel stands alone, there is none."""

import importlib.util

import pytest

try:
    found = importlib.util.find_spec("tests.aws.fixtures") is not None
except ModuleNotFoundError:
    found = False

if found:
    pytest_plugins = ["tests.aws.fixtures"]
else:

    def _skip():
        pytest.skip("the double of AWS is not here")

    aws = pytest.fixture(_skip, name="aws")
    zone = pytest.fixture(_skip, name="zone")
    account = pytest.fixture(_skip, name="account", scope="session")
