"""What the series of a window come to: counts, latencies, values. Raises Unknown with the reason."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from statistics import fmean

from attrs import frozen

from uno_metrics_cloudwatch.data import Asked, Series
from uno_metrics_cloudwatch.spans import Span

BALANCED = "AWS/ApplicationELB"

_SUMS = re.compile(r"Sum|SampleCount|tc\d.*|ts\d.*|TC\(.*|TS\(.*")


class Unknown(Exception):
    """It cannot be told, and why."""


@frozen(kw_only=True)
class Counting:
    """What is asked of the requests of a target group behind a load balancer."""

    load_balancer: str
    target_group: str

    def asked(self, metric: str, statistic: str = "Sum") -> Asked:
        dimensions = (("LoadBalancer", self.load_balancer), ("TargetGroup", self.target_group))
        return Asked(BALANCED, metric, statistic, dimensions)

    @property
    def requests(self) -> Asked:
        return self.asked("RequestCount")

    @property
    def failed(self) -> tuple[Asked, ...]:
        """5XX that targets answered, and connections to targets that did not come about.

        What the load balancer answers itself (502 for a dead target) is not counted by target group.
        """
        return self.asked("HTTPCode_Target_5XX_Count"), self.asked("TargetConnectionErrorCount")

    def latency(self, statistic: str) -> Asked:
        return self.asked("TargetResponseTime", statistic)

    def counts(self, found: Mapping[Asked, Series], span: Span) -> tuple[float, float]:
        """Requests, and how many of them failed."""
        requests = _present(self.requests, found, span)
        # Load balancers report what is not zero: no errors beside requests are none.
        errors = math.fsum(sum(_sure(one, found).values()) for one in self.failed)
        total = math.fsum(requests.values())
        if bad := [n for n in (*requests.values(), errors) if n < 0]:
            raise Unknown(f"a count is {bad[0]:g}")
        # A request may be counted in one minute and its failure in the next.
        return total, min(errors, total)

    def percentile(self, statistic: str, found: Mapping[Asked, Series], span: Span) -> float:
        """Seconds: the mean of the periods' percentiles, each weighing as much as it had requests.

        CloudWatch has no histogram that could be added up over periods.
        """
        told = _present(self.latency(statistic), found, span)
        weights = {begun: found[self.requests].values.get(begun, 0.0) for begun in told}
        if bad := [n for n in told.values() if n < 0]:
            raise Unknown(f"a latency is {bad[0]:g} s")
        total = math.fsum(weights.values())
        if not total:
            return fmean(told.values())
        return math.fsum(value * weights[begun] for begun, value in told.items()) / total


def value(asked: Asked, found: Mapping[Asked, Series], span: Span) -> float:
    """Of all periods that have one: the sum of what is a count, the extreme of extremes, or the mean."""
    told = _present(asked, found, span).values()
    if _SUMS.fullmatch(asked.statistic):
        return math.fsum(told)
    if asked.statistic == "Minimum":
        return min(told)
    return max(told) if asked.statistic == "Maximum" else fmean(told)


def _present(asked: Asked, found: Mapping[Asked, Series], span: Span) -> Mapping[int, float]:
    values = _sure(asked, found)
    if not values:
        raise Unknown(f"CloudWatch has no data point of {asked} {span}")
    return values


def _sure(asked: Asked, found: Mapping[Asked, Series]) -> Mapping[int, float]:
    series = found[asked]
    if series.trouble:
        raise Unknown(f"{asked}: {series.trouble}")
    return series.values
