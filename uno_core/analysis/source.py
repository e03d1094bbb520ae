"""One provider while it is watched: when it is looked at, what it gave, and how often it failed.

A look is a call that was begun and is not waited for: a provider that hangs delays nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from attrs import define, evolve, field, frozen

from uno_core.analysis.windows import BEGINS, Looked, Watcher
from uno_core.clock import Clock, Later
from uno_core.contracts.judge import Window
from uno_core.contracts.metrics import Figures
from uno_core.contracts.services import Logger
from uno_core.model import Json
from uno_core.wire import from_json, to_json

KEPT = 500
"""Windows that are kept beside the journal, the newest ones, besides those from before the deployment."""

LEAST_BEFORE = 60.0
"""Seconds that a window from before the deployment lasts at least: many of them have to cover hours."""

RETRY = 10.0
"""Seconds from a failed look to the next try, and after which one without an answer has failed."""


@frozen
class Seen:
    """A window that was kept. skipped: it counts for nothing."""

    window: Window
    skipped: bool = False


def kept_windows(memo: Json) -> Mapping[str, Sequence[Seen]]:
    """The windows in the memo of some evidence, by the key of their provider."""
    rows = memo.get("sources") if isinstance(memo, Mapping) else None
    if not isinstance(rows, Mapping):
        return {}
    return {
        str(key): [_seen(row) for row in each] for key, each in rows.items() if isinstance(each, Sequence)
    }


def _seen(row: Any) -> Seen:
    return Seen(from_json(row["window"], Window), skipped=bool(row.get("skipped")))


class News(Enum):
    """What a look came to."""

    WINDOW = auto()
    NOTHING = auto()
    BEGUN = auto()
    """What is counted was only begun, or is left out: there may be readings of now, and nothing else."""
    ERROR = auto()


@define
class Source:
    """Looks at a provider every `step` seconds, at what happened until `lag` seconds ago.

    windows: those that count, of the whole deployment, the oldest first. skipped: the first ones after a
    change of the split, which count for nothing. errors: failed looks in a row, and the last problem.
    key: tells it apart from another of the same name. before: windows of the stable slot that are asked
    for from before the deployment, where the provider keeps them. changed: the split was, since the last
    window.
    """

    key: str
    name: str
    watcher: Watcher
    clock: Clock
    logger: Logger
    step: float
    lag: float = 0.0
    counts: bool = False
    before: int = 0
    changed: bool = field(init=False)
    windows: list[Window] = field(init=False, factory=list)
    skipped: list[Window] = field(init=False, factory=list)
    errors: int = field(init=False, default=0)
    problem: str = field(init=False, default="")
    nothing: str = field(init=False, default="")
    unusable: Mapping[str, str] = field(init=False, factory=dict)
    _rows: list[Json] = field(init=False, factory=list)
    _begun: Later[Looked] | None = field(init=False, default=None)
    _history: Later[Sequence[Window]] | None = field(init=False, default=None)
    _asked: float | None = field(init=False, default=None)
    _patience: float = field(init=False, default=RETRY)
    _next: float = field(init=False, default=0.0)

    def __attrs_post_init__(self) -> None:
        self.changed = self.watcher.share is not None

    def begin(self) -> None:
        """Begin a look, where it is time for one and none is under way."""
        if self._history is None and self.before and not any(w.baseline for w in self.windows):
            length = max(self.step, LEAST_BEFORE)
            self._history = self.clock.begin(lambda: self.watcher.before(self.before, length))
        if self._begun is None and self.due_in() <= 0:
            self._begun = self.clock.begin(self._look)
            self._asked, self._patience = self.clock.monotonic(), RETRY
            self._next = self._asked + self.step

    def due_in(self) -> float:
        """Seconds until there is something to do: a look to begin, or to give up waiting for."""
        now = self.clock.monotonic()
        if self._begun is not None and self._asked is not None:
            return max(0.0, self._asked + self._patience - now)
        if self._asked is None and not self.watcher.history:
            return 0.0  # what is counted up to now begins the first window
        ends = self.watcher.since + timedelta(seconds=self.step + self.lag)
        again = self._next - now
        return max(0.0, (ends - self.clock.now()).total_seconds(), again)

    @property
    def waiting(self) -> bool:
        """Whether a look is under way."""
        return self._begun is not None

    def answered(self, seconds: float) -> News | None:
        """What the look under way came to, within so many seconds; None where it goes on."""
        if self._begun is None or self._asked is None:
            return None
        if not self._begun.wait(seconds):
            now = self.clock.monotonic()
            if now < self._asked + self._patience:
                return None
            self._patience += RETRY
            return self._failed(f"no answer within {now - self._asked:.0f} s")
        begun, self._begun = self._begun, None
        self._remember()
        try:
            looked = begun.answer()
        except Exception as problem:  # noqa: BLE001 - a provider is a plugin: whatever it raises is ERROR
            self._next = self.clock.monotonic() + RETRY
            return self._failed(str(problem) or type(problem).__name__)
        self.errors, self.problem = 0, ""
        return self._took(looked)

    def read(self, metric: str) -> bool:
        """Whether the newest window has a reading of the metric."""
        return bool(self.windows) and metric in self.windows[-1].candidate.values

    def note(self, windows: Sequence[Window]) -> None:
        """Put what the stable slot did before the candidate had traffic in front of everything."""
        self.windows[:0] = windows
        self._rows[:0] = [{"window": to_json(window)} for window in windows]

    def _remember(self) -> None:
        """Take what was asked for from before, once it is there; nobody waits for it."""
        if self._history is None or not self._history.wait(0.0):
            return
        history, self.before, self._history = self._history, 0, None
        try:
            self.note(history.answer())
        except Exception as problem:  # noqa: BLE001 - a provider is a plugin, and this is no verdict
            self.logger.warning("no history to compare with", provider=self.name, problem=str(problem))

    def memo(self) -> Json:
        """The windows so far, for the next driver: the newest of them, where there are very many."""
        before = sum(window.baseline for window in self.windows)
        return [*self._rows[:before], *self._rows[before:][-KEPT:]]

    def recall(self, rows: Sequence[Json]) -> None:
        """Begin with the windows of before: what was seen counts on."""
        for row in rows:
            seen = _seen(row)
            (self.skipped if seen.skipped else self.windows).append(seen.window)
            self._rows.append(row)
        last = self.last()
        self.changed = self.changed and (last is None or last.share != self.watcher.share)

    def last(self) -> Window | None:
        """The newest window of before that was not of the baseline, skipped or not."""
        return max((w for w in (*self.windows, *self.skipped) if not w.baseline), key=_end, default=None)

    def _look(self) -> Looked:
        return self.watcher.look(self.clock.now() - timedelta(seconds=self.lag))

    def _took(self, looked: Looked) -> News:
        self.nothing, self.unusable = looked.nothing, looked.unusable
        if looked.begun:
            self.nothing = looked.nothing or BEGINS.reason
            if looked.window is not None:
                self._keep(looked.window)
            return News.BEGUN
        if looked.window is None:
            return News.NOTHING
        window, values = looked.window, looked.window.candidate.values
        if not self.changed:
            self._keep(window)
            return News.WINDOW
        # Requests of before the change end in it, and caches are cold. Readings of now are not meant.
        self.changed = False
        self._keep(evolve(window, candidate=evolve(window.candidate, values={})), skipped=True)
        self.nothing = "the first window after a change of the split counts for nothing"
        if values:
            self._keep(evolve(window, candidate=Figures(values=values), stable=_values_of(window.stable)))
        return News.BEGUN

    def _keep(self, window: Window, *, skipped: bool = False) -> None:
        (self.skipped if skipped else self.windows).append(window)
        row = {"window": to_json(window)}
        self._rows.append({**row, "skipped": True} if skipped else row)

    def _failed(self, problem: str) -> News:
        self.errors += 1
        self.problem = problem
        self.logger.warning("metric provider failed", provider=self.name, problem=problem)
        return News.ERROR


def _values_of(figures: Figures | None) -> Figures | None:
    return Figures(values=figures.values) if figures is not None and figures.values else None


def _end(window: Window) -> datetime:
    return window.end
