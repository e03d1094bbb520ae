"""CloudWatch of the double: what can be read of what was put, when, and in how many pages."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

pytest_plugins = ["tests.aws.fixtures"]
pytestmark = pytest.mark.component("envoy")

WHERE = [
    {"Name": "LoadBalancer", "Value": "app/web/1"},
    {"Name": "TargetGroup", "Value": "targetgroup/blue/2"},
]
NAMESPACE = "AWS/ApplicationELB"


@pytest.fixture
def begun():
    """The beginning of a minute that is some minutes old."""
    return datetime.fromtimestamp(time.time() // 60 * 60 - 600, UTC)


@pytest.fixture
def watch(aws):
    return aws.client("cloudwatch")


@pytest.fixture
def put(watch, begun):
    """Put values of a metric, so many seconds after `begun`."""

    def put(name, *values, at=0.0, dimensions=WHERE, namespace=NAMESPACE):
        moment = begun + timedelta(seconds=at)
        data = {"MetricName": name, "Values": list(values), "Timestamp": moment, "Dimensions": dimensions}
        watch.put_metric_data(Namespace=namespace, MetricData=[data])

    return put


@pytest.fixture
def ask(watch, begun):
    """The answer to queries, each the name of a metric and a statistic."""

    def ask(*queries, minutes=3, period=60, dimensions=WHERE, **more):
        asked = [
            {
                "Id": f"m{number}",
                "MetricStat": {
                    "Metric": {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions},
                    "Period": period,
                    "Stat": statistic,
                },
            }
            for number, (name, statistic) in enumerate(queries)
        ]
        span = {"StartTime": begun, "EndTime": begun + timedelta(minutes=minutes)}
        return watch.get_metric_data(
            MetricDataQueries=asked, **{**span, "ScanBy": "TimestampAscending", **more}
        )

    return ask


def values(answer):
    return [result["Values"] for result in answer["MetricDataResults"]]


def test_percentiles_of_what_was_put(put, ask):
    put("TargetResponseTime", *[number / 100 for number in range(101)])
    (p50,), (p95,), (p999,) = values(ask(*(("TargetResponseTime", stat) for stat in ("p50", "p95", "p99.9"))))
    assert p50 == pytest.approx(0.5)
    assert p95 == pytest.approx(0.95)
    assert p999 == pytest.approx(0.999)


def test_the_other_statistics(put, ask):
    put("TargetResponseTime", 1.0, 2.0, 6.0)
    names = ("Sum", "SampleCount", "Average", "Minimum", "Maximum")
    assert values(ask(*(("TargetResponseTime", one) for one in names))) == [[9], [3], [3], [1], [6]]


def test_a_data_point_is_called_by_the_beginning_of_its_period(put, ask, begun):
    put("RequestCount", 3, at=59)
    put("RequestCount", 4, at=60)
    put("RequestCount", 5, at=180)
    (result,) = ask(("RequestCount", "Sum"))["MetricDataResults"]
    assert result["Timestamps"] == [begun, begun + timedelta(minutes=1)], "the end of the range is not in it"
    assert result["Values"] == [3, 4]
    assert result["StatusCode"] == "Complete"


def test_longer_periods_add_up(put, ask):
    put("RequestCount", 3)
    put("RequestCount", 4, at=60)
    assert sum(values(ask(("RequestCount", "Sum"), minutes=5, period=300))[0]) == 7


def test_the_newest_come_first_unless_it_is_said(put, ask):
    put("RequestCount", 1)
    put("RequestCount", 2, at=60)
    assert values(ask(("RequestCount", "Sum"), ScanBy="TimestampDescending")) == [[2, 1]]


def test_dimensions_are_all_or_nothing(put, ask):
    put("RequestCount", 1)
    assert values(ask(("RequestCount", "Sum"), dimensions=WHERE[:1])) == [[]]
    assert values(ask(("RequestCount", "Sum"), dimensions=[])) == [[]]
    put("RequestCount", 9, namespace="Elsewhere")
    assert values(ask(("RequestCount", "Sum"))) == [[1]]


def test_what_is_not_there_has_no_points(ask):
    (result,) = ask(("RequestCount", "Sum"))["MetricDataResults"]
    assert (result["Values"], result["StatusCode"]) == ([], "Complete")


def test_data_comes_late(aws, put, ask):
    put("RequestCount", 1)
    aws.metrics.delay = 3600
    assert values(ask(("RequestCount", "Sum"))) == [[]]
    aws.metrics.delay = 60
    assert values(ask(("RequestCount", "Sum"))) == [[1]]


def test_pages_are_partial_until_the_last(put, ask):
    for minute in range(3):
        put("RequestCount", minute + 1, at=60 * minute)
    put("Other", 7)
    queries = ("RequestCount", "Sum"), ("Other", "Sum")
    first = ask(*queries, MaxDatapoints=2)
    assert values(first) == [[1, 2], []]
    assert [one["StatusCode"] for one in first["MetricDataResults"]] == ["PartialData", "PartialData"]
    second = ask(*queries, MaxDatapoints=2, NextToken=first["NextToken"])
    assert values(second) == [[3], [7]]
    assert {one["StatusCode"] for one in second["MetricDataResults"]} == {"Complete"}
    assert "NextToken" not in second


def test_an_answer_that_is_not_complete(aws, put, ask):
    put("RequestCount", 1)
    aws.metrics.statuses["RequestCount"] = "PartialData"
    (result,) = ask(("RequestCount", "Sum"))["MetricDataResults"]
    assert (result["Values"], result["StatusCode"]) == ([1], "PartialData")
    aws.metrics.statuses["RequestCount"] = "InternalError"
    assert values(ask(("RequestCount", "Sum"))) == [[]]


def test_what_aws_refuses(ask, watch, begun):
    for wrong in ({"period": 90}, {"minutes": 0}):
        with pytest.raises(ClientError, match="ValidationError"):
            ask(("RequestCount", "Sum"), **wrong)
    with pytest.raises(ClientError, match="not supported"):
        ask(("RequestCount", "p101"))
    with pytest.raises(ClientError, match="between 1 and 500"):
        ask(*[("RequestCount", "Sum")] * 501)


def test_statistic_sets_have_no_percentiles(watch, ask, begun):
    told = {"SampleCount": 2, "Sum": 3, "Minimum": 1, "Maximum": 2}
    data = {"MetricName": "Sets", "StatisticValues": told, "Timestamp": begun, "Dimensions": WHERE}
    watch.put_metric_data(Namespace=NAMESPACE, MetricData=[data])
    assert values(ask(("Sets", "p50"), ("Sets", "Average"), ("Sets", "Maximum"))) == [[], [1.5], [2]]


@pytest.mark.parametrize("state", ["OK", "ALARM", "INSUFFICIENT_DATA"])
def test_the_state_of_an_alarm_can_be_set(watch, state):
    watch.put_metric_alarm(
        AlarmName="a", Namespace="n", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    watch.set_alarm_state(AlarmName="a", StateValue=state, StateReason="a test")
    (alarm,) = watch.describe_alarms(AlarmNames=["a", "b"])["MetricAlarms"]
    assert alarm["StateValue"] == state
