"""`nox -s explore`: everything that the tests only sample, for as long as it may take."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, islice

from tests.exploration.subjects import ALL, OURS
from uno_core.rules import RULES, without
from uno_core.simulation.exploration import (
    PLACES,
    Schedule,
    drawn,
    first_harm,
    fits,
    parse,
    singles,
    unanswered_pairs,
)

DRAWN = 200
"""Drawn schedules of one task."""


def tasks(seed: int) -> Iterator[tuple[str, str, str, int]]:
    """What is to be explored: kind, strategy, place, seed; the exhaustive ones first, then drawn for ever."""
    for kind in ("singles", "pairs"):
        for subject in OURS:
            for place in PLACES:
                yield kind, subject.name, place.name, 0
    while True:
        for subject in OURS:
            for place in PLACES:
                yield "drawn", subject.name, place.name, seed
        seed += 1


def work(task: tuple[str, str, str, int]) -> tuple[int, str]:
    """How many schedules were played, and the harm that was found."""
    kind, name, where, seed = task
    subject = next(s for s in OURS if s.name == name)
    place = next(p for p in PLACES if p.name == where)
    if not fits(subject, place):
        return 1, f"{name} on {where}: an undisturbed deployment fails"
    schedules = {
        "singles": lambda: singles(subject, place),
        "pairs": lambda: unanswered_pairs(subject, place),
        "drawn": lambda: chain(
            islice(drawn(subject, place, seed), DRAWN), islice(drawn(subject, place, seed, 3), DRAWN)
        ),
    }[kind]()
    played, found = first_harm(schedules)
    return played, str(found) if found else ""


def explore(seconds: float, seed: int) -> int:
    """Play until the time is over; the exit code."""
    began, played, harms = time.monotonic(), {"singles": 0, "pairs": 0, "drawn": 0}, 0
    waiting = tasks(seed)
    with ProcessPoolExecutor() as pool:
        while time.monotonic() - began < seconds:
            batch = list(islice(waiting, 8))
            for task, (count, harm) in zip(batch, pool.map(work, batch), strict=True):
                played[task[0]] += count
                if harm:
                    harms += 1
                    print(harm, flush=True)
    took = time.monotonic() - began
    print(
        f"{sum(played.values()):,} schedules in {took:.0f} s ({sum(played.values()) / took:.0f} a second): "
        + ", ".join(f"{count:,} {kind}" for kind, count in played.items())
        + f"; {harms} did harm"
    )
    return 1 if harms else 0


def replay(text: str) -> int:
    """Play one schedule, and tell all of it."""
    from uno_core.simulation.scene import Scene

    schedule = parse(text, ALL)
    scene = Scene(schedule.subject, schedule.place, schedule.faults)
    violations = scene.play()
    for point in scene.trouble.points:
        if point.kind != "read" or point.number in schedule.faults:
            fault = schedule.faults.get(point.number, "")
            print(f"{point.number:>4} {point.kind:<8} {point.what} {fault}")
    for event in scene.stage.events:
        print(f"{event.at:>8.1f} s {event.kind} {dict(event.data)}"[:200])
    for violation in violations:
        print("VIOLATED", violation)
    return 1 if violations else 0


def search(rule: str, seconds: float) -> int:
    """Find a short schedule that does harm without a rule."""
    end = time.monotonic() + seconds
    best: Schedule | None = None
    with without(rule):
        for subject in ALL:
            for place in PLACES[:2]:
                calm = Schedule(subject=subject, place=place)
                candidates = chain([calm], singles(subject, place), unanswered_pairs(subject, place))
                for schedule in candidates:
                    if time.monotonic() > end or (best and len(best.faults) <= len(schedule.faults)):
                        break
                    _, found = first_harm(iter([schedule]))
                    if found:
                        best = found.schedule
                        print(found)
    return 0 if best else 1


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="nox -s explore --", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to explore")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn")
    parser.add_argument("--replay", metavar="SCHEDULE", help="play one, and tell all of it")
    parser.add_argument(
        "--without", metavar="RULE", choices=sorted(RULES), help="look for the harm without it"
    )
    given = parser.parse_args(arguments)
    if given.replay:
        return replay(given.replay)
    if given.without:
        return search(given.without, given.seconds)
    return explore(given.seconds, given.seed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
