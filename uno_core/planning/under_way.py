"""A deployment that has not ended, where another one is planned."""

from __future__ import annotations

from uno_core.errors import Unsettled
from uno_core.planning.plan import UnderWay


def told(under_way: UnderWay) -> str:
    """Which one, how it stands, and who drives it."""
    driver = under_way.driver or "nobody"
    who = f"driven by {driver}" if under_way.driver_alive else f"nobody drives it, its driver was {driver}"
    return f"{under_way.id} ({under_way.version}) is under way: {under_way.status}, {who}"


def refused(problem: Unsettled, under_way: UnderWay) -> Unsettled:
    """The refusal of an unsettled world, with the deployment that made it so."""
    ways = (
        "plan again once it has ended; `uno promote` passes its gate, `uno abort` takes it back"
        if under_way.driver_alive
        else "`uno resume` goes on with it, `uno rollback` takes the application back"
    )
    return Unsettled(
        told(under_way),
        found=problem.found,
        expected="an application that no deployment is changing",
        where=under_way.id,
        remedy=f"`uno status` shows it; {ways}",
    )
