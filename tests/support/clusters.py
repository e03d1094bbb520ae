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

    @pytest.fixture
    def there():
        pytest.skip("the test cluster is not here")
