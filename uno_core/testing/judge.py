"""What a judge must do."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from uno_core.contracts.judge import Judge, Window
from uno_core.contracts.metrics import Figures
from uno_core.contracts.services import Services
from uno_core.model import Bounds, Finding, Slot, Verdict


class JudgeContract:
    """What every judge must do::

        class TestJudge(JudgeContract):
            @pytest.fixture
            def judge(self, services):
                return MyJudge(MyOptions(), services)

    May override: `good` and `bad`, windows that are to pass and to fail by the fixture `bounds`;
    by default ten minutes with many requests, of which none and a third are errors.
    """

    @pytest.fixture
    def judge(self, services: Services) -> Judge:
        """The judge."""
        raise NotImplementedError("override the fixture `judge`: return your judge, made of `services`")

    @pytest.fixture
    def bounds(self) -> Mapping[str, Bounds]:
        """What the metrics may be."""
        return {"error_rate": Bounds(max=0.01), "latency_p95": Bounds(max=0.5), "cpu": Bounds(max=0.9)}

    @pytest.fixture
    def good(self) -> Sequence[Window]:
        """Plenty of windows, far within the bounds."""
        return _windows(Figures(requests=10_000, latency={0.1: 10_000}, values={"cpu": 0.2}))

    @pytest.fixture
    def bad(self) -> Sequence[Window]:
        """Plenty of windows, far beyond the bounds."""
        return _windows(
            Figures(requests=10_000, errors=3_333, latency={0.1: 100, 5.0: 9_900}, values={"cpu": 0.99})
        )

    def test_what_is_good_passes(
        self, judge: Judge, good: Sequence[Window], bounds: Mapping[str, Bounds]
    ) -> None:
        findings = judge.judge(good, bounds)
        assert {f.verdict for f in findings} == {Verdict.PASS}, findings

    def test_what_is_bad_fails(
        self, judge: Judge, bad: Sequence[Window], bounds: Mapping[str, Bounds]
    ) -> None:
        findings = judge.judge(bad, bounds)
        assert Verdict.FAIL in {f.verdict for f in findings}, findings

    def test_there_is_one_finding_a_metric(
        self,
        judge: Judge,
        good: Sequence[Window],
        bad: Sequence[Window],
        bounds: Mapping[str, Bounds],
    ) -> None:
        for windows in (good, bad, ()):
            findings = judge.judge(windows, bounds)
            assert all(isinstance(f, Finding) for f in findings)
            assert sorted(f.metric for f in findings) == sorted(bounds)

    def test_findings_are_in_words(
        self, judge: Judge, good: Sequence[Window], bad: Sequence[Window], bounds: Mapping[str, Bounds]
    ) -> None:
        for windows in (good, bad, ()):
            for finding in judge.judge(windows, bounds):
                assert finding.reason.strip(), f"{finding.metric}: a person who reads this has to know why"
                assert all(math.isfinite(n) for n in finding.numbers.values()), finding.numbers

    def test_nothing_seen_is_no_pass(self, judge: Judge, bounds: Mapping[str, Bounds]) -> None:
        assert not _passed(judge.judge((), bounds)), "silence is INCONCLUSIVE"

    def test_no_requests_are_no_pass(self, judge: Judge, bounds: Mapping[str, Bounds]) -> None:
        findings = judge.judge(_windows(Figures()), bounds)
        assert not _passed(findings), "zero errors of zero requests say nothing"

    def test_an_unknown_metric_is_no_pass(self, judge: Judge, good: Sequence[Window]) -> None:
        findings = judge.judge(good, {"nobody_measures_it": Bounds(max=1.0)})
        assert not _passed(findings), "what was not measured is not within its bounds"

    def test_not_a_number_is_no_pass(self, judge: Judge, good: Sequence[Window]) -> None:
        windows = [evolve(w, candidate=evolve(w.candidate, values={"cpu": math.nan})) for w in good]
        assert not _passed(judge.judge(windows, {"cpu": Bounds(max=0.9)}))

    def test_there_may_be_nothing_to_compare_with(
        self, judge: Judge, good: Sequence[Window], bad: Sequence[Window], bounds: Mapping[str, Bounds]
    ) -> None:
        for windows in (good, bad):
            alone = [evolve(w, stable=None) for w in windows]
            findings = judge.judge(alone, bounds)
            assert sorted(f.metric for f in findings) == sorted(bounds), (
                "absolute bounds hold at a first deployment"
            )

    def test_the_same_windows_give_the_same_findings(
        self, judge: Judge, good: Sequence[Window], bad: Sequence[Window], bounds: Mapping[str, Bounds]
    ) -> None:
        first = list(judge.judge(bad, bounds))
        judge.judge(good, bounds)
        assert list(judge.judge(bad, bounds)) == first, "a judge remembers nothing"

    def test_a_judge_touches_nothing(
        self, judge: Judge, bad: Sequence[Window], bounds: Mapping[str, Bounds]
    ) -> None:
        windows, allowed = copy.deepcopy(list(bad)), copy.deepcopy(dict(bounds))
        judge.judge(bad, bounds)
        assert list(bad) == windows, "windows are read, not changed"
        assert dict(bounds) == allowed, "bounds are read, not changed"


def _windows(candidate: Figures, number: int = 10) -> Sequence[Window]:
    stable = Figures(requests=10_000, latency={0.1: 10_000}, values={"cpu": 0.2})
    start = datetime(2025, 1, 1, tzinfo=UTC)
    minute = timedelta(minutes=1)
    return [
        Window(
            start=start + n * minute,
            end=start + (n + 1) * minute,
            slot=Slot.GREEN,
            candidate=copy.deepcopy(candidate),
            stable=copy.deepcopy(stable),
        )
        for n in range(number)
    ]


def _passed(findings: Sequence[Finding]) -> bool:
    return any(f.verdict is Verdict.PASS for f in findings)
