"""A/A: the old release held against itself. Whatever is rolled back there is rolled back falsely."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

from attrs import evolve, frozen

from uno_core import ConfigError, Figures, Window
from uno_judge_sequential.drawing import binomial
from uno_judge_sequential.options import SequentialOptions
from uno_judge_sequential.power.odds import most
from uno_judge_sequential.reading import Reading

STRETCH = 150
"""Windows of one try: a canary of 25 minutes, looked at every ten seconds."""

BEFORE = 30
"""Windows before a try that are its baseline, as many as a deployment asks for."""

LEAST = 20
"""Windows of the old release below which there is nothing to learn."""

FEW_BAD = 30
"""Bad answers below which a history says little of how they come."""


@frozen(kw_only=True)
class Halves:
    """How often one margin rolled back what was the same on both sides.

    by_request: each answer went to either half by chance, as a router does it; bursts of errors hit both.
    by_window: each window stands against the next one; a burst hits one side alone, and so does whatever
    changes from one window to the next: this is the careful one.
    """

    margin: float
    runs: int
    by_request: int
    by_window: int

    def as_json(self) -> Mapping[str, Any]:
        """A row of the document."""
        return {
            "margin": self.margin,
            "runs": self.runs,
            "by_request": self.by_request,
            "by_window": self.by_window,
            "by_request_at_most": round(most(self.by_request, self.runs), 6),
            "by_window_at_most": round(most(self.by_window, self.runs), 6),
        }


@frozen(kw_only=True)
class Split:
    """The table of `--split-stable`: a row for each margin, the smallest first.

    bad: bad answers in all of the history; with a few only it says little.
    """

    alpha: float
    windows: int
    bad: float
    rows: Sequence[Halves]

    @property
    def smallest(self) -> float | None:
        """The smallest margin whose false rollbacks stay within alpha both ways; None: none of these does."""
        for row in self.rows:
            if max(row.by_request, row.by_window) <= self.alpha * row.runs:
                return row.margin
        return None


def split(
    windows: Sequence[Window], options: Sequence[SequentialOptions], *, runs: int, seed: int, where: str
) -> Split:
    """Try every margin so often on stretches of what the stable slot did. Latency is left out.

    Raises ConfigError for a history that is too short.
    """
    history = [window for window in windows if window.stable is not None and window.stable.requests > 0]
    if len(history) < LEAST:
        raise ConfigError(
            "there is too little of the old release to split",
            found=f"{len(history)} windows with requests of the stable slot",
            expected=f"at least {LEAST}",
            where=where,
            remedy="a longer history: six hours are good",
        )
    rows = [_row(history, one, runs=runs, seed=seed) for one in sorted(options, key=lambda o: o.margin)]
    bad = math.fsum(_stable(window).errors for window in history)
    return Split(alpha=options[0].alpha, windows=len(history), bad=bad, rows=rows)


def _row(history: Sequence[Window], options: SequentialOptions, *, runs: int, seed: int) -> Halves:
    plain = evolve(options, latency=False)
    by_request = by_window = 0
    for number in range(runs):
        # The same halves for every margin, so that a greater one never comes out worse by luck.
        rng = Random(f"{seed}/{number}")  # noqa: S311 - a simulation, no secrets
        by_request += _crossed(_requests(history, rng), plain)
        by_window += _crossed(_neighbours(history, rng), plain)
    return Halves(margin=options.margin, runs=runs, by_request=by_request, by_window=by_window)


def _crossed(windows: Iterable[Window], options: SequentialOptions) -> bool:
    reading = Reading(options)
    for window in windows:
        reading.read(window)
        if reading.crossed:
            return True
    return False


def _requests(history: Sequence[Window], rng: Random) -> Iterable[Window]:
    before, stretch = _stretch(history, STRETCH, rng)
    yield from before
    for window in stretch:
        figures = _stable(window)
        bad, good = whole(rng, figures.errors), whole(rng, figures.requests - figures.errors)
        bad_c, good_c = binomial(rng, bad, 0.5), binomial(rng, good, 0.5)
        candidate = Figures(requests=bad_c + good_c, errors=bad_c)
        rest = Figures(requests=bad + good - candidate.requests, errors=bad - bad_c)
        yield evolve(window, candidate=candidate, stable=rest, share=50.0, baseline=False)


def _neighbours(history: Sequence[Window], rng: Random) -> Iterable[Window]:
    before, stretch = _stretch(history, 2 * STRETCH, rng)
    yield from before
    for one, two in zip(stretch[::2], stretch[1::2], strict=False):
        mine, other = (one, two) if rng.random() < 0.5 else (two, one)
        yield evolve(one, candidate=_stable(mine), stable=_stable(other), share=50.0, baseline=False)


def _stretch(
    history: Sequence[Window], length: int, rng: Random
) -> tuple[Sequence[Window], Sequence[Window]]:
    """A stretch of so many windows at the most, and the baseline: what was before it."""
    begin = rng.randrange(max(0, len(history) - length) + 1)
    before = [
        evolve(window, candidate=Figures(), stable=_stable(window), share=0.0, baseline=True)
        for window in history[max(0, begin - BEFORE) : begin]
    ]
    return before, history[begin : begin + length]


def _stable(window: Window) -> Figures:
    """The counts of the stable slot, of which there are some, and no more errors than requests."""
    figures = window.stable or Figures()
    return Figures(requests=figures.requests, errors=min(figures.errors, figures.requests))


def whole(rng: Random, count: float) -> int:
    """A whole count that is the fractional one in the mean."""
    least = math.floor(count)
    return least + (rng.random() < count - least)
