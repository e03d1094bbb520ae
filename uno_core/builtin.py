"""What uno-core itself registers, through the same door as anybody: the threshold judge."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from attrs import evolve, frozen

from uno_core.analysis.windows import together
from uno_core.config.options import option
from uno_core.contracts.engine import EngineInfo
from uno_core.contracts.judge import JudgeInfo, Window
from uno_core.contracts.metrics import Figures, is_percentile
from uno_core.contracts.services import Services
from uno_core.contracts.state import StateStoreInfo
from uno_core.hookspecs import hookimpl
from uno_core.model import Bounds, Compare, Finding, Verdict


@frozen(kw_only=True)
class ThresholdOptions:
    """When the threshold judge may speak."""

    least_requests: int = option(
        default=20, ge=1, help="requests to be seen before error rate or latency say anything"
    )
    least_windows: int = option(
        default=1, ge=1, help="looks with data that a pass needs, so that it is of more than one instant"
    )
    least_errors: int = option(
        default=3, ge=1, help="failed requests to be seen before the error rate fails a release"
    )
    least_readings: int = option(
        default=3, ge=1, help="readings of a value such as cpu to be seen before it fails a release"
    )
    recent: float = option(
        default=60.0, gt=0, unit="s", help="how far back the judge looks for what went bad lately"
    )


class ThresholdJudge:
    """Holds each metric of the candidate against its bounds.

    FAIL when the windows of the last `recent` seconds, or all of them together, are out of bounds;
    PASS when all of them together are within; INCONCLUSIVE where there is too little to say either.
    A rate is a share of the requests. A latency is a percentile, interpolated within the bucket of
    the histogram in which it falls, as Prometheus' histogram_quantile does; beyond the last finite
    edge it is infinite, so that it never flatters. A value is the mean of its readings. Where bounds
    compare, it is the difference or the ratio of that to the same of the stable slot: of the same
    windows, or, once that slot has no traffic, of those before.
    """

    def __init__(self, options: ThresholdOptions, _services: Services) -> None:
        self._options = options

    def judge(self, windows: Sequence[Window], bounds: Mapping[str, Bounds]) -> Sequence[Finding]:
        """One finding a metric."""
        before = [w for w in windows if w.baseline]
        seen = [w for w in windows if not w.baseline]
        last = seen[-1:]
        recent = [w for w in seen if (last[0].end - w.start).total_seconds() <= self._options.recent]
        return [
            self._finding(metric, _Table(seen, before), _Table(recent or last, before), bounds[metric])
            for metric in bounds
        ]

    def _finding(self, metric: str, whole: _Table, recent: _Table, bounds: Bounds) -> Finding:
        overall, lately = self._measure(metric, whole, bounds), self._measure(metric, recent, bounds)
        for seen in (lately, overall):
            if not seen.silence and seen.may_fail and (limit := _broken(metric, seen.value, bounds)):
                return self._say(Verdict.FAIL, metric, f"{seen.told}, {limit}", seen)
        if overall.silence:
            return self._say(Verdict.INCONCLUSIVE, metric, overall.silence, overall)
        if limit := _broken(metric, overall.value, bounds):
            told = f"{overall.told}, {limit}, but of too few to be sure"
            return self._say(Verdict.INCONCLUSIVE, metric, told, overall)
        if len(whole.windows) < self._options.least_windows:
            told = f"{overall.told}, of {len(whole.windows)} looks, {self._options.least_windows} needed"
            return self._say(Verdict.INCONCLUSIVE, metric, told, overall)
        return self._say(Verdict.PASS, metric, f"{overall.told} is within bounds", overall)

    def _measure(self, metric: str, table: _Table, bounds: Bounds) -> _Measured:
        """The value that is held against the bounds, of the candidate alone or beside the stable slot's."""
        mine = self._read(metric, [w.candidate for w in table.windows])
        if mine.silence:
            return mine
        if bounds.interval and mine.readings >= min(self._options.least_readings, table.fit(bounds.interval)):
            mine = evolve(mine, may_fail=True)
        theirs = self._read(metric, table.beside())
        if theirs.silence and table.alone:
            theirs = self._read(metric, table.stable_before())
        if bounds.compare is Compare.VALUE:
            beside = None if theirs.silence else theirs.value
            return evolve(
                mine,
                stable=beside,
                told=_show(metric, mine.value),
                beside="" if beside is None else f" (old release {_show(metric, beside)})",
            )
        if theirs.silence:
            return evolve(mine, silence=f"nothing to compare with: of the stable slot {theirs.silence}")
        told = f"{_show(metric, mine.value)} beside {_show(metric, theirs.value)} of the stable slot"
        mine = evolve(
            mine, stable=theirs.value, may_fail=mine.may_fail and self._sure(metric, mine, theirs, bounds)
        )
        value = _compared(mine.value, theirs.value, bounds.compare)
        shown = f"{value:.4g} times it" if bounds.compare is Compare.RATIO else f"{_show(metric, value)} more"
        return evolve(mine, value=value, told=f"{told}: {shown}")

    def _sure(self, metric: str, mine: _Measured, theirs: _Measured, bounds: Bounds) -> bool:
        """Whether a comparison of error rates fails even with `least_errors` in doubt on either side.

        Two counts differ by chance, and the more the fewer they are; a bound that is looked at again and
        again meets that chance.
        """
        if metric != "error_rate" or bounds.max is None:
            return True
        doubt = self._options.least_errors
        least = max(0.0, mine.value - doubt / mine.requests) if mine.requests else mine.value
        most = theirs.value + doubt / theirs.requests if theirs.requests else theirs.value
        return _compared(least, most, bounds.compare) > bounds.max

    def _read(self, metric: str, windows: Sequence[Figures]) -> _Measured:
        if not windows:
            return _Measured(silence="nothing is known")
        options = self._options
        figures = _sum(windows)
        if readings := [f.values[metric] for f in windows if metric in f.values]:
            return _Measured(
                value=fmean(readings),
                requests=figures.requests,
                readings=len(readings),
                may_fail=len(readings) >= options.least_readings,
            )
        if metric == "requests":
            # Of what nobody counted there may have been more.
            sure = not any("requests" in f.unknown for f in windows)
            return _Measured(value=figures.requests, requests=figures.requests, may_fail=sure)
        reader: Callable[[Figures], float]
        if metric == "error_rate":
            reader = _error_rate
        elif is_percentile(metric):
            share = float(metric.removeprefix("latency_p")) / 100
            reader = lambda f: _percentile(f, share)  # noqa: E731 - a name would say less
        else:
            return _Measured(silence="the provider gives no such metric")
        if figures.requests < options.least_requests:
            return _Measured(
                silence=f"{figures.requests:g} requests seen, {options.least_requests} needed",
                requests=figures.requests,
            )
        value = reader(figures)
        if math.isnan(value):
            return _Measured(silence="the provider gives no latencies", requests=figures.requests)
        enough = metric != "error_rate" or figures.errors >= options.least_errors
        return _Measured(value=value, requests=figures.requests, may_fail=enough)

    @staticmethod
    def _say(verdict: Verdict, metric: str, reason: str, seen: _Measured) -> Finding:
        numbers = {"requests": seen.requests} | ({} if seen.silence else {"value": seen.value})
        if seen.stable is not None and not seen.silence:
            numbers["stable"] = seen.stable
        finite = {name: number for name, number in numbers.items() if math.isfinite(number)}
        told = f"{metric}: {reason}{seen.beside}"
        return Finding(verdict=verdict, metric=metric, reason=told, numbers=finite)


