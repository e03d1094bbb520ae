"""Harm that takes more than one deployment, or more than one driver: each says what went wrong."""

from tests.exploration.subjects import BLUE_GREEN, BlueGreen
from uno_core import Driver, Locked, Probe, Slot, Status, UnoError, share
from uno_core.engine.tenure import next_turn
from uno_core.simulation.stage import SHOP, Stage

NEXT = Driver(host="elsewhere", pid=7, started="", user="next")


def begun_from_an_unsettled_world():
    """A deployment begins while two slots have traffic: what would it go back to?"""
    stage = Stage()
    v1 = stage.live("v1")
    stage.platform.workload.converge(Slot.GREEN, {stage.platform.workload.resolve(type(v1)("v0")): 4})
    stage.clock.sleep(5)
    stage.platform.router.impose(share(Slot.GREEN, 50))
    stage.clock.sleep(5)
    try:
        stage.deploy(BlueGreen(), "v2", BLUE_GREEN)
    except UnoError:
        return []
    return ["a deployment began while two releases had traffic"]


def slipped_in_between():
    """Somebody has reserved the next turn, and somebody else deploys."""
    stage = Stage()
    stage.live("v1")
    stage.store.acquire(next_turn(SHOP.key), NEXT, ttl=60.0)
    try:
        stage.deploy(BlueGreen(), "v2", BLUE_GREEN)
    except Locked:
        return []
    return ["a deployment began although somebody else had reserved the turn"]


class _Ill:
    """A check that finds the old release ill."""

    per_instance = False

    def __init__(self):
        self.ill = False

    def check(self, target, timeout):
        healthy = not (self.ill and str(target.release) == "v1")
        return Probe(target="shop", healthy=healthy, answer="200" if healthy else "500")


def gone_back_to_a_release_that_is_ill():
    """The old release is gone, and ill when it is started again; what serves serves well."""
    check = _Ill()
    stage = Stage(health=lambda _: check)
    stage.live("v1")
    outcome = stage.deploy(BlueGreen(), "v2", BLUE_GREEN)
    assert outcome.status is Status.SUCCESSFUL
    stage.platform.workload.converge(Slot.BLUE, {})
    check.ill = True
    stage.engine().rollback(stage.order(BlueGreen(), "v2", BLUE_GREEN), outcome.deployment, "asked for")
    if [str(r) for r in stage.world.observe().releases] == ["v1"]:
        return ["all traffic went to a release that fails its health check"]
    return []
