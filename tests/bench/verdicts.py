"""What the judges make of canaries: how often a good one is taken back, and how soon a bad one.

Prints two tables, and JSON on stderr. Beside what was found stands what was recorded, and by how many
standard errors of both the two differ; beyond four it is a failure. `--short` tries few of each.

- sequential: the judge of that name, with three margins, beside six hours of history. It is read window
  by window, as `uno power` does; the first canary of each kind is judged by its `judge` look by look
  too, as in a deployment, and has to come to the same.
- Argo, Flagger: uno's judge `threshold` as these would be set up: a bound on the share of errors of each
  minute, `failure_limit` failures let pass; over the whole deployment, where uno counts in each wait, and
  of however few requests.
- threshold: that judge as it is, with a bound of 5 %, asked at every look about the wait so far.
- Kayenta: only what was recorded.

No window is left out after a change of the split, which in a deployment the first one is: so all are a
window sooner here.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import cast

from attrs import define, evolve, field, frozen
from canaries import LOOK, LOOKS, Scenario, minutes
from recorded import BAD, CAUGHT, CELLS, NOISES, RUNS_BAD, RUNS_GOOD, WORST, Recorded

from uno_core import Bounds, Services, Verdict, Window
from uno_core.builtin import ThresholdJudge, ThresholdOptions
from uno_judge_sequential import RatioTest
from uno_judge_sequential.betting import GRID
from uno_judge_sequential.judge import SequentialJudge
from uno_judge_sequential.options import SequentialOptions
from uno_judge_sequential.reading import Reading

TOO_FAR = 4.0
"""Standard errors that no cell may be off."""

NOTED = 3.0
"""Standard errors beyond which a cell is named; of some 150, chance gives less than one."""

SHARED = 10
"""Canaries that come after the same history: it costs more than they do."""

CHECKED = 1
"""Canaries of each kind that are judged the long way too, with each margin."""

SELDOM = 5
"""One in so many is judged by the threshold judge at every look, which reads the whole wait each time."""

NO_SERVICES = cast("Services", None)
"""The judges here are pure, and ask nothing of anybody."""


@frozen
class Ended:
    """How a canary ended. at: seconds until it was taken back; None: never. bad: answers it served."""

    at: float | None
    bad: float


def tried(scenario: Scenario, runs: int) -> Mapping[str, Sequence[Ended]]:
    """What each judge made of so many canaries of one scenario."""
    rng = scenario.rng()
    margins = (1.25, 1.5, 2.0) if scenario.ratio == 1 else (1.25, 1.5)
    ended: dict[str, list[Ended]] = {}
    history: list[Window] = []
    for number in range(runs):
        if number % SHARED == 0:
            history = scenario.history(rng)
        canary = scenario.canary(rng)
        found = {f"sequential {m:g}": sequential(history, canary, m, number < CHECKED) for m in margins}
        found |= thresholds(canary, scenario.error_rate)
        if number % SELDOM == 0:
            found["threshold 5 %"] = threshold(canary)
        for judge, at in found.items():
            ended.setdefault(judge, []).append(_ended(canary, at))
    return ended


def _ended(canary: Sequence[Window], windows: int | None) -> Ended:
    bad = sum(window.candidate.errors for window in canary[:windows])
    return Ended(None if windows is None else windows * LOOK, bad)


def sequential(history: Sequence[Window], canary: Sequence[Window], margin: float, check: bool) -> int | None:
    """After how many windows the judge takes the canary back."""
    options = SequentialOptions(margin=margin)
    reading = Reading(options)
    for window in history:
        reading.read(window)
    found = None
    for number, window in enumerate(canary, 1):
        reading.read(window)
        if reading.crossed:
            found = number
            break
    if check:
        log_e, asked = looked(history, canary, options)
        if (asked, log_e) != (found, reading.log_e):
            raise AssertionError(f"margin {margin:g}: read one by one {found} windows, by the judge {asked}")
    return found


def looked(
    history: Sequence[Window], canary: Sequence[Window], options: SequentialOptions
) -> tuple[float, int | None]:
    """The same, by the judge as a deployment asks it: at each look, with the whole table."""
    judge = SequentialJudge(options)
    log_e = 0.0
    for number in range(1, len(canary) + 1):
        (finding,) = judge.judge([*history, *canary[:number]], {"sequential": Bounds()})
        log_e = finding.numbers["log_e"]
        if finding.verdict is Verdict.FAIL:
            return log_e, number
    return log_e, None


def thresholds(canary: Sequence[Window], error_rate: float) -> Mapping[str, int | None]:
    """After how many windows the judges of fixed bounds take it back."""
    each = minutes(canary)
    five = _failed(each, 0.05)
    found = {f"Argo >5 %, {limit}": _nth(five, limit) for limit in (0, 1, 3)}
    if error_rate < 0.01:  # a bound of 1 % on a release that has 1 % takes everything back
        one = _failed(each, 0.01)
        found |= {"Argo >1 %, 1": _nth(one, 1), "Flagger <99 %, 5": _nth(one, 4)}
    return found


def _failed(each: Sequence[Window], most: float) -> Sequence[int]:
    judge = ThresholdJudge(ThresholdOptions(least_requests=1, least_errors=1), NO_SERVICES)
    bounds = {"error_rate": Bounds(max=most)}
    found = [judge.judge([window], bounds)[0].verdict for window in each]
    return [number for number, verdict in enumerate(found, 1) if verdict is Verdict.FAIL]


def _nth(failed: Sequence[int], let_pass: int) -> int | None:
    return 6 * failed[let_pass] if len(failed) > let_pass else None


def threshold(canary: Sequence[Window]) -> int | None:
    """After how many windows uno's default judge takes it back: the first failure of any wait does."""
    judge, bounds = ThresholdJudge(ThresholdOptions(), NO_SERVICES), {"error_rate": Bounds(max=0.05)}
    alone = [evolve(window, stable=None) for window in canary]  # it would add up what it does not use
    for number in range(1, len(canary) + 1):
        begun = (number - 1) // LOOKS * LOOKS
        if judge.judge(alone[begun:number], bounds)[0].verdict is Verdict.FAIL:
            return number
    return None


