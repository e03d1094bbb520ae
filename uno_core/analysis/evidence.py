"""The evidence on one slot while it is watched: windows gathered, judged, put into words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve

from uno_core.analysis.verdicts import combine
from uno_core.analysis.windows import Watcher
from uno_core.contracts.judge import Judge, Window
from uno_core.contracts.services import Logger
from uno_core.model import Analysis, Bounds, Finding, Json, Verdict
from uno_core.rules import protects
from uno_core.wire import from_json, to_json

KEPT = 200
"""Windows that are kept beside the journal for the next driver."""


class Evidence:
    """Looks, judges, and never takes silence or a failing provider for a pass.

    A look that errs does not end anything by itself: the fifth in a row makes the verdict ERROR, and
    until then the windows that are there stand.
    """

    errors_in_a_row = 4
    silence = 60.0
    """Seconds without anything to judge, after which what was seen before promotes nothing any more."""

    def __init__(
        self, watcher: Watcher, judge: Judge, bounds: Mapping[str, Bounds], provider: str, logger: Logger
    ) -> None:
        self._watcher = watcher
        self._judge = judge
        self._bounds = bounds
        self._provider = provider
        self._logger = logger
        self._windows: list[Window] = []
        self._rows: list[Json] = []
        self._fresh = 0
        self._errors = 0

    @property
    def windows(self) -> Sequence[Window]:
        return tuple(self._windows)

    def memo(self) -> Json:
        """The windows so far, for the next driver: the newest of them, where there are very many."""
        return self._rows[-KEPT:]

    def recall(self, rows: Json) -> None:
        """Begin with the windows of a driver before: what it saw counts on."""
        self._rows = list(rows) if isinstance(rows, Sequence) else []
        self._windows = [from_json(row, Window) for row in self._rows]

    @protects("a wait that ran out unwatched ends with a fresh verdict")
    def expire(self) -> None:
        """From now on what was seen until here fails as ever, but passes nothing."""
        self._fresh = len(self._windows)

    def look(self) -> Analysis:
        """Take one more look, and say what all the windows so far come to."""
        try:
            looked = self._watcher.look()
        except Exception as problem:  # noqa: BLE001 - a provider is a plugin: whatever it raises is ERROR
            self._errors += 1
            self._logger.warning("metric provider failed", provider=self._provider, problem=str(problem))
            if self._errors > self.errors_in_a_row:
                return self._all(
                    Verdict.ERROR, f"{self._provider} failed {self._errors} times in a row: {problem}"
                )
            return self.verdict(f"{self._provider}: {problem}")
        self._errors = 0
        if looked.window is not None:
            self._windows.append(looked.window)
            self._rows.append(to_json(looked.window))
        return self.verdict(looked.nothing)

    def verdict(self, silence: str = "") -> Analysis:
        """What the windows come to; without any it is INCONCLUSIVE, for the reason given."""
        if not self._windows:
            return self._all(Verdict.INCONCLUSIVE, f"no data yet: {silence or 'nothing was looked at'}")
        try:
            findings = self._judged()
        except Exception as problem:  # noqa: BLE001 - a judge is a plugin: whatever it raises is ERROR
            return self._all(Verdict.ERROR, f"the judge failed: {type(problem).__name__}: {problem}")
        findings = [self._stale(finding) for finding in findings]
        missing = [name for name in self._bounds if name not in {f.metric for f in findings}]
        return combine(
            [
                *findings,
                *(
                    Finding(verdict=Verdict.ERROR, metric=name, reason=f"{name}: the judge gave no finding")
                    for name in missing
                ),
            ]
        )

    def _judged(self) -> Sequence[Finding]:
        findings = [_finding(f) for f in self._judge.judge(self._windows, self._bounds)]
        if not self._fresh:
            return findings
        seen = self._windows[self._fresh :]
        fresh = {f.metric: _finding(f) for f in self._judge.judge(seen, self._bounds)} if seen else {}
        return [self._fresher(f, fresh.get(f.metric)) for f in findings]

    @staticmethod
    def _fresher(finding: Finding, fresh: Finding | None) -> Finding:
        """A PASS of what was seen before nobody watched is worth what is seen since."""
        if finding.verdict is not Verdict.PASS:
            return finding
        reason = f"{finding.metric}: nothing seen yet since nobody watched; before, {finding.reason}"
        return fresh or evolve(finding, verdict=Verdict.INCONCLUSIVE, reason=reason)

    def _stale(self, finding: Finding) -> Finding:
        """A PASS on data that ended a while ago is INCONCLUSIVE: silence is never a pass."""
        spoke = [w.end for w in self._windows if w.candidate.requests or finding.metric in w.candidate.values]
        quiet = (self._watcher.since - spoke[-1]).total_seconds() if spoke else 0.0
        if finding.verdict is not Verdict.PASS or quiet <= self.silence:
            return finding
        reason = f"{finding.metric}: nothing seen for {quiet:.0f} s; before, {finding.reason}"
        return evolve(finding, verdict=Verdict.INCONCLUSIVE, reason=reason)

    def _all(self, verdict: Verdict, reason: str) -> Analysis:
        return combine(
            [
                Finding(verdict=verdict, metric=name, reason=f"{name}: {reason}")
                for name in self._bounds or ("metrics",)
            ]
        )


def _finding(found: object) -> Finding:
    if not isinstance(found, Finding):
        raise TypeError(f"expected findings, found {found!r}")
    return found
