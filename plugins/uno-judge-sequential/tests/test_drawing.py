"""Random counts: of the distributions that they say, whatever the way they are drawn."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest

from uno_judge_sequential.drawing import binomial, poisson

DRAWN = 20_000


def poisson_chance(mean, k):
    return math.exp(k * math.log(mean) - mean - math.lgamma(k + 1))


def binomial_chance(n, p, k):
    if k > n:
        return 0.0
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))


def misfit(drawn, chance, mean, deviation):
    """Pearson's statistic in deviations of its own; cells with fewer than ten expected are put together."""
    low, high = max(0, math.floor(mean - 6 * deviation)), math.ceil(mean + 6 * deviation) + 10
    cells, seen, expected = [], 0, 0.0
    counts = Counter(drawn)
    for k in range(low, high + 1):
        seen, expected = seen + counts[k], expected + DRAWN * chance(k)
        if expected >= 10:
            cells.append((seen, expected))
            seen, expected = 0, 0.0
    assert sum(counts[k] for k in range(low, high + 1)) == DRAWN
    cells[-1] = (cells[-1][0] + seen, cells[-1][1] + expected)
    freedom = len(cells) - 1
    return (sum((s - e) ** 2 / e for s, e in cells) - freedom) / math.sqrt(2 * max(1, freedom))


# Both ways, and where they meet.
@pytest.mark.parametrize("mean", [0.05, 3.0, 9.99, 10.0, 45.0, 4_500.0])
def test_poisson(mean):
    rng = random.Random(5)
    drawn = [poisson(rng, mean) for _ in range(DRAWN)]
    assert misfit(drawn, lambda k: poisson_chance(mean, k), mean, math.sqrt(mean)) < 4


@pytest.mark.parametrize("mean", [1e7, 1e12])
def test_poisson_of_great_means(mean):
    rng = random.Random(6)
    drawn = [(poisson(rng, mean) - mean) / math.sqrt(mean) for _ in range(DRAWN)]
    assert abs(sum(drawn) / DRAWN) < 4 / math.sqrt(DRAWN)
    assert sum(one * one for one in drawn) / DRAWN == pytest.approx(1, abs=4 * math.sqrt(2 / DRAWN))


@pytest.mark.parametrize("mean", [0.0, 1e-300])
def test_nothing_comes_of_nothing(mean):
    assert poisson(random.Random(1), mean) == 0


@pytest.mark.parametrize(("trials", "chance"), [(20, 0.3), (500, 0.5), (5_000, 0.01), (100_000, 0.5 + 1e-9)])
def test_binomial(trials, chance):
    rng = random.Random(7)
    few = DRAWN // 10 if trials == 100_000 else DRAWN
    drawn = [binomial(rng, trials, chance) for _ in range(few)]
    mean, deviation = trials * chance, math.sqrt(trials * chance * (1 - chance))
    if few == DRAWN:
        assert misfit(drawn, lambda k: binomial_chance(trials, chance, k), mean, deviation) < 4
    scaled = [(one - mean) / deviation for one in drawn]
    assert abs(sum(scaled) / few) < 4 / math.sqrt(few)
    assert sum(one * one for one in scaled) / few == pytest.approx(1, abs=4 * math.sqrt(2 / few))


def test_coins_of_great_counts():
    rng = random.Random(8)
    scaled = [(binomial(rng, 10**12, 0.5) - 5e11) / 5e5 for _ in range(2_000)]
    assert abs(sum(scaled) / 2_000) < 4 / math.sqrt(2_000)
    assert sum(one * one for one in scaled) / 2_000 == pytest.approx(1, abs=4 * math.sqrt(2 / 2_000))


@pytest.mark.parametrize(
    ("trials", "chance", "got"), [(0, 0.5, 0), (0, 0.1, 0), (70, 0.0, 0), (9_000, 1.0, 9_000)]
)
def test_what_is_certain(trials, chance, got):
    assert binomial(random.Random(1), trials, chance) == got
