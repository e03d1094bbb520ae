"""The strategies that are explored: those that we ship, and some that are deliberately bad."""

from __future__ import annotations

from uno_core import Amount, Bounds, DeploymentResult, DeploymentStrategy, PlatformError, share, whole
from uno_core.contracts.engine import ON_ROLLBACK, PHASES
from uno_core.simulation.subject import Subject
from uno_strategy_blue_green.options import BlueGreenOptions
from uno_strategy_blue_green.strategy import BlueGreen
from uno_strategy_canary.options import CanaryOptions
from uno_strategy_canary.strategy import Canary
from uno_strategy_recreate.options import RecreateOptions
from uno_strategy_recreate.strategy import Recreate
from uno_strategy_rolling.options import RollingOptions
from uno_strategy_rolling.strategy import Rolling

ERRORS = {"error_rate": Bounds(max=0.05)}
BLUE_GREEN = BlueGreenOptions(verify_for=5.0, drain=5.0, metrics_threshold=ERRORS)
CANARY = CanaryOptions(
    initial_percentage=25.0, increments=(50.0,), increment_interval=5.0, drain=5.0, metrics_threshold=ERRORS
)
ROLLING = RollingOptions(batch_size=Amount(2), pause_between=5.0, metrics_threshold=ERRORS)

EVERY_HOOK = {
    phase: {"run": [phase], "timeout": 60.0, "on_failure": "rollback"} for phase in (*PHASES, ON_ROLLBACK)
}

HOOKED = (
    Subject(name="hooked", make=Canary, options=CANARY, hooks=EVERY_HOOK),
    Subject(
        name="forbidding",
        make=BlueGreen,
        options=BLUE_GREEN,
        hooks=EVERY_HOOK,
        forbid_after="before_traffic",
    ),
)

OURS = (
    Subject(name="blue-green", make=BlueGreen, options=BLUE_GREEN),
    Subject(name="canary", make=Canary, options=CANARY),
    Subject(name="rolling", make=Rolling, options=ROLLING),
    Subject(name="recreate", make=Recreate, options=RecreateOptions(), outage=True),
    Subject(name="first", make=BlueGreen, options=BLUE_GREEN, first=True),
)


class Eager(DeploymentStrategy):
    """Routes to a slot in which nothing runs."""

    def deploy(self, context):
        context.set_traffic(whole(context.initial.idle))
        return DeploymentResult(True)


class Emptying(DeploymentStrategy):
    """Stops what serves."""

    def deploy(self, context):
        context.converge(context.initial.live, {})
        return DeploymentResult(True)


class Retiring(DeploymentStrategy):
    """Retires the slot that has all the traffic."""

    def deploy(self, context):
        context.deploy(context.initial.idle, context.release, context.initial.size)
        context.retire(context.initial.live)
        return DeploymentResult(False, "gave up")


class Deaf(DeploymentStrategy):
    """Asks for a verdict, and goes on whatever it is."""

    def deploy(self, context):
        idle = context.initial.idle
        context.deploy(idle, context.release, context.initial.size)
        context.set_traffic(whole(idle))
        context.evaluate(idle, thresholds=ERRORS)
        context.promoted()
        return DeploymentResult(True)


class Lying(DeploymentStrategy):
    """Says that it has deployed."""

    def deploy(self, context):
        context.deploy(context.initial.idle, context.release, context.initial.size)
        return DeploymentResult(True, "all is well")


class Clumsy(DeploymentStrategy):
    """Falls over its own feet after promotion."""

    def deploy(self, context):
        idle = context.initial.idle
        context.deploy(idle, context.release, context.initial.size)
        context.set_traffic(whole(idle))
        context.promoted()
        raise RuntimeError("and now?")


class Hostile(DeploymentStrategy):
    """Takes all the traffic when it is told to stop."""

    def deploy(self, context):
        idle = context.initial.idle
        context.deploy(idle, context.release, context.initial.size)
        context.set_traffic(share(idle, 50))
        try:
            context.wait(5, slot=idle, thresholds=ERRORS)
        finally:
            context.set_traffic(whole(idle))
        context.promoted()
        return DeploymentResult(True)


class Cautious(DeploymentStrategy):
    """Takes its own canary back where the split cannot be written, cleans up, and gives up."""

    def deploy(self, context):
        idle, live = context.initial.idle, context.initial.live
        context.deploy(idle, context.release, context.initial.size)
        try:
            context.set_traffic(share(idle, 50))
        except PlatformError:
            context.set_traffic(whole(live))
            context.converge(idle, {})
            context.wait(60, watch=False)
            return DeploymentResult(False, "gave up")
        context.set_traffic(whole(idle))
        context.promoted()
        return DeploymentResult(True)


BAD = (
    Subject(name="eager", make=Eager),
    Subject(name="emptying", make=Emptying),
    Subject(name="retiring", make=Retiring),
    Subject(name="deaf", make=Deaf),
    Subject(name="lying", make=Lying),
    Subject(name="clumsy", make=Clumsy),
    Subject(name="hostile", make=Hostile),
    Subject(name="cautious", make=Cautious),
    Subject(name="unheard", make=Canary, options=CANARY, silent=True),
)
"""Strategies that would do harm, were it not for the rules: none of them may."""

ALL = (*OURS, *HOOKED, *BAD)
