"""The rolling strategy in the simulated world."""

from __future__ import annotations

import pytest
from attrs import evolve

from uno_core import Amount, Capabilities, Status
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import Stage
from uno_core.testing import PluginContract, StrategyContract
from uno_strategy_rolling.options import RollingOptions
from uno_strategy_rolling.strategy import Rolling


class TestContract(StrategyContract):
    @pytest.fixture
    def make(self):
        return Rolling

    @pytest.fixture
    def options(self):
        return RollingOptions()


class TestContractBetweenSlots(TestContract):
    @pytest.fixture
    def capabilities(self):
        return Capabilities(mixed=False, granularity=1.0, unroute=True, cas=True)


class TestContractInThirds(TestContract):
    max_unavailable = 2

    @pytest.fixture
    def options(self):
        return RollingOptions(batch_size=Amount(34, percent=True), max_unavailable=2)


class TestPlugin(PluginContract):
    distribution = "uno-strategy-rolling"


def deploy(version="v2", rules=None, **options):
    stage = Stage(rules=rules or Rules(size=6))
    stage.live("v1")
    return stage, stage.deploy(Rolling(), version, RollingOptions(**options))


def titles(stage):
    return [event.data["title"] for event in stage.happened("step")]


def test_defaults_are_those_of_the_documentation():
    o = RollingOptions()
    assert (str(o.batch_size), o.batch_timeout) == ("1", 300)


def test_one_instance_at_a_time_by_default():
    stage, outcome = deploy()
    assert outcome.status is Status.SUCCESSFUL
    assert len(titles(stage)) == 6
    assert stage.platform.router.writes[1:] == []
    totals = {sum(counts.values()) for _, slot, counts in stage.platform.workload.writes[1:]}
    assert totals == {6, 7}


@pytest.mark.parametrize(
    ("size", "batches"), [(Amount(4), 2), (Amount(25, percent=True), 3), (Amount(99), 1)]
)
def test_batches(size, batches):
    stage, outcome = deploy(batch_size=size)
    assert outcome.status is Status.SUCCESSFUL
    assert len(titles(stage)) == batches


def test_max_unavailable_lets_old_ones_go_first():
    stage, outcome = deploy(batch_size=Amount(2), max_unavailable=2)
    assert outcome.status is Status.SUCCESSFUL
    totals = [sum(counts.values()) for _, _, counts in stage.platform.workload.writes[1:]]
    assert max(totals) == 6
    assert min(totals) == 4


def test_fewer_instances_than_before_are_reached():
    stage = Stage(rules=Rules(size=6))
    stage.live("v1")
    stage.platform.workload.rules = Rules(size=4)
    outcome = stage.deploy(Rolling(), "v2", RollingOptions())
    assert outcome.status is Status.SUCCESSFUL
    assert len(stage.world.observe().slot("blue").instances) == 4


def test_the_affected_batch_goes_back_first():
    stage, outcome = deploy(
        "bad", rules=Rules(size=6, broken={"bad": "exited with code 3"}), batch_size=Amount(2)
    )
    assert outcome.status is Status.ROLLED_BACK
    assert "exited with code 3" in outcome.message
    assert titles(stage)[-2:] == [
        "put back the affected batch: 2 instances that are not ready",
        "put back all that this deployment updated",
    ]


def test_hold_keeps_the_mixture_until_a_person_decides():
    stage = Stage(rules=Rules(size=4, broken={"bad": "no"}), willing=False)
    stage.live("v1")
    seen = []

    def decide():
        seen.append(stage.world.observe().slot("blue").releases)
        record = stage.store.list()[0]
        stage.store.signal(record.id, "abort", {}, by="bob", at=stage.clock.now())

    stage.clock.at(1000, decide)
    outcome = stage.deploy(Rolling(), "bad", RollingOptions(on_batch_failure="hold"))
    assert outcome.status is Status.ROLLED_BACK
    assert sorted(map(str, seen[0])) == ["bad", "v1"]
    assert "promote tries the batch again" in stage.happened("paused")[0].data["reason"]


@pytest.mark.parametrize(
    "bad", [{"batch_size": Amount(0)}, {"max_unavailable": -1}, {"on_batch_failure": "shrug"}]
)
def test_bad_options_are_refused(bad):
    with pytest.raises(ValueError, match="expected"):
        RollingOptions(**bad)


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
@pytest.mark.parametrize("mixed", [True, False])
def test_more_instances_than_before_are_reached_and_none_goes_before(batch, mixed):
    stage = Stage(rules=Rules(size=2, capabilities=Capabilities(mixed=mixed, granularity=1.0, unroute=True)))
    stage.live("v1")
    stage.platform.workload.rules = evolve(stage.platform.workload.rules, size=4)
    ready = []
    stage.react = lambda _: ready.append(sum(s.ready() for s in stage.world.observe().slots.values()))
    outcome = stage.deploy(Rolling(), "v2", RollingOptions(batch_size=Amount(batch)))
    assert outcome.status is Status.SUCCESSFUL
    assert min(ready) == 2
    assert stage.world.observe().slot(outcome.snapshot.live).ready() == 4


@pytest.mark.parametrize(("size", "most"), [(1, 1), (4, 4), (4, 9)])
def test_max_unavailable_never_means_all(size, most):
    options = {"batch_size": Amount(size), "max_unavailable": most}
    stage, outcome = deploy(rules=Rules(size=size), **options)
    assert outcome.status is Status.SUCCESSFUL
    assert all(counts for _, slot, counts in stage.platform.workload.writes if slot == "blue")


@pytest.mark.parametrize("finest", [1.0, 5.0, 10.0, 20.0, 50.0])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 12])
def test_between_the_slots_the_counts_carry_what_the_router_can_split(size, finest):
    rules = Rules(size=size, capabilities=Capabilities(granularity=finest, unroute=True))
    _, outcome = deploy(rules=rules)
    assert outcome.status is Status.SUCCESSFUL


def test_the_same_release_again_loses_no_instance():
    stage = Stage(rules=Rules(size=2))
    stage.live("v2")
    stage.platform.workload.rules = Rules(size=4)
    outcome = stage.deploy(Rolling(), "v2", RollingOptions())
    assert outcome.status is Status.SUCCESSFUL
    totals = [sum(counts.values()) for _, _, counts in stage.platform.workload.writes]
    assert totals == sorted(totals)


@pytest.mark.parametrize("most", [0, 1])
@pytest.mark.parametrize("mixed", [True, False])
def test_a_held_batch_that_is_promoted_is_started_anew(mixed, most):
    has = Capabilities(mixed=mixed, granularity=1.0, unroute=True)
    rules = Rules(size=4, broken={"v2": "no database"}, hopeless=frozenset({"v2"}), capabilities=has)
    stage = Stage(rules=rules, willing=False)
    stage.live("v1")

    def mend():
        stage.platform.workload.rules = evolve(rules, broken={}, hopeless=frozenset())
        record = stage.store.list()[0]
        stage.store.signal(record.id, "promote", {}, by="bob", at=stage.clock.now())

    stage.clock.at(1000, mend)
    options = RollingOptions(on_batch_failure="hold", max_unavailable=most)
    outcome = stage.deploy(Rolling(), "v2", options)
    assert outcome.status is Status.SUCCESSFUL, outcome.message
    assert stage.clock.monotonic() < 1100
