"""A deployment in the simulation whose driver can be killed at a time, and resumed at another."""

import pytest

from tests.support.scripted import Scripted
from uno_core import (
    Bounds,
    DeploymentResult,
    Slot,
    share,
    whole,
)
from uno_core.contracts.metrics import Figures
from uno_core.simulation.faults import Crash
from uno_core.simulation.stage import FiguresNow, Stage
from uno_core.simulation.subject import Harsh

ERRORS = {"error_rate": Bounds(max=0.05)}


def canary(context):
    context.deploy(Slot.GREEN, context.release, 4)
    context.set_traffic(share(Slot.GREEN, 10))
    context.wait(60, slot=Slot.GREEN, thresholds=ERRORS)
    context.set_traffic(whole(Slot.GREEN))
    context.promoted()
    return DeploymentResult(True)


class Play:
    """A deployment whose driver can be killed at a time, and resumed at another."""

    def __init__(self, script=canary, **more):
        self.script = script
        self.rates = None
        self.stage = Stage(willing=False, judge=Harsh(), **more)
        self.rates = FiguresNow(self.stage.clock)
        self.rates.rates = {slot: Figures(requests=100.0) for slot in Slot}
        self.stage.provider = self.rates
        self.stage.live("v1")
        self.began = self.stage.clock.monotonic()

    def order(self):
        return self.stage.order(Scripted(self.script), "v2")

    def killed_at(self, seconds):
        """Deploy, and die so many seconds after the first share was in force."""

        def die():
            raise Crash

        def react(event):
            if event.kind == "split":
                self.stage.react = lambda _: None
                self.at_split = event.at
                self.stage.clock.later(seconds, die)

        self.stage.react = react
        with pytest.raises(Crash):
            self.stage.engine().deploy(self.order())
        return self

    @property
    def id(self):
        return self.stage.store.list(limit=1)[0].id

    def until(self, seconds):
        """Let time pass until so many seconds after the first share."""
        self.stage.clock.sleep(self.at_split + seconds - self.stage.clock.monotonic())
        return self

    def resume(self, **more):
        return self.stage.engine().resume(self.order(), self.id, **more)

    def switched_at(self):
        """Seconds from the first share to the last write of the split."""
        return self.stage.platform.router.writes[-1][0] - self.at_split


def say(play, kind, **payload):
    return play.stage.store.signal(play.id, kind, payload, by="ann", at=play.stage.clock.now())


def answers(play):
    return {s.kind: s.answer for s in play.stage.store.signals(play.id, unanswered=False)}


def gated(context):
    context.deploy(Slot.GREEN, context.release, 4)
    for percent in (10, 50, 100):
        context.pause(f"before {percent} %")
        context.set_traffic(share(Slot.GREEN, percent))
    context.promoted()
    return DeploymentResult(True)
