"""Many deployments in one process: what waits is a row and a moment."""

import threading

import pytest
from attrs import evolve

from uno_core import Application, DeploymentResult, DeploymentStrategy, Status, share, whole
from uno_core.engine.embedded import Embedded
from uno_core.engine.fleet import Dozing, Fleet
from uno_core.errors import Suspend
from uno_core.journal.memory import MemoryStore
from uno_core.simulation.clock import VirtualClock
from uno_core.simulation.stage import NOBODY, Silent, Stage


class Waiting(DeploymentStrategy):
    """A switch with a wait and a gate before it."""

    def deploy(self, context):
        idle = context.initial.idle
        context.deploy(idle, context.release, context.initial.size)
        context.set_traffic(share(idle, 50))
        context.wait(600, watch=False)
        context.pause("look at it", timeout=3600)
        context.set_traffic(whole(idle))
        context.promoted()
        return DeploymentResult(True)


class Company:
    """So many applications on one clock and one store, each on a platform of its own."""

    def __init__(self, n):
        self.clock = VirtualClock()
        self.store = MemoryStore()
        self.stages = {}
        self.fleet = Fleet(self.store, self.clock, Silent(), self.materials, workers=1)
        for number in range(n):
            application = Application(name=f"shop{number}", environment="test")
            stage = Stage(application=application, clock=self.clock, store=self.store)
            stage.live("v1")
            order = stage.order(Waiting(), "v2")
            outcome = self.engine(stage).deploy(order)
            self.stages[outcome.deployment] = stage
            self.fleet.add(outcome.deployment, outcome.until)

    @staticmethod
    def engine(stage):
        return Embedded(store=stage.store, world=stage.world, owner=NOBODY, hearing=Dozing.listening)

    def materials(self, id):
        stage = self.stages[id]
        return self.engine(stage), stage.order(Waiting(), "v2")

    def say(self, kind):
        for one in self.stages:
            self.store.signal(one, kind, {}, by="test", at=self.clock.now())


def test_many_deployments_wait_without_a_thread_each_and_all_end():
    company = Company(30)
    threads = threading.active_count()
    company.clock.later(700, lambda: company.say("promote"))
    company.fleet.run(4000)
    assert {o.status for o in company.fleet.ended.values()} == {Status.SUCCESSFUL}
    assert len(company.fleet.ended) == 30
    assert threading.active_count() <= threads + 1


def test_a_word_wakes_a_deployment_before_its_moment():
    company = Company(3)
    company.clock.later(5, lambda: company.say("abort"))
    company.fleet.run(60)
    assert {o.status for o in company.fleet.ended.values()} == {Status.ROLLED_BACK}
    assert company.clock.monotonic() < 100


def test_a_gate_that_nobody_opens_takes_its_timeout():
    company = Company(2)
    company.fleet.run(600 + 3600 + 60)
    assert {o.status for o in company.fleet.ended.values()} == {Status.ROLLED_BACK}


def test_a_wait_that_was_woken_often_is_one_line_of_the_journal():
    company = Company(1)
    (one,) = company.stages
    for _ in range(5):
        company.fleet._drive(one)
    waits = [e for e in company.store.entries(one) if e.op == "wait"]
    assert [e.attempt for e in waits] == [1]


def test_what_cannot_be_driven_stops_nobody_else():
    company = Company(2)
    first = next(iter(company.stages))
    stage = company.stages[first]

    class Other(Waiting):
        def deploy(self, context):
            context.observe()
            return super().deploy(context)

    def materials(id):
        engine, order = Company.materials(company, id)
        return engine, evolve(order, strategy=Other()) if id == first else order

    company.fleet.materials = materials
    company.clock.later(700, lambda: company.say("promote"))
    company.fleet.run(4000)
    assert list(company.fleet.failed) == [first]
    assert "asks for something else" in str(company.fleet.failed[first])
    assert len(company.fleet.ended) == 1
    assert stage.store.get(first).status is Status.IN_PROGRESS


def test_dozing_ears_never_wait():
    clock = VirtualClock()
    ears = Dozing(MemoryStore(), "x")
    with pytest.raises(Suspend) as left:
        ears.rest(clock, 10)
    assert (left.value.until - clock.now()).total_seconds() == 10
    assert clock.monotonic() == 0
