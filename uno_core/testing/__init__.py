"""The test kit for authors of plugins: contracts to subclass, fixtures to build with.

::

    # tests/test_contract.py of a plugin
    import pytest
    from uno_core.testing import WorkloadContract

    pytest_plugins = ["uno_core.testing.fixtures"]


    class TestWorkload(WorkloadContract):
        @pytest.fixture
        def platform(self, services):
            return MyPlatform(MyOptions(), services)

Capabilities that are declared decide which tests run; a test that is skipped says why.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from uno_core.testing.engine import EngineContract as EngineContract
    from uno_core.testing.exploration import explore as explore
    from uno_core.testing.fixtures import RecordingLogger as RecordingLogger
    from uno_core.testing.fixtures import TableOfSecrets as TableOfSecrets
    from uno_core.testing.health import HealthCheckContract as HealthCheckContract
    from uno_core.testing.judge import JudgeContract as JudgeContract
    from uno_core.testing.lock import LockContract as LockContract
    from uno_core.testing.metrics import MetricProviderContract as MetricProviderContract
    from uno_core.testing.notifier import NotifierContract as NotifierContract
    from uno_core.testing.platform import PlatformContract as PlatformContract
    from uno_core.testing.plugin import PluginContract as PluginContract
    from uno_core.testing.router import RouterContract as RouterContract
    from uno_core.testing.state import StateStoreContract as StateStoreContract
    from uno_core.testing.strategy import StrategyContract as StrategyContract
    from uno_core.testing.workload import WorkloadContract as WorkloadContract

_HOMES = {
    "EngineContract": "engine",
    "explore": "exploration",
    "RecordingLogger": "fixtures",
    "TableOfSecrets": "fixtures",
    "HealthCheckContract": "health",
    "JudgeContract": "judge",
    "LockContract": "lock",
    "MetricProviderContract": "metrics",
    "NotifierContract": "notifier",
    "PlatformContract": "platform",
    "PluginContract": "plugin",
    "RouterContract": "router",
    "StateStoreContract": "state",
    "StrategyContract": "strategy",
    "WorkloadContract": "workload",
}

# Before any of them is imported, so that an author sees `assert 9 == 10` and not only that it failed.
pytest.register_assert_rewrite(
    *(
        f"{__name__}.{module}"
        for module in sorted(
            {*_HOMES.values(), "engine_life", "engine_play", "stepping", "waiting"} - {"fixtures"}
        )
    )
)

__all__ = sorted(_HOMES)  # noqa: PLE0605 - a list, made from the one table of names


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
