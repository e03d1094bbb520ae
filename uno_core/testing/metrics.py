"""What a metric provider must do."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from uno_core.clock import SystemClock
from uno_core.contracts.metrics import Counters, Figures, MetricProvider, MetricProviderInfo, NoData, Query
from uno_core.contracts.services import Services
from uno_core.errors import UnoError, Unsupported
from uno_core.model import Application, Slot

AILMENTS = ("nan", "infinite", "empty", "wrong_shape", "refused", "error", "slow")
"""The ways in which a source may answer badly: see the fixture `ailing`."""

PATIENCE = 30.0
"""Seconds after which a provider hangs that was given a timeout of a second."""


class MetricProviderContract:
    """What every metric provider must do::

        class TestProvider(MetricProviderContract):
            @pytest.fixture
            def provider(self, services):
                return MyProvider(MyOptions(), services)

            @pytest.fixture
            def info(self):
                return uno_register_metric_providers()[0]

    The provider must have something to tell of the fixture `query` (and of `span`, where it keeps
    history), and nothing of `unknown`: requests and errors, or values. Override these where the
    defaults do not fit. May override: `traffic`, which makes more requests happen; `ailing`, which makes
    providers whose source is not well.
    """

    @pytest.fixture
    def provider(self, services: Services) -> MetricProvider:
        """The provider, with something to tell."""
        raise NotImplementedError("override the fixture `provider`: return your provider, made of `services`")

    @pytest.fixture
    def info(self) -> MetricProviderInfo:
        """The provider as it is registered."""
        raise NotImplementedError("override the fixture `info`: return the MetricProviderInfo you register")

    @pytest.fixture
    def query(self, application: Application) -> Query:
        """What the provider knows something of."""
        return Query(
            application=application.name,
            environment=application.environment,
            slot=Slot.BLUE,
            metrics=("error_rate", "latency_p95"),
        )

    @pytest.fixture
    def unknown(self, query: Query) -> Query:
        """What the provider knows nothing of."""
        return evolve(query, application="nobody-knows-it", slot=query.slot.other)

    @pytest.fixture
    def span(self) -> tuple[datetime, datetime]:
        """The window that is asked for: the last minute."""
        end = datetime.now(UTC)
        return end - timedelta(minutes=1), end

    @pytest.fixture
    def traffic(self) -> Callable[[], None] | None:
        """Makes requests happen, and returns when the provider may know of them."""
        return None

    @pytest.fixture
    def ailing(self) -> Callable[[str], MetricProvider] | None:
        """Makes a provider whose source answers `query` in the bad way that is named, and no better.

        nan, infinite: each number that it tells is none, or has no end. empty: an answer with nothing in
        it. wrong_shape: something else than what was asked for, words in place of numbers for instance.
        refused: nobody listens. error: it fails, and says so. slow: it never answers; give the provider a
        timeout of a second or less.
        """
        return None

    def read(
        self,
        provider: MetricProvider,
        info: MetricProviderInfo,
        query: Query,
        span: tuple[datetime, datetime],
    ) -> Figures | NoData:
        """What the provider tells, in the way of reading that it declares."""
        told = provider.window(query, *span) if info.history else provider.sample(query)
        return told.figures if isinstance(told, Counters) else told

    def test_it_tells_what_it_knows(
        self,
        provider: MetricProvider,
        info: MetricProviderInfo,
        query: Query,
        span: tuple[datetime, datetime],
    ) -> None:
        figures = self.read(provider, info, query, span)
        assert isinstance(figures, Figures), f"of {query} there was to be something: {figures}"

    def test_figures_make_sense(
        self,
        provider: MetricProvider,
        info: MetricProviderInfo,
        query: Query,
        span: tuple[datetime, datetime],
    ) -> None:
        figures = self.read(provider, info, query, span)
        assert isinstance(figures, Figures), figures
        for number in (figures.requests, figures.errors, *figures.latency.values(), *figures.values.values()):
            assert math.isfinite(number), "what is not a number is not there: leave it out, or say NoData"
        assert min((figures.requests, figures.errors, *figures.latency.values())) >= 0
        assert figures.errors <= figures.requests, "every error is a request too"

    def test_latencies_are_counts_between_edges(
        self,
        provider: MetricProvider,
        info: MetricProviderInfo,
        query: Query,
        span: tuple[datetime, datetime],
    ) -> None:
        figures = self.read(provider, info, query, span)
        assert isinstance(figures, Figures), figures
        if not figures.latency:
            pytest.skip("the provider tells no latencies")
        edges = list(figures.latency)
        assert all(edge > 0 for edge in edges), "an edge is a number of seconds; the last may be infinite"
        total = sum(figures.latency.values())
        # A tenth: providers that extrapolate do so for both, but not always by the same factor.
        assert total <= figures.requests * 1.1 + 1, "the counts are those between the edges, not cumulative"

    def test_silence_is_no_data_and_not_zero(
        self,
        provider: MetricProvider,
        info: MetricProviderInfo,
        unknown: Query,
        span: tuple[datetime, datetime],
    ) -> None:
        told = self.read(provider, info, unknown, span)
        assert isinstance(told, NoData), f"nothing is known of {unknown}, and zero errors would be a pass"
        assert told.reason.strip(), "the reason stands in words"

    @pytest.mark.parametrize("ailment", AILMENTS)
    def test_a_bad_answer_never_becomes_figures(
        self,
        ailing: Callable[[str], MetricProvider] | None,
        info: MetricProviderInfo,
        query: Query,
        span: tuple[datetime, datetime],
        ailment: str,
    ) -> None:
        told = self._told_by(ailing, ailment, info, query, span)
        assert not isinstance(told, Figures), f"{ailment}: {told} could pass, and nothing is known"

    @pytest.mark.parametrize("ailment", AILMENTS)
    def test_a_bad_answer_is_told_in_words(
        self,
        ailing: Callable[[str], MetricProvider] | None,
        info: MetricProviderInfo,
        query: Query,
        span: tuple[datetime, datetime],
        ailment: str,
    ) -> None:
        told = self._told_by(ailing, ailment, info, query, span)
        text = told.reason if isinstance(told, NoData) else str(told)
        assert isinstance(told, NoData | UnoError), f"{ailment}: {told!r} is neither NoData nor an UnoError"
        assert text.strip(), "what was found stands in words"
        assert "Traceback" not in text

    def test_the_other_way_of_reading_is_unsupported(
        self,
        provider: MetricProvider,
        info: MetricProviderInfo,
        query: Query,
        span: tuple[datetime, datetime],
    ) -> None:
        if info.history:
            with pytest.raises(Unsupported):
                provider.sample(query)
        else:
            with pytest.raises(Unsupported):
                provider.window(query, *span)

    def test_counters_say_when_and_of_what(
        self, provider: MetricProvider, info: MetricProviderInfo, query: Query
    ) -> None:
        told = self._sample(provider, info, query)
        assert told.at.tzinfo is not None, "a time without its zone is no time"
        assert told.series, "a name that changes when the counters start anew"

    def test_counters_never_go_back(
        self,
        provider: MetricProvider,
        info: MetricProviderInfo,
        query: Query,
        traffic: Callable[[], None] | None,
    ) -> None:
        last = self._sample(provider, info, query)
        for _ in range(3):
            if traffic is not None:
                traffic()
            told = self._sample(provider, info, query)
            assert told.at >= last.at
            if told.series == last.series:
                assert _not_less(told.figures, last.figures), f"{told} came after {last}"
            last = told

    def test_counters_count(
        self,
        provider: MetricProvider,
        info: MetricProviderInfo,
        query: Query,
        traffic: Callable[[], None] | None,
    ) -> None:
        if traffic is None:
            pytest.skip("the fixture `traffic` is not given: nothing happens that could be counted")
        before = self._sample(provider, info, query)
        traffic()
        after = self._sample(provider, info, query)
        assert after.series == before.series, "the counters did not start anew"
        assert after.figures.requests > before.figures.requests

    def _told_by(
        self,
        ailing: Callable[[str], MetricProvider] | None,
        ailment: str,
        info: MetricProviderInfo,
        query: Query,
        span: tuple[datetime, datetime],
    ) -> Figures | NoData | Exception:
        if ailing is None:
            pytest.skip("the fixture `ailing` is not given: nobody makes a source that is not well")
        provider = ailing(ailment)
        later = SystemClock().begin(lambda: self.read(provider, info, query, span))
        assert later.wait(PATIENCE), f"{ailment}: no answer within {PATIENCE:g} s: it waits without end"
        try:
            return later.answer()
        except Exception as error:  # noqa: BLE001 - the test says which it may be
            return error

    def _sample(self, provider: MetricProvider, info: MetricProviderInfo, query: Query) -> Counters:
        if info.history:
            pytest.skip("`history` is declared: windows are asked for, not counters")
        told = provider.sample(query)
        assert isinstance(told, Counters), told
        return told


def _not_less(after: Figures, before: Figures) -> bool:
    return (
        after.requests >= before.requests
        and after.errors >= before.errors
        and all(after.latency.get(edge, 0.0) >= count for edge, count in before.latency.items())
    )
