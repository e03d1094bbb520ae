"""The judge `sequential`: the canary against the stable slot, over the whole deployment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from uno_core import Bounds, Finding, Services, Traffic, Verdict, Window
from uno_judge_sequential.options import SequentialOptions
from uno_judge_sequential.reading import ERRORS, LATENCY, TRIP, Reading

NAME = "sequential"
LEAST_USABLE = 0.8
"""The share of the windows in which both slots had requests, below which nothing passes."""

DEAF = 3
"""Windows in a row without a request of the candidate, beside some of the stable slot."""

_BLAME = {ERRORS: "errors", TRIP: "it is broken", LATENCY: "latency"}


class SequentialJudge:
    """FAIL when the evidence reaches 1/alpha, for good; PASS with data enough; INCONCLUSIVE otherwise.

    It keeps what it has read, so that a longer table costs only its new windows; another table is read
    from its beginning. So the same table always gives the same finding.
    """

    def __init__(self, options: SequentialOptions, _services: Services | None = None) -> None:
        self._options = options
        self._begin()

    def _begin(self) -> None:
        self._read: list[Window] = []
        self._reading = Reading(self._options)

    def judge(self, windows: Sequence[Window], bounds: Mapping[str, Bounds]) -> Sequence[Finding]:
        """One finding for `sequential`; of any other metric it says nothing."""
        found = []
        for metric in bounds:
            if metric == NAME:
                found.append(self._finding(windows))
            else:
                reason = f"{metric}: {NAME} judges the slots by their counts, and no single metric"
                found.append(Finding(verdict=Verdict.INCONCLUSIVE, metric=metric, reason=reason))
        return found

    def foresee(self, traffic: Traffic) -> Sequence[str]:
        """What it would catch, by canaries that are made up; `uno power` tries more of them."""
        from uno_judge_sequential.power.foreseeing import foreseen  # only a plan needs it

        return foreseen(self._options, traffic)

    def _finding(self, windows: Sequence[Window]) -> Finding:
        known = len(self._read)
        if len(windows) < known or any(
            a is not b and a != b for a, b in zip(self._read, windows, strict=False)
        ):
            self._begin()
            known = 0
        for window in windows[known:]:
            # What failed stays as it was found: later windows would tell of other numbers.
            if not self._reading.crossed:
                self._reading.read(window)
            self._read.append(window)
        reading = self._reading
        verdict, why = self._verdict(reading)
        return Finding(
            verdict=verdict,
            metric=NAME,
            reason=f"{NAME}: {self._told(reading)}{why}",
            numbers=_numbers(reading),
        )

    def _verdict(self, reading: Reading) -> tuple[Verdict, str]:
        least = self._least(reading)
        if reading.crossed:
            blame = " and ".join(_BLAME[name] for name in reading.blamed())
            return Verdict.FAIL, f": {blame}"
        if reading.deaf >= DEAF:
            return Verdict.INCONCLUSIVE, f": no request reached the new release in {reading.deaf} windows"
        if reading.canary.requests and not reading.comparable:
            return Verdict.INCONCLUSIVE, ": there was nothing to compare with"
        if reading.compared < least:
            told = f"{least:,.0f} requests of the new release are needed"
            if reading.canary.requests >= least:
                told += f" beside some of the old one, {reading.compared:,.0f} were"
            return Verdict.INCONCLUSIVE, f": {told}"
        if reading.usable < LEAST_USABLE * reading.comparable:
            told = f"{reading.usable} of {reading.comparable} windows have requests of both"
            return Verdict.INCONCLUSIVE, f": {told}, {LEAST_USABLE:.0%} are needed"
        return Verdict.PASS, ""

    def _least(self, reading: Reading) -> float:
        if self._options.least_requests is not None:
            return float(self._options.least_requests)
        rate = reading.stable.rate
        wanted = 3 / (self._options.margin * rate) if rate else math.inf
        return min(1000.0, max(100.0, wanted))

    @staticmethod
    def _told(reading: Reading) -> str:
        mine, other = reading.canary, reading.stable
        said = f"{mine.rate:.2%} of {mine.requests:,.0f} requests failed"
        if other.requests:
            said += f", {other.rate:.2%} of {other.requests:,.0f} of the old release"
        if reading.blamed() == [LATENCY] and (worst := reading.latency.worst()):
            edge, slow, beside = worst
            said += f"; {slow:.1%} took more than {edge * 1000:g} ms, {beside:.1%} of the old release's"
        if reading.latency.unshared:
            said += "; latencies are not compared, the histograms have no edge in common"
        return f"{said}; evidence {_times(reading.log_e)} of {_times(reading.limit)}"


def _times(log: float) -> str:
    """A number by its natural log: 12, or 10^6."""
    return f"{math.exp(log):.3g}" if log < math.log(1e6) else f"10^{log / math.log(10):.0f}"


def _numbers(reading: Reading) -> Mapping[str, float]:
    numbers = {
        "log_e": reading.log_e,
        "limit": reading.limit,
        "canary_requests": reading.canary.requests,
        "canary_errors": reading.canary.bad,
        "canary_error_rate": reading.canary.rate,
        "stable_requests": reading.stable.requests,
        "stable_errors": reading.stable.bad,
        "stable_error_rate": reading.stable.rate,
        "phi": reading.phi,
        "usable": reading.usable / reading.comparable if reading.comparable else 0.0,
        **{f"log_e_{name}": log for name, log in reading.logs.items()},
    }
    if worst := reading.latency.worst():
        numbers |= dict(zip(("edge", "canary_slower", "stable_slower"), worst, strict=True))
    return {name: number for name, number in numbers.items() if math.isfinite(number)}
