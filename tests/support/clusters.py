"""The fixtures of the test cluster, for plugins: where the wheel stands alone, there is none."""

try:
    from tests.cluster.fixtures import *  # noqa: F403 - fixtures are found by their names
except ImportError:
    import pytest

    @pytest.fixture
    def there():
        pytest.skip("the test cluster is not here")
