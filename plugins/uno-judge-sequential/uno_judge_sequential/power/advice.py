"""What is wrong with a canary, and a change that would help: tried, not guessed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import evolve, frozen

from uno_judge_sequential.answering import lasting
from uno_judge_sequential.power.canaries import Canary
from uno_judge_sequential.power.odds import Odds, Trial

SHORTEST = 1.0
"""Seconds of a window below which nothing is proposed: providers do not count so often."""


@frozen(kw_only=True)
class Advice:
    """kind: `blind` or `costly`. message: what is wrong. remedies: what was tried and helps."""

    kind: str
    message: str
    remedies: Sequence[str]


def blind(trial: Trial, canary: Canary, smallest: float | None, target: float) -> Advice | None:
    """Where a regression of the target's size gets through: longer, larger, or with more traffic."""
    if smallest is not None and smallest <= target:
        return None
    wanted = target if target * canary.error_rate < 1 else None
    found = f"only {smallest:.2g} times" if smallest is not None else "nothing"
    size = f"{target:g} times as many errors" if wanted else "a release that answers nothing well"
    return Advice(
        kind="blind",
        message=f"{found} is caught nine times in ten, and {size} should be",
        remedies=tuple(_sharper(trial, canary, wanted)) or ("a bound of its own: metrics_threshold",),
    )


def _sharper(trial: Trial, canary: Canary, ratio: float | None) -> Iterator[str]:
    for times in (2, 4, 8, 16):
        # Windows grow with it, since only the sum of what they hold matters here, and it costs no more.
        longer = evolve(canary, interval=canary.interval * times, window=canary.window * times)
        if trial.catches(longer, ratio):
            yield f"a longer interval: --interval {_flag(longer.interval)}"
            break
    for first in (20.0, 30.0, 50.0):
        if first <= canary.shares[0]:
            continue
        larger = evolve(canary, shares=[first, *(share for share in canary.shares if share > first)])
        if trial.catches(larger, ratio):
            yield f"a larger first share: --initial {first:g}"
            break
    for times in (2, 4, 8, 16):
        if trial.catches(evolve(canary, rps=canary.rps * times), ratio):
            yield f"a time of more traffic: {canary.rps * times:g} requests a second"
            break
    held = canary.shares[:-1]
    if not held or held[-1] < 90:
        kept = evolve(canary, shares=[*held, 95.0, 100.0])
        if trial.catches(kept, ratio):
            yield "one more step that can be compared: --hold-back 5"


def costly(trial: Trial, canary: Canary, broken: Odds, budget: float) -> Advice | None:
    """Where a broken release costs more bad answers than the budget: less at first, or sooner."""
    if broken.bad <= budget:
        return None
    return Advice(
        kind="costly",
        message=f"a broken release costs about {broken.bad:,.0f} bad answers, and {budget:,.0f} are accepted",
        remedies=tuple(_cheaper(trial, canary, broken.bad)),
    )


def _cheaper(trial: Trial, canary: Canary, cost: float) -> Iterator[str]:
    quick = evolve(trial, runs=min(trial.runs, 100))
    first = max(0.1, canary.shares[0] / 10)
    if first < canary.shares[0]:
        odds = quick.odds(evolve(canary, shares=[first, *canary.shares]), None)
        if odds.bad < cost:
            rest = ",".join(f"{share:g}" for share in canary.shares)
            yield f"a smaller first share: --initial {first:g} --increments {rest}: about {odds.bad:,.0f}"
    if canary.window / 2 >= SHORTEST:
        shorter = evolve(canary, interval=canary.interval, window=canary.window / 2)
        odds = quick.odds(shorter, None)
        if odds.bad < cost:
            yield f"a shorter window: --window {_flag(shorter.window)}: about {odds.bad:,.0f}"


def _flag(seconds: float) -> str:
    return lasting(seconds).replace(" ", "") if seconds == round(seconds) else f"{seconds:g}s"
