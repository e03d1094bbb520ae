"""The tests by betting: mixtures of likelihood ratios whose product is an e-process.

An e-process E starts at 1 and, while the null hypothesis holds, is not expected to grow; so by Ville's
inequality P(E ever reaches 1/alpha) <= alpha, however often and whenever it is looked at (Ramdas,
Grünwald, Vovk, Shafer 2023, "Game-theoretic statistics and safe anytime-valid inference"). All values
are natural logarithms, so that nothing overflows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

GRID = tuple(math.exp(math.log(1.25) + j / 23 * math.log(800.0)) for j in range(24))
"""The alternatives: 24 ratios from 1.25 to 1000, evenly spread on a logarithmic scale."""

_LOG_GRID = tuple(map(math.log, GRID))


class _Mixture:
    """A uniform mixture over the grid, and a reserve that keeps betting anew.

    Start: A_j = w0/J, R = 1 - w0. Per window: A_j <- (A_j + h R/J) exp(l_j), R <- (1 - h) R, and
    E = sum of A_j + R. The reserve is what finds a regression that begins late.
    """

    def __init__(self, w0: float, h: float) -> None:
        if not (0 < w0 <= 1 and 0 <= h < 1):
            raise ValueError(f"w0 = {w0:g}, h = {h:g}: expected 0 < w0 <= 1 and 0 <= h < 1")
        count = len(GRID)
        self._bets = [math.log(w0 / count)] * count
        self._reserve = math.log(1 - w0) if w0 < 1 else -math.inf
        self._again = math.log(h / count) if h else -math.inf
        self._kept = math.log1p(-h)

    def bet(self, logs: Sequence[float]) -> float:
        """Move on by one window, given the log-likelihood ratio of each alternative; the log of E."""
        fresh = self._again + self._reserve
        self._bets = [_added(bet, fresh) + log for bet, log in zip(self._bets, logs, strict=True)]
        self._reserve += self._kept
        return self.log_e

    @property
    def log_e(self) -> float:
        """The log of E now."""
        return _sum([*self._bets, self._reserve])


class RatioTest:
    """H0: the canary's rate of bad answers is at most `rho` times the stable slot's, window by window.

    The rates may change from window to window in any way, as long as they do in both slots (traffic,
    time of day, a common outage). Per window and alternative K:

        l = min(clip, [x_c ln K - (x_c + x_s) ln((rho K n_c + n_s) / (rho n_c + n_s))] / phi)

    and 0 where a slot had no requests, or nothing was bad. For independent answers and phi = 1 the
    expectation of exp(l) under H0 is at most 1, at any rate of errors: a theorem (Bernoulli arms;
    enumerated in the tests). Division by a phi >= 1 and the clip only lower E; a phi that was estimated
    makes it an approximation, that holds for answers which come in bursts.

    rho: the margin, a ratio. clip: the most that one window may add to the log, None for no limit; the
    judge passes ln(1/(2 alpha)), so that no single window decides. w0, h: how much is bet from the
    beginning, and anew per window, as shares. Skipping windows is the caller's business.
    """

    def __init__(self, rho: float = 1.5, clip: float | None = None, w0: float = 0.5, h: float = 0.01) -> None:
        if not (math.isfinite(rho) and rho >= 1):
            raise ValueError(f"rho = {rho!r}: expected a finite ratio of at least 1")
        self._rho = rho
        self._clip = math.inf if clip is None else clip
        self._mixture = _Mixture(w0, h)

    def update(self, x_c: float, n_c: float, x_s: float, n_s: float, phi: float = 1.0) -> float:
        """One window: bad answers and requests of canary and stable; returns the natural log of E.

        Counts may be fractions. Raises ValueError for what cannot be a count, or a phi below 1.
        """
        _check(x_c, n_c, "canary")
        _check(x_s, n_s, "stable")
        _check_phi(phi)
        bad = x_c + x_s
        if not (n_c and n_s and bad):
            return self._mixture.bet([0.0] * len(GRID))
        weight = self._rho * n_c
        below = math.log(weight + n_s)
        clip = self._clip
        return self._mixture.bet(
            [
                min(clip, (x_c * log - bad * (math.log(weight * k + n_s) - below)) / phi)
                for k, log in zip(GRID, _LOG_GRID, strict=True)
            ]
        )


class FloorTest:
    """H0: the rate of bad answers is at most p0, whatever the other slot does.

    The same mixture and restarts as `RatioTest`, no clip; per window and alternative, with q the
    probability whose odds are K times those of p0,

        l = [x ln(q/p0) + (n - x) ln((1 - q)/(1 - p0))] / phi

    With p0 = 0.25 it is a trip-wire for a release that is broken; with p0 = an SLO its bound. A theorem
    for independent answers; for others as good as phi.
    """

    def __init__(self, p0: float, w0: float = 0.5, h: float = 0.01) -> None:
        if not 0 < p0 < 1:
            raise ValueError(f"p0 = {p0!r}: expected a share between 0 and 1")
        odds = p0 / (1 - p0)
        shares = [k * odds / (1 + k * odds) for k in GRID]
        self._bad = [math.log(q / p0) for q in shares]
        # 1 - q = 1/(1 + K odds): written so that it does not vanish where q rounds to 1.
        self._good = [-math.log1p(k * odds) - math.log1p(-p0) for k in GRID]
        self._mixture = _Mixture(w0, h)

    def update(self, x: float, n: float, phi: float = 1.0) -> float:
        """One window: bad answers and requests; returns the natural log of E.

        Raises ValueError for what cannot be a count, or a phi below 1.
        """
        _check(x, n, "canary")
        _check_phi(phi)
        good = n - x
        return self._mixture.bet(
            [(x * bad + good * fine) / phi for bad, fine in zip(self._bad, self._good, strict=True)]
        )


def combine(log_es: Sequence[float], weights: Sequence[float]) -> float:
    """The natural log of the weighted mean of e-values: ln sum w_i E_i; the weights sum to 1.

    Valid whatever the tests have to do with one another, and the only way of merging e-values that no
    other improves on (Wang 2024, arXiv 2409.19888). Raises ValueError for weights that do not sum to 1.
    """
    if len(log_es) != len(weights) or min(weights, default=-1.0) < 0 or abs(sum(weights) - 1) > 1e-9:
        raise ValueError(
            f"weights {list(weights)}: expected one for each of {len(log_es)} values, summing to 1"
        )
    return _sum([log + math.log(weight) for log, weight in zip(log_es, weights, strict=True) if weight])


def _added(one: float, two: float) -> float:
    """ln(exp(one) + exp(two))."""
    if one < two:
        one, two = two, one
    return one if two == -math.inf else one + math.log1p(math.exp(two - one))


def _sum(logs: Sequence[float]) -> float:
    top = max(logs)
    return top if math.isinf(top) else top + math.log(math.fsum(math.exp(log - top) for log in logs))


def _check(bad: float, requests: float, slot: str) -> None:
    # One chain of comparisons, that NaN fails too: this is on the way of every window.
    if not 0 <= bad <= requests < math.inf:
        raise ValueError(f"{bad!r} bad of {requests!r} requests of the {slot}: expected 0 <= bad <= requests")


def _check_phi(phi: float) -> None:
    if not 1 <= phi < math.inf:
        raise ValueError(f"phi = {phi!r}: expected a finite dispersion of at least 1")
