"""Which whole periods a window is answered from, and whether they are complete."""

from __future__ import annotations

import math
import threading
from datetime import UTC, datetime

from attrs import frozen

from uno_core import NoData

KEPT = 64
"""Ends of windows that are remembered of each slot."""


@frozen(kw_only=True)
class Span:
    """Whole periods, in seconds since 1970: from `first`, up to where `last` begins."""

    first: int
    last: int
    period: int

    @property
    def start(self) -> datetime:
        return datetime.fromtimestamp(self.first, UTC)

    @property
    def end(self) -> datetime:
        return datetime.fromtimestamp(self.last, UTC)

    def holds(self, moment: float) -> bool:
        return self.first <= moment < self.last

    def __str__(self) -> str:
        return f"from {self.start:%H:%M} to {self.end:%H:%M} UTC"


class Seams:
    """Where windows ended that were asked for, by slot.

    A window is answered from the periods that lie wholly inside, so that what came before it does not
    count. The period in which one window ends and the next one begins lies in neither: it belongs to the
    later one, or every second minute would be seen by nobody. Safe for several threads.
    """

    def __init__(self, period: float, delay: float) -> None:
        self._period, self._delay = int(period), delay
        self._ends: dict[object, dict[datetime, None]] = {}
        self._guard = threading.Lock()

    def span(self, whose: object, start: datetime, end: datetime, now: datetime) -> Span | NoData:
        """The whole periods of the window; NoData where there is none, or the last may still change."""
        goes_on = self._met(whose, start, end)
        begun = start.timestamp() / self._period
        span = Span(
            first=(math.floor(begun) if goes_on else math.ceil(begun)) * self._period,
            last=math.floor(end.timestamp() / self._period) * self._period,
            period=self._period,
        )
        called = "minute" if self._period == 60 else f"{self._period // 60} minutes"
        if span.last <= span.first:
            utc = (start.astimezone(UTC), end.astimezone(UTC))
            fits = "no whole minute lies" if self._period == 60 else f"no {called} lie wholly"
            return NoData(f"{fits} between {utc[0]:%H:%M:%S} and {utc[1]:%H:%M:%S} UTC")
        complete = span.last + self._delay
        if now.timestamp() < complete:
            at, begin = (datetime.fromtimestamp(s, UTC) for s in (complete, span.last - self._period))
            verb = "is" if self._period == 60 else "are"
            return NoData(f"the {called} from {begin:%H:%M} {verb} not complete before {_clock(at)} UTC")
        return span

    def _met(self, whose: object, start: datetime, end: datetime) -> bool:
        """Whether a window ended where this one begins; the end of this one is kept."""
        with self._guard:
            ends = self._ends.setdefault(whose, {})
            met = start in ends
            for moment in (start, end) if met else (end,):
                # The newest last: a window that is asked for again and again keeps its beginning.
                ends.pop(moment, None)
                ends[moment] = None
            while len(ends) > KEPT:
                ends.pop(next(iter(ends)))
        return met


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
