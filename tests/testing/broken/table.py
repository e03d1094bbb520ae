"""The table of broken doubles, and how each contract's are entered."""

from attrs import frozen

from tests.testing import correct, doubles


@frozen
class Broken:
    contract: type
    test: str
    bug: str
    overrides: dict


BROKEN = []


def _add(contract, test, bug, **overrides):
    BROKEN.append(Broken(contract, test, bug, overrides))


def platforms(test, bug):
    def add(cls):
        for contract in (correct.MemoryWorkloadContract, correct.MemoryRouterContract):
            _add(contract, test, bug, platform_class=cls)
        return cls

    return add


def workload(test, bug):
    def add(cls):
        platform = type("BrokenPlatform", (doubles.MemoryPlatform,), {"workload_class": cls})
        _add(correct.MemoryWorkloadContract, test, bug, platform_class=platform)
        return cls

    return add


def stepping(test, bug):
    def add(cls):
        platform = type("BrokenPlatform", (doubles.SteppingPlatform,), {"workload_class": cls})
        _add(correct.MemoryWorkloadContract, test, bug, platform_class=platform)
        return cls

    return add


def router(test, bug):
    def add(cls):
        platform = type("BrokenPlatform", (doubles.MemoryPlatform,), {"router_class": cls})
        _add(correct.MemoryRouterContract, test, bug, platform_class=platform)
        return cls

    return add


def check(test, bug):
    def add(cls):
        _add(correct.MemoryCheckContract, test, bug, check_class=cls)
        return cls

    return add


def counters(test, bug):
    def add(cls):
        _add(correct.MemoryCountersContract, test, bug, provider_class=cls)
        return cls

    return add


def history(test, bug):
    def add(cls):
        _add(correct.MemoryHistoryContract, test, bug, provider_class=cls)
        return cls

    return add


def judge(test, bug):
    def add(cls):
        _add(correct.MemoryJudgeContract, test, bug, judge_class=cls)
        return cls

    return add


def store(test, bug):
    def add(cls):
        _add(correct.MemoryStateContract, test, bug, store_class=cls)
        return cls

    return add


def engine(test, bug):
    def add(cls):
        _add(correct.MemoryEngineContract, test, bug, engine_class=cls)
        return cls

    return add


def plugin(test, bug, *replace):
    _add(correct.MemoryPluginContract, test, bug, replace=replace)
