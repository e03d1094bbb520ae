"""Many canaries: how many are caught, when, and at what cost; and the smallest regression that is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

from attrs import frozen

from uno_judge_sequential.options import SequentialOptions
from uno_judge_sequential.power.canaries import Canary, Ended, tried

RATIOS = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0)
WANTED = 0.9
"""Caught nine times in ten counts as caught."""

CLOSE = 1.03
"""The smallest regression is searched for until two ratios are as close as this."""


@frozen(kw_only=True)
class Odds:
    """What became of canaries of one error rate. ratio: to that of the old release; None: all is bad.

    caught: how many went back. median, ninth: seconds until half, and nine in ten, of those were caught.
    bad: answers that a canary served in the mean. needed: requests of the new release until nine in ten
    of all canaries were caught; None where so many never were.
    """

    ratio: float | None
    error_rate: float
    runs: int
    caught: int
    median: float | None
    ninth: float | None
    bad: float
    needed: float | None

    @property
    def share(self) -> float:
        """The share that was caught."""
        return self.caught / self.runs

    def as_json(self) -> Mapping[str, Any]:
        """A row of the table, as a document."""
        return {
            "ratio": self.ratio,
            "error_rate": self.error_rate,
            "runs": self.runs,
            "caught": self.caught,
            "median_seconds": self.median,
            "p90_seconds": self.ninth,
            "bad_answers": round(self.bad, 1),
            "requests_needed": None if self.needed is None else math.ceil(self.needed),
        }

    @property
    def at_most(self) -> float:
        """What the chance of being caught is at the most, nineteen times in twenty."""
        return most(self.caught, self.runs)


@frozen(kw_only=True)
class Trial:
    """Tries canaries with the judge's options, so and so many, always the same for the same seed."""

    options: SequentialOptions
    runs: int
    seed: int

    def odds(self, canary: Canary, ratio: float | None) -> Odds:
        """How a new release fares whose error rate is so many times the old one's; None: 100 %."""
        rate = 1.0 if ratio is None else min(1.0, ratio * canary.error_rate)
        return _odds(list(self._all(canary, rate)), ratio, rate)

    def catches(self, canary: Canary, ratio: float | None) -> bool:
        """Whether nine in ten are caught. Ends with the one that got away too much."""
        rate = 1.0 if ratio is None else min(1.0, ratio * canary.error_rate)
        left = self.runs - math.ceil(WANTED * self.runs)
        for ended in self._all(canary, rate):
            left -= ended.caught is None
            if left < 0:
                return False
        return True

    def smallest(self, canary: Canary, known: Sequence[Odds]) -> float | None:
        """The smallest ratio that is caught nine times in ten, to 3 %; None where there is none.

        known: what was tried already, which tells where to search.
        """
        top = 1 / canary.error_rate
        found = sorted((odds.ratio or top, odds.share >= WANTED) for odds in known)
        caught = [ratio for ratio, good in found if good]
        if not caught:
            return None
        high = caught[0]
        low = max((ratio for ratio, good in found if not good and ratio < high), default=1.0)
        while high / low > CLOSE:
            middle = math.sqrt(low * high)
            if self.catches(canary, middle):
                high = middle
            else:
                low = middle
        return high

    def _all(self, canary: Canary, rate: float) -> Iterator[Ended]:
        # Each canary has a seed of its own: the same luck for every ratio makes their order come out right.
        for number in range(self.runs):
            rng = Random(f"{self.seed}/{number}")  # noqa: S311 - a simulation, no secrets
            yield tried(canary, self.options, rate, rng)


def _odds(ended: Sequence[Ended], ratio: float | None, rate: float) -> Odds:
    times = sorted(one.caught for one in ended if one.caught is not None)
    needed = quantile([one.compared if one.caught is not None else math.inf for one in ended], WANTED)
    return Odds(
        ratio=ratio,
        error_rate=rate,
        runs=len(ended),
        caught=len(times),
        median=quantile(times, 0.5) if times else None,
        ninth=quantile(times, WANTED) if times else None,
        bad=sum(one.bad for one in ended) / len(ended),
        needed=needed if math.isfinite(needed) else None,
    )


def quantile(values: Iterable[float], share: float) -> float:
    """The least of the values that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]


def most(happened: int, runs: int) -> float:
    """The greatest chance that is believable, nineteen times in twenty, of what happened so often.

    The upper limit of Clopper and Pearson: the chance with which so few come about once in twenty.
    """
    if happened >= runs:
        return 1.0
    low, high = happened / runs, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(happened, runs, middle) > 0.05:
            low = middle
        else:
            high = middle
    return high


def _at_most(happened: int, runs: int, chance: float) -> float:
    """The probability of so many or fewer, of so many runs."""
    if chance <= 0:
        return 1.0
    if chance >= 1:
        return 0.0
    hit, miss = math.log(chance), math.log1p(-chance)
    return math.fsum(
        math.exp(
            math.lgamma(runs + 1)
            - math.lgamma(k + 1)
            - math.lgamma(runs - k + 1)
            + k * hit
            + (runs - k) * miss
        )
        for k in range(happened + 1)
    )
