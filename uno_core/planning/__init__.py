"""Plans: which strategy and why, and what it will do, found by running it in the simulated world."""

from uno_core.planning.agreed import Agreed, basis, read, seen
from uno_core.planning.choice import DEFAULTS, Choice, already, choose, misfit
from uno_core.planning.plan import Capacity, Plan, Step, UnderWay, WayBack
from uno_core.planning.rehearsal import plan
from uno_core.planning.under_way import refused, told

__all__ = [
    "DEFAULTS",
    "Agreed",
    "Capacity",
    "Choice",
    "Plan",
    "Step",
    "UnderWay",
    "WayBack",
    "already",
    "basis",
    "choose",
    "misfit",
    "plan",
    "read",
    "refused",
    "seen",
    "told",
]
