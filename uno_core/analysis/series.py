"""How much one counter grew in a window, out of the samples that somebody else took of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from attrs import frozen

Sample = tuple[float, float]
"""When it was taken, in seconds, and what the counter said."""


@frozen
class Growth:
    """How much a counter grew. amount: None where nothing is known of it, which is not 0.

    why: what is not known, in words; empty where nothing is missing. It stands beside an amount where
    the counter's first value was left out, because nobody knows from what it had grown.
    """

    amount: float | None
    why: str = ""


def grown(samples: Sequence[Sample], start: float, end: float, *, from_zero: bool = False) -> Growth:
    """How much a counter grew between its last samples at or before `start` and at or before `end`.

    Nothing is extrapolated: windows that follow each other share no growth and lose none, and one that
    was not sampled is made up for by the next. A value below the one before it is that of a counter that
    began again at zero, so that all of it is growth. A counter that vanished is counted up to its last
    sample.

    samples: in the order of time, and from far enough back to hold one from before `start`. from_zero:
    the counter is known to have been 0, or not there, where it has no sample at or before `start`.
    Without it the first value says nothing, and only what came on top of it counts. A sample that is no
    number, infinite, or less than nothing makes the window unknown.
    """
    before = [value for at, value in samples if at <= start]
    within = [value for at, value in samples if start < at <= end]
    if not within:
        absent = from_zero and not before
        return Growth(0.0) if absent else Growth(None, "it has no sample in the window")
    known = before[-1:] or ([0.0] if from_zero else [])
    if bad := [value for value in (*known, *within) if not (math.isfinite(value) and value >= 0)]:
        return Growth(None, f"a sample is {bad[0]:g}")
    steps = (now - last if now >= last else now for last, now in pairwise([*known, *within]))
    why = "" if known else f"it began within the window, and its first value {within[0]:g} was left out"
    return Growth(math.fsum(steps), why)
