"""The contracts, held against doubles that are right. The broken ones differ from these in one place."""

import copy
import itertools
import sys
import textwrap
from importlib import metadata
from typing import ClassVar

import pytest

from tests.testing import doubles
from uno_core import MetricProviderInfo, Release, Slot, Target
from uno_core.engine.port import EmbeddedEngine
from uno_core.journal.memory import MemoryStore
from uno_core.testing import (
    EngineContract,
    HealthCheckContract,
    JudgeContract,
    MetricProviderContract,
    PluginContract,
    RouterContract,
    StateStoreContract,
    WorkloadContract,
)


class OnMemory:
    platform_class = doubles.MemoryPlatform

    @pytest.fixture
    def clock(self):
        return doubles.VirtualClock()

    @pytest.fixture
    def platform(self, services):
        return self.platform_class(services)

    @pytest.fixture
    def capabilities(self):
        return self.platform_class.declared


class MemoryWorkloadContract(OnMemory, WorkloadContract):
    @pytest.fixture
    def unstartable(self):
        return Release("broken")

    @pytest.fixture
    def spoil(self, platform):
        return platform.workload.spoil


class MemoryRouterContract(OnMemory, RouterContract):
    @pytest.fixture
    def another(self, platform):
        """An object of its own, with the same state behind it."""
        another = copy.copy(platform)
        another.router = copy.copy(platform.router)
        return another


class MemoryCheckContract(HealthCheckContract):
    check_class = doubles.MemoryCheck
    short = 0.05
    grace = 0.5

    def at(self, host):
        return Target(application="shop", slot=Slot.BLUE, release=Release("1"), instance="i-1", host=host)

    @pytest.fixture
    def check(self):
        return self.check_class()

    @pytest.fixture
    def healthy(self):
        return self.at("up")

    @pytest.fixture
    def unhealthy(self):
        return self.at("down")

    @pytest.fixture
    def unreachable(self):
        return self.at("nowhere")

    @pytest.fixture
    def hanging(self):
        return self.at("hung")


class MemoryCountersContract(MetricProviderContract):
    provider_class = doubles.MemoryCounters
    history = False

    @pytest.fixture
    def provider(self):
        return self.provider_class()

    @pytest.fixture
    def info(self):
        return MetricProviderInfo(
            name="memory", summary="Memory", load=lambda: self.provider_class, history=self.history
        )

    @pytest.fixture
    def ailing(self):
        return self.provider_class

    @pytest.fixture
    def traffic(self, provider):
        def traffic():
            provider.requests += 10

        return traffic


class MemoryHistoryContract(MemoryCountersContract):
    provider_class = doubles.MemoryHistory
    history = True


class MemoryJudgeContract(JudgeContract):
    judge_class = doubles.MemoryJudge

    @pytest.fixture
    def judge(self):
        return self.judge_class()


class MemoryStateContract(StateStoreContract):
    """Each that is opened is an object of its own, with the same state behind it."""

    store_class = MemoryStore

    @pytest.fixture
    def clock(self):
        return doubles.VirtualClock()

    @pytest.fixture
    def open(self, clock):
        store = self.store_class(clock)
        return lambda: copy.copy(store)

    @pytest.fixture
    def wait(self, clock):
        return clock.sleep


class MemoryEngineContract(EngineContract):
    engine_class = EmbeddedEngine

    @pytest.fixture
    def engine(self, services):
        return self.engine_class(None, services)


ENTRY = """
from uno_core import HealthCheckInfo, hookimpl

def load():
    from PACKAGE.check import Check
    return Check

def options():
    from PACKAGE.options import Options
    return Options

@hookimpl
def uno_register_health_checks():
    return [HealthCheckInfo(name="ours", summary="Ours", load=load, options=options)]
"""
OPTIONS = """
import attrs
from uno_core import option

@attrs.frozen(kw_only=True)
class Options:
    url: str = option(help="what to ask")
    tries: int = option(default=3, ge=1, help="how often")
"""
CHECK = """
import heavy_sdk

class Check:
    per_instance = False

    def __init__(self, options, services):
        pass

    def check(self, target, timeout):
        pass
"""
METADATA = """\
Metadata-Version: 2.1
Name: PACKAGE
Version: 1.0
Requires-Dist: uno-core>=0.1,<0.2
Requires-Dist: heavy_sdk

# Ours

What it is for.
"""
_numbers = itertools.count()


class MemoryPluginContract(PluginContract):
    """A whole distribution, written out for each test."""

    sdks = ("heavy_sdk",)
    replace: ClassVar = ()

    @pytest.fixture
    def installed(self, tmp_path, monkeypatch):
        package = f"contract_double_{next(_numbers)}"
        files = {
            "plugin.py": ENTRY,
            "options.py": OPTIONS,
            "check.py": CHECK,
            "py.typed": "",
            "__init__.py": "",
            "METADATA": METADATA,
            "entry_points.txt": "[uno]\nours = PACKAGE.plugin\n",
        }
        for name, old, new in self.replace:
            if old is None:
                del files[name]
                continue
            assert old in files[name]
            files[name] = files[name].replace(old, textwrap.dedent(new))
        info = tmp_path / f"{package}-1.0.dist-info"
        for name, text in files.items():
            folder = info if name in ("METADATA", "entry_points.txt") else tmp_path / package
            folder.mkdir(exist_ok=True)
            (folder / name).write_text(text.replace("PACKAGE", package))
        (tmp_path / "heavy_sdk.py").write_text("")
        monkeypatch.syspath_prepend(tmp_path)
        yield metadata.Distribution.at(info)
        for name in [n for n in sys.modules if n == "heavy_sdk" or n.split(".")[0] == package]:
            del sys.modules[name]
