"""For each test of the strategy contract a strategy that it has to fail."""

from __future__ import annotations

import inspect

import pytest

from uno_core.testing import StrategyContract

DOES_NOTHING = """
class Broken(DeploymentStrategy):
    def deploy(self, context):
        return DeploymentResult(True, "Deployment succeeded")
"""
FORGETS_THE_FIRST = """
class Broken(DeploymentStrategy):
    def deploy(self, context):
        target = context.initial.live.other
        context.deploy(target, context.release, context.initial.size)
        context.set_traffic(whole(target))
        return DeploymentResult(True)
"""
TAKES_CAPACITY = """
class Broken(DeploymentStrategy):
    def deploy(self, context):
        slot = context.initial.live or context.initial.idle
        old = context.initial.slot(slot).wanted
        context.converge(slot, {release: 1 for release in old}, max_unavailable=99)
        context.converge(slot, {context.release: context.initial.size, **{r: 1 for r in old}})
        context.converge(slot, {context.release: context.initial.size})
        return DeploymentResult(True)
"""
DRAWS_A_NUMBER = """
import itertools
NUMBERS = itertools.count()

class Broken(DeploymentStrategy):
    def deploy(self, context):
        target = context.initial.idle
        context.deploy(target, context.release, context.initial.size, deadline=100 + next(NUMBERS))
        context.set_traffic(whole(target))
        return DeploymentResult(True)
"""
BROKEN = {
    "test_the_requested_release_serves_at_the_end": DOES_NOTHING,
    "test_a_first_deployment_serves_at_the_end": FORGETS_THE_FIRST,
    "test_a_release_that_never_gets_ready_is_rolled_back": DOES_NOTHING,
    "test_serving_capacity_never_falls_short": TAKES_CAPACITY,
    "test_an_abort_at_any_moment_leads_back": DOES_NOTHING,
    "test_the_same_answers_lead_to_the_same_calls": DRAWS_A_NUMBER,
    "test_it_goes_back_when_it_is_asked_to": DOES_NOTHING,
}


def test_none_is_missing():
    tests = {name for name, _ in inspect.getmembers(StrategyContract) if name.startswith("test_")}
    assert tests == BROKEN.keys()


@pytest.mark.parametrize("test", BROKEN)
def test_the_contract_fails_it(test, pytester):
    pytester.makepyfile(
        f"""
import pytest
from uno_core import DeploymentResult, DeploymentStrategy, whole
from uno_core.testing import StrategyContract
{BROKEN[test]}

class TestBroken(StrategyContract):
    @pytest.fixture
    def make(self):
        return Broken
"""
    )
    result = pytester.runpytest_inprocess("-q", "-k", test, "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1, deselected=len(BROKEN) - 1)
