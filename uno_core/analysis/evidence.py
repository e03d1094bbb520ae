"""The evidence on one slot while it is watched: looks, measurements, one verdict, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import evolve

from uno_core.analysis.measuring import Measuring, Metric
from uno_core.analysis.shares import unlike
from uno_core.analysis.source import News, Source
from uno_core.analysis.verdicts import combine
from uno_core.clock import Clock
from uno_core.contracts.judge import Window
from uno_core.model import Analysis, Finding, Json, Verdict

PATIENCE = 1.0
"""Seconds that a look waits for all providers; who takes longer is judged at a later one."""

GLANCE = 0.05
"""Seconds between two glances at the looks that are under way."""

MEANWHILE = 0.5
"""Seconds after which it is seen again whether a provider has answered that is slow to."""


class Evidence:
    """Looks, judges, and never takes silence or a failing provider for a pass.

    A FAIL of one metric ends a look at once: nobody else's answer is waited for. A look that errs does
    not end anything by itself: beyond its limit the verdict is ERROR, and until then what is there
    stands.
    """

    def __init__(self, sources: Sequence[Source], metrics: Sequence[Metric], clock: Clock) -> None:
        self._sources = sources
        self._clock = clock
        self._begun = min((source.watcher.since for source in sources), default=clock.now())
        self._measurings = [Measuring(metric, self._begun) for metric in metrics]

    @property
    def windows(self) -> Sequence[Window]:
        """All that count, of every source."""
        return [window for source in self._sources for window in source.windows]

    @property
    def ended(self) -> bool:
        """Whether nothing more can come of looking on: every metric has come to its end."""
        return all(m.ended is not None for m in self._measurings)

    def due_in(self) -> float:
        """Seconds until it is to be looked again."""
        return min(
            (MEANWHILE if source.waiting else source.due_in() for source in self._sources), default=0.0
        )

    def memo(self) -> Json:
        """What the next driver needs: the windows, and how often what was measured."""
        return {
            "sources": {source.key: source.memo() for source in self._sources},
            "metrics": {m.metric.name: m.memo() for m in self._measurings},
        }

    def recall(self, memo: Json, *, same: bool) -> None:
        """Begin with the windows of before; `same`: it is the same wait, so that its counts go on too."""
        if not isinstance(memo, Mapping):
            return
        rows, metrics = memo["sources"], memo["metrics"]
        assert isinstance(rows, Mapping)  # noqa: S101 - written above
        assert isinstance(metrics, Mapping)  # noqa: S101 - written above
        for source in self._sources:
            kept = rows.get(source.key, ())
            assert isinstance(kept, Sequence)  # noqa: S101 - written above
            source.recall(kept)
        for measuring in self._measurings if same else ():
            if isinstance(row := metrics.get(measuring.metric.name), Mapping):
                measuring.recall(row)
                self._begun = min(self._begun, measuring.begun)

    def expire(self) -> None:
        """From now on what was seen until here fails as ever, but passes nothing."""
        for measuring in self._measurings:
            measuring.expire(self._clock.now())

    def look(self) -> Analysis:
        """Take one more look, and say what all the windows so far come to."""
        for source in self._sources:
            source.begin()
        for source, news in self._as_they_answer():
            self._measure(source, news)
            if any(m.ended is Verdict.FAIL and not m.metric.bounds.dry_run for m in self._measurings):
                break
        return self.verdict()

    def verdict(self) -> Analysis:
        """What all that was seen so far comes to."""
        now = self._clock.now()
        findings = [measuring.finding(now) for measuring in self._measurings]
        shares = (self._share(source) for source in self._sources if source.counts)
        return combine([*findings, *filter(None, shares)])

    def note(self, windows: Sequence[Window]) -> None:
        """Keep what the stable slot did before the candidate had traffic, where it can be compared."""
        for source in self._sources:
            if source.counts and not source.windows:
                source.note(windows)

    # The parts of a look

    def _as_they_answer(self) -> Iterator[tuple[Source, News]]:
        end = self._clock.monotonic() + PATIENCE
        waiting = [source for source in self._sources if source.waiting]
        while waiting:
            for source in tuple(waiting):
                news = source.answered(GLANCE / len(waiting))
                if news is not None:
                    waiting.remove(source)
                    yield source, news
            if self._clock.monotonic() >= end:
                return

    def _measure(self, source: Source, news: News) -> None:
        now = self._clock.now()
        for measuring in self._measurings:
            if measuring.metric.source is not source:
                continue
            if news is News.ERROR:
                measuring.failed()
                continue
            measuring.answered()
            begun = news is News.BEGUN and not source.read(measuring.metric.name)
            if not begun and measuring.due(now):
                measuring.measure(now, news)

    def _share(self, source: Source) -> Finding | None:
        quiet = all(m.metric.quiet or m.metric.bounds.dry_run for m in self._measurings)
        found = unlike([w for w in source.windows if w.start >= self._begun])
        return evolve(found, advisory=quiet) if found is not None else None
