"""Random counts that are exactly of their distributions, out of nothing but `random.Random`."""

from __future__ import annotations

import math
from random import Random

_SMALL_MEAN = 10.0
"""Below it, multiplying uniform numbers is quicker, and the rejection below is not made for it."""

_FEW = 2048
"""Trials that are cheaper to make one by one than to halve."""

_BITS = 1 << 20
"""Coins that are drawn at once."""


def poisson(rng: Random, mean: float) -> int:
    """A Poisson count of this mean, at least 0 and finite.

    Of small means by products of uniform numbers (Knuth), of others by transformed rejection (Hörmann
    1993, "The transformed rejection method for generating Poisson random variables", PTRS): constant
    cost, and no approximation.
    """
    if mean < _SMALL_MEAN:
        return _poisson_by_products(rng, mean)
    root, log_mean = math.sqrt(mean), math.log(mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    log_inverse_alpha = math.log(1.1239 + 1.1328 / (b - 3.4))
    squeeze = 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = rng.random() - 0.5, 1.0 - rng.random()
        edge = 0.5 - abs(u)
        if edge <= 0:
            continue
        k = math.floor((2 * a / edge + b) * u + mean + 0.43)
        if edge >= 0.07 and v <= squeeze:
            return k
        if k < 0 or (edge < 0.013 and v > edge):
            continue
        tried = math.log(v) + log_inverse_alpha - math.log(a / (edge * edge) + b)
        if tried <= k * log_mean - mean - math.lgamma(k + 1):
            return k


def _poisson_by_products(rng: Random, mean: float) -> int:
    least, product, count = math.exp(-mean), rng.random(), 0
    while product > least:
        product *= rng.random()
        count += 1
    return count


def binomial(rng: Random, trials: int, chance: float) -> int:
    """How many of so many trials succeed.

    Many trials are halved by their median: of n uniform numbers the i-th smallest is Beta(i, n + 1 - i),
    and given it those on either side are uniform again. So a count of a million takes ten steps.
    """
    if chance == 0.5 and 0 < trials <= _BITS:  # a coin: one random bit a trial
        return rng.getrandbits(trials).bit_count()
    got = 0
    while trials > _FEW:
        middle = trials // 2 + 1
        median = rng.betavariate(middle, trials + 1 - middle)
        if median <= chance:
            got += middle
            trials -= middle
            chance = (chance - median) / (1 - median) if median < 1 else 0.0
        else:
            trials = middle - 1
            chance /= median
    return got + sum(rng.random() < chance for _ in range(trials))
