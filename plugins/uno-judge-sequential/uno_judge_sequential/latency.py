"""Latency as a ratio test: bad is whatever took longer than an edge of the histogram."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from attrs import define, field

from uno_core import Figures
from uno_judge_sequential.betting import RatioTest, combine
from uno_judge_sequential.dispersion import Dispersion, history_dispersion

TAILS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
"""The shares of slow requests for which the nearest edge is taken."""

LEAST_TAIL, MOST_TAIL = 0.004, 0.6
"""An edge beyond which fewer, or more, of the stable slot's requests lie says nothing."""

LEARNT_FROM = 200.0
"""Requests of the stable slot that the edges are chosen by."""


@define
class Latency:
    """One test an edge, each with a dispersion of its own; E is their mean.

    The edges are chosen by what the stable slot did before, or else in its first windows, which are not
    judged then: chosen by what they are to judge, the test would flatter itself. given: the provider
    has latencies at all. unshared: the last window's histograms had no edge of these in common.
    """

    margin: float
    clip: float
    given: bool = field(init=False, default=False)
    tests: dict[float, tuple[RatioTest, Dispersion]] = field(init=False, factory=dict)
    logs: dict[float, float] = field(init=False, factory=dict)
    slow: float = field(init=False, default=0.0)
    unshared: bool = field(init=False, default=False)
    _learnt: dict[float, float] = field(init=False, factory=dict)
    _chosen: bool = field(init=False, default=False)
    _tails: dict[float, list[float]] = field(init=False, factory=dict)

    @property
    def fixed(self) -> bool:
        """Whether there are edges to judge by."""
        return bool(self.tests)

    @property
    def log_e(self) -> float:
        """The natural log of the mean of the e-values."""
        return combine(list(self.logs.values()), [1 / len(self.logs)] * len(self.logs)) if self.logs else 0.0

    def worst(self) -> tuple[float, float, float] | None:
        """The edge with the most evidence, and the slots' shares of slower requests: canary, stable."""
        judged = [edge for edge, seen in self._tails.items() if any(seen)]
        if not judged:
            return None
        edge = max(judged, key=lambda one: self.logs[one])
        x_c, n_c, x_s, n_s = self._tails[edge]
        return edge, x_c / n_c if n_c else 0.0, x_s / n_s if n_s else 0.0

    def read(self, candidate: Figures, stable: Figures | None, before: Sequence[Figures]) -> None:
        """One window of both slots; `before` is what the stable slot did alone."""
        if stable is None or not stable.latency:
            return
        if not self._chosen:
            for figures in before if not self._learnt else ():
                self._learn(figures)
            if self._choose(before):
                self._judge(candidate, stable)
                return
            self._learn(stable)
            self._choose(before)
            return
        self._judge(candidate, stable)

    def _learn(self, figures: Figures) -> None:
        for edge, count in figures.latency.items():
            self._learnt[edge] = self._learnt.get(edge, 0.0) + count

    def _choose(self, before: Sequence[Figures]) -> bool:
        total = math.fsum(self._learnt.values())
        if total < LEARNT_FROM:
            return False
        self._chosen = True
        tails = {edge: slower(self._learnt, edge) / total for edge in self._learnt if math.isfinite(edge)}
        usable = {edge: tail for edge, tail in tails.items() if LEAST_TAIL <= tail <= MOST_TAIL}
        for wanted in TAILS if usable else ():
            edge = min(usable, key=lambda one: abs(math.log(usable[one] / wanted)))
            if edge not in self.tests:
                phi0 = history_dispersion([(slower(f.latency, edge), total_of(f.latency)) for f in before])
                self.tests[edge] = (RatioTest(self.margin, clip=self.clip), Dispersion(phi0))
                self.logs[edge], self._tails[edge] = 0.0, [0.0] * 4
        return True

    def _judge(self, candidate: Figures, stable: Figures) -> None:
        n_c, n_s = total_of(candidate.latency), total_of(stable.latency)
        shared = [edge for edge in self.tests if all(parted_at(f.latency, edge) for f in (candidate, stable))]
        self.unshared = bool(n_c and self.tests) and not shared
        for edge in shared:
            test, dispersion = self.tests[edge]
            x_c, x_s = min(slower(candidate.latency, edge), n_c), min(slower(stable.latency, edge), n_s)
            self.logs[edge] = test.update(x_c, n_c, x_s, n_s, dispersion.phi)
            dispersion.update(x_c, n_c, x_s, n_s)
            seen = zip(self._tails[edge], (x_c, n_c, x_s, n_s), strict=True)
            self._tails[edge] = [old + new for old, new in seen]
        if worst := self.worst():
            self.slow = self._tails[worst[0]][0]


def slower(latency: Mapping[float, float], edge: float) -> float:
    """The requests that took longer than the edge."""
    return math.fsum(count for upper, count in latency.items() if upper > edge)


def total_of(latency: Mapping[float, float]) -> float:
    """All requests of a histogram."""
    return math.fsum(latency.values())


def parted_at(latency: Mapping[float, float], edge: float) -> bool:
    """Whether it can be told what took longer than the edge: no bucket with requests lies across it.

    Releases may have buckets of their own; what lies across would look slow in one slot only.
    """
    across = min((upper for upper in latency if upper > edge), default=None)
    return edge in latency or across is None or not latency[across]
