"""How much more counts vary than independent answers would: errors that come in bursts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

MOST = 50.0
"""A dispersion beyond it is not believed: it would silence the test for good."""

SHRINKAGE = 10.0
"""Windows that the history counts for, beside those of the deployment."""

LEAST_PAIRS = 10
"""Pairs of windows with errors below which a history says nothing."""


class Dispersion:
    """The dispersion phi of the counts of both slots, from windows that were seen before.

        phi = min(50, max(1, (10 phi0 + S) / (10 + m)))

    S is the sum over the m windows with M = x_c + x_s > 0 of (x_c - M t)^2 / (M t (1 - t)), with
    t = q n_c / (q n_c + n_s) and q the running ratio of both rates: Pearson's statistic of the split of
    the bad answers, so that a difference between the slots that stays is not taken for noise. Each slot
    is seeded with half an error in 0.5/p requests, p = (M_1 + 0.5)/N_1 of the first window, which does
    not count itself. An approximation for answers that come in bursts, no theorem.
    """

    def __init__(self, phi0: float = 1.0) -> None:
        if not (math.isfinite(phi0) and phi0 >= 1):
            raise ValueError(f"phi0 = {phi0!r}: expected a finite dispersion of at least 1")
        self._phi0 = phi0
        self._sum = 0.0
        self._windows = 0
        self._seen: list[float] = []

    @property
    def phi(self) -> float:
        """The dispersion that the windows so far show, from 1 to 50: for the next window, not theirs."""
        found = (SHRINKAGE * self._phi0 + self._sum) / (SHRINKAGE + self._windows)
        return min(MOST, max(1.0, found))

    def update(self, x_c: float, n_c: float, x_s: float, n_s: float) -> None:
        """One more window: bad answers and requests of canary and stable. Windows without both are let be."""
        if not (n_c > 0 and n_s > 0):
            return
        bad = x_c + x_s
        if not self._seen:
            seeded = 0.5 / ((bad + 0.5) / (n_c + n_s))
            self._seen = [0.5, seeded, 0.5, seeded]
        elif bad > 0:
            bad_c, all_c, bad_s, all_s = self._seen
            ratio = (bad_c / all_c) / (bad_s / all_s)
            share = ratio * n_c / (ratio * n_c + n_s)
            # Slots so unequal that one has all of it, as far as floats can tell: there is no split to vary.
            if spread := bad * share * (1 - share):
                self._sum += (x_c - bad * share) ** 2 / spread
                self._windows += 1
        self._seen = [old + new for old, new in zip(self._seen, (x_c, n_c, x_s, n_s), strict=True)]


def history_dispersion(windows: Sequence[tuple[float, float]]) -> float:
    """phi0 out of successive windows of one slot and of one length: (bad answers, requests) each.

    The mean of (x_1/n_1 - x_0/n_0)^2 / [p (1/n_0 + 1/n_1)], p pooled, over successive pairs with errors;
    at least 1, and 1 where there are fewer than ten such pairs. Six to 24 hours are a good history.
    """
    found = []
    for (x_0, n_0), (x_1, n_1) in pairwise(windows):
        if n_0 > 0 and n_1 > 0 and x_0 + x_1 > 0:
            pooled = (x_0 + x_1) / (n_0 + n_1)
            found.append((x_1 / n_1 - x_0 / n_0) ** 2 / (pooled * (1 / n_0 + 1 / n_1)))
    return max(1.0, math.fsum(found) / len(found)) if len(found) >= LEAST_PAIRS else 1.0
