"""What a window comes to, of what CloudWatch has of it."""

from itertools import pairwise

import pytest
from attrs import evolve, frozen

from uno_core import ConfigError, Figures, Forbidden, NoData, Throttled, Unanswered
from uno_metrics_cloudwatch.options import CloudMetric

pytest_plugins = ["clouds"]

pytestmark = pytest.mark.component("envoy")

GREEN = "targetgroup/green/943f017f100becff"


def figures(answer):
    assert isinstance(answer, Figures), answer
    return answer


def reason(answer):
    assert isinstance(answer, NoData), answer
    return answer.reason


@pytest.fixture
def rate(blue):
    """Asks for the error rate alone."""
    return evolve(blue, metrics=("error_rate",))


@pytest.fixture
def look(shop, rate, at):
    """Looks at the first minute."""
    return lambda: shop.window(rate, at(0), at(60))


class TestCounts:
    def test_failures_are_5xx_and_connections_that_failed(self, shop, put, rate, at):
        put("RequestCount", 40)
        put("HTTPCode_Target_5XX_Count", 2)
        put("TargetConnectionErrorCount", 3)
        told = figures(shop.window(rate, at(0), at(60)))
        assert (told.requests, told.errors, told.values, told.unknown) == (40, 5, {}, {})

    def test_no_errors_beside_requests_are_none(self, shop, put, rate, at):
        put("RequestCount", 40)
        assert figures(shop.window(rate, at(0), at(60))).errors == 0

    def test_no_requests_are_no_data(self, shop, put, rate, at):
        put("HTTPCode_Target_5XX_Count", 2)
        put("RequestCount", 40, group=GREEN)
        assert "no data point of Sum of AWS/ApplicationELB RequestCount" in reason(
            shop.window(rate, at(0), at(60))
        )

    def test_a_silent_minute_among_others_has_no_requests(self, shop, put, rate, at):
        put("RequestCount", 40)
        put("RequestCount", 2, seconds=120)
        assert figures(shop.window(rate, at(0), at(180))).requests == 42

    def test_only_whole_minutes_count(self, shop, put, rate, at):
        for minute in range(4):
            put("RequestCount", 10**minute, seconds=60 * minute)
        assert figures(shop.window(rate, at(1), at(239))).requests == 110

    def test_a_failure_that_is_counted_a_minute_later_than_its_request(self, shop, put, rate, at):
        put("RequestCount", 1)
        put("HTTPCode_Target_5XX_Count", 3)
        told = figures(shop.window(rate, at(0), at(60)))
        assert (told.requests, told.errors) == (1, 1)

    def test_longer_periods(self, shopping, put, rate, at, begun):
        start = 300 - begun.timestamp() % 300
        for minute in range(5):
            put("RequestCount", 10, seconds=start - 300 + 60 * minute)
        provider = shopping(period=300)
        assert figures(provider.window(rate, at(start - 301), at(start + 1))).requests == 50

    def test_a_count_below_nothing_is_none(self, shop, put, rate, at):
        put("RequestCount", -4)
        assert "a count is -4" in reason(shop.window(rate, at(0), at(60)))


