"""The old release again, before anything is switched back to it: what serves now serves well."""

from __future__ import annotations

from uno_core.context import Calls
from uno_core.effects.world import World
from uno_core.errors import Forbidden, NotReady, PlatformError, Unhealthy, Unsupported
from uno_core.model import HealthReport, Snapshot
from uno_core.rules import protects
from uno_core.wire import counts_to_json, from_json


def bring_up_patiently(world: World, calls: Calls, initial: Snapshot) -> None:
    """Again where the platform fails for a moment: what serves goes on serving meanwhile."""
    end = world.clock.monotonic() + world.policy.rollback
    while True:
        try:
            return bring_up(calls, initial)
        except (NotReady, Forbidden, Unsupported):
            raise
        except PlatformError as problem:
            if world.clock.monotonic() >= end:
                raise
            world.logger.warning("the old release could not be brought up, again soon", problem=str(problem))
            world.wait(1.0)


@protects("the way back from what serves well starts and checks the old release before it switches")
def bring_up(calls: Calls, initial: Snapshot) -> None:
    """Start and check a slot that is gone before it is used.

    Raises NotReady and Unhealthy: nothing was switched, and what serves goes on.
    """
    live, now = initial.live, from_json(calls("observe"), Snapshot)
    if live is None or live in now.serving or now.slot(live).holds(initial.slot(live).wanted):
        return
    if not any(now.slot(slot).ready() for slot in now.serving):
        return  # nothing serves: then the first that is ready is better than nothing
    counts = counts_to_json(initial.slot(live).wanted)
    calls("converge", slot=live.value, counts=counts, deadline=600.0, max_unavailable=0)
    found = calls("check_health", slot=live.value, url=None, timeout=60.0, successes=1)
    report = from_json(found, HealthReport)
    if not report.healthy:
        raise Unhealthy(
            f"{live} is not healthy: nothing was switched to it",
            found=report.reason,
            expected="every target healthy within 60 s",
            remedy="look at its logs; what served goes on serving",
        )
