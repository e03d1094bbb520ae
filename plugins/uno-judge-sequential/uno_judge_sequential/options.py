"""The options of the judge."""

from __future__ import annotations

from attrs import frozen

from uno_core import option


@frozen(kw_only=True)
class SequentialOptions:
    """What counts as worse, and how sure the judge has to be. Shares are from 0 to 1."""

    margin: float = option(
        default=1.5,
        ge=1,
        help="how many times the old release's error rate is let pass: 1.25 is sensitive, 2 robust",
    )
    latency_margin: float = option(
        default=1.25, ge=1, help="the same for the share of requests that are slower than an edge"
    )
    alpha: float = option(
        default=0.01, gt=0, lt=0.5, unit="share", help="the chance of a false rollback that is accepted"
    )
    least_errors: int = option(
        default=3, ge=1, help="bad (or slow) answers of the new release to be seen before it fails"
    )
    least_requests: int | None = option(
        default=None,
        ge=1,
        help="requests of the new release to be seen before it passes; without it 3/(margin x the old"
        " release's error rate), at least 100 and at most 1000",
    )
    broken: float = option(
        default=0.25, gt=0, lt=1, unit="share", help="a greater error rate than this fails by itself"
    )
    floor: float | None = option(
        default=None, gt=0, lt=1, unit="share", help="an error rate up to this is let pass, whatever the old"
    )
    latency: bool = option(default=True, help="whether latencies are compared, where the provider has them")