@frozen
class Share:
    """So many of so many."""

    happened: int
    runs: int

    @property
    def percent(self) -> float:
        return 100 * self.happened / self.runs

    @property
    def error(self) -> float:
        """The standard error of the percentage; of none or all not nothing."""
        p = (self.happened + 0.5) / (self.runs + 1)
        return 100 * math.sqrt(p * (1 - p) / self.runs)

    def off(self, recorded: float, runs: int) -> float:
        """By how many standard errors of both it differs from a percentage that was rounded.

        By Fisher's exact test, as the normal deviate of the same probability: few that happened, of few
        tried, are not normal at all.
        """
        rounding = 0.5 if recorded >= 2 and recorded == round(recorded) else 0.05
        likely = min(max(self.percent, recorded - rounding, 0.0), recorded + rounding, 100.0)
        before = round(likely / 100 * runs)
        more = self.happened * runs > before * self.runs
        if more:
            chance = _tail(self.happened, self.runs, before, runs)
        else:
            chance = _tail(self.runs - self.happened, self.runs, runs - before, runs)
        deviate = -statistics.NormalDist().inv_cdf(min(max(chance, 1e-15), 0.5))
        return (deviate if more else -deviate) or 0.0  # no -0.0

    def __str__(self) -> str:
        return f"{self.percent:.2f} ± {self.error:.2f}"


def _tail(happened: int, runs: int, before: int, runs_before: int) -> float:
    """The probability of so many or more here, where it happened as often as it did in all of both."""
    both = happened + before
    least, most = max(happened, both - runs_before), min(runs, both)
    ways = _log_ways(runs + runs_before, both)
    logs = [_log_ways(runs, k) + _log_ways(runs_before, both - k) - ways for k in range(least, most + 1)]
    return math.fsum(map(math.exp, logs))


def _log_ways(many: int, few: int) -> float:
    return math.lgamma(many + 1) - math.lgamma(few + 1) - math.lgamma(many - few + 1)


