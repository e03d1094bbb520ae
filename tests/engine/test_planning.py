"""Plans of the four strategies: durations, capacity, the way back from every step, what is refused."""

from __future__ import annotations

import pytest
from scripted import Scripted

from uno_core import Bounds, Capabilities, ConfigError, DeploymentResult, Release, Slot, share, whole
from uno_core.contracts.strategy import StrategyInfo
from uno_core.effects.world import Policy
from uno_core.planning import Choice, plan
from uno_core.registry import Registry
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import SHOP, Silent, Stage

MIXED = Capabilities(mixed=True, granularity=0.01, unroute=True, cas=True, bound=5.0)
APART = Capabilities(granularity=1.0, unroute=True, cas=True, bound=60.0, least_ready=30.0)


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def planned(registry):
    """The plan of a strategy by its name and options, on a world where v1 is live."""

    def make(name, *, live="v1", size=4, capabilities=MIXED, policy=None, **options):
        info = registry.find(StrategyInfo, name)
        made = registry.options(info)(**options)
        return of(
            lambda: registry.strategy(info, made, Silent()),
            info=info,
            options=made,
            live=live,
            size=size,
            capabilities=capabilities,
            policy=policy,
        )

    return make


def of(make, *, info=None, options=None, live="v1", size=4, capabilities=MIXED, policy=None):
    stage = Stage(rules=Rules(size=size, capabilities=capabilities))
    if live:
        stage.live(live)
    return plan(
        application=SHOP,
        choice=Choice(info=info or StrategyInfo(name="scripted", summary="", load=Scripted), why="a test"),
        make=make,
        options={} if options is None else options,
        release=stage.world.workload.resolve(Release("v2")),
        snapshot=stage.world.observe(),
        capabilities=capabilities,
        policy=policy,
    )


def scripted(script, **more):
    return of(lambda: Scripted(script), **more)


def capacity(plan, slot):
    return [(s.capacity[slot].ready, s.capacity[slot].wanted) for s in plan.steps]


def ways(plan):
    return [(s.way_back.written, s.way_back.in_force, s.way_back.whole) for s in plan.steps]


def test_canary(planned):
    made = planned("canary")
    assert [step.title.partition(" %")[0] for step in made.steps[:5]] == ["10", "25", "50", "75", "100"]
    assert made.seconds == 5 * 300 + 30
    # ready, healthy, switched, watched and then waited for evidence; at the end it drains
    assert [s.greatest for s in made.steps] == [600 + 60 + 300 + 300 + 1800] * 5 + [30]
    assert made.greatest == sum(s.greatest for s in made.steps)
    assert capacity(made, "blue") == [(4, 4)] * 6
    assert capacity(made, "green") == [(1, 1), (1, 1), (2, 2), (3, 3), (4, 4), (4, 4)]
    # One write leads back at any moment, and everything still stands.
    assert ways(made) == [(1.0, 6.0, 0.0)] * 6
    assert made.way_back == ""


def test_blue_green(planned):
    made = planned("blue-green", capabilities=APART)
    assert made.seconds == 30 + 30 + 30
    assert [s.greatest for s in made.steps] == [600, 60, 300, 30 + 1800, 30]
    assert capacity(made, "green") == [(4, 4)] * 5
    assert ways(made) == [(0.0, 0.0, 0.0)] * 2 + [(1.0, 61.0, 0.0)] * 3


def test_rolling_in_place(planned):
    made = planned("rolling", batch_timeout=120.0)
    assert made.seconds == 0
    assert [s.greatest for s in made.steps] == [300, 300, 300, 420]
    assert capacity(made, "blue") == [(4, 4)] * 4
    assert made.steps[0].effects == ("blue: 4 of v1, 1 of v2", "blue: 3 of v1, 1 of v2")
    # The split never moves; an old instance needs as long as a batch may take.
    assert ways(made) == [(0.0, 0.0, 120.0)] * 4


def test_rolling_between_the_slots(planned):
    made = planned("rolling", batch_timeout=120.0, capabilities=APART)
    assert made.seconds == 4 * 30
    assert capacity(made, "blue") == [(3, 3), (2, 2), (1, 1), (0, 0)]
    assert capacity(made, "green") == [(1, 1), (2, 2), (3, 3), (4, 4)]
    # The traffic waits for the instances that it goes back to.
    assert ways(made) == [(121.0, 181.0, 120.0)] * 4


def test_recreate_has_an_outage_and_a_slow_way_back(planned):
    made = planned("recreate")
    assert made.outage
    assert capacity(made, "blue") == [(0, 0), (4, 4), (4, 4)]
    assert made.greatest == 300 + 600 + 60
    assert [s.way_back.whole for s in made.steps] == [600.0] * 3


@pytest.mark.parametrize("name", ["canary", "blue-green", "rolling", "recreate"])
def test_the_first_deployment_has_nothing_to_go_back_to(planned, name):
    made = planned(name, live="")
    assert made.first
    assert not made.outage
    assert [s.way_back for s in made.steps] == [None] * len(made.steps)
    assert "first deployment" in made.way_back
    assert capacity(made, "blue")[-1] == (4, 4)
    assert 0 < made.greatest < 4000


