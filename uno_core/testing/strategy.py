"""What every strategy must hold, shown in the simulated world: no test of it ever sleeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from uno_core.context import Calls, Context, Facts
from uno_core.contracts.engine import Outcome
from uno_core.contracts.platform import Capabilities
from uno_core.contracts.strategy import DeploymentStrategy
from uno_core.effects.perform import Effects
from uno_core.effects.serving import not_serving
from uno_core.engine.attention import Ears
from uno_core.engine.calling import run_strategy
from uno_core.engine.run import Run
from uno_core.model import Json, Release, Slot, Snapshot, Status, needed
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import Event, Stage
from uno_core.wire import from_json

Make = Callable[[], DeploymentStrategy[Any]]


class StrategyContract:
    """Subclass it and override `make`, and what else of the fixtures is yours.

    ::

        class TestMine(StrategyContract):
            @pytest.fixture
            def make(self):
                return MyStrategy
    """

    outage = False
    """Whether the strategy declares an outage (`StrategyInfo.outage`)."""

    max_unavailable = 0
    """How many instances the options under test allow to be missing."""

    @pytest.fixture
    def make(self) -> Make:
        raise NotImplementedError("override `make` with your strategy's class, or a function that makes one")

    @pytest.fixture
    def options(self) -> Any:
        """What `context.options` holds."""
        return {}

    @pytest.fixture
    def capabilities(self) -> Capabilities:
        """The platform that the strategy is tried on."""
        return Capabilities(mixed=True, granularity=0.01, unroute=True, cas=True)

    @pytest.fixture
    def rules(self, capabilities: Capabilities) -> Rules:
        return Rules(capabilities=capabilities, size=5, broken={"broken": "exited with code 1"})

    def _deploy(self, stage: Stage, make: Make, version: str, options: Any) -> Outcome:
        return stage.deploy(make(), version, options, outage=self.outage)

    def test_the_requested_release_serves_at_the_end(self, make: Make, options: Any, rules: Rules) -> None:
        stage = Stage(rules=rules)
        stage.live("v1")
        outcome = self._deploy(stage, make, "v2", options)
        assert outcome.status is Status.SUCCESSFUL, outcome.message
        release = stage.world.workload.resolve(Release("v2"))
        assert not_serving(stage.world.observe(), release) == ""

    def test_a_first_deployment_serves_at_the_end(self, make: Make, options: Any, rules: Rules) -> None:
        stage = Stage(rules=rules)
        outcome = self._deploy(stage, make, "v1", options)
        assert outcome.status is Status.SUCCESSFUL, outcome.message
        assert [str(r) for r in stage.world.observe().releases] == ["v1"]

    def test_a_release_that_never_gets_ready_is_rolled_back(
        self, make: Make, options: Any, rules: Rules
    ) -> None:
        stage = Stage(rules=rules)
        stage.live("v1")
        outcome = self._deploy(stage, make, "broken", options)
        assert outcome.status is Status.ROLLED_BACK, outcome.message
        _assert_as_before(stage)

    def test_serving_capacity_never_falls_short(self, make: Make, options: Any, rules: Rules) -> None:
        if self.outage:
            pytest.skip("the strategy declares an outage")
        stage = Stage(rules=rules)
        stage.live("v1")
        short: list[str] = []
        stage.react = lambda event: short.extend(_short(stage, event, self.max_unavailable))
        self._deploy(stage, make, "v2", options)
        assert short == []

    def test_an_abort_at_any_moment_leads_back(self, make: Make, options: Any, rules: Rules) -> None:
        whole = Stage(rules=rules)
        whole.live("v1")
        outcome = self._deploy(whole, make, "v2", options)
        assert outcome.status is Status.SUCCESSFUL, outcome.message
        for moment in range(len(whole.events)):
            stage = Stage(rules=rules)
            stage.live("v1")
            stage.react = _abort_at(stage, moment)
            outcome = self._deploy(stage, make, "v2", options)
            if outcome.status is Status.SUCCESSFUL:
                # The abort came after promotion, which nothing undoes.
                assert [str(r) for r in stage.world.observe().releases] == ["v2"], f"moment {moment}"
            else:
                assert outcome.status is Status.ROLLED_BACK, f"moment {moment}: {outcome.message}"
                _assert_as_before(stage)

    def test_the_same_answers_lead_to_the_same_calls(self, make: Make, options: Any, rules: Rules) -> None:
        """A strategy that reads a clock or draws a number of its own cannot be resumed after a crash."""
        stage = Stage(rules=rules)
        stage.live("v1")
        outcome = self._deploy(stage, make, "v2", options)
        record = stage.store.get(outcome.deployment)
        assert record is not None
        initial = from_json(record.params["initial"], Snapshot)
        strategy, release = make(), stage.world.workload.resolve(Release("v2"))
        effects = _Nothing(
            world=stage.world,
            attention=Ears(stage.store, record.id),
            tell=_ignore,
            strategy=strategy,
            release=release,
            initial=initial,
            outage=self.outage,
        )
        logger = stage.world.logger
        run = Run(stage.store, record.id, "deploy", effects=effects, clock=stage.clock, logger=logger)
        facts: Facts[Any] = Facts(
            application=stage.application,
            release=release,
            initial=initial,
            options=options,
            capabilities=rules.capabilities,
        )
        result = run_strategy(strategy.deploy, Context(facts, Calls(run), logger))
        assert result.success

    def test_it_goes_back_when_it_is_asked_to(self, make: Make, options: Any, rules: Rules) -> None:
        stage = Stage(rules=rules)
        stage.live("v1")
        outcome = self._deploy(stage, make, "v2", options)
        assert outcome.status is Status.SUCCESSFUL, outcome.message
        record = stage.store.get(outcome.deployment)
        assert record is not None
        order = stage.order(make(), "v2", options, outage=self.outage)
        back = stage.engine().rollback(order, record.id, "asked for")
        assert back.status is Status.ROLLED_BACK, back.message
        _assert_as_before(stage)


class _Nothing(Effects):
    """Performs nothing: whatever reaches it was not asked for the first time."""

    def perform(self, op: str, intent: Mapping[str, Any]) -> Json:
        raise AssertionError(
            f"with the same answers the strategy asked for something new: {op} {dict(intent)}"
        )


def _ignore(_kind: str, _data: Mapping[str, Json]) -> None:
    """Nobody listens."""


def _abort_at(stage: Stage, moment: int) -> Callable[[Event], None]:
    def react(event: Event) -> None:
        if len(stage.events) == moment + 1 and event.kind != "finished":
            newest = stage.store.list(limit=1)[0].id
            stage.store.signal(newest, "abort", {"reason": "a test"}, by="test", at=stage.clock.now())

    return react


def _assert_as_before(stage: Stage) -> None:
    now = stage.world.observe()
    assert now.split == {Slot.BLUE: 100.0, Slot.GREEN: 0.0}
    assert now.in_force == now.split
    blue = now.slot(Slot.BLUE)
    assert [str(r) for r in blue.releases] == ["v1"]
    assert blue.ready() == stage.rules.size


def _short(stage: Stage, event: Event, max_unavailable: int) -> list[str]:
    now = stage.world.observe()
    return [
        f"{event.at:g} s, {event.kind}: {slot} has {now.slot(slot).ready()} ready for {percent:g} %"
        for slot, percent in now.in_force.items()
        if now.slot(slot).ready() < needed(now.size, percent) - max_unavailable
    ]
