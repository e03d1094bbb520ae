"""What may be configured, what comes from the platform, and what is refused."""

from __future__ import annotations

import pytest
from attrs import field, frozen

from uno_aws.options import AwsOptions
from uno_core import ConfigError
from uno_metrics_cloudwatch.options import CloudMetric, CloudWatchOptions
from uno_metrics_cloudwatch.places import places

pytest_plugins = ["clouds"]

ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:"
GROUPS = {"blue": f"{ARN}targetgroup/blue/73e2", "green": f"{ARN}targetgroup/green/943f"}
RULE = f"{ARN}listener-rule/app/web/50dc/f2f7/9683"
LISTENER = f"{ARN}listener/app/web/50dc/f2f7"


@frozen(kw_only=True)
class Traffic:
    """As the options of a platform have it."""

    rule: str = ""
    listener: str = ""
    target_groups: dict = field(factory=dict)


@frozen(kw_only=True)
class Platform(AwsOptions):
    """The options of a platform that balances loads."""

    traffic: Traffic = field(factory=Traffic)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"period": 90}, "whole minutes"),
        ({"period": 30}, "at least 60"),
        ({"load_balancer": "web"}, "app/NAME/ID"),
        ({"load_balancer": f"{ARN}loadbalancer/net/web/50dc"}, "app/NAME/ID"),
        ({"target_groups": {"blue": GROUPS["blue"]}}, "both"),
        ({"target_groups": {"red": GROUPS["blue"]}}, "blue or green"),
        ({"target_groups": {"blue": "web", "green": "web"}}, "ARN of a target group"),
        ({"alarms": {"error_rate": "high"}}, "another one"),
        ({"alarms": {"latency_p95": "high"}}, "another one"),
        ({"alarms": {"burning": []}}, "name of an alarm"),
        ({"alarms": {"burning": ""}}, "name of an alarm"),
        (
            {"alarms": {"queue": "a"}, "metrics": {"queue": CloudMetric(namespace="n", metric="m")}},
            "another name",
        ),
        ({"account": "12"}, "twelve digits"),
    ],
)
def test_what_cannot_be_is_refused(wrong, complaint):
    with pytest.raises(ValueError, match=complaint):
        CloudWatchOptions(**wrong)


@pytest.mark.parametrize("statistic", ["Average", "Sum", "p95", "p99.9", "tm90", "TM(10%:90%)", "IQM"])
def test_statistics_of_cloudwatch(statistic):
    assert CloudMetric(namespace="n", metric="m", statistic=statistic).statistic == statistic


@pytest.mark.parametrize("statistic", ["average", "P95", "p101", "", "median"])
def test_no_statistic_of_cloudwatch(statistic):
    with pytest.raises(ValueError, match="statistic"):
        CloudMetric(namespace="n", metric="m", statistic=statistic)


def test_a_placeholder_that_nobody_knows():
    with pytest.raises(ValueError, match=r"slto.*expected one of slot, version"):
        CloudMetric(namespace="n", metric="m", dimensions={"Slot": "{slto}"})


def test_windows_end_when_they_are_complete():
    reads = CloudWatchOptions(period=300, delay=180).reads()
    assert (reads.shortest, reads.lag, reads.counts) == (300, 180, True)


@pytest.mark.parametrize(
    "traffic", [Traffic(rule=RULE, target_groups=GROUPS), Traffic(listener=LISTENER, target_groups=GROUPS)]
)
def test_the_platform_knows_whose_requests_are_counted(traffic):
    platform = Platform(traffic=traffic, region="us-east-1", profile="ops", rate=3.0)
    known = places(CloudWatchOptions(profile="metrics"), platform)
    assert known.load_balancer == "app/web/50dc"
    assert known.target_groups == {"blue": "targetgroup/blue/73e2", "green": "targetgroup/green/943f"}
    assert not known.missing
    assert (known.options.region, known.options.profile, known.options.rate) == ("us-east-1", "metrics", 3.0)


def test_what_is_said_here_goes_first():
    platform = Platform(traffic=Traffic(rule=RULE, target_groups=GROUPS))
    mine = {slot: f"{arn}0" for slot, arn in GROUPS.items()}
    known = places(CloudWatchOptions(load_balancer="app/other/1", target_groups=mine), platform)
    assert known.load_balancer == "app/other/1"
    assert known.target_groups["blue"] == "targetgroup/blue/73e20"


@pytest.mark.parametrize("said", ["app/web/50dc", f"{ARN}loadbalancer/app/web/50dc", LISTENER, RULE])
def test_a_load_balancer_by_name_or_arn(said):
    known = places(CloudWatchOptions(load_balancer=said, target_groups=GROUPS), None)
    assert known.load_balancer == "app/web/50dc"
    assert known.options.region == "eu-west-1", "the ARNs tell it"


@pytest.mark.parametrize(
    ("platform", "absent"),
    [
        (None, "the load balancer, the target group of blue, the target group of green"),
        (object(), "the load balancer"),
        (Platform(traffic=Traffic(rule=RULE)), "the target group of blue"),
        (Platform(traffic=Traffic(target_groups=GROUPS)), "not known: the load balancer"),
    ],
)
def test_what_nobody_knows_is_told_with_its_remedy(platform, absent):
    known = places(CloudWatchOptions(), platform)
    with pytest.raises(ConfigError) as raised:
        known.need()
    assert absent in raised.value.found
    assert "set load_balancer and target_groups" in raised.value.remedy


@pytest.mark.parametrize(
    "traffic",
    [Traffic(rule="arn:aws:iam::1:role/x"), Traffic(rule=RULE, target_groups={"blue": "tg", "green": "tg"})],
)
def test_an_arn_of_the_platform_that_is_none(traffic):
    with pytest.raises(ConfigError, match="of the platform"):
        places(CloudWatchOptions(), Platform(traffic=traffic))
