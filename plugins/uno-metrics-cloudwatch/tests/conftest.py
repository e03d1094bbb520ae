"""A shop behind a load balancer of the double of AWS, and providers that look at it."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from uno_core import Query, Slot, SystemClock

ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:"
BALANCER = "app/web/50dc6c495c0c9188"
BLUE, GREEN = "targetgroup/blue/73e2d6bc24d8a067", "targetgroup/green/943f017f100becff"
PLACES = {"load_balancer": BALANCER, "target_groups": {"blue": ARN + BLUE, "green": ARN + GREEN}}


class Fixed(SystemClock):
    """It is always the same time."""

    def __init__(self, now):
        super().__init__()
        self.time = now

    def now(self):
        return self.time


@pytest.fixture
def environ(monkeypatch, tmp_path):
    """Credentials for AWS, and nothing of whoever runs the tests."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFIRST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.fixture
def begun():
    """The beginning of a minute, ten minutes ago."""
    return datetime.fromtimestamp(time.time() // 60 * 60 - 600, UTC)


@pytest.fixture
def at(begun):
    """A moment so many seconds after `begun`."""
    return lambda seconds: begun + timedelta(seconds=seconds)


@pytest.fixture
def blue(application):
    return Query(
        application=application.name, environment=application.environment, slot=Slot.BLUE, version="1.2.0"
    )


@pytest.fixture
def asking(aws, environ, services):
    """A provider at the double, with options; `now`: what time it is, `platform`: the platform's options."""
    from uno_metrics_cloudwatch.options import CloudWatchOptions
    from uno_metrics_cloudwatch.provider import CloudWatchMetrics

    def asking(*, now=None, platform=None, **options):
        usual = {"region": "eu-west-1", "endpoint_url": aws.url, "rate": 1000.0}
        mine = evolve(services, platform_options=platform, **({"clock": Fixed(now)} if now else {}))
        return CloudWatchMetrics(CloudWatchOptions(**{**usual, **options}), mine)

    return asking


@pytest.fixture
def places():
    """The options that name the load balancer and the target groups of the shop."""
    return dict(PLACES)


@pytest.fixture
def shopping(asking):
    """A provider that knows the load balancer and the target groups of the shop, with more options."""
    return lambda **options: asking(**PLACES, **options)


@pytest.fixture
def shop(shopping):
    return shopping()


@pytest.fixture
def watch(aws):
    return aws.client("cloudwatch")


@pytest.fixture
def put(watch, at):
    """Put values of a metric of a target group, so many seconds after `begun`."""

    def put(name, *values, seconds=0.0, group=BLUE, namespace="AWS/ApplicationELB", dimensions=None):
        where = dimensions if dimensions is not None else {"LoadBalancer": BALANCER, "TargetGroup": group}
        data = {
            "MetricName": name,
            "Values": list(values),
            "Timestamp": at(seconds),
            "Dimensions": [{"Name": key, "Value": value} for key, value in where.items()],
        }
        watch.put_metric_data(Namespace=namespace, MetricData=[data])

    return put


@pytest.fixture
def alarm(watch):
    """Make an alarm in a state."""

    def alarm(name, state="OK"):
        watch.put_metric_alarm(
            AlarmName=name, Namespace="shop", MetricName="orders", Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=1, ComparisonOperator="LessThanThreshold",
        )  # fmt: skip
        watch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")

    return alarm
