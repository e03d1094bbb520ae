"""Which rule is written, whose it must not be, and what is handed back of it."""

from __future__ import annotations

import time

import pytest

from uno_core import ConfigError, Drift, Release, Slot, share, whole
from uno_platform_aws_alb import tags
from uno_platform_aws_alb.options import AlbTraffic, AlbWorkload

pytest_plugins = ["clouds"]

pytestmark = pytest.mark.component("envoy")


def until(holds, deadline=30.0):
    end = time.monotonic() + deadline
    while not (seen := holds()):
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)
    return seen


@pytest.fixture
def forward():
    return pytest.importorskip("tests.aws.applications").forward


@pytest.fixture
def served(there):
    """Blue serves two tasks of 1.0, as before uno."""
    there.run("blue", "1.0", 2)
    until(lambda: there.healthy("blue") == 2)
    return there


class TestWhichRule:
    def test_by_its_tags(self, make, served):
        platform = make(tags={"app": "shop"}, load_balancer="web")
        assert platform.router.observe().split == whole(Slot.BLUE)

    def test_tags_that_no_rule_has(self, make, served):
        with pytest.raises(ConfigError, match="no rule has the tags app=nobody"):
            make(tags={"app": "nobody"}, load_balancer="web").router.observe()

    def test_a_default_rule_names_its_listener(self, make, served):
        rules = served.elb.describe_rules(ListenerArn=served.listener)["Rules"]
        (default,) = [one["RuleArn"] for one in rules if one["IsDefault"]]
        with pytest.raises(ConfigError, match="default rule") as raised:
            make(rule=default).router.observe()
        assert served.listener in raised.value.remedy

    def test_a_rule_that_is_not_there(self, make, served):
        with pytest.raises(ConfigError, match="there is no"):
            make(rule=served.rule[:-4] + "0000").router.observe()

    def test_a_listener_that_forwards_nothing(self, make, served):
        with pytest.raises(ConfigError, match="forwards nothing") as raised:
            make(listener=served.listener).router.observe()
        assert "fixed-response" in raised.value.found

    def test_a_third_group_with_a_share(self, make, served):
        other = served.elb.create_target_group(
            Name="other", Protocol="HTTP", Port=80, VpcId=served.balancer["VpcId"]
        )["TargetGroups"][0]["TargetGroupArn"]
        rows = [{"TargetGroupArn": arn, "Weight": 1} for arn in (served.groups["blue"], other)]
        served.elb.modify_rule(
            RuleArn=served.rule, Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": rows}}]
        )
        with pytest.raises(ConfigError, match="of no slot"):
            make().router.observe()


class TestWhoseItIs:
    @pytest.mark.parametrize(
        ("tag", "owner"),
        [
            ("elbv2.k8s.aws/cluster", "AWS Load Balancer Controller"),
            ("AmazonECSManaged", "Amazon ECS"),
        ],
    )
    def test_a_rule_that_others_write_is_refused(self, make, served, tag, owner):
        served.elb.add_tags(ResourceArns=[served.rule], Tags=[{"Key": tag, "Value": "x"}])
        before = served.actions()
        with pytest.raises(ConfigError, match=owner):
            make().prepare()
        assert served.actions() == before

    def test_a_service_that_codedeploy_deploys_is_refused(self, make, served, aws):
        for backend in _ecs():
            for service in backend.services.values():
                service.deployment_controller = {"type": "CODE_DEPLOY"}
        with pytest.raises(ConfigError, match="CodeDeploy"):
            make().prepare()

    def test_a_service_that_is_not_there_names_those_that_are(self, make, served):
        missing = {"blue": "shop-blue", "green": "shop-gren"}
        with pytest.raises(ConfigError, match="no service shop-gren") as raised:
            make(options={"workload": AlbWorkload(cluster="prod", services=missing)}).workload.observe()
        assert raised.value.found == "shop-blue"

    def test_a_service_behind_the_other_group(self, make, served):
        swapped = {"blue": served.groups["green"], "green": served.groups["blue"]}
        with pytest.raises(ConfigError, match="not behind the target group of blue"):
            make(target_groups=swapped).prepare()


def _ecs():
    from moto.ecs.models import ecs_backends

    return [one for region in ecs_backends.values() for one in region.values()]


