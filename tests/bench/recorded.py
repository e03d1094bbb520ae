"""What was found before, for `verdicts.py`: by an independent implementation of the same test.

From the house's own simulations, which drew whole arrays of counts and knew nothing of this code; they
came before it. Good canaries were tried 3,000 to 4,000 times a cell, bad ones 600 to 1,000 times,
Kayenta's (written anew after its source) 200 to 300 times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen
from canaries import BROKEN, Kind, Noise, Scenario

RUNS_GOOD, RUNS_BAD = 3000, 600
"""How often they were tried, at the least."""

CLEAN = Noise(name="clean")
VARYING = Noise(name="beta-binomial CV .5", kind=Kind.VARYING, size=0.5)
BURSTS_OF_3 = Noise(name="bursts of 3", kind=Kind.BURSTS, size=3)
BURSTS_OF_10 = Noise(name="bursts of 10", kind=Kind.BURSTS, size=10)

NOISES = (
    CLEAN,
    Noise(name="diurnal", diurnal=True),
    Noise(name="drift x4", drift=4),
    VARYING,
    BURSTS_OF_3,
    BURSTS_OF_10,
    Noise(name="AR(1) CV .3", kind=Kind.WANDERING, size=0.3),
)

CELLS = tuple((rps, rate) for rps in (5, 50, 500, 5000) for rate in (0.001, 0.01))

WORST: Mapping[str, Sequence[float]] = {
    "sequential 1.25": (0.1, 0, 0.1, 0, 0.3, 0.3, 37),
    "sequential 1.5": (0.1, 0, 0, 0, 0.2, 0.2, 13),
    "sequential 2": (0, 0, 0.1, 0, 0.2, 0.1, 1.2),
    "threshold 5 %": (),
    "Argo >5 %, 0": (20, 36, 64, 21, 70, 77, 22),
    "Argo >5 %, 1": (1.4, 8.9, 25, 2.1, 31, 43, 2.2),
    "Argo >5 %, 3": (0, 0.2, 1.4, 0, 2.6, 5, 0),
    "Argo >1 %, 1": (12, 14, 36, 13, 15, 14, 13),
    "Flagger <99 %, 5": (0, 0.2, 0.5, 0.1, 0.1, 0, 0),
    "Kayenta .05": (2.7, 0.3, 1.0, 2.7, 2.3, 2.3, 22),
    "Kayenta .02": (1.0, 0, 0.7, 0, 0.7, 0.3, 15),
}
"""The worst of the cells by judge, in percent, in the order of NOISES. The bounds of 1 % at an error rate
of 0.1 % only. Nothing was recorded of uno's own bounds."""


@frozen
class Recorded:
    """caught: percent. median: seconds until then. bad: answers in the mean, until then or the end."""

    caught: float | None = None
    median: float | None = None
    bad: float | None = None


CAUGHT = (
    "sequential 1.25",
    "sequential 1.5",
    "threshold 5 %",
    "Argo >5 %, 1",
    "Flagger <99 %, 5",
    "Kayenta .02",
)


def _bad(rps: float, error_rate: float, ratio: float, noise: Noise = CLEAN, onset: float = 0.0) -> Scenario:
    return Scenario(noise=noise, rps=rps, error_rate=error_rate, ratio=ratio, onset=onset)


def _row(*values: tuple[float | None, ...]) -> Mapping[str, Recorded]:
    judges = ("Argo >5 %, 1", "Flagger <99 %, 5", "Kayenta .02", "sequential 1.25", "sequential 1.5")
    return {judge: Recorded(*value) for judge, value in zip(judges, values, strict=True)}


BAD: Mapping[Scenario, Mapping[str, Recorded]] = {
    _bad(5, 0.001, 20): _row((23, 360, 61), (100, 480, 9), (81, 1200, 44), (99, 440, 9), (98, 490, 12)),
    _bad(5, 0.001, BROKEN): _row(
        (100, 120, 60), (100, 300, 150), (98, 300, 346), (100, 20, 10), (100, 20, 10)
    ),
    _bad(50, 0.001, 2): _row((0,), (0,), (11, 900, 73), (3, 790, 76), (0.3,)),
    _bad(50, 0.001, 5): _row((0, None, 196), (0, None, 196), (100, 600, 42), (99.7, 510, 26), (95, 610, 42)),
    _bad(50, 0.001, 20): _row((0, None, 779), (100, 300, 37), (100, 300, 40), (100, 60, 8), (100, 70, 8)),
    _bad(50, 0.001, BROKEN): _row(
        (100, 120, 600), (100, 300, 1501), (100, 300, 1507), (100, 20, 101), (100, 20, 101)
    ),
    _bad(50, 0.01, 2): _row((0,), (), (100, 600, 134), (92, 680, 216), (25, 870, 649)),
    _bad(500, 0.001, 5): _row(
        (0, None, 1947), (0, None, 1947), (100, 300, 82), (100, 80, 20), (100, 100, 26)
    ),
    _bad(500, 0.01, 2): _row((0,), (), (100, 300, 308), (100, 120, 131), (100, 310, 356)),
    _bad(500, 0.001, BROKEN): _row(
        (100, 120, 5999), (100, 300, 14996), (100, 300, 15005), (100, 10, 501), (100, 10, 501)
    ),
    _bad(5000, 0.001, 1.5): _row((0,), (0,), (100, 300, 401), (96, 570, 1126), (0,)),
    _bad(5000, 0.001, 5): _row(
        (0, None, 19496), (0, None, 19496), (100, 300, 753), (100, 20, 51), (100, 20, 54)
    ),
    _bad(5000, 0.001, BROKEN): _row(
        (100, 120, 59992), (100, 300, 149996), (100, 300, 150014), (100, 10, 4998), (100, 10, 4998)
    ),
    _bad(500, 0.001, 5, BURSTS_OF_3): _row((), (), (None, 600, 221), (None, 290, 91), ()),
    _bad(500, 0.001, 5, VARYING): _row((), (), (None, 300, 94), (None, 130, 35), ()),
    _bad(500, 0.001, 5, BURSTS_OF_10): _row((), (), (95,), (83,), ()),
    _bad(500, 0.01, 2, onset=600): _row((), (), (), (100, 700), ()),
    _bad(500, 0.001, 2, VARYING): _row((), (), (99.7,), (69,), ()),
}