@frozen
class _Table:
    """Windows to be judged, and what the stable slot did before there were any."""

    windows: Sequence[Window]
    before: Sequence[Window]

    @property
    def alone(self) -> bool:
        """Whether the stable slot has no traffic any more: what it did before is what there is."""
        return all(w.share is None or w.share >= 100 for w in self.windows)

    def fit(self, interval: float) -> int:
        """How many windows there can be in an interval, by the longest that there was; at least one."""
        longest = max(((w.end - w.start).total_seconds() for w in self.windows), default=0.0)
        return max(1, int(interval / longest)) if longest > 0 else 1

    def beside(self) -> Sequence[Figures]:
        """What the stable slot did in the same windows, while it had traffic: probes of it are no users."""
        return [w.stable for w in self.windows if w.stable is not None and (w.share is None or w.share < 100)]

    def stable_before(self) -> Sequence[Figures]:
        """What it did before these windows."""
        return [w.stable for w in self.before if w.stable is not None]


@frozen(kw_only=True)
class _Measured:
    value: float = math.nan
    requests: float = 0.0
    stable: float | None = None
    silence: str = ""
    told: str = ""
    beside: str = ""
    may_fail: bool = True
    readings: int = 0


def _sum(windows: Sequence[Figures]) -> Figures:
    total = Figures()
    for figures in windows:
        total = together(total, figures)
    return total