def _off(found: float, recorded: float, error: float, rounding: float) -> float:
    gap = max(0.0, abs(found - recorded) - rounding)
    return math.copysign(gap / error, found - recorded) if gap else 0.0


@define
class Report:
    """What was printed as numbers, and the cells that are off: by name and standard errors."""

    numbers: dict[str, float] = field(factory=dict)
    far: list[tuple[str, float]] = field(factory=list)
    cells: int = 0

    def held(self, name: str, value: float, off: float | None) -> None:
        """Keep a cell's value, and how far it is off."""
        self.numbers[name] = round(value, 4)
        if off is not None:
            self.cells += 1
            if abs(off) > NOTED:
                self.far.append((name, off))


Found = Mapping[str, Mapping[str, Sequence[Ended]]]


def good(found: Found, report: Report) -> None:
    """Canaries that are no worse, of traffic and error rates each: the worst of these cells."""
    print("\nGood canaries that were taken back, %: the worst of 5 to 5,000 rps, 0.1 % and 1 % of errors")
    print(f"{'noise':22} {'judge':18} {'worst ± se':>16} {'recorded':>9} {'off, se':>8} {'median':>7}  at")
    for position, noise in enumerate(NOISES):
        cells = {
            s.cell: found[s.name] for s in (Scenario(noise=noise, rps=r, error_rate=e) for r, e in CELLS)
        }
        for judge, values in WORST.items():
            shares = {cell: _taken_back(ended[judge]) for cell, ended in cells.items() if judge in ended}
            if not shares:
                print(f"{noise.name:22} {judge:18} {'':16} {values[position]:9g}")
                continue
            at = max(shares, key=lambda cell: shares[cell].percent)
            worst, recorded = shares[at], values[position] if values else None
            off = None if recorded is None else worst.off(recorded, RUNS_GOOD)
            report.held(f"{noise.name}, {judge}", worst.percent, off)
            middle = statistics.median(share.percent for share in shares.values())
            print(
                f"{noise.name:22} {judge:18} {worst!s:>16} {_told(recorded):>9} {_told(off, '+.1f'):>8}"
                f" {middle:7.2f}  {at if worst.happened else '-'}"
            )


def _taken_back(ended: Sequence[Ended]) -> Share:
    return Share(sum(one.at is not None for one in ended), len(ended))


def bad(found: Found, report: Report) -> None:
    """Canaries that are worse: how many are taken back, when, and what they cost."""
    print("\nBad canaries: taken back %, median s until then, and bad answers in the mean; recorded beside")
    print(
        f"{'canary':38} {'judge':18} {'caught ± se':>16} {'recorded':>9} {'median s':>9} {'recorded':>9}"
        f" {'bad ± se':>17} {'recorded':>9} {'off, se':>16}"
    )
    for scenario in BAD:
        for judge in CAUGHT:
            recorded = BAD[scenario].get(judge, Recorded())
            if ended := found[scenario.name].get(judge):
                _row(report, f"{scenario.name}", judge, ended, recorded)
            elif judge in BAD[scenario]:
                values = f"{'':16} {_told(recorded.caught):>9} {'':9} {_told(recorded.median):>9}"
                print(f"{scenario.name:38} {judge:18} {values} {'':17} {_told(recorded.bad):>9}")


def _row(report: Report, name: str, judge: str, ended: Sequence[Ended], recorded: Recorded) -> None:
    share, times = _taken_back(ended), sorted(one.at for one in ended if one.at is not None)
    served = [one.bad for one in ended]
    cost, spread = statistics.fmean(served), statistics.stdev(served)
    median = statistics.median(times) if times else None
    offs: list[float | None] = [None, None, None]
    if recorded.caught is not None:
        offs[0] = share.off(recorded.caught, RUNS_BAD)
    if recorded.median is not None and median is not None and len(times) >= 20:
        before = RUNS_BAD * (recorded.caught or 100) / 100
        offs[1] = _off(median, recorded.median, _median_error(times, before), LOOK / 2)
    if recorded.bad is not None:
        error = spread * math.sqrt(1 / len(served) + 1 / RUNS_BAD)
        offs[2] = _off(cost, recorded.bad, error, 0.5)
    for what, value, off in zip(
        ("caught %", "median s", "bad"), (share.percent, median, cost), offs, strict=True
    ):
        if value is not None:
            report.held(f"{name}, {judge}, {what}", value, off)
    said = f"{cost:,.1f} ± {spread / math.sqrt(len(served)):,.1f}"
    told = " ".join(f"{_told(off, '+.1f'):>5}" for off in offs)
    print(
        f"{name:38} {judge:18} {share!s:>16} {_told(recorded.caught):>9} {_told(median):>9}"
        f" {_told(recorded.median):>9} {said:>17} {_told(recorded.bad):>9} {told}"
    )


