"""The judge on recorded windows: what it would have said, with which margin, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen

from uno_core import Bounds, Finding, Verdict, Window
from uno_judge_sequential.judge import NAME, SequentialJudge
from uno_judge_sequential.options import SequentialOptions
from uno_judge_sequential.reading import Reading


@frozen(kw_only=True)
class Replay:
    """What the judge makes of a table with some options.

    log_e: the natural log of the evidence, at the end and at its greatest; limit: where it is enough.
    window: the number of the one that would have ended it, baseline and all, from 1; None: it would not
    have been rolled back. at: when that one ended; after: seconds from the canary's first request on.
    bad: answers of the canary until then, or in all.
    """

    options: SequentialOptions
    finding: Finding
    log_e: float
    greatest: float
    limit: float
    window: int | None
    at: datetime | None
    after: float | None
    bad: float

    @property
    def rolled_back(self) -> bool:
        """Whether it would have been."""
        return self.finding.verdict is Verdict.FAIL

    def as_json(self) -> Mapping[str, Any]:
        """A row of the document."""
        return {
            "margin": self.options.margin,
            "verdict": str(self.finding.verdict),
            "reason": self.finding.reason,
            "log_e": round(self.log_e, 9),
            "greatest_log_e": round(self.greatest, 9),
            "limit": round(self.limit, 9),
            "rolled_back": None
            if self.at is None
            else {"window": self.window, "at": self.at.isoformat(), "after_seconds": self.after},
            "bad_answers": self.bad,
        }


def replayed(windows: Sequence[Window], options: SequentialOptions) -> Replay:
    """The judge's finding at the end, and how it came about window by window."""
    reading = Reading(options)
    greatest, bad = 0.0, 0.0
    ended: tuple[int, Window] | None = None
    for number, window in enumerate(windows, 1):
        reading.read(window)
        greatest = max(greatest, reading.log_e)
        if ended is None:
            bad = reading.canary.bad
            if reading.crossed:
                ended = number, window
    (finding,) = SequentialJudge(options).judge(windows, {NAME: Bounds()})
    last = ended[1] if ended is not None else None
    return Replay(
        options=options,
        finding=finding,
        log_e=reading.log_e,
        greatest=greatest,
        limit=reading.limit,
        window=ended[0] if ended is not None else None,
        at=last.end if last is not None else None,
        after=(last.end - _first(windows).start).total_seconds() if last is not None else None,
        bad=bad,
    )


def _first(windows: Sequence[Window]) -> Window:
    """The first window that the canary has a part in."""
    return next((one for one in windows if not one.baseline), windows[0])
