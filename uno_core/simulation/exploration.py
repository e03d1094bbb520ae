"""Exploration: every instant of a deployment, hit by everything that can go wrong there.

A schedule is written `canary on cas: 17 late, 19 crash` and always plays the same. Single faults
are tried at every point. Of the pairs, every unanswered write with what matters after it in the
next points is tried exhaustively, since thousands of random pairs never find those; the others are
drawn by a seed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence

from attrs import evolve, field, frozen

from uno_core.contracts.platform import Capabilities
from uno_core.effects.unrouted import without_traffic
from uno_core.errors import ConfigError
from uno_core.simulation.faults import ANYWHERE, READS, UNANSWERED, WRITES, Fault, Point
from uno_core.simulation.platform import Rules
from uno_core.simulation.scene import Scene
from uno_core.simulation.subject import Place, Subject

ROUND = 3
"""Readings of one look: the workload, the router, and what is in force."""

NEXT = 6
"""Points after an unanswered write in which its second fault is tried."""

AFTER_UNANSWERED = (
    Fault.CRASH,
    Fault.CRASH_AFTER,
    Fault.CRASH_BACK,
    Fault.ABORT,
    Fault.FOREIGN,
    Fault.STOLEN,
)

_FINE = Capabilities(mixed=True, granularity=0.01, unroute=True, cas=True, marks=True)

PLACES: Sequence[Place] = (
    Place(name="cas", rules=Rules(capabilities=_FINE)),
    Place(
        name="horizon",
        rules=Rules(capabilities=evolve(_FINE, cas=False, marks=False, write_horizon=30.0)),
    ),
    Place(
        name="slots",
        rules=Rules(capabilities=evolve(_FINE, mixed=False, write_horizon=30.0, cas=False, granularity=1.0)),
    ),
    Place(
        name="slow",
        rules=Rules(
            capabilities=evolve(_FINE, mixed=False, bound=400.0, unroute=False, marks=False),
            propagation=400.0,
        ),
    ),
    Place(name="switch", rules=Rules(capabilities=evolve(_FINE, mixed=False, granularity=100.0))),
)
"""Platforms that differ as real ones do."""

WORKERS = Place(name="workers", rules=Rules(capabilities=without_traffic(_FINE)))
"""Where nothing is routed: for rolling and recreate."""


@frozen(kw_only=True)
class Schedule:
    """A strategy, a place, and what happens at which point."""

    subject: Subject
    place: Place
    faults: Mapping[int, Fault] = field(factory=dict)

    def __str__(self) -> str:
        events = ", ".join(f"{number} {fault}" for number, fault in sorted(self.faults.items()))
        return f"{self.subject.name} on {self.place.name}: {events or 'nothing'}"

    def play(self) -> Sequence[str]:
        """What it violates; empty where all holds."""
        return Scene(self.subject, self.place, self.faults).play()

    def points(self) -> Sequence[Point]:
        """The points that it comes by."""
        scene = Scene(self.subject, self.place, self.faults)
        scene.play()
        return scene.trouble.points


@frozen
class Found:
    """A schedule, shortened as far as it goes, and what it violates."""

    schedule: Schedule
    violations: Sequence[str]

    def __str__(self) -> str:
        lines = "\n  ".join(self.violations)
        return f"{self.schedule}\n  {lines}\n  replay: nox -s explore -- --replay '{self.schedule}'"


def parse(text: str, subjects: Sequence[Subject], places: Sequence[Place] = ()) -> Schedule:
    """The schedule that a text describes. Raises ConfigError where it describes none."""
    places = places or (*PLACES, WORKERS)
    found = re.fullmatch(r"(\S+) on (\S+): (.*)", text.strip())
    subject = next((s for s in subjects if found and s.name == found[1]), None)
    place = next((p for p in places if found and p.name == found[2]), None)
    if found is None or subject is None or place is None:
        raise ConfigError(
            "this is no schedule",
            found=text,
            expected="STRATEGY on PLACE: POINT FAULT, …",
            remedy=f"strategies: {', '.join(s.name for s in subjects)}; "
            f"places: {', '.join(p.name for p in places)}; faults: {', '.join(Fault)}",
        )
    faults: dict[int, Fault] = {}
    for event in filter(None, found[3].replace("nothing", "").split(",")):
        number, _, fault = event.strip().partition(" ")
        faults[int(number)] = Fault(fault)
    return Schedule(subject=subject, place=place, faults=faults)


def fits(subject: Subject, place: Place) -> bool:
    """Whether the strategy works there at all: an undisturbed deployment succeeds."""
    return not Schedule(subject=subject, place=place).play()


def singles(subject: Subject, place: Place) -> Iterator[Schedule]:
    """Every fault at every point."""
    calm = Schedule(subject=subject, place=place)
    for point in telling(calm.points()):
        for fault in applicable(point, place):
            yield evolve(calm, faults={point.number: fault})


def telling(points: Sequence[Point]) -> Iterator[Point]:
    """All points, but of a long row of the same looks only the first two rounds and the last."""
    first = 0
    for number, point in enumerate(points):
        if point.kind != "read":
            first = number + 1
        later = next((p for p in points[number : number + ROUND + 1] if p.kind != "read"), None)
        if number < first + 2 * ROUND or later is not None or number + ROUND >= len(points):
            yield point


def applicable(point: Point, place: Place) -> Sequence[Fault]:
    """The faults that mean something at a point of this place."""
    own = {"write": WRITES, "read": READS}.get(point.kind, ())
    cas = place.rules.capabilities.cas
    return [fault for fault in (*own, *ANYWHERE) if cas or fault is not Fault.CONFLICT]


def unanswered_pairs(subject: Subject, place: Place) -> Iterator[Schedule]:
    """Every unanswered write with every crash, abort, foreign write and stolen lock in the next points."""
    calm = Schedule(subject=subject, place=place)
    for point in calm.points():
        if point.kind != "write":
            continue
        for fault in UNANSWERED:
            for number in range(point.number + 1, point.number + 1 + NEXT):
                for second in AFTER_UNANSWERED:
                    yield evolve(calm, faults={point.number: fault, number: second})


def drawn(subject: Subject, place: Place, seed: int, faults: int = 2) -> Iterator[Schedule]:
    """So many faults anywhere, for ever: the same seed draws the same schedules."""
    chance = random.Random(seed)  # noqa: S311 - schedules, no secrets
    calm = Schedule(subject=subject, place=place)
    points = calm.points()
    while True:
        chosen = chance.sample(points, min(faults, len(points)))
        yield evolve(calm, faults={point.number: chance.choice(applicable(point, place)) for point in chosen})


def first_harm(schedules: Iterator[Schedule]) -> tuple[int, Found | None]:
    """Play until something is violated: how many were played, and what was found, shortened."""
    played = 0
    for schedule in schedules:
        played += 1
        if violations := schedule.play():
            return played, shortened(Found(schedule, violations))
    return played, None


def shortened(found: Found) -> Found:
    """The same harm with fewer faults, where fewer suffice."""
    for number in found.schedule.faults:
        fewer = {n: fault for n, fault in found.schedule.faults.items() if n != number}
        schedule = evolve(found.schedule, faults=fewer)
        if violations := schedule.play():
            return shortened(Found(schedule, violations))
    return found