class TestCompleteness:
    def test_what_may_still_change_is_no_data(self, shopping, put, rate, at):
        put("RequestCount", 40)
        early = shopping(now=at(179))
        assert "is not complete before" in reason(early.window(rate, at(0), at(60)))
        late = shopping(now=at(180))
        assert figures(late.window(rate, at(0), at(60))).requests == 40

    def test_nothing_is_asked_of_aws_before_it_is_complete(self, aws, shopping, rate, at):
        shopping(now=at(100)).window(rate, at(0), at(60))
        assert not aws.front.counted()

    def test_data_that_comes_later_than_the_delay_is_no_data(self, aws, shopping, put, rate, at):
        put("RequestCount", 40)
        aws.metrics.delay = 3600
        assert "no data point" in reason(shopping().window(rate, at(0), at(60)))

    @pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden"])
    @pytest.mark.parametrize(
        "metric", ["RequestCount", "HTTPCode_Target_5XX_Count", "TargetConnectionErrorCount"]
    )
    def test_a_part_is_not_all(self, aws, look, put, status, metric):
        put("RequestCount", 40)
        aws.metrics.statuses[metric] = status
        assert f"CloudWatch answered {status}" in reason(look())

    def test_a_latency_that_is_partial_leaves_the_counts(self, aws, shop, put, blue, at):
        put("RequestCount", 40)
        put("TargetResponseTime", 0.1)
        aws.metrics.statuses["TargetResponseTime"] = "PartialData"
        told = figures(shop.window(evolve(blue, metrics=("latency_p95",)), at(0), at(60)))
        assert told.requests == 40
        assert not told.values
        assert "PartialData" in told.unknown["latency_p95"]

    def test_pages_are_read_to_the_end(self, aws, shop, put, rate, at):
        for minute in range(5):
            put("RequestCount", 10, seconds=60 * minute)
            put("HTTPCode_Target_5XX_Count", 1, seconds=60 * minute)
        aws.metrics.most = 3
        told = figures(shop.window(rate, at(0), at(300)))
        assert (told.requests, told.errors) == (50, 5)
        assert aws.front.counted()["cloudwatch:GetMetricData"] == 4

    def test_the_minute_between_two_windows_is_not_lost(self, shop, put, rate, at):
        for minute in range(6):
            put("RequestCount", 10, seconds=60 * minute)
        edges = [at(0), at(125), at(190), at(270), at(360)]
        told = [figures(shop.window(rate, *edge)) for edge in pairwise(edges)]
        assert [one.requests for one in told] == [20, 10, 10, 20]


class TestLatency:
    def test_percentiles_are_seconds(self, shop, put, blue, at):
        put("RequestCount", 101)
        put("TargetResponseTime", *[number / 100 for number in range(101)])
        asked = evolve(blue, metrics=("latency_p50", "latency_p95", "latency_p99.9"))
        told = figures(shop.window(asked, at(0), at(60)))
        assert told.values == pytest.approx({"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99.9": 0.999})
        assert not told.latency

    def test_a_minute_weighs_as_much_as_it_had_requests(self, shop, put, blue, at):
        put("RequestCount", 30)
        put("TargetResponseTime", 0.1)
        put("RequestCount", 10, seconds=60)
        put("TargetResponseTime", 0.5, seconds=60)
        told = figures(shop.window(evolve(blue, metrics=("latency_p95",)), at(0), at(120)))
        assert told.values["latency_p95"] == pytest.approx(0.2)

    def test_requests_that_nobody_answered_have_no_latency(self, shop, put, blue, at):
        put("RequestCount", 30)
        put("TargetConnectionErrorCount", 30)
        told = figures(shop.window(evolve(blue, metrics=("latency_p95", "error_rate")), at(0), at(60)))
        assert told.errors == 30
        assert "no data point of p95" in told.unknown["latency_p95"]

    def test_without_names_all_is_told(self, shop, put, blue, at):
        put("RequestCount", 1)
        put("TargetResponseTime", 0.1)
        told = figures(shop.window(blue, at(0), at(60)))
        assert set(told.values) == {
            f"latency_p{p}" for p in ("50", "75", "80", "90", "95", "98", "99", "99.5", "99.9")
        }


