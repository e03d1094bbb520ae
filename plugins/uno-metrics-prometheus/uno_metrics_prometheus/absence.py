"""Errors of which nothing was scraped: whether that means that nothing failed.

Mostly it does, since a counter of errors need not be there before the first one. But the errors may be
counted elsewhere than the requests, by the application behind a proxy for instance: then requests are
scraped well while nobody knows what fails. So no sample is 0 only where the scrape that would have brought
it is known to have come, or where the process is gone: together with its requests, or by what Prometheus
knows of its target, while others of its kind count on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from uno_metrics_prometheus.api import Series
from uno_metrics_prometheus.births import Births, target_of
from uno_metrics_prometheus.counting import Span, Unknown, named
from uno_metrics_prometheus.template import says, selector


def fresh(found: Sequence[Series], span: Span) -> Sequence[Series]:
    """Those with a sample within the window."""
    return [one for one in found if any(span.start < at <= span.end for at, _ in one.samples)]


def check(
    found: Sequence[Series], requests: Sequence[Series], span: Span, births: Births, *, alike: bool
) -> None:
    """Raises Unknown, so that there is no verdict, for a series of errors whose silence may hide some.

    found: the series of errors; requests: those of requests. alike: both are of one metric, so that a scrape
    that brought one would have brought the other.
    """
    counts = {_source(one) for one in requests}
    scraped = {_source(one) for one in fresh(requests, span)}
    told = {_source(one) for one in fresh(found, span)} | (scraped if alike else set())
    gone_with_requests = counts - scraped
    for series in found:
        source = _source(series)
        if source in told or source in gone_with_requests or births.gone(series):
            continue
        ago = span.end - max((at for at, _ in series.samples), default=-math.inf)
        raise Unknown(
            f"{named(series)}: the last sample is {ago:.0f} s older than the end of the window, and requests"
            " go on: nobody knows what has failed since"
        )


def would_be_found(errors: str, requests: str, scraped: Sequence[Series]) -> None:
    """Raises Unknown unless a series of `errors` would be among those of `requests` that were scraped."""
    if not of_one_metric(errors, requests):
        raise Unknown(
            f"there is no series of {errors}: nobody knows whether nothing failed, or whether the name is"
            " wrong; let the application expose it with 0"
        )
    (_, matchers), (_, theirs) = selector(errors), selector(requests)
    for label, (operator, text) in matchers.items():
        other = theirs.get(label)
        if other == (operator, text):
            continue
        if operator == "=" and other and other[0] == "=":
            raise Unknown(
                f"there is no series of {errors}, and none of {requests} could be one: {label} differs"
            )
        values = {one.labels[label] for one in scraped if label in one.labels}
        # A matcher that lets through what lacks the label finds nothing out, and is no mistake.
        if not values:
            raise Unknown(f"no series of {requests} has the label {label}, which {errors} goes by")
        if label in _TARGET and not (operator == "=" and any(says(value, text) for value in values)):
            raise Unknown(f"there is no series of {errors}, and {requests} may be of another {label}")


def of_one_metric(errors: str, requests: str) -> bool:
    """Whether two selectors name the same metric."""
    (metric, matchers), (same, theirs) = selector(errors), selector(requests)
    return metric == same and matchers.get("__name__") == theirs.get("__name__")


_TARGET = ("job", "instance")
"""Labels that do not tell one kind of request from another, but who counted it."""


def _source(series: Series) -> tuple[object, ...]:
    """What it was scraped from; of one that nobody scraped only it itself is known."""
    return target_of(series.labels) or tuple(sorted(series.labels.items()))