def _median_error(times: Sequence[float], before: float) -> float:
    """The standard error of the difference of the medians of these and of so many others.

    By the order statistics two standard errors around this median.
    """
    around = 1 / math.sqrt(len(times))
    low, high = (times[round((len(times) - 1) * share)] for share in (0.5 - around, 0.5 + around))
    # Times are whole windows: a median may jump by one though all of them are alike.
    return max(high - low, LOOK) / 4 * math.sqrt(1 + len(times) / before)


def _told(value: float | None, form: str = ",g") -> str:
    return "-" if value is None else format(value, form)


def updating(report: Report, times: int) -> None:
    """What one window costs the ratio test, beside what no way of writing it in Python can save."""

    def least() -> None:
        total = 0.0
        for k in GRID:
            total += math.exp(-math.log(1000.0 * k + 9000.0)) + math.log1p(math.exp(-k))

    test = RatioTest(1.5, clip=3.9)
    update, loop = _each(times, lambda: test.update(5, 1000, 9, 9000, 1.2)), _each(times, least)
    print()
    for name, value, unit, budget in (
        ("RatioTest.update", update * 1e6, "µs", "at most 50"),
        ("RatioTest.update / a loop of its logarithms alone", update / loop, "x", ""),
    ):
        print(f"{name:58} {value:>12,.4g} {unit:4} {budget}")
        report.numbers[name] = round(value, 3)


def _each(times: int, run: Callable[[], object]) -> float:
    """The median, of seven goes, of the mean seconds of one run."""
    took = []
    for _ in range(7):
        began = time.perf_counter()
        for _ in range(times):
            run()
        took.append((time.perf_counter() - began) / times)
    return statistics.median(took)


def main(short: bool, jobs: int | None) -> int:
    runs_good, runs_bad = (20, 40) if short else (800, 600)
    report, began = Report(), time.perf_counter()
    updating(report, 200 if short else 2000)
    # Those that take longest first, so that no process is left alone with one at the end.
    todo = [(Scenario(noise=n, rps=r, error_rate=e), runs_good) for n in NOISES for r, e in reversed(CELLS)]
    todo += [(scenario, runs_bad) for scenario in BAD]
    try:
        with ProcessPoolExecutor(jobs) as pool:
            ended = pool.map(tried, *zip(*todo, strict=True))
            found = {scenario.name: one for (scenario, _), one in zip(todo, ended, strict=True)}
    except AssertionError as problem:
        print(f"FAILED: {problem}")
        return 1
    good(found, report)
    bad(found, report)
    seconds = time.perf_counter() - began
    print(
        f"\n{runs_good:,} good canaries a cell, {runs_bad:,} bad ones of a kind; {seconds:.0f} s."
        f" Of {report.cells} cells with a recorded value {len(report.far)} are off by more than {NOTED:g}"
        f" standard errors{':' if report.far else '.'}"
    )
    for name, off in report.far:
        print(f"  {name}: {off:+.1f}{', which is too far' if abs(off) > TOO_FAR else ''}")
    print(json.dumps(report.numbers), file=sys.stderr)
    wrong = [name for name, off in report.far if abs(off) > TOO_FAR]
    if wrong:
        print(f"FAILED: {len(wrong)} cells are more than {TOO_FAR:g} standard errors off what was recorded")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="few canaries of each kind")
    parser.add_argument("--jobs", type=int, default=None, help="processes; without it one for each processor")
    given = parser.parse_args()
    sys.exit(main(given.short, given.jobs))
