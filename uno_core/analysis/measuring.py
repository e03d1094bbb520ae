"""One metric while it is watched: its measurements, counted against its limits, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from attrs import define, evolve, field, frozen

from uno_core.analysis.source import News, Source
from uno_core.analysis.windows import baseline
from uno_core.contracts.judge import Judge, Window
from uno_core.contracts.metrics import Figures
from uno_core.model import Bounds, Compare, Finding, Json, Verdict
from uno_core.rules import protects
from uno_core.wire import from_json, to_json

SILENCE = 60.0
"""Seconds without anything to judge, after which what was seen before promotes nothing any more."""


@frozen(kw_only=True)
class Metric:
    """A name, what it must keep, who measures it, and the one judge of it.

    compares: the judge compares slots, over the whole deployment. quiet: it is judged by default only,
    so that too little data, or none, counts for nothing.
    """

    name: str
    bounds: Bounds
    source: Source
    judge: Judge
    compares: bool = False
    quiet: bool = False


@define
class Measuring:
    """Takes measurements of one metric since `begun`, and says what they come to.

    FAIL is for good: one more failure than `failure_limit`. ERROR lasts until its source answers again, and
    INCONCLUSIVE beyond its limit until the next measurement that can be had.
    """

    metric: Metric
    begun: datetime
    ended: Verdict | None = field(init=False, default=None)
    _last: Finding | None = field(init=False, default=None)
    _measured: datetime | None = field(init=False, default=None)
    _judged_to: datetime | None = field(init=False, default=None)
    _passes: int = field(init=False, default=0)
    _failures: int = field(init=False, default=0)
    _inconclusive: int = field(init=False, default=0)
    _fresh: datetime | None = field(init=False, default=None)

    def due(self, now: datetime) -> bool:
        """Whether a measurement is to be taken of what its source has now."""
        bounds = self.metric.bounds
        if self.ended in (Verdict.FAIL, Verdict.PASS) or now < self._from:
            return False
        if self._measured is None or not bounds.interval:
            return True
        # Half a step: a measurement that is due just after this look is taken with it.
        half = timedelta(seconds=self.metric.source.step / 2)
        return now - self._measured >= timedelta(seconds=bounds.interval) - half

    @property
    def _from(self) -> datetime:
        return self.begun + timedelta(seconds=self.metric.bounds.delay)

    def measure(self, now: datetime, news: News) -> None:
        """Judge what the source has, as one more measurement.

        Where nothing new came, that is a measurement only for a metric that is measured at intervals of
        its own or may be inconclusive so many times; for others what was seen stands for a while.
        """
        bounds, name = self.metric.bounds, self.metric.name
        if why := self._unusable():
            self._take(Finding(verdict=Verdict.INCONCLUSIVE, metric=name, reason=why), now)
        elif news is not News.NOTHING:
            if (finding := self._judged()) is not None:
                self._judged_to = self.metric.source.windows[-1].end
                self._take(finding, now)
        elif bounds.interval or bounds.inconclusive_limit is not None:
            reason = f"{name}: no data: {self.metric.source.nothing}"
            self._take(Finding(verdict=Verdict.INCONCLUSIVE, metric=name, reason=reason), now)

    def failed(self) -> None:
        """A look of its source failed: tried again soon, without using up the count."""
        if self.ended is None and self.metric.source.errors > self.metric.bounds.consecutive_error_limit:
            self.ended = Verdict.ERROR

    def answered(self) -> None:
        """A look of its source worked: what failed is over, and what passed before it has to pass again."""
        if self.ended is not Verdict.ERROR:
            return
        self.ended = None
        if self._last is not None and self._last.verdict is Verdict.PASS:
            reason = f"{self.metric.name}: nothing seen yet since {self.metric.source.name} failed"
            self._last = evolve(
                self._last, verdict=Verdict.INCONCLUSIVE, reason=f"{reason}; before, {self._last.reason}"
            )

    @protects("a wait that ran out unwatched ends with a fresh verdict")
    def expire(self, now: datetime) -> None:
        """From now on what was seen until here fails as ever, but passes nothing."""
        self._fresh = now
        if self.ended is Verdict.PASS:
            self.ended = None
        self._passes = 0
        if self._last is not None and self._last.verdict is Verdict.PASS:
            self._last = self._outdated(self._last)

    def finding(self, now: datetime) -> Finding:
        """What the measurements so far come to."""
        found = self._finding(now)
        silent = self.metric.quiet and found.verdict in (Verdict.INCONCLUSIVE, Verdict.ERROR)
        return evolve(found, advisory=self.metric.bounds.dry_run or silent)

    def memo(self) -> Json:
        """What the next driver needs to go on."""
        return {
            "begun": self.begun.isoformat(),
            "failures": self._failures,
            "inconclusive": self._inconclusive,
            "passes": self._passes,
            "measured": self._measured.isoformat() if self._measured else None,
            "judged_to": self._judged_to.isoformat() if self._judged_to else None,
            "last": to_json(self._last) if self._last else None,
        }

    def recall(self, memo: Mapping[str, Json]) -> None:
        """Go on from what a driver before kept of the same wait."""
        self.begun = datetime.fromisoformat(str(memo["begun"]))
        self._failures = int(str(memo["failures"]))
        self._inconclusive = int(str(memo["inconclusive"]))
        self._passes = int(str(memo["passes"]))
        self._measured, self._judged_to = _time(memo["measured"]), _time(memo["judged_to"])
        self._last = from_json(memo["last"], Finding) if memo["last"] else None
        # One at intervals is measured again when that is due, and not of what came in between.
        if not self.metric.bounds.interval and (found := self._judged()) is not None:
            self._last = found
            # The driver may have died between the finding and its count.
            self._failures = max(self._failures, int(found.verdict is Verdict.FAIL))
        self._close()

    # Measurements

    def _unusable(self) -> str:
        source, name = self.metric.source, self.metric.name
        family = "requests" if self.metric.compares else "latency" if name.startswith("latency_p") else name
        why = source.unusable.get(name) or source.unusable.get(family)
        return f"{name}: {why.removeprefix(f'{name}: ')}" if why else ""

    def _judged(self) -> Finding | None:
        """What the judge makes of the windows; None where there is none to judge."""
        windows = self._windows()
        if not any(not window.baseline for window in windows):
            return None
        found = self._ask(windows)
        if self._fresh is None or found.verdict is not Verdict.PASS:
            return found
        since = [w for w in windows if w.baseline or w.start >= self._fresh]
        if not any(not window.baseline for window in since):
            return self._outdated(found)
        return self._ask(since)

    def _ask(self, windows: Sequence[Window]) -> Finding:
        name = self.metric.name
        try:
            answer = list(self.metric.judge.judge(windows, {name: self.metric.bounds}))
            if not all(isinstance(found, Finding) for found in answer):
                raise TypeError(f"expected findings, found {answer!r}")  # noqa: TRY301 - as if it had raised it
        except Exception as problem:  # noqa: BLE001 - a judge is a plugin: whatever it raises is ERROR
            reason = f"{name}: the judge failed: {type(problem).__name__}: {problem}"
            return Finding(verdict=Verdict.ERROR, metric=name, reason=reason)
        mine = [found for found in answer if found.metric == name]
        if not mine:
            reason = f"{name}: the judge gave no finding"
            return Finding(verdict=Verdict.ERROR, metric=name, reason=reason)
        return mine[0]

    def _windows(self) -> Sequence[Window]:
        windows = self.metric.source.windows
        if self.metric.compares:
            return windows
        # By the windows' own times: they end `lag` seconds before the look that gives them.
        since = self._judged_to if self.metric.bounds.interval and self._judged_to else self.begun
        mine = [
            w
            for w in windows
            if not w.baseline
            and w.start >= max(since, self.begun)
            and (w.end > self._from or w.start >= self._from)
        ]
        return [*self._before(), *mine]

    def _before(self) -> Sequence[Window]:
        """What the stable slot did before this wait, for bounds that compare: at 100 % it does no more."""
        if self.metric.bounds.compare is Compare.VALUE:
            return ()
        earlier = [w for w in self.metric.source.windows if w.baseline or w.start < self.begun]
        return [
            baseline(w.start, w.end, w.slot, w.stable)
            for w in earlier
            if w.stable is not None and (w.stable.requests or w.stable.values)
        ]

    def _take(self, finding: Finding, now: datetime) -> None:
        if self.ended is Verdict.INCONCLUSIVE:
            self.ended, self._inconclusive = None, 0
        self._last, self._measured = finding, now
        match finding.verdict:
            case Verdict.PASS:
                self._passes += 1
            case Verdict.FAIL:
                self._failures += 1
            case _:
                self._inconclusive += 1
        self._close()

    def _close(self) -> None:
        bounds = self.metric.bounds
        if self._failures > bounds.failure_limit:
            self.ended = Verdict.FAIL
        elif bounds.inconclusive_limit is not None and self._inconclusive > bounds.inconclusive_limit:
            self.ended = Verdict.INCONCLUSIVE
        elif bounds.count and self._passes and self._passes + self._failures >= bounds.count:
            self.ended = Verdict.PASS

    # What they come to

    def _finding(self, now: datetime) -> Finding:
        name, source, last = self.metric.name, self.metric.source, self._last
        if self.ended is Verdict.ERROR:
            reason = f"{name}: {source.name} failed {source.errors} times in a row: {source.problem}"
            return Finding(verdict=Verdict.ERROR, metric=name, reason=reason)
        if last is None:
            reason = f"{name}: no data yet: {self._why(now)}"
            return Finding(verdict=Verdict.INCONCLUSIVE, metric=name, reason=reason)
        verdict, told = self._counted(last)
        found = evolve(last, verdict=verdict, reason=f"{last.reason} ({told})" if told else last.reason)
        return self._spoken(found, now) if verdict is Verdict.PASS and not self.ended else found

    def _counted(self, last: Finding) -> tuple[Verdict, str]:
        """The last measurement's verdict, once the others and the limits are counted in, and why."""
        bounds, done = self.metric.bounds, self._passes + self._failures
        if self.ended is Verdict.INCONCLUSIVE:
            return self.ended, f"{self._inconclusive} measurements said nothing"
        if self.ended is Verdict.PASS:
            return self.ended, f"{self._passes} of {done} measurements passed"
        if self.ended is Verdict.FAIL:
            allowed = f"{self._failures} failures, {bounds.failure_limit} allowed"
            return self.ended, allowed if bounds.failure_limit else ""
        if last.verdict is Verdict.FAIL:
            return Verdict.INCONCLUSIVE, f"failure {self._failures} of {bounds.failure_limit} allowed"
        if last.verdict is Verdict.PASS and bounds.count:
            return Verdict.INCONCLUSIVE, f"measurement {done} of {bounds.count}"
        return last.verdict, ""

    def _spoken(self, last: Finding, now: datetime) -> Finding:
        """A PASS on data that ended a while ago is INCONCLUSIVE: silence is never a pass."""
        source, bounds = self.metric.source, self.metric.bounds
        spoke = [w.end for w in source.windows if not w.baseline and self._tells(w.candidate)]
        quiet = (now - spoke[-1]).total_seconds() - source.lag if spoke else 0.0
        if quiet <= max(SILENCE, 3 * bounds.interval, 3 * source.step):
            return last
        reason = f"{last.metric}: nothing seen for {quiet:.0f} s; before, {last.reason}"
        return evolve(last, verdict=Verdict.INCONCLUSIVE, reason=reason)

    def _tells(self, figures: Figures) -> bool:
        """Whether a window says anything of this metric."""
        name = self.metric.name
        if name in figures.values:
            return True
        if name.startswith("latency_p") and not self.metric.compares:
            return any(figures.latency.values())
        counted = self.metric.compares or name in ("error_rate", "requests")
        return counted and figures.requests > 0

    @staticmethod
    def _outdated(finding: Finding) -> Finding:
        """A PASS of what was seen before nobody watched is worth what is seen since."""
        reason = f"{finding.metric}: nothing seen yet since nobody watched; before, {finding.reason}"
        return evolve(finding, verdict=Verdict.INCONCLUSIVE, reason=reason)

    def _why(self, now: datetime) -> str:
        source = self.metric.source
        if now < self._from:
            return f"it is measured from {self.metric.bounds.delay:g} s after the beginning on"
        return (
            f"{source.name}: {source.problem}"
            if source.problem
            else source.nothing or "nothing was looked at"
        )


def _time(written: Json) -> datetime | None:
    return datetime.fromisoformat(str(written)) if written else None
