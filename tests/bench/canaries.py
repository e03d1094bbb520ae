"""Canaries that are made up, and answer as real ones do: in bursts, by day and night, drifting apart.

All counts are drawn exactly, of the standard library alone, so that the same name gives the same canary
on every machine: requests come by chance, so the good and the bad answers of a slot, given its rate of
errors, are two Poisson counts that have nothing to do with one another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from random import Random
from zlib import crc32

from attrs import evolve, frozen

from uno_core import Figures, Slot, Window
from uno_judge_sequential.drawing import poisson

SHARES = (10.0, 25.0, 50.0, 75.0, 100.0)
LOOK = 10.0
"""Seconds of a window."""

LOOKS = 30
"""Windows of a step: five minutes."""

HISTORY = 2160
"""Windows of the old release alone, before: six hours."""

BROKEN = math.inf
"""The ratio of a release of which no answer is good."""

_BEGIN = datetime(2000, 1, 1, tzinfo=UTC)


class Kind(Enum):
    """How answers go wrong: each by itself; at a rate drawn for each window; several at once; or at a
    rate of the slot's own that goes up and down over minutes."""

    ALONE = "alone"
    VARYING = "beta-binomial"
    BURSTS = "bursts"
    WANDERING = "AR(1)"


@frozen(kw_only=True)
class Noise:
    """size: the coefficient of variation of the rate, or the mean number of errors of a burst. memory:
    windows over which a rate that wanders forgets where it was. diurnal: traffic and errors of both
    slots go up and down once in the deployment. drift: so many times the errors of both at its end."""

    name: str
    kind: Kind = Kind.ALONE
    size: float = 0.0
    memory: float = 12.0
    diurnal: bool = False
    drift: float = 1.0


