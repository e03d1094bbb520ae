"""The table of windows, read one by one: every test moved on by each, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from attrs import define, field

from uno_core import Figures, Window
from uno_judge_sequential.betting import FloorTest, RatioTest, combine
from uno_judge_sequential.dispersion import Dispersion, history_dispersion
from uno_judge_sequential.latency import Latency
from uno_judge_sequential.options import SequentialOptions

ERRORS, TRIP, LATENCY = "errors", "broken", "latency"
WEIGHTS: Mapping[str, float] = {ERRORS: 0.5, TRIP: 0.1, LATENCY: 0.4}
"""How much is bet on each test, fixed before anything is seen."""

TRIP_REQUESTS = 100.0
"""Requests of the canary that the trip-wire is asked about at once."""

TROUBLED = 0.1
"""A stable slot with a greater rate of errors has trouble of its own: the trip-wire is not asked then."""


EXPECTED = 5.0
"""Requests that a slot was to have by its share, below which it is chance where none came (1 in 150)."""


@define
class Counted:
    """Bad answers and requests of one slot."""

    bad: float = 0.0
    requests: float = 0.0

    @property
    def rate(self) -> float:
        """The share that was bad; 0 of nothing."""
        return self.bad / self.requests if self.requests else 0.0

    def add(self, figures: Figures) -> None:
        self.bad += min(figures.errors, figures.requests)
        self.requests += figures.requests


@define
class Reading:
    """What was read so far. Windows have to come oldest first, the baseline before all others.

    crossed: what was known when the evidence first reached its limit, for good; Ville's inequality is
    about the greatest value, not the last. deaf: windows in a row in which only the stable slot was
    asked, though more than chance keeps away was to come to the candidate. usable, comparable: windows
    that both slots had requests in, of those that were to have them. compared: the candidate's requests
    in those.
    """

    options: SequentialOptions
    canary: Counted = field(factory=Counted)
    stable: Counted = field(factory=Counted)
    crossed: bool = False
    usable: int = 0
    comparable: int = 0
    compared: float = 0.0
    log_e: float = 0.0
    logs: dict[str, float] = field(factory=dict)
    latency: Latency = field(init=False)
    _baseline: list[Figures] = field(init=False, factory=list)
    _pairs: list[Figures] = field(init=False, factory=list)
    _begun: bool = field(init=False, default=False)
    _asked: bool = field(init=False, default=False)
    _deaf: int = field(init=False, default=0)
    _missed: float = field(init=False, default=0.0)
    _ratio: RatioTest = field(init=False)
    _floor: FloorTest | None = field(init=False)
    _trip: FloorTest = field(init=False)
    _dispersion: Dispersion = field(init=False, factory=Dispersion)
    _phi0: float = field(init=False, default=1.0)
    _held: Counted = field(init=False, factory=Counted)
    _held_stable: Counted = field(init=False, factory=Counted)
    _alone: bool = field(init=False, default=True)

    def __attrs_post_init__(self) -> None:
        clip = math.log(1 / (2 * self.options.alpha))
        self._ratio = RatioTest(self.options.margin, clip=clip)
        self._floor = FloorTest(self.options.floor) if self.options.floor else None
        self._trip = FloorTest(self.options.broken)
        self.latency = Latency(self.options.latency_margin, clip)

    @property
    def limit(self) -> float:
        """The log of E at which the evidence is enough: ln(1/alpha)."""
        return math.log(1 / self.options.alpha)

    @property
    def phi(self) -> float:
        """The dispersion that is reckoned with."""
        return self._dispersion.phi

    @property
    def deaf(self) -> int:
        """Windows in a row without a request of the candidate, where that is no chance."""
        return self._deaf if self._missed >= EXPECTED else 0

    def read(self, window: Window) -> None:
        """One more window."""
        if window.baseline:
            if window.stable is not None:
                self._baseline.append(window.stable)
            return
        if window.share == 0:
            return  # Nobody was routed to it: a preview's requests are no sample of the users'.
        if not self._begun:
            self._begin()
        stable = self._beside(window)
        self._count(window, stable)
        self._errors(window.candidate, stable)
        self._broken(window.candidate, stable)
        if self._with_latency(window.candidate, stable):
            self.latency.read(window.candidate, stable, self._baseline)
        self._combine()

    def _beside(self, window: Window) -> Figures | None:
        """What the candidate is compared with.

        Where all of the traffic was switched at once there never is a control at the same time: then
        the last window before the switch stands for it, each once. It proves less: what changed for
        everybody since looks like a fault of the release.
        """
        there = window.stable is not None and window.stable.requests > 0
        if there if window.share is None else window.share < 100:
            self._alone = False
        if window.share is not None and window.share >= 100 and not _troubled(window):
            there = False
        if there or not (self._alone and self._pairs):
            return window.stable if there or window.share is None or window.share < 100 else None
        return self._pairs.pop()

    def _begin(self) -> None:
        """With the first window of the candidate: what the history says of the noise."""
        history = [(min(f.errors, f.requests), f.requests) for f in self._baseline]
        self._phi0 = history_dispersion(history)
        self._dispersion = Dispersion(self._phi0)
        self._pairs = list(self._baseline)
        self._begun = True

    def _count(self, window: Window, stable: Figures | None) -> None:
        self.canary.add(window.candidate)
        if stable is not None:
            self.stable.add(stable)
        mine, other = window.candidate.requests, stable.requests if stable is not None else 0.0
        if mine and other:
            self.comparable += 1
            self.usable += 1
            self.compared += mine
        elif other:
            missed = _owed(other, window.share)
            self.comparable += missed >= EXPECTED
            self._deaf, self._missed = self._deaf + 1, self._missed + missed
        elif mine and (window.share is None or window.share < 100):
            missed = math.inf if window.share is None else _owed(mine, 100 - window.share)
            self.comparable += stable is None or missed >= EXPECTED
        if mine:
            self._deaf, self._missed = 0, 0.0

    def _with_latency(self, candidate: Figures, stable: Figures | None) -> bool:
        """Whether latency is a test, and so has its weight: decided once, before any answer is judged.

        Weights that changed on the way would make E grow by itself.
        """
        both = [candidate, *([stable] if stable is not None else [])]
        if not self._asked and any(figures.requests for figures in both):
            self._asked = True
            given = any(figures.latency for figures in (*both, *self._baseline))
            self.latency.given = self.options.latency and given
        return self.latency.given

    def _errors(self, candidate: Figures, stable: Figures | None) -> None:
        x_c, n_c = min(candidate.errors, candidate.requests), candidate.requests
        x_s, n_s = (min(stable.errors, stable.requests), stable.requests) if stable else (0.0, 0.0)
        phi = self._dispersion.phi
        log = self._ratio.update(x_c, n_c, x_s, n_s, phi)
        if self._floor is not None:
            log = min(log, self._floor.update(x_c, n_c, phi))
        self.logs[ERRORS] = log
        self._dispersion.update(x_c, n_c, x_s, n_s)

    def _broken(self, candidate: Figures, stable: Figures | None) -> None:
        """The trip-wire, asked about windows together until they hold enough requests.

        Its logs are sums over answers, so that windows taken together say the same as one by one; only
        the moment is put off, which depends on the requests and not on how they were answered.
        """
        self._held.add(candidate)
        if stable is not None:
            self._held_stable.add(stable)
        self.logs.setdefault(TRIP, 0.0)
        if self._held.requests < TRIP_REQUESTS:
            return
        # Without any of its own at the time, as at 100 %, the stable slot is as it was last known.
        beside = self._held_stable if self._held_stable.requests else self.stable
        if beside.rate <= TROUBLED:
            self.logs[TRIP] = self._trip.update(self._held.bad, self._held.requests, self._phi0)
        self._held, self._held_stable = Counted(), Counted()

    def _combine(self) -> None:
        if self.latency.fixed:
            self.logs[LATENCY] = self.latency.log_e
        weights = self._weights()
        self.log_e = combine([self.logs.get(name, 0.0) for name in weights], list(weights.values()))
        bad = max(self.canary.bad, self.latency.slow if self.blamed() == [LATENCY] else 0.0)
        if self.log_e >= self.limit and bad >= self.options.least_errors:
            self.crossed = True

    def _weights(self) -> Mapping[str, float]:
        """What is bet on each test. Who has no latencies bets their weight on the rest."""
        names = [name for name in WEIGHTS if name != LATENCY or self.latency.given]
        total = sum(WEIGHTS[name] for name in names)
        return {name: WEIGHTS[name] / total for name in names}

    def blamed(self) -> Sequence[str]:
        """The tests that reach the limit by themselves, weighted; the greatest where none does."""
        weights = self._weights()
        weighted = {name: log + math.log(weights[name]) for name, log in self.logs.items() if name in weights}
        over = [name for name, log in weighted.items() if log >= self.limit]
        return over or [max(weighted, key=lambda name: weighted[name])] if weighted else []


def _troubled(window: Window) -> bool:
    """Whether what the stable slot still gets, though it has no share, fails as often as the candidate's.

    That is a common trouble. Where it does not, it may be probes, which never fail and are no control.
    """
    mine, other = window.candidate, window.stable
    return (
        other is not None
        and other.requests > 0
        and (other.errors * mine.requests >= mine.errors * other.requests > 0)
    )


def _owed(requests: float, share: float | None) -> float:
    """What a slot with this share was to have, beside so many of the other one; without end where unknown."""
    return requests * share / (100 - share) if share is not None and share < 100 else math.inf
