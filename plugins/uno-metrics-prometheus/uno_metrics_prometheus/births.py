"""Whether a series that was not there before began at zero, and whether a target is gone.

The first 5xx of a process is a new series with the value 1, and that 1 is an error; the first look at
a process that has run for a day is a new series too, and its value says nothing about the window. Three
things tell them apart, and where none does the first value is left out once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from uno_metrics_prometheus.api import Series
from uno_metrics_prometheus.template import quoted

Target = tuple[str, str]
"""The job and the instance that a series was scraped from."""

Fetch = Callable[[str], Sequence[Series]]


class Births:
    """What is known of the targets of one look. Asks Prometheus only where a series is new."""

    def __init__(self, start: float, fetch: Fetch) -> None:
        self._start = start
        self._fetch = fetch
        self._scraped: dict[Target, float] = {}
        self._began: dict[Target, float] = {}
        self._tried: dict[Target, float] = {}
        self._asked: set[str] = set()

    def note(self, found: Sequence[Series]) -> None:
        """Series of the same look: a target that gave one of them was scraped at that time."""
        for series in found:
            target = target_of(series.labels)
            if target and series.samples:
                self._scrape(target, series.samples[0][0])

    def from_zero(self, series: Series) -> bool:
        """Whether it was absent, or 0, before its first sample."""
        target = target_of(series.labels)
        if not target or not series.samples:
            return False
        first = series.samples[0][0]
        if self._scraped.get(target, first) < first:
            return True
        self._ask(target[0])
        return self._scraped.get(target, first) < first or self._began.get(target, 0.0) > self._start

    def gone(self, series: Series) -> bool:
        """Whether its target is scraped no more, which is other than that scrapes of it fail."""
        target = target_of(series.labels)
        if not target:
            return False
        self._ask(target[0])
        return self._tried.get(target, math.inf) <= self._start

    def _ask(self, job: str) -> None:
        if job in self._asked:
            return
        self._asked.add(job)
        for up in self._fetch(f"up{{job={quoted(job)}}}"):
            target = target_of(up.labels)
            if not target or not up.samples:
                continue
            self._tried[target] = up.samples[-1][0]
            if taken := [at for at, value in up.samples if value == 1]:
                self._scrape(target, taken[0])
        for process in self._fetch(f"process_start_time_seconds{{job={quoted(job)}}}"):
            if (target := target_of(process.labels)) and process.samples:
                self._began[target] = process.samples[-1][1]

    def _scrape(self, target: Target, at: float) -> None:
        self._scraped[target] = min(at, self._scraped.get(target, at))


def target_of(labels: Mapping[str, str]) -> Target | None:
    """None where a series was not scraped but computed by a rule, or sent: nobody knows from whom then."""
    job, instance = labels.get("job"), labels.get("instance")
    return (job, instance) if job and instance else None