@frozen(kw_only=True)
class Scenario:
    """rps: requests a second of both slots. error_rate: of the old release. ratio: of the new one's to it,
    onset seconds after its first share."""

    noise: Noise
    rps: float
    error_rate: float
    ratio: float = 1.0
    onset: float = 0.0

    @property
    def name(self) -> str:
        """Its name, which seeds it too."""
        return f"{self.noise.name}, {self.cell}"

    @property
    def cell(self) -> str:
        """Its traffic, and what is wrong."""
        what = "" if self.ratio == 1 else ", broken" if self.ratio == BROKEN else f", {self.ratio:g}x"
        late = f" from {self.onset:g} s" if self.onset else ""
        return f"{self.rps:g} rps, {self.error_rate:.1%}{what}{late}"

    def rng(self) -> Random:
        """Its luck."""
        return Random(crc32(self.name.encode()))

    def history(self, rng: Random) -> list[Window]:
        """What the old release did alone, before."""
        requests, rates = [self.rps * LOOK] * HISTORY, [self.error_rate] * HISTORY
        return [
            _window(number - HISTORY, stable=figures, share=0.0, baseline=True)
            for number, figures in enumerate(_slot(rng, requests, rates, self.noise))
        ]

    def canary(self, rng: Random) -> list[Window]:
        """One deployment, to its end: none of its windows is left out."""
        whole = len(SHARES) * LOOKS
        requests, rates = self._both(rng, [(number + 0.5) / whole for number in range(whole)])
        shares = [share for share in SHARES for _ in range(LOOKS)]
        mine = [mean * share / 100 for mean, share in zip(requests, shares, strict=True)]
        others = [mean * (1 - share / 100) for mean, share in zip(requests, shares, strict=True)]
        good = round(self.onset / LOOK)
        worse = [*rates[:good], *(min(1.0, rate * self.ratio) for rate in rates[good:])]
        slots = zip(
            shares, _slot(rng, mine, worse, self.noise), _slot(rng, others, rates, self.noise), strict=True
        )
        return [
            _window(number, candidate=candidate, stable=stable, share=share)
            for number, (share, candidate, stable) in enumerate(slots)
        ]

    def _both(self, rng: Random, moments: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
        """The mean number of requests, and the old release's rate of errors, of each window."""
        requests, rates = [self.rps * LOOK] * len(moments), [self.error_rate] * len(moments)
        if self.noise.diurnal:
            traffic, errors = rng.uniform(0, math.tau), rng.uniform(0, math.tau)
            requests = [
                mean * (1 + 0.5 * math.sin(math.tau * at + traffic))
                for mean, at in zip(requests, moments, strict=True)
            ]
            rates = [
                rate * math.exp(0.7 * math.sin(math.tau * at + errors))
                for rate, at in zip(rates, moments, strict=True)
            ]
        drifted = [rate * self.noise.drift**at for rate, at in zip(rates, moments, strict=True)]
        return requests, drifted


def minutes(windows: Sequence[Window], count: int = 6) -> list[Window]:
    """So many windows each as one, as somebody sees them who looks once in that time."""
    return [
        evolve(part[-1], start=part[0].start, candidate=_sum([window.candidate for window in part]))
        for part in (windows[at : at + count] for at in range(0, len(windows), count))
    ]


def _sum(figures: Sequence[Figures]) -> Figures:
    return Figures(requests=sum(f.requests for f in figures), errors=sum(f.errors for f in figures))


def _window(
    number: int,
    *,
    stable: Figures,
    share: float,
    candidate: Figures = Figures(),  # noqa: B008 - frozen
    baseline: bool = False,
) -> Window:
    start = _BEGIN + timedelta(seconds=LOOK * number)
    end = start + timedelta(seconds=LOOK)
    return Window(
        start=start,
        end=end,
        slot=Slot.GREEN,
        candidate=candidate,
        stable=stable,
        share=share,
        baseline=baseline,
    )


def _slot(rng: Random, requests: Sequence[float], rates: Sequence[float], noise: Noise) -> list[Figures]:
    """What one slot answers, window by window."""
    if noise.kind is Kind.BURSTS:
        return [_bursts(rng, mean, rate, noise.size) for mean, rate in zip(requests, rates, strict=True)]
    if noise.kind is Kind.VARYING:
        rates = [_varied(rng, rate, noise.size) for rate in rates]
    elif noise.kind is Kind.WANDERING:
        rates = _wandering(rng, rates, noise)
    return [_alone(rng, mean, rate) for mean, rate in zip(requests, rates, strict=True)]


def _alone(rng: Random, mean: float, rate: float) -> Figures:
    bad = poisson(rng, mean * rate)
    return Figures(requests=bad + poisson(rng, mean * (1 - rate)), errors=bad)


def _bursts(rng: Random, mean: float, rate: float, size: float) -> Figures:
    """Bursts come by chance, and each is of a geometric number of errors."""
    requests = poisson(rng, mean)
    if rate >= 1:
        return Figures(requests=requests, errors=requests)
    bad = bursts = poisson(rng, requests * rate / size)
    if bursts:
        # What many geometric counts have beyond one each is negative binomial: Poisson, at a mean drawn.
        bad += poisson(rng, rng.gammavariate(bursts, size - 1))
    return Figures(requests=requests, errors=min(bad, requests))


def _varied(rng: Random, rate: float, variation: float) -> float:
    if rate >= 1:
        return 1.0
    weight = max(1e-3, (1 - rate) / (rate * variation**2) - 1)
    return rng.betavariate(rate * weight, (1 - rate) * weight)


def _wandering(rng: Random, rates: Sequence[float], noise: Noise) -> list[float]:
    """Times a log-normal factor whose logarithm is an AR(1) process, of mean 1."""
    spread = math.sqrt(math.log(1 + noise.size**2))
    kept = math.exp(-1 / noise.memory)
    fresh, state, found = math.sqrt(1 - kept**2), rng.gauss(0, 1), []
    for rate in rates:
        found.append(min(1.0, rate * math.exp(spread * state - spread**2 / 2)))
        state = kept * state + fresh * rng.gauss(0, 1)
    return found
