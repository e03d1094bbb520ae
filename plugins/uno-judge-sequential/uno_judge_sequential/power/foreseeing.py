"""What a plan is told: a quick look at what the judge would catch, at the traffic of now."""

from __future__ import annotations

import math
from collections.abc import Sequence

from uno_core import ConfigError, Traffic
from uno_judge_sequential.options import SequentialOptions
from uno_judge_sequential.power.canaries import MOST_WINDOWS, Canary
from uno_judge_sequential.power.odds import Trial

RUNS = 60
"""Canaries that are tried; enough for a plan, that people wait for."""

LEAST_WINDOWS = 2
"""Windows of a step below which nothing is looked at: the first is left out."""


def foreseen(options: SequentialOptions, traffic: Traffic) -> Sequence[str]:
    """Two lines for people; one where the steps leave nothing to look at."""
    steps = len(traffic.shares)
    # Longer windows say nearly the same, and a plan has seconds.
    window = max(traffic.window, traffic.interval * steps / (MOST_WINDOWS / 10))
    if traffic.interval < LEAST_WINDOWS * window:
        return (f"nothing: a step of {traffic.interval:g} s leaves no time to look, every {window:g} s",)
    try:
        canary = Canary(
            rps=traffic.rps,
            error_rate=traffic.error_rate,
            shares=traffic.shares,
            interval=traffic.interval,
            window=window,
        )
    except ConfigError as problem:
        return (f"nothing: {problem.message}",)
    trial = Trial(options=options, runs=RUNS, seed=1)
    broken = trial.odds(canary, None)
    smallest = trial.smallest(canary, [broken])
    now = f"{traffic.rps:.3g} requests a second, {traffic.error_rate:.2g} of them bad"
    lines = []
    if broken.median is not None:
        seconds, bad = broken.median, math.ceil(broken.bad)
        lines.append(f"a broken release after about {seconds:.0f} s and {bad:,} bad answers ({now})")
    if smallest is None:
        lines.append(
            "no regression of errors nine times in ten: lengthen the steps, or begin with a larger share"
        )
    else:
        lines.append(
            f"{smallest:.2g} times the errors nine times in ten, and nothing smaller; `uno power` says more"
        )
    return lines