def _compared(mine: float, theirs: float, how: Compare) -> float:
    if how is Compare.DIFFERENCE:
        return mine - theirs
    if theirs:
        return mine / theirs
    return math.inf if mine else 1.0


def _error_rate(figures: Figures) -> float:
    return figures.errors / figures.requests


def _percentile(figures: Figures, share: float) -> float:
    """The latency that this share of the requests kept, interpolated within its bucket."""
    total = sum(figures.latency.values())
    if not total:
        return math.nan
    seen, below = 0.0, 0.0
    for edge in sorted(figures.latency):
        count = figures.latency[edge]
        if count and seen + count >= share * total:
            return below + (edge - below) * (share * total - seen) / count if math.isfinite(edge) else edge
        seen, below = seen + count, edge
    return math.inf


def _broken(metric: str, value: float, bounds: Bounds) -> str:
    if not math.isfinite(value) and bounds.max is None:
        return "not a finite number"
    shown = "" if bounds.compare is Compare.RATIO else metric
    if bounds.max is not None and not value <= bounds.max:
        return f"above {_show(shown, bounds.max)}"
    if bounds.min is not None and not value >= bounds.min:
        return f"below {_show(shown, bounds.min)}"
    return ""


def _show(metric: str, value: float) -> str:
    if metric.startswith("latency"):
        return f"{value * 1000:.4g} ms"
    if metric.endswith("_rate"):
        return f"{value:.2%}"
    return f"{value:g}"


@hookimpl
def uno_register_judges() -> list[JudgeInfo]:
    """The threshold judge, the default."""
    return [
        JudgeInfo(
            name="threshold",
            summary="holds each metric against a fixed least and greatest value",
            load=lambda: ThresholdJudge,
            options=lambda: ThresholdOptions,
        )
    ]


@frozen(kw_only=True)
class FileOptions:
    """Where the files of the state store `file` are."""

    directory: Path | None = option(default=None, help="where journal and locks are; a local disk, no NFS")


def _file_store() -> type[Any]:
    from uno_core.journal.sqlite import FileStore

    return FileStore


def _embedded() -> type[Any]:
    from uno_core.engine.port import EmbeddedEngine

    return EmbeddedEngine


@hookimpl
def uno_register_engines() -> list[EngineInfo]:
    """The engine that drives in this process, the default."""
    return [
        EngineInfo(
            name="embedded", summary="this process drives, another one resumes where it died", load=_embedded
        )
    ]


@hookimpl
def uno_register_state_stores() -> list[StateStoreInfo]:
    """State in files of one machine, the default."""
    return [
        StateStoreInfo(
            name="file",
            summary="one SQLite file and the kernel's locks, for one machine and a local disk",
            load=_file_store,
            options=lambda: FileOptions,
        )
    ]
