"""How AWS is asked: as whom, how fast, and what its refusals become."""

from __future__ import annotations

import pytest
from attrs import evolve, frozen

from uno_aws.bucket import Bucket
from uno_aws.options import AwsOptions, inherited
from uno_aws.session import PAUSES, Aws
from uno_core import ConfigError, Forbidden, SystemClock, Throttled, Unanswered

pytest_plugins = ["clouds"]

component = pytest.mark.component("envoy")


@pytest.fixture
def ask(aws, monkeypatch, tmp_path):
    """Somebody who asks the double; options as keywords."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFIRST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    made = []

    def ask(**options):
        usual = {"region": "eu-west-1", "endpoint_url": aws.url, "rate": 1000.0}
        made.append(Aws(AwsOptions(**{**usual, **options}), SystemClock()))
        return made[-1]

    yield ask
    for one in made:
        one.close()


@component
class TestWhoAsks:
    def test_the_account_is_compared_before_anything_else(self, ask, aws):
        with pytest.raises(ConfigError) as raised:
            ask(account="999999999999").read("elbv2", "describe_load_balancers")
        assert "123456789012" in raised.value.found
        assert aws.front.counted() == {"sts:GetCallerIdentity": 1}

    def test_the_right_account_is_asked_for_once(self, ask, aws):
        one = ask(account="123456789012")
        one.read("elbv2", "describe_load_balancers")
        one.read("elbv2", "describe_load_balancers")
        assert aws.front.counted()["sts:GetCallerIdentity"] == 1

    def test_a_role_is_assumed_once_and_asks(self, ask, aws):
        one = ask(assume_role="arn:aws:iam::123456789012:role/deployer")
        assert "assumed-role/deployer/uno" in one.identity()["Arn"]
        one.read("elbv2", "describe_load_balancers")
        assert aws.front.counted()["sts:AssumeRole"] == 1
        (key,) = {call.key for call in aws.front.calls if call.action == "DescribeLoadBalancers"}
        assert key.startswith("ASIA"), "with the role's own credentials"

    def test_what_ran_out_is_looked_for_once_more(self, ask, aws, monkeypatch):
        one = ask()
        one.read("elbv2", "describe_load_balancers")
        aws.front.expired.add("AKIAFIRST")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASECOND")
        one.read("elbv2", "describe_load_balancers")
        aws.front.expired.add("AKIASECOND")
        with pytest.raises(Forbidden, match="does not know who asks") as raised:
            one.read("elbv2", "describe_load_balancers")
        assert "ExpiredToken" in raised.value.found
        assert "uno resume" in raised.value.remedy

    def test_nobody_at_all_is_told(self, ask, monkeypatch):
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with pytest.raises(Forbidden, match="no credentials"):
            ask().read("elbv2", "describe_load_balancers")

    def test_a_region_that_nobody_named(self, ask):
        with pytest.raises(ConfigError, match="where to ask"):
            ask(region="").read("elbv2", "describe_load_balancers")

    def test_a_profile_that_is_not_there(self, ask):
        with pytest.raises(ConfigError, match="where to ask"):
            ask(profile="nobody").read("elbv2", "describe_load_balancers")


@component
class TestRefusals:
    def test_what_is_denied_names_action_and_resource(self, ask, aws):
        aws.front.denied.add("elasticloadbalancing:DescribeLoadBalancers")
        with pytest.raises(Forbidden) as raised:
            ask().read("elbv2", "describe_load_balancers")
        assert raised.value.exit_code == 9
        assert "elasticloadbalancing:DescribeLoadBalancers on *" in raised.value.expected

    def test_a_read_is_asked_again_where_its_answer_was_lost(self, ask, aws):
        aws.front.inject("elasticloadbalancing:DescribeLoadBalancers", lost=True)
        assert ask().read("elbv2", "describe_load_balancers")["LoadBalancers"] == []
        assert aws.front.counted()["elasticloadbalancing:DescribeLoadBalancers"] == 2

    def test_a_write_is_not(self, ask, aws):
        aws.front.inject("ecs:CreateCluster", lost=True)
        with pytest.raises(Unanswered):
            ask().write("ecs", "create_cluster", clusterName="prod")
        assert aws.front.counted()["ecs:CreateCluster"] == 1
        assert ask().read("ecs", "list_clusters")["clusterArns"], "it took effect"

    def test_throttled_for_good(self, ask, aws):
        aws.front.inject("ecs:CreateCluster", code="ThrottlingException", times=99)
        with pytest.raises(Throttled):
            ask().write("ecs", "create_cluster", clusterName="prod")
        assert aws.front.counted()["ecs:CreateCluster"] == len(PAUSES) + 1

    def test_a_write_that_was_throttled_after_the_looks_before_it_is_made_all_the_same(self, ask, aws):
        aws.front.throttle("ecs:*", rate=1.0, burst=1.0)
        one = ask()
        assert one.read("ecs", "list_clusters")["clusterArns"] == []
        one.write("ecs", "create_cluster", clusterName="prod")
        aws.front.heal()
        assert one.read("ecs", "list_clusters")["clusterArns"]

    def test_throttled_for_a_while_is_waited_out(self, ask, aws):
        aws.front.inject("ecs:ListClusters", code="ThrottlingException", times=2)
        assert ask().read("ecs", "list_clusters")["clusterArns"] == []

    def test_an_error_of_the_server_is_no_answer(self, ask, aws):
        aws.front.inject("ecs:CreateCluster", code="ServerException", status=500)
        with pytest.raises(Unanswered):
            ask().write("ecs", "create_cluster", clusterName="prod")

    def test_nobody_is_there(self, ask):
        with pytest.raises(Unanswered):
            ask(endpoint_url="http://127.0.0.1:1").write("ecs", "list_clusters")


class Standing(SystemClock):
    """Time goes on only where it is slept."""

    def __init__(self):
        self.at = 0.0

    def monotonic(self):
        return self.at

    def sleep(self, seconds, wake=None):
        self.at += seconds


class TestLimit:
    def test_a_burst_and_then_so_many_a_second(self):
        clock = Standing()
        bucket = Bucket(clock, 5.0)
        for _ in range(20):
            bucket.take()
        assert clock.at == 0
        for _ in range(10):
            bucket.take()
        assert clock.at == pytest.approx(2.0)


@frozen(kw_only=True)
class Beside(AwsOptions):
    """A plugin's beside the platform."""


def test_what_is_not_said_is_as_the_platform_says():
    platform = AwsOptions(region="eu-west-1", profile="prod", account="123456789012")
    assert inherited(Beside(profile="audit"), platform) == Beside(
        region="eu-west-1", profile="audit", account="123456789012"
    )
    assert inherited(Beside(), None) == Beside()


@pytest.mark.parametrize("wrong", [{"account": "12"}, {"assume_role": "deployer"}])
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        evolve(AwsOptions(), **wrong)
