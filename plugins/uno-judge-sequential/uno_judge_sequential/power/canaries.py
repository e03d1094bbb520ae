"""Canaries that are made up: their traffic, their steps, and what the judge makes of one of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from attrs import field, frozen

from uno_core import ConfigError, Figures, Slot, Window
from uno_judge_sequential.drawing import poisson
from uno_judge_sequential.options import SequentialOptions
from uno_judge_sequential.reading import Reading

MOST_WINDOWS = 2000
"""Looks of one canary beyond which nobody waits for the answer."""

_BEGIN = datetime(2000, 1, 1, tzinfo=UTC)


@frozen(kw_only=True)
class Span:
    """A stretch of time with one split. share: the canary's, percent. seen: the judge is shown it."""

    share: float
    seconds: float
    seen: bool


@frozen(kw_only=True)
class Canary:
    """The traffic of an application, and the steps of its canary.

    rps: requests a second, of both slots. error_rate: of the old release, a share. shares: percent, in
    order. interval: seconds of each share; window: seconds between two looks. skipped: windows after
    each change of the split that count for nothing, as in a deployment. Raises ConfigError for steps
    that do not grow, or that leave nothing to look at.
    """

    rps: float
    error_rate: float
    shares: Sequence[float]
    interval: float
    window: float
    skipped: int = 1
    spans: Sequence[Span] = field(init=False, eq=False)

    def __attrs_post_init__(self) -> None:
        steps = ", ".join(f"{share:g}" for share in self.shares)
        if any(after <= before for before, after in zip(self.shares, self.shares[1:], strict=False)):
            raise ConfigError(
                "the shares do not grow", found=steps, expected="each greater than the one before"
            )
        whole = self._windows
        if whole <= self.skipped:
            raise ConfigError(
                "nothing is looked at within a step",
                found=f"an interval of {self.interval:g} s and windows of {self.window:g} s",
                expected=f"at least {self.skipped + 1} windows, since the first of each step is skipped",
                remedy="a longer --interval, or a shorter --window",
            )
        if whole * len(self.shares) > MOST_WINDOWS:
            raise ConfigError(
                "too many windows to try so often",
                found=f"{whole * len(self.shares)} windows",
                expected=f"at most {MOST_WINDOWS}",
                remedy="a longer --window",
            )
        object.__setattr__(self, "spans", tuple(self._spans()))

    @property
    def _windows(self) -> int:
        # 0.3 / 0.1 is a little less than 3.
        return math.floor(self.interval / self.window + 1e-9)

    def _spans(self) -> Iterator[Span]:
        rest = self.interval - self._windows * self.window
        for share in self.shares:
            for number in range(self._windows):
                yield Span(share=share, seconds=self.window, seen=number >= self.skipped)
            if rest > 1e-6:
                yield Span(share=share, seconds=rest, seen=False)

    @property
    def seconds(self) -> float:
        """How long the canary takes at the least."""
        return self.interval * len(self.shares)


def steps(initial: float, increments: Sequence[float], hold_back: float | None) -> Sequence[float]:
    """The shares of a canary, as its strategy makes them of its options; the last is 100.

    Raises ConfigError where `hold_back` leaves the first share no room.
    """
    shares = [initial, *increments]
    if hold_back is not None:
        held = 100.0 - hold_back
        if held <= initial:
            raise ConfigError(
                "--hold-back leaves the first share no room",
                found=f"{hold_back:g} %",
                expected=f"less than {100 - initial:g} %, since the canary begins with {initial:g} %",
            )
        shares = [share for share in shares if share < held] + [held]
    return shares if shares[-1] == 100.0 else [*shares, 100.0]


@frozen(kw_only=True)
class Ended:
    """How one canary ended. caught: seconds from its first share to the rollback; None: it went through.

    bad: answers that it served, those of windows that are skipped among them. compared: its requests
    that the judge compared until then.
    """

    caught: float | None
    bad: int
    compared: float


def tried(canary: Canary, options: SequentialOptions, error_rate: float, rng: Random) -> Ended:
    """One canary whose new release has this rate of errors.

    Requests come by chance at a steady rate, and are routed and answered each by itself: so the good
    and the bad ones of both slots are four Poisson counts that have nothing to do with one another.
    """
    reading = Reading(options)
    begin, seconds, bad = _BEGIN, 0.0, 0
    for span in canary.spans:
        share = span.share / 100
        requests = canary.rps * span.seconds
        mine = _figures(rng, requests * share, error_rate)
        other = _figures(rng, requests * (1 - share), canary.error_rate)
        bad += round(mine.errors)
        seconds += span.seconds
        if span.seen:
            end = begin + timedelta(seconds=span.seconds)
            reading.read(
                Window(start=begin, end=end, slot=Slot.GREEN, candidate=mine, stable=other, share=span.share)
            )
            if reading.crossed:
                return Ended(caught=seconds, bad=bad, compared=reading.compared)
    return Ended(caught=None, bad=bad, compared=reading.compared)


def _figures(rng: Random, requests: float, error_rate: float) -> Figures:
    bad = poisson(rng, requests * error_rate)
    return Figures(requests=bad + poisson(rng, requests * (1 - error_rate)), errors=bad)