class TestMetrics:
    def test_placeholders_stand_for_what_is_looked_at(self, shopping, put, blue, at):
        put("RequestCount", 1)
        where = {
            "Slot": "blue", "Version": "v1.2.0", "App": "shop-testing",
            "Group": "targetgroup/blue/73e2d6bc24d8a067", "Balancer": "app/web/50dc6c495c0c9188",
        }  # fmt: skip
        put("Queue", 5, 7, namespace="Shop", dimensions=where)
        queue = CloudMetric(
            namespace="Shop",
            metric="Queue",
            dimensions={
                "Slot": "{slot}",
                "Version": "v{version}",
                "App": "{app}-{environment}",
                "Group": "{target_group}",
                "Balancer": "{load_balancer}",
            },
        )
        provider = shopping(metrics={"queue": queue})
        told = figures(provider.window(evolve(blue, metrics=("queue",)), at(0), at(60)))
        assert told.values == {"queue": 6}
        nobody = provider.window(evolve(blue, version="", metrics=("queue",)), at(0), at(60))
        assert "nobody knows the version" in figures(nobody).unknown["queue"]

    def test_minutes_become_one_value(self, asking, put, blue, at):
        put("Queue", 2, 4, 6, namespace="Shop", dimensions={})
        put("Queue", 10, seconds=60, namespace="Shop", dimensions={})
        values = {"Sum": 22, "Average": 7, "Maximum": 10, "Minimum": 2, "SampleCount": 4, "p50": 7}
        own = {name: CloudMetric(namespace="Shop", metric="Queue", statistic=name) for name in values}
        told = figures(asking(metrics=own).window(evolve(blue, metrics=tuple(values)), at(0), at(120)))
        assert told.values == values
        assert not told.unknown, "nobody asked for counts"

    def test_what_is_not_there_is_unknown(self, shopping, put, blue, at):
        put("RequestCount", 1)
        provider = shopping(metrics={"queue": CloudMetric(namespace="Shop", metric="Queue")})
        told = figures(provider.window(evolve(blue, metrics=("queue",)), at(0), at(60)))
        assert "no data point of Average of Shop Queue" in told.unknown["queue"]

    def test_values_without_requests(self, shopping, put, blue, at):
        put("Queue", 5, namespace="Shop", dimensions={})
        provider = shopping(metrics={"queue": CloudMetric(namespace="Shop", metric="Queue")})
        told = figures(provider.window(evolve(blue, metrics=("queue", "error_rate")), at(0), at(60)))
        assert told.values == {"queue": 5}
        assert "RequestCount" in told.unknown["requests"]

    def test_one_call_for_all(self, aws, shopping, put, blue, at):
        put("RequestCount", 1)
        metrics = {f"m{n}": CloudMetric(namespace="Shop", metric="Queue") for n in range(9)}
        shopping(metrics=metrics).window(blue, at(0), at(60))
        assert aws.front.counted()["cloudwatch:GetMetricData"] == 1
        (call,) = aws.metrics.calls
        assert len(call) == 3 + 9 + 1, "what is the same is asked once"


class TestAlarms:
    @pytest.fixture
    def burning(self, asking, blue, at):
        """What the metric `burning` of these alarms is."""

        def burning(*names):
            provider = asking(alarms={"burning": names[0] if len(names) == 1 else names})
            return provider.window(evolve(blue, metrics=("burning",)), at(0), at(1))

        return burning

    def test_none_burns(self, burning, alarm):
        alarm("a")
        alarm("b")
        assert figures(burning("a")).values == {"burning": 0.0}
        assert figures(burning("a", "b")).values == {"burning": 0.0}

    def test_one_burns(self, burning, alarm):
        alarm("a")
        alarm("b", "ALARM")
        alarm("c", "INSUFFICIENT_DATA")
        assert figures(burning("a", "b", "c")).values == {"burning": 1.0}

    def test_nobody_knows(self, burning, alarm):
        alarm("a")
        alarm("c", "INSUFFICIENT_DATA")
        assert reason(burning("a", "c")) == "the alarm c is INSUFFICIENT_DATA"
        assert reason(burning("a", "d")) == "there is no alarm d"

    def test_beside_counts_it_is_unknown_by_itself(self, shopping, put, alarm, blue, at):
        put("RequestCount", 10)
        alarm("a", "INSUFFICIENT_DATA")
        told = figures(shopping(alarms={"burning": "a"}).window(blue, at(0), at(60)))
        assert told.requests == 10
        assert told.unknown["burning"] == "the alarm a is INSUFFICIENT_DATA"

    def test_no_more_is_asked_than_is_wanted(self, aws, burning, alarm):
        alarm("a")
        burning("a")
        assert "cloudwatch:GetMetricData" not in aws.front.counted()

    def test_many(self, burning, alarm):
        for number in range(130):
            alarm(f"a{number}", "ALARM" if number == 129 else "OK")
        assert figures(burning(*(f"a{number}" for number in range(130)))).values == {"burning": 1.0}

    def test_an_error_rate_that_nobody_can_count_is_unknown(self, asking, alarm, blue, at):
        alarm("a")
        provider = asking(alarms={"burning": "a"})
        told = figures(provider.window(evolve(blue, metrics=("burning", "error_rate")), at(0), at(60)))
        assert "not known: the load balancer" in told.unknown["requests"]


