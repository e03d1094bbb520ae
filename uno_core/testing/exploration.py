"""A strategy of one's own in the simulated world, at every instant hit by everything that can go wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from uno_core.contracts.strategy import DeploymentStrategy
from uno_core.simulation.exploration import PLACES, first_harm, fits, singles, unanswered_pairs
from uno_core.simulation.subject import Place, Subject


def explore(
    make: Callable[[], DeploymentStrategy[Any]],
    options: Any = None,
    *,
    outage: bool = False,
    max_unavailable: int = 0,
    places: Sequence[Place] = PLACES[:3],
    every: int = 11,
) -> int:
    """Play every single fault at every point, and of the unanswered pairs each `every`th; how many it were.

        def test_it_never_hurts():
            assert explore(MyStrategy) > 300

    Give it short waits: every look of a wait is a point. Raises AssertionError with the shortest
    schedule that does harm, or where the strategy does not work on a place undisturbed.
    """
    name = make().name or make().__class__.__name__.lower()
    subject = Subject(
        name=name.replace(" ", "-"),
        make=make,
        options={} if options is None else options,
        outage=outage,
        max_unavailable=max_unavailable,
    )
    total = 0
    for place in places:
        assert fits(subject, place), f"{name} on {place.name}: an undisturbed deployment does not succeed"
        for schedules in (singles(subject, place), islice(unanswered_pairs(subject, place), 0, None, every)):
            played, found = first_harm(schedules)
            total += played
            assert found is None, str(found)
    return total


__all__ = ["PLACES", "Place", "explore"]
