"""Every contract test fails a plugin that is broken in what the test is about."""

import pytest

from tests.testing import correct
from tests.testing.broken import engines, evidence, notifiers, plugins, routers, states, workloads  # noqa: F401 - they fill the table
from tests.testing.broken.table import BROKEN

CONTRACTS = sorted({case.contract for case in BROKEN}, key=lambda contract: contract.__name__)

BENCH = """
from tests.testing.broken import engines, evidence, notifiers, plugins, routers, states, workloads
from tests.testing.broken.table import BROKEN

pytest_plugins = ["uno_core.testing.fixtures"]

for number, case in enumerate(BROKEN):
    globals()[f"Test{number}"] = type(f"Test{number}", (case.contract,), case.overrides)
"""


def named_by(contract):
    return {name for name in dir(contract) if name.startswith("test_")}


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_a_broken_plugin_fails(contract, pytester):
    bench = pytester.makepyfile(test_bench=BENCH)
    cases = {f"Test{n}": case for n, case in enumerate(BROKEN) if case.contract is contract}
    nodes = [f"{bench}::{name}::{case.test}" for name, case in cases.items()]
    reports = pytester.inline_run("-p", "no:cacheprovider", "-q", *nodes).getreports(
        "pytest_runtest_logreport"
    )
    failed = {report.nodeid.split("::")[1] for report in reports if report.failed and report.when == "call"}
    passed = [f"{case.test}: {case.bug}" for name, case in cases.items() if name not in failed]
    assert not passed, "these bugs were not found"


def test_no_test_of_a_contract_is_without_its_broken_plugin():
    counters = {correct.MemoryCountersContract, correct.MemoryHistoryContract}
    for contract in CONTRACTS:
        family = counters if contract in counters else {contract}
        shown = {case.test for case in BROKEN if case.contract in family}
        assert named_by(contract) == shown, contract.__name__


def test_every_contract_is_shown():
    from uno_core import testing

    contracts = {name for name in testing.__all__ if name.endswith("Contract")}
    shown = {base.__name__ for contract in CONTRACTS for base in contract.__mro__}
    # The contract of strategies has broken strategies of its own, beside the simulation that it needs.
    assert contracts - shown == {"StrategyContract"}