class TestRefusals:
    def test_what_is_denied_names_the_action(self, aws, look):
        aws.front.denied.add("cloudwatch:GetMetricData")
        with pytest.raises(Forbidden) as raised:
            look()
        assert "cloudwatch:GetMetricData on *" in raised.value.expected

    def test_alarms_that_may_not_be_read(self, aws, asking, blue, at):
        aws.front.denied.add("cloudwatch:DescribeAlarms")
        with pytest.raises(Forbidden, match="DescribeAlarms"):
            asking(alarms={"burning": "a"}).window(evolve(blue, metrics=("burning",)), at(0), at(60))

    def test_throttled_for_a_while_is_waited_out(self, aws, look, put):
        put("RequestCount", 10)
        aws.front.inject("cloudwatch:GetMetricData", code="ThrottlingException", times=1)
        assert figures(look()).requests == 10

    def test_throttled_for_good(self, aws, look, monkeypatch):
        monkeypatch.setattr("uno_aws.session.TRIES", 1)
        aws.front.inject("cloudwatch:GetMetricData", code="ThrottlingException", times=99)
        with pytest.raises(Throttled):
            look()

    def test_no_answer(self, aws, look, monkeypatch):
        monkeypatch.setattr("uno_aws.session.TRIES", 1)
        aws.front.inject("cloudwatch:GetMetricData", lost=True, times=99)
        with pytest.raises(Unanswered):
            look()

    def test_nothing_is_known_of_the_traffic(self, asking, rate, at):
        with pytest.raises(ConfigError, match="whose requests to count"):
            asking().window(rate, at(0), at(60))


@frozen
class Traffic:
    """As the options of a platform have it."""

    rule: str
    target_groups: dict


@frozen
class Platform:
    """The options of a platform."""

    traffic: Traffic


class TestBeforehand:
    def test_all_is_there(self, shopping, alarm, aws):
        alarm("a", "INSUFFICIENT_DATA")
        shopping(alarms={"burning": "a"}).assure()
        assert aws.front.counted()["cloudwatch:GetMetricData"] == 1

    def test_the_platform_knows(self, asking, places, put, rate, at):
        put("RequestCount", 10)
        arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule"
        traffic = Traffic(f"{arn}/app/web/50dc6c495c0c9188/f2f7/9683", places["target_groups"])
        provider = asking(platform=Platform(traffic))
        provider.assure()
        assert figures(provider.window(rate, at(0), at(60))).requests == 10

    def test_nothing_to_count(self, asking):
        with pytest.raises(ConfigError, match="whose requests to count"):
            asking().assure()

    def test_no_right_to_ask(self, aws, shop):
        aws.front.denied.add("cloudwatch:*")
        with pytest.raises(Forbidden):
            shop.assure()

    def test_no_such_alarm(self, asking, alarm):
        alarm("a")
        with pytest.raises(ConfigError, match="no alarm b"):
            asking(alarms={"burning": ["a", "b"]}).assure()
