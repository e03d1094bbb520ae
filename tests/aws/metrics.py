"""What GetMetricData of CloudWatch answers and moto does not: percentiles, late data, pages, partial answers.

Sources: the API reference of CloudWatch (GetMetricData, MetricDataQuery, MetricStat, MetricDataResult), and
its user guide on statistics. Metric math is left to moto.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define, field
from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import MetricAggregatedDatum
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

MOST_QUERIES = 500
MOST_DATAPOINTS = 100_800

_real = CloudWatchResponse.get_metric_data
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
_PERCENTILE = re.compile(r"p(\d{1,3}(?:\.\d{1,10})?)")


@define
class Metrics:
    """How CloudWatch answers. delay: seconds from the time of a data point until it can be read.

    statuses: instead of Complete, by the name of the metric. most: data points of one page. calls: the
    queries of each call that was answered.
    """

    delay: float = 0.0
    most: int = MOST_DATAPOINTS
    statuses: dict[str, str] = field(factory=dict)
    calls: list[Sequence[Mapping[str, Any]]] = field(factory=list)
    spoil: Callable[[list[dict[str, Any]]], Any] | None = None
    """Makes something else of the results of a page, for an answer that AWS should never give."""

    def reset(self) -> None:
        self.delay, self.most, self.spoil = 0.0, MOST_DATAPOINTS, None
        self.statuses.clear()
        self.calls.clear()

    def answer(self, stored: Sequence[Any], params: Mapping[str, Any]) -> dict[str, Any]:
        """The page of a call that its token names."""
        queries = params["MetricDataQueries"]
        _check(queries, params)
        self.calls.append(queries)
        visible = [one for one in stored if one.timestamp.timestamp() + self.delay <= time.time()]
        points = []
        for number, query in enumerate(queries):
            series = _series(visible, query["MetricStat"], params)
            if params.get("ScanBy", "TimestampDescending") == "TimestampDescending":
                series.reverse()
            points += [(number, *point) for point in series]
        size = min(self.most, params.get("MaxDatapoints") or MOST_DATAPOINTS)
        begin = int(params.get("NextToken") or 0)
        page, rest = points[begin : begin + size], points[begin + size :]
        unfinished = {number for number, *_ in rest}
        results = [
            self._result(query, [one[1:] for one in page if one[0] == number], more=number in unfinished)
            for number, query in enumerate(queries)
            if any(one[0] == number for one in page) or not begin
        ]
        answer = {"MetricDataResults": self.spoil(results) if self.spoil else results}
        return {**answer, "NextToken": str(begin + size)} if rest else answer

    def _result(self, query: Mapping[str, Any], points: Sequence[Any], *, more: bool) -> dict[str, Any]:
        name = query["MetricStat"]["Metric"]["MetricName"]
        status = self.statuses.get(name, "PartialData" if more else "Complete")
        kept = () if status == "InternalError" else points
        return {
            "Id": query["Id"],
            "Label": query.get("Label") or name,
            "Timestamps": [moment for moment, _ in kept],
            "Values": [value for _, value in kept],
            "StatusCode": status,
        }


def install(metrics: Metrics) -> None:
    """Have moto answer GetMetricData so."""

    def get_metric_data(self: Any) -> ActionResult:
        params = self._get_params()
        if any("Expression" in query for query in params.get("MetricDataQueries") or ()):
            return _real(self)
        return ActionResult(metrics.answer(self.cloudwatch_backend.get_all_metrics(), params))

    CloudWatchResponse.get_metric_data = get_metric_data  # type: ignore[method-assign]


def uninstall() -> None:
    CloudWatchResponse.get_metric_data = _real  # type: ignore[method-assign]


def _check(queries: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> None:
    """Raises what AWS answers for queries that it does not take."""
    if not queries or len(queries) > MOST_QUERIES:
        raise ValidationError(f"MetricDataQueries: between 1 and {MOST_QUERIES} are taken")
    if params["StartTime"] >= params["EndTime"]:
        raise ValidationError("The parameter StartTime must be less than the parameter EndTime.")
    names = [query["Id"] for query in queries]
    if len(set(names)) != len(names) or not all(map(_ID.fullmatch, names)):
        raise ValidationError("The values for parameter id in MetricDataQueries are not unique or not valid")
    for query in queries:
        if "MetricStat" not in query:
            raise ValidationError("The parameter MetricDataQueries.member.1.MetricStat is required.\n")
        period = int(query["MetricStat"]["Period"])
        if period not in (1, 5, 10, 30) and (period < 60 or period % 60):
            raise ValidationError("The parameter Period must be 1, 5, 10, 30 or a multiple of 60")
        _statistic(query["MetricStat"]["Stat"])


def _series(stored: Sequence[Any], asked: Mapping[str, Any], params: Mapping[str, Any]) -> list[Any]:
    """The periods in which there is anything, the oldest first; each is called by its beginning."""
    metric, length = asked["Metric"], int(asked["Period"])
    wanted = sorted((one["Name"], one["Value"]) for one in metric.get("Dimensions") or ())
    read = _statistic(asked["Stat"])
    start, end = params["StartTime"].timestamp(), params["EndTime"].timestamp()
    periods: dict[float, list[Any]] = {}
    for one in stored:
        dimensions = sorted((each.name, each.value) for each in one.dimensions)
        begun = one.timestamp.timestamp() // length * length
        same = (one.namespace, one.name, dimensions) == (metric["Namespace"], metric["MetricName"], wanted)
        # The beginning of the range counts in, its end does not.
        if same and start // length * length <= begun < end:
            periods.setdefault(begun, []).append(one)
    told = ((begun, read(periods[begun])) for begun in sorted(periods))
    return [(_moment(begun, params), value) for begun, value in told if value is not None]


def _moment(begun: float, params: Mapping[str, Any]) -> Any:
    start = params["StartTime"]
    return type(start).fromtimestamp(begun, start.tzinfo)


def _statistic(name: str) -> Callable[[Sequence[Any]], float | None]:
    """What makes one number of the data of a period; None where there is none."""
    if name in _PLAIN:
        return _PLAIN[name]
    percentile = _PERCENTILE.fullmatch(name)
    if not percentile or float(percentile[1]) > 100:
        raise ValidationError(f"The value {name} for parameter MetricStat.Stat is not supported.")
    share = float(percentile[1]) / 100
    return lambda data: _percentile(data, share)


def _percentile(data: Sequence[Any], share: float) -> float | None:
    """None of statistic sets: CloudWatch has percentiles of raw values only."""
    if any(isinstance(one, MetricAggregatedDatum) for one in data):
        return None
    values = sorted(one.value for one in data)
    at = share * (len(values) - 1)
    low = int(at)
    high = min(low + 1, len(values) - 1)
    return float(values[low] + (values[high] - values[low]) * (at - low))


def _sum(data: Sequence[Any]) -> float:
    return float(sum(one.sum if isinstance(one, MetricAggregatedDatum) else one.value for one in data))


def _count(data: Sequence[Any]) -> float:
    return float(sum(one.sample_count if isinstance(one, MetricAggregatedDatum) else 1 for one in data))


_PLAIN: Mapping[str, Callable[[Sequence[Any]], float | None]] = {
    "Sum": _sum,
    "SampleCount": _count,
    "Average": lambda data: _sum(data) / _count(data),
    "Minimum": lambda data: float(
        min(one.min if isinstance(one, MetricAggregatedDatum) else one.value for one in data)
    ),
    "Maximum": lambda data: float(
        max(one.max if isinstance(one, MetricAggregatedDatum) else one.value for one in data)
    ),
}
