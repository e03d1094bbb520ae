"""The options of the provider `cloudwatch`, and what it reads by them. Imports no SDK."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from uno_aws.options import AwsOptions
from uno_core import Reads, Slot, option
from uno_metrics_cloudwatch import names
from uno_metrics_cloudwatch.template import used

PERCENTILES = ("50", "75", "80", "90", "95", "98", "99", "99.5", "99.9")
"""Of the latency, as many as can be named where somebody names another."""

LATENCIES: Mapping[str, str] = {f"latency_p{percent}": f"p{percent}" for percent in PERCENTILES}
"""Which statistic of TargetResponseTime each metric is."""

COUNTED = frozenset({"requests", "error_rate"})

_STATISTIC = re.compile(
    r"Average|Sum|Minimum|Maximum|SampleCount|IQM|p100|p\d{1,2}(\.\d{1,10})?"
    r"|(tm|wm|tc|ts)\d{1,2}(\.\d{1,10})?|(TM|WM|TC|TS|PR)\([0-9.%]*:[0-9.%]*\)"
)


@frozen(kw_only=True)
class CloudMetric:
    """One metric of CloudWatch, with all of its dimensions."""

    namespace: str = option(help="AWS/ECS for instance, or one of your own")
    metric: str = option(help="The name of the metric there")
    statistic: str = option(
        default="Average", help="Average, Sum, Minimum, Maximum, SampleCount, p95, tm90 …"
    )
    dimensions: Mapping[str, str] = option(
        factory=dict, help="All of its dimensions; a value may hold {slot}, {version}, {target_group} …"
    )

    def __attrs_post_init__(self) -> None:
        if not _STATISTIC.fullmatch(self.statistic):
            raise ValueError(
                f"statistic = {self.statistic}: expected Average, Sum, p95 or another of CloudWatch"
            )
        if not self.namespace or not self.metric:
            raise ValueError("expected the names of a namespace and a metric")
        for text in self.dimensions.values():
            used(text)


@frozen(kw_only=True)
class CloudWatchOptions(AwsOptions):
    """Which load balancer and target groups are counted, and what else is asked.

    What is not said is what the platform goes by, where that is `aws-alb`.
    """

    load_balancer: str = option(
        default="", help="app/NAME/ID, or the ARN of the load balancer; by default the platform's"
    )
    target_groups: Mapping[str, str] = option(
        factory=dict, help="The ARNs of the target groups of blue and green; by default the platform's"
    )
    period: float = option(
        default=60.0, ge=60, unit="s", help="How long a data point is, whole minutes: no window is shorter"
    )
    delay: float = option(
        default=120.0, ge=0, unit="s", help="How old the end of a period has to be for it to be complete"
    )
    metrics: Mapping[str, CloudMetric] = option(
        factory=dict, help="Metrics of your own by name, out of any namespace"
    )
    alarms: Mapping[str, str | Sequence[str]] = option(
        factory=dict, help="Metrics by name that are 1 while one of these alarms is in ALARM, and 0 else"
    )

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.period % 60:
            raise ValueError(f"period = {self.period:g}: expected whole minutes")
        if self.load_balancer:
            _checked("load_balancer", names.load_balancer, self.load_balancer)
        for slot, arn in self.target_groups.items():
            if slot not in set(Slot):
                raise ValueError(f"target_groups = {slot}: expected blue or green")
            _checked(f"target_groups.{slot}", names.target_group, arn)
        if len(self.target_groups) == 1:
            raise ValueError("target_groups: expected those of blue and green, both")
        for name in (*self.metrics, *self.alarms):
            if name in COUNTED or name.startswith("latency_p"):
                raise ValueError(f"{name}: that name belongs to what is counted; choose another one")
        if twice := sorted(set(self.metrics) & set(self.alarms)):
            raise ValueError(f"{twice[0]}: it is a metric and an alarm; choose another name for one")
        for name in self.alarms:
            if not self.watched(name) or not all(self.watched(name)):
                raise ValueError(f"alarms.{name}: expected the name of an alarm, or several")

    def watched(self, name: str) -> Sequence[str]:
        """The alarms behind a metric."""
        said = self.alarms[name]
        return (said,) if isinstance(said, str) else tuple(said)

    def reads(self) -> Reads:
        """What can be asked for. The windows end so long ago that their last period is complete."""
        return Reads(
            names=COUNTED | frozenset(LATENCIES) | frozenset(self.metrics) | frozenset(self.alarms),
            counts=True,
            shortest=self.period,
            lag=self.delay,
        )


def _checked(name: str, read: Callable[[str], names.Named], text: str) -> None:
    try:
        read(text)
    except ValueError as wrong:
        raise ValueError(f"{name} = {wrong}") from None