class TestWhatIsWritten:
    def test_the_idle_group_is_attached_first(self, make, served):
        only = {"Type": "forward", "TargetGroupArn": served.groups["blue"]}
        served.elb.modify_rule(RuleArn=served.rule, Actions=[only])
        platform = make()
        assert any("the idle one with the weight 0" in one for one in platform.remarks())
        platform.prepare()
        assert served.weights() == {"blue": 999, "green": 0}

    def test_what_somebody_changed_since_it_was_read_is_not_overwritten(self, make, served):
        platform = make()
        platform.prepare()
        token = platform.router.observe().token
        served.weigh(700, 300)
        with pytest.raises(Drift) as raised:
            platform.router.write(share(Slot.GREEN, 10), token)
        assert "blue 700, green 300" in raised.value.found
        assert served.weights() == {"blue": 700, "green": 300}

    def test_stickiness_stays_is_told_and_is_waited_out(self, make, served, forward):
        served.elb.modify_rule(RuleArn=served.rule, Actions=[forward(served.groups, 1, 0, sticky=90)])
        platform = make()
        assert platform.capable().linger == 90 + 20, "as long as it drains after that"
        assert platform.capable().sticky == 90
        (told,) = [one for one in platform.remarks() if "sticky" in one]
        assert "90 s" in told
        assert "110 s" in told
        platform.prepare()
        platform.router.write(share(Slot.GREEN, 10), None)
        (action,) = served.actions()
        assert action["ForwardConfig"]["TargetGroupStickinessConfig"] == {
            "Enabled": True, "DurationSeconds": 90,
        }  # fmt: skip

    def test_testers_are_led_to_the_idle_slot(self, make, served, forward):
        header = {
            "Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "x-release", "Values": ["next"]},
        }  # fmt: skip
        (rule,) = served.elb.create_rule(
            ListenerArn=served.listener, Priority=5, Conditions=[header],
            Actions=[forward(served.groups, 1, 0)],
        )["Rules"]  # fmt: skip
        platform = make(testers=rule["RuleArn"])
        platform.prepare()
        release = platform.workload.resolve(Release("2.0"))
        platform.workload.converge(Slot.GREEN, {release: 1})
        until(lambda: platform.workload.observe().slots[Slot.GREEN].holds({release: 1}))
        ask = served.aws.ask
        until(lambda: ask(served.host, **{"x-release": "next"})[1].startswith("2.0"))
        assert ask(served.host)[1].startswith("1.0"), "and nobody else"


class TestScaling:
    @pytest.fixture
    def scaled(self, served):
        client = served.aws.client("application-autoscaling")
        client.register_scalable_target(
            ServiceNamespace="ecs", ResourceId="service/prod/shop-blue",
            ScalableDimension="ecs:service:DesiredCount", MinCapacity=1, MaxCapacity=4,
        )  # fmt: skip
        return client

    @staticmethod
    def least(client):
        rows = client.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
        return [(row["MinCapacity"], row["MaxCapacity"]) for row in rows]

    def test_the_floor_is_raised_and_put_back(self, make, scaled, served):
        platform = make()
        platform.workload.hold(Slot.BLUE, 2)
        platform.workload.hold(Slot.BLUE, 2)
        assert self.least(scaled) == [(2, 4)]
        assert tags.of(served.service("blue")["tags"])[tags.LEAST] == "1"
        make().workload.let_go(Slot.BLUE)
        assert self.least(scaled) == [(1, 4)]
        assert tags.LEAST not in tags.of(served.service("blue").get("tags"))

    def test_more_than_it_permits_is_refused(self, make, scaled, served):
        platform = make()
        release = platform.workload.resolve(Release("1.0"))
        with pytest.raises(ConfigError, match="more than the scalable target"):
            platform.workload.converge(Slot.BLUE, {release: 5})


def test_doctor_says_how_it_is(make, served, aws):
    found = {one.about: one for one in make().diagnose()}
    assert set(found) == {"credentials", "rule", "target groups", "services"}
    aws.front.denied.add("elasticloadbalancing:DescribeRules")
    denied = [one for one in make().diagnose() if one.forbidden]
    assert denied
    assert "elasticloadbalancing:DescribeRules" in denied[0].found


def test_a_mark_of_any_length_comes_back():
    mark = {"releases": {"blue": [{"version": f"1.{n}", "count": n} for n in range(90)]}}
    made = tags.packed(mark)
    assert all(len(value) <= 256 for value in made.values())
    assert tags.unpacked({**made, f"{tags.MARK}.99": "left over"}) == mark
    del made[f"{tags.MARK}.0"]
    with pytest.raises(ValueError, match="not whole"):
        tags.unpacked(made)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rule": "web"}, {"listener": "web"}, {"testers": "web"}, {"tags": {"a": "b"}},
        {"target_groups": {"blue": "a"}}, {"target_groups": {"blue": "a", "green": "a"}},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        AlbTraffic(**wrong)


def test_halfway_through_a_deployment_its_size_is_that_of_before(make, served):
    platform = make()
    platform.prepare()
    mark = {"split": {"blue": 100.0}, "releases": {"blue": [{"version": "1.0", "count": 6}]}}
    platform.router.mark(mark)
    assert platform.workload.observe().size == 6
    resumed = make()
    resumed.prepare()
    assert resumed.workload.observe().size == 6
    resumed.router.mark(None)
    assert resumed.workload.observe().size == 2


def test_where_somebody_has_led_it_since_it_was_prepared_something_is_routed(make, there):
    platform = make()
    platform.prepare()
    assert platform.router.observe().split == {}, "nothing ran, and nobody had routed anything"
    there.run("blue", "1.0", 1)
    until(lambda: there.healthy("blue") == 1)
    there.weigh(100, 0)
    assert make().router.observe().split == whole(Slot.BLUE)
