"""One GetMetricData for all that is asked of a window, and what its answer is worth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import define, field, frozen

from uno_aws.session import Aws
from uno_core import PlatformError
from uno_metrics_cloudwatch.spans import Span

MOST = 500
"""Queries that one call takes."""


@frozen
class Asked:
    """One statistic of one metric; the dimensions are all that it has, in order of their names."""

    namespace: str
    metric: str
    statistic: str
    dimensions: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        where = ", ".join(f"{name}={value}" for name, value in self.dimensions)
        return f"{self.statistic} of {self.namespace} {self.metric}" + (f" ({where})" if where else "")


@define
class Series:
    """The value of each period that has one, by when it begins (seconds). trouble: why it is not known."""

    values: dict[int, float] = field(factory=dict)
    trouble: str = ""


def ask(aws: Aws, asked: Iterable[Asked], span: Span) -> Mapping[Asked, Series]:
    """What CloudWatch has of each, in one call as long as there are no more than 500, page after page.

    A period without a data point is left out. An answer that is incomplete in the end, fails, or holds
    what is no number, is trouble of that series alone. Raises UnoError where nothing was answered.
    """
    unique = list(dict.fromkeys(asked))
    found: dict[Asked, Series] = {}
    for begin in range(0, len(unique), MOST):
        some = {f"q{number}": one for number, one in enumerate(unique[begin : begin + MOST])}
        found.update(_ask(aws, some, span))
    return found


def _ask(aws: Aws, asked: Mapping[str, Asked], span: Span) -> Mapping[Asked, Series]:
    found = {one: Series(trouble="CloudWatch did not answer it") for one in asked.values()}
    pages = aws.pages(
        "cloudwatch", "get_metric_data", "MetricDataResults",
        MetricDataQueries=[_query(name, one, span.period) for name, one in asked.items()],
        StartTime=span.start, EndTime=span.end, ScanBy="TimestampAscending",
    )  # fmt: skip
    try:
        for result in pages:
            series = found[asked[result["Id"]]]
            # A page may be partial while others follow: what the last one says, counts.
            series.trouble = _trouble(result)
            _take(series, result, span)
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise PlatformError(
            "CloudWatch answered cloudwatch:GetMetricData in a shape that nobody knows",
            found=f"{type(problem).__name__}: {problem}", where=aws.where,
        ) from problem  # fmt: skip
    for series in found.values():
        if bad := [value for value in series.values.values() if not math.isfinite(value)]:
            series.trouble = series.trouble or f"a data point is {bad[0]:g}, which is no number to go by"
    return found


def _trouble(result: Mapping[str, Any]) -> str:
    status = result.get("StatusCode")
    if status == "Complete":
        return ""
    more = "; ".join(str(one.get("Value", "")) for one in result.get("Messages") or ())
    return f"CloudWatch answered {status or 'no status'}" + (f": {more}" if more else "")


def _take(series: Series, result: Mapping[str, Any], span: Span) -> None:
    times, values = result.get("Timestamps") or (), result.get("Values") or ()
    if len(times) != len(values):
        raise ValueError(f"{len(values)} values of {len(times)} times")
    for moment, value in zip(times, values, strict=True):
        begun = moment.timestamp()
        if span.holds(begun):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(f"{value!r} is no number")
            series.values[int(begun // span.period) * span.period] = float(value)


def _query(name: str, one: Asked, period: int) -> Mapping[str, Any]:
    dimensions: Sequence[Mapping[str, str]] = [
        {"Name": dimension, "Value": value} for dimension, value in one.dimensions
    ]
    metric = {"Namespace": one.namespace, "MetricName": one.metric, "Dimensions": dimensions}
    return {
        "Id": name,
        "MetricStat": {"Metric": metric, "Period": period, "Stat": one.statistic},
        "ReturnData": True,
    }
