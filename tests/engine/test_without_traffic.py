"""Applications without traffic: their instances are their split, and success is that they go on running."""

import pytest

from tests.support.scripted import Scripted
from uno_core import Kind, Slot, Status
from uno_core.contracts.platform import Capabilities
from uno_core.contracts.strategy import StrategyInfo
from uno_core.effects.unrouted import Unrouted, without_traffic
from uno_core.errors import ConfigError
from uno_core.model import Application
from uno_core.planning.choice import choose
from uno_core.registry import Registry
from uno_core.simulation.faults import Crash
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import Stage

MIXED = Capabilities(mixed=True)


def staged(capabilities=MIXED, live=True, **rules):
    stage = Stage(rules=Rules(capabilities=without_traffic(capabilities), **rules))
    if live:
        release = stage.world.workload.resolve(stage.order(Scripted(None), "v1").release)
        stage.platform.workload.converge(Slot.BLUE, {release: 4})
        stage.clock.sleep(stage.rules.start)
    return stage


def strategy(name, **options):
    registry = Registry.discover()
    info = registry.infos(StrategyInfo)[name]
    made = info.options()(**options)
    return registry.strategy(info, made, Stage().world.logger), {"options": made, "outage": info.outage}


def running(stage):
    slots = stage.platform.workload.observe().slots
    return {slot.value: {str(r): n for r, n in slots[slot].wanted.items() if n} for slot in slots}


def deploy(stage, name, version="v2", **options):
    made, more = strategy(name, **options)
    return stage.deploy(made, version, **more)


@pytest.mark.parametrize("capabilities", [MIXED, Capabilities()], ids=["in place", "between the slots"])
@pytest.mark.parametrize("name", ["rolling", "recreate"])
def test_rolling_and_recreate_replace_the_workers(name, capabilities):
    stage = staged(capabilities)
    assert deploy(stage, name).status is Status.SUCCESSFUL
    left = [slot for slot in running(stage).values() if slot]
    assert left == [{"v2": 4}]
    assert stage.platform.router.writes == []
    assert stage.world.observe().settled


@pytest.mark.parametrize("name", ["rolling", "recreate"])
def test_the_first_ones_are_started(name):
    stage = staged(live=False)
    assert deploy(stage, name, "v1").status is Status.SUCCESSFUL
    assert deploy(stage, name, "v2").status is Status.SUCCESSFUL
    assert running(stage)["blue"] == {"v2": 4}


@pytest.mark.parametrize("capabilities", [MIXED, Capabilities()], ids=["in place", "between the slots"])
@pytest.mark.parametrize("name", ["rolling", "recreate"])
def test_what_does_not_get_ready_goes_back(name, capabilities):
    stage = staged(capabilities, broken={"v2": "it crashes"})
    outcome = deploy(
        stage, name, **({"batch_timeout": 30.0} if name == "rolling" else {"ready_timeout": 30.0})
    )
    assert outcome.status is Status.ROLLED_BACK
    assert [slot for slot in running(stage).values() if slot] == [{"v1": 4}]


@pytest.mark.parametrize("back_after", [None, 0.2], ids=["down", "restarted between two looks"])
def test_what_does_not_go_on_running_goes_back(back_after):
    stage = staged()

    def react(event):
        if event.kind == "step" and event.data["title"].startswith("batch 4"):
            at = stage.clock.monotonic() + stage.rules.start + 5.3
            stage.clock.at(at, lambda: stage.platform.workload.crash(Slot.BLUE, back_after=back_after))

    stage.react = react
    outcome = deploy(stage, "rolling")
    assert outcome.status is Status.ROLLED_BACK
    assert "v2 does not go on running" in outcome.message
    assert running(stage)["blue"] == {"v1": 4}


@pytest.mark.parametrize("capabilities", [MIXED, Capabilities()], ids=["in place", "between the slots"])
@pytest.mark.parametrize("at", [1, 3, 5, 8])
@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_it_survives_its_driver(capabilities, at, way):
    stage = staged(capabilities)
    seen = []

    def react(event):
        seen.append(event)
        if event.kind in ("instances", "step", "split") and len(seen) >= at:
            stage.react = lambda _: None
            raise Crash

    stage.react = react
    made, more = strategy("rolling")
    order = stage.order(made, "v2", **more)
    with pytest.raises(Crash):
        stage.engine().deploy(order)
    # Another process, which knows nothing of what this one asked for.
    stage.world.router._half._asked = None
    left = stage.store.list(limit=1)[0].id
    engine = stage.engine()
    outcome = engine.resume(order, left) if way == "resume" else engine.rollback(order, left, "why")
    assert outcome.status is (Status.SUCCESSFUL if way == "resume" else Status.ROLLED_BACK)
    version = "v2" if way == "resume" else "v1"
    assert [slot for slot in running(stage).values() if slot] == [{version: 4}]


def test_its_instances_are_its_split():
    stage = staged(Capabilities())
    router = Unrouted(stage.platform.workload)
    assert router.observe().split[Slot.BLUE] == 100
    release = stage.order(Scripted(None), "v2").release
    stage.platform.workload.converge(Slot.GREEN, {release: 4})
    assert router.in_force() == {Slot.BLUE: 50.0, Slot.GREEN: 50.0}


@pytest.mark.parametrize("name", ["canary", "blue-green"])
def test_strategies_that_split_traffic_are_refused(name):
    infos = Registry.discover().infos(StrategyInfo)
    with pytest.raises(ConfigError, match="does not work here") as caught:
        choose(
            infos,
            asked=name,
            asked_where="--strategy",
            application=Application(name="w", environment="prod"),
            capabilities=without_traffic(MIXED),
            evidence=False,
        )
    assert "rolling" in caught.value.expected


@pytest.mark.parametrize("kind", Kind)
def test_there_is_a_default_in_every_environment(kind):
    choice = choose(
        Registry.discover().infos(StrategyInfo),
        asked="",
        asked_where="",
        application=Application(name="w", environment="e", kind=kind),
        capabilities=without_traffic(MIXED),
        evidence=False,
    )
    assert choice.info.name == ("recreate" if kind is Kind.DEVELOPMENT else "rolling")