def test_nothing_to_do_is_a_plan_of_nothing(planned):
    made = planned("canary", live="v2")
    assert not made.changes
    assert (made.steps, made.seconds, made.greatest, made.way_back) == ([], 0.0, 0, "")


def test_a_canary_of_six_hours_is_not_waited_for(planned):
    """Looked at every five seconds it would be 4,320 looks, for each of the ways back once more."""
    bounds = {"error_rate": Bounds(max=0.01)}
    made = planned(
        "canary", step=1.0, initial_percentage=1.0, increment_interval=216.0, metrics_threshold=bounds
    )
    assert made.seconds == 100 * 216 + 30
    assert len([s for s in made.steps if s.way_back]) == 40
    assert made.steps[0].way_back
    assert made.steps[-1].way_back
    assert made.way_back == "measured from 40 of 101 steps, evenly spread from the first to the last"


def test_the_configured_limits_count(planned):
    made = planned("blue-green", policy=Policy(evidence=7.0))
    assert made.steps[3].greatest == 37


def test_the_deadline_of_a_split_follows_the_routers_bound(planned):
    slow = Capabilities(granularity=1.0, unroute=True, cas=True, bound=400.0)
    made = planned("blue-green", capabilities=slow, switch_timeout=20.0)
    assert made.steps[2].greatest == 1.5 * 400 + 30


def test_a_way_back_that_is_given_up_is_a_warning(planned):
    made = planned("rolling", batch_timeout=2000.0, policy=Policy(rollback=900.0))
    assert made.steps[0].way_back.whole is None
    assert any("rollback_timeout (15m)" in warning for warning in made.warnings)


def test_a_gate_takes_its_timeout_at_most_and_nothing_at_least(planned):
    made = planned("canary", gates=(100.0,))
    assert made.seconds == 1530
    assert made.steps[3].greatest == 600 + 60 + 300 + 300 + 1800 + 86400
    assert any(effect.startswith("wait for a person") for effect in made.steps[3].effects)


@pytest.mark.parametrize(
    ("interval", "warm_up", "refused"),
    [(4.0, 0.0, True), (5.0, 0.0, False), (3.0, 2.0, False), (0.0, 0.0, True)],
)
def test_a_share_that_is_left_before_it_is_in_force_everywhere(planned, interval, warm_up, refused):
    if not refused:
        assert planned("canary", increment_interval=interval, warm_up=warm_up).changes
        return
    with pytest.raises(ConfigError) as error:
        planned("canary", increment_interval=interval, warm_up=warm_up)
    assert "increment_interval" in error.value.found
    assert error.value.expected.startswith("at least 5s")
    assert error.value.where.startswith("strategies.canary.")


def test_no_wait_at_all_between_two_splits_is_no_short_step(planned):
    assert planned("rolling", capabilities=APART).changes


def test_instances_that_cannot_be_ready_in_time_are_refused(planned):
    with pytest.raises(ConfigError) as error:
        planned("blue-green", capabilities=APART, ready_timeout=29.0)
    assert error.value.found == "ready_timeout = 29s"
    assert error.value.expected == "at least 30s"


def test_what_is_done_before_the_first_title_is_a_step(registry):
    def script(context):
        context.deploy(Slot.GREEN, context.release, 4)
        with context.step("switch"):
            context.set_traffic(share(Slot.GREEN, 50))
            context.set_traffic(whole(Slot.GREEN))

    made = scripted(script)
    assert [s.title for s in made.steps] == ["begin", "switch"]
    assert [s.capacity["green"].ready for s in made.steps] == [4, 4]
    assert ways(made) == [(0.0, 0.0, 0.0), (1.0, 6.0, 0.0)]


def test_a_reading_before_the_first_title_is_none(registry):
    def script(context):
        context.observe()
        with context.step("fill"):
            context.deploy(Slot.GREEN, context.release, 4)
        with context.step("switch"):
            context.set_traffic(whole(Slot.GREEN))

    made = scripted(script)
    assert [s.title for s in made.steps] == ["fill", "switch"]
    assert [s.capacity["green"].ready for s in made.steps] == [4, 4]
    assert ways(made)[0] == (0.0, 0.0, 0.0)


def test_a_plan_that_fails_says_so_and_measures_nothing(registry):
    def script(context):
        with context.step("half"):
            context.deploy(Slot.GREEN, context.release, 4)
        return DeploymentResult(False, "no more")

    made = scripted(script)
    assert [s.way_back for s in made.steps] == [None]
    assert made.way_back == "not measured"
    assert "rolled_back" in made.warnings[-1]


def test_a_strategy_of_its_own_for_every_run():
    class Counting(Scripted):
        runs = 0

        def __init__(self):
            super().__init__(self.run)

        def run(self, context):
            assert not self.runs
            self.runs += 1
            with context.step("all"):
                context.deploy(Slot.GREEN, context.release, 4)
                context.set_traffic(whole(Slot.GREEN))

    assert of(Counting).steps[0].way_back.written == 1.0
