"""Companions: the same release after promotion, what they ran before on the way back."""

import pytest
from attrs import define, evolve, field

from tests.support.scripted import Scripted, switch
from uno_core import CompanionState, ConfigError, Release, Status, Unanswered
from uno_core.simulation.faults import Crash
from uno_core.simulation.stage import Stage


@define
class Crew:
    """Companions in memory; those in `broken` cannot be asked."""

    runs: dict = field(factory=dict)
    broken: set = field(factory=set)
    asked: list = field(factory=list)

    def observe(self, name):
        if name not in self.runs:
            raise ConfigError(f"there is no companion {name}", expected="one of " + ", ".join(self.runs))
        release = self.runs[name]
        return CompanionState(release=release, ready=True, captured=release.version if release else None)

    def update(self, name, release):
        self.asked.append((name, release.version))
        if name in self.broken:
            raise Unanswered("no answer")
        self.runs[name] = release

    def restore(self, name, captured):
        self.asked.append((name, f"back to {captured}"))
        self.runs[name] = Release(str(captured)) if captured else None


@pytest.fixture
def stage():
    made = Stage()
    made.live("v1")
    crew = Crew({"worker": Release("v1"), "cron": None})
    made.world = evolve(made.world, companions=crew)
    return made, crew


BOTH = ("worker", "cron")


def order(stage, script=switch):
    return stage.order(Scripted(script), "v2", companions=BOTH)


def test_they_follow_once_the_release_is_promoted(stage):
    stage, crew = stage
    at = []
    stage.react = lambda e: at.append(list(crew.asked)) if e.kind == "promoted" else None
    assert stage.engine().deploy(order(stage)).status is Status.SUCCESSFUL
    assert at == [[]]
    assert {name: release.version for name, release in crew.runs.items()} == {"worker": "v2", "cron": "v2"}


def test_a_failure_before_promotion_leaves_them_alone(stage):
    stage, crew = stage

    def fails(context):
        switch_to = context.initial.idle
        context.deploy(switch_to, context.release, 4)
        raise ValueError("no")

    assert stage.engine().deploy(order(stage, fails)).status is Status.ROLLED_BACK
    assert crew.asked == []


def test_the_way_back_of_a_success_puts_them_back(stage):
    stage, crew = stage
    outcome = stage.engine().deploy(order(stage))
    assert stage.engine().rollback(order(stage), outcome.deployment, "no").status is Status.ROLLED_BACK
    assert crew.runs["worker"].version == "v1"
    assert crew.runs["cron"] is None


def test_one_that_does_not_follow_is_told_and_takes_nothing_back(stage):
    stage, crew = stage
    crew.broken.add("worker")
    outcome = stage.engine().deploy(order(stage))
    assert outcome.status is Status.SUCCESSFUL
    assert "the companion worker did not follow: no answer" in outcome.message
    assert crew.runs["cron"].version == "v2"


def test_one_that_does_not_exist_is_found_before_anything_is_changed(stage):
    stage, crew = stage
    del crew.runs["cron"]
    outcome = stage.engine().deploy(order(stage))
    assert outcome.status is Status.FAILED
    assert "there is no companion cron" in outcome.message
    assert stage.platform.workload.observe().slots
    assert crew.asked == []


def test_after_a_crash_on_the_way_they_follow_all_the_same(stage):
    stage, crew = stage

    def react(event):
        if event.kind == "promoted":
            stage.react = lambda _: None
            raise Crash

    stage.react = react
    with pytest.raises(Crash):
        stage.engine().deploy(order(stage))
    record = stage.store.list(limit=1)[0]
    assert stage.engine().resume(order(stage), record.id).status is Status.SUCCESSFUL
    assert crew.runs["worker"].version == "v2"
