"""Load balancers of the double: what they refuse, what their targets are, where requests go."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from attrs import define
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.aws.dataplane import host
from tests.aws.server import Aws
from tests.aws.servers import Servers
from tests.cluster.children import until

pytest_plugins = ["tests.aws.fixtures"]
pytestmark = pytest.mark.component("envoy")


def forward(*, sticky=None, **weights):
    """A forward action; groups by their ARN behind what they are called."""
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.values()]
    config = {"TargetGroups": groups}
    if sticky is not None:
        config["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": sticky}
    return {"Type": "forward", "ForwardConfig": config}


@define
class Shop:
    """Two groups behind a rule for everything: all to blue. The default action is nobody's business."""

    aws: Aws
    elb: Any
    balancer: Any
    servers: Servers
    blue: str
    green: str
    listener: str = ""
    rule: str = ""

    def weigh(self, blue, green):
        actions = [forward(blue=(self.blue, blue), green=(self.green, green))]
        self.elb.modify_rule(RuleArn=self.rule, Actions=actions)

    def refused(self, actions):
        """The code of what modifying the rule is answered with."""
        return refused(self.elb.modify_rule, RuleArn=self.rule, Actions=actions)

    def register(self, group, *versions):
        found = [self.servers.start(version) for version in versions]
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one} for one in found])
        return found

    def states(self, group, *targets):
        asked = [{"Id": one} for one in targets]
        rows = self.elb.describe_target_health(TargetGroupArn=group, Targets=asked)[
            "TargetHealthDescriptions"
        ]
        health = {row["Target"]["Id"]: row["TargetHealth"] for row in rows}
        return {target: (one["State"], one.get("Reason")) for target, one in health.items()}

    def healthy(self, group, number):
        until(lambda: Counter(state for state, _ in self.states(group).values())["healthy"] == number)

    def versions(self, number=40, **headers):
        asked = [self.aws.ask(host(self.balancer, 80), **headers) for _ in range(number)]
        return Counter(text.split()[0] if status == 200 else str(status) for status, text in asked)


@pytest.fixture
def shop(aws, elb, balancer, group, servers):
    made = Shop(aws, elb, balancer, servers, group("blue"), group("green"))
    response = {"StatusCode": "404", "ContentType": "text/plain"}
    (listener,) = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": response}],
    )["Listeners"]  # fmt: skip
    made.listener = listener["ListenerArn"]
    (rule,) = elb.create_rule(
        ListenerArn=made.listener, Priority=10, Conditions=[{"Field": "path-pattern", "Values": ["*"]}],
        Actions=[forward(blue=(made.blue, 100), green=(made.green, 0))],
    )["Rules"]  # fmt: skip
    made.rule = rule["RuleArn"]
    return made


def refused(call, **arguments):
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    return raised.value.response["Error"]["Code"]


class TestRefusals:
    @pytest.mark.parametrize("weight", [1000, -1])
    def test_a_weight_out_of_range(self, shop, weight):
        actions = [forward(blue=(shop.blue, weight), green=(shop.green, 1))]
        assert shop.refused(actions) == "ValidationError"

    def test_a_group_that_is_not_there(self, shop):
        gone = shop.blue[:-4] + "0000"
        assert (
            refused(shop.elb.modify_rule, RuleArn=shop.rule, Actions=[forward(a=(gone, 1))])
            == "TargetGroupNotFound"
        )

    def test_more_than_five_groups(self, shop, group):
        many = {f"g{n}": (group(f"g{n}"), 1) for n in range(6)}
        assert (
            refused(shop.elb.modify_rule, RuleArn=shop.rule, Actions=[forward(**many)])
            == "TooManyTargetGroups"
        )

    def test_the_default_rule_changes_through_its_listener_only(self, shop):
        rules = shop.elb.describe_rules(ListenerArn=shop.listener)["Rules"]
        (default,) = [one["RuleArn"] for one in rules if one["IsDefault"]]
        asked = {"RuleArn": default, "Actions": [forward(blue=(shop.blue, 1))]}
        assert refused(shop.elb.modify_rule, **asked) == "OperationNotPermitted"
        shop.elb.modify_listener(ListenerArn=shop.listener, DefaultActions=[forward(blue=(shop.blue, 1))])

    def test_a_rule_that_is_not_there(self, shop):
        shop.rule += "0"
        assert shop.refused([forward(b=(shop.blue, 1))]) == "RuleNotFound"

    @pytest.mark.parametrize("seconds", [0, 604_801])
    def test_stickiness_out_of_range(self, shop, seconds):
        actions = [forward(sticky=seconds, blue=(shop.blue, 1), green=(shop.green, 1))]
        assert shop.refused(actions) == "ValidationError"

    def test_sticky_targets_without_sticky_groups(self, shop):
        on = {"Key": "stickiness.enabled", "Value": "true"}
        shop.elb.modify_target_group_attributes(TargetGroupArn=shop.green, Attributes=[on])
        actions = [forward(blue=(shop.blue, 1), green=(shop.green, 1))]
        assert shop.refused(actions) == "InvalidConfigurationRequest"
        shop.elb.modify_rule(
            RuleArn=shop.rule, Actions=[forward(sticky=60, blue=(shop.blue, 1), green=(shop.green, 1))]
        )

    def test_a_group_that_is_used_cannot_be_deleted(self, shop):
        assert refused(shop.elb.delete_target_group, TargetGroupArn=shop.green) == "ResourceInUse"

    def test_a_modification_replaces_the_whole_list(self, shop):
        shop.elb.modify_rule(RuleArn=shop.rule, Actions=[forward(green=(shop.green, 1))])
        (now,) = shop.elb.describe_rules(RuleArns=[shop.rule])["Rules"]
        (group,) = now["Actions"][0]["ForwardConfig"]["TargetGroups"]
        assert group["TargetGroupArn"] == shop.green


class TestHealth:
    def test_it_takes_checks_and_follows_what_listens(self, shop):
        (target,) = shop.register(shop.blue, "1.0")
        assert shop.states(shop.blue) == {target: ("initial", "Elb.InitialHealthChecking")}
        shop.healthy(shop.blue, 1)
        shop.servers.stop(target)
        until(lambda: shop.states(shop.blue) == {target: ("unhealthy", "Target.FailedHealthChecks")})

    def test_another_status_is_told(self, shop):
        (target,) = shop.register(shop.blue, "1.0-unready")
        until(lambda: shop.states(shop.blue) == {target: ("unhealthy", "Target.ResponseCodeMismatch")})

    def test_a_group_that_nothing_names_has_unused_targets(self, shop, group):
        third = group("third")
        (target,) = shop.register(third, "1.0")
        assert shop.states(third) == {target: ("unused", "Target.NotInUse")}
        actions = [forward(blue=(shop.blue, 1), third=(third, 0))]
        shop.elb.modify_listener(ListenerArn=shop.listener, DefaultActions=actions)
        shop.healthy(third, 1)  # at weight 0, too

    def test_it_drains_for_its_delay_and_is_gone(self, shop):
        (target,) = shop.register(shop.blue, "1.0")
        shop.healthy(shop.blue, 1)
        shop.elb.deregister_targets(TargetGroupArn=shop.blue, Targets=[{"Id": target}])
        assert shop.states(shop.blue) == {target: ("draining", "Target.DeregistrationInProgress")}
        until(lambda: shop.states(shop.blue) == {})
        assert shop.states(shop.blue, target) == {target: ("unused", "Target.NotRegistered")}


class TestRequests:
    def test_they_follow_the_weights(self, shop):
        shop.register(shop.blue, "1.0")
        shop.register(shop.green, "2.0")
        shop.healthy(shop.green, 1)
        until(lambda: set(shop.versions(3)) == {"1.0"})
        assert set(shop.versions()) == {"1.0"}
        shop.elb.modify_rule(
            RuleArn=shop.rule, Actions=[forward(blue=(shop.blue, 500), green=(shop.green, 500))]
        )
        until(lambda: set(shop.versions(10)) == {"1.0", "2.0"})
        seen = shop.versions(200)
        assert 60 < seen["2.0"] < 140

    def test_a_weight_does_not_fail_over(self, shop):
        shop.register(shop.blue, "1.0")
        shop.healthy(shop.blue, 1)
        shop.weigh(1, 1)
        seen = until(shop.versions, lambda seen: seen["503"])
        assert seen["1.0"]

    def test_a_group_without_healthy_targets_sends_to_all_of_them(self, shop):
        shop.register(shop.blue, "1.0-unready", "1.1-unready")
        until(lambda: {state for state, _ in shop.states(shop.blue).values()} == {"unhealthy"})
        until(lambda: set(shop.versions()) == {"1.0-unready", "1.1-unready"})

    def test_a_draining_target_gets_no_new_ones(self, shop):
        first, _ = shop.register(shop.blue, "1.0", "1.1")
        shop.healthy(shop.blue, 2)
        shop.elb.deregister_targets(TargetGroupArn=shop.blue, Targets=[{"Id": first}])
        until(lambda: set(shop.versions(10)) == {"1.1"})
        assert set(shop.versions()) == {"1.1"}

    def test_a_sticky_client_stays_whatever_the_weights_are_and_gets_503_from_an_empty_group(self, shop):
        (target,) = shop.register(shop.blue, "1.0")
        shop.register(shop.green, "2.0")
        shop.healthy(shop.green, 1)
        weights = {"blue": (shop.blue, 1), "green": (shop.green, 0)}
        shop.elb.modify_rule(RuleArn=shop.rule, Actions=[forward(sticky=60, **weights)])
        place = host(shop.balancer, 80)
        cookie = until(lambda: shop.aws.visit(place)[2], lambda seen: seen.startswith("AWSALBTG="))
        weights = {"blue": (shop.blue, 0), "green": (shop.green, 1)}
        shop.elb.modify_rule(RuleArn=shop.rule, Actions=[forward(sticky=60, **weights)])
        until(lambda: set(shop.versions(5)) == {"2.0"})
        assert set(shop.versions(10, cookie=cookie)) == {"1.0"}
        shop.elb.deregister_targets(TargetGroupArn=shop.blue, Targets=[{"Id": target}])
        until(lambda: set(shop.versions(5, cookie=cookie)) == {"503"})
        assert set(shop.versions(5)) == {"2.0"}

    def test_a_header_rule_comes_first(self, shop):
        shop.register(shop.blue, "1.0")
        shop.register(shop.green, "2.0")
        shop.healthy(shop.green, 1)
        header = {
            "Field": "http-header",
            "HttpHeaderConfig": {"HttpHeaderName": "X-Release", "Values": ["next"]},
        }
        shop.elb.create_rule(
            ListenerArn=shop.listener,
            Priority=5,
            Conditions=[header],
            Actions=[forward(green=(shop.green, 1))],
        )
        until(lambda: set(shop.versions(5, **{"x-release": "next"})) == {"2.0"})
        until(lambda: set(shop.versions(5)) == {"1.0"})


class TestFaults:
    def test_a_bucket_runs_empty_and_fills(self, shop):
        def refuses():
            try:
                shop.elb.describe_rules(ListenerArn=shop.listener)
            except ClientError as error:
                return error.response["Error"]["Code"]
            return ""

        shop.aws.front.throttle("elasticloadbalancing:Describe*", rate=0.4, burst=2)
        assert [refuses() for _ in range(5)][-1] == "Throttling"
        until(refuses, "")

    def test_an_answer_is_lost_after_it_took_effect(self, shop):
        fault = shop.aws.front.inject("elasticloadbalancing:ModifyRule", lost=True)
        with pytest.raises(ConnectionClosedError):
            shop.elb.modify_rule(RuleArn=shop.rule, Actions=[forward(green=(shop.green, 1))])
        assert fault.hits == 1
        (now,) = shop.elb.describe_rules(RuleArns=[shop.rule])["Rules"]
        assert now["Actions"][0]["ForwardConfig"]["TargetGroups"][0]["TargetGroupArn"] == shop.green

    def test_a_right_that_is_missing_is_named(self, shop):
        shop.aws.front.denied.add("elasticloadbalancing:ModifyRule")
        with pytest.raises(ClientError, match="not authorized to perform: elasticloadbalancing:ModifyRule"):
            shop.elb.modify_rule(RuleArn=shop.rule, Actions=[forward(blue=(shop.blue, 1))])

    def test_a_session_ends(self, shop):
        old, new = shop.aws.client("elbv2", key="ASIAOLD"), shop.aws.client("elbv2", key="ASIANEW")
        shop.aws.front.expired.add("ASIAOLD")
        assert refused(old.describe_rules, ListenerArn=shop.listener) == "ExpiredToken"
        assert new.describe_rules(ListenerArn=shop.listener)["Rules"]

    def test_calls_are_counted(self, shop):
        shop.aws.front.calls.clear()
        shop.elb.describe_rules(ListenerArn=shop.listener)
        assert shop.aws.front.counted() == {"elasticloadbalancing:DescribeRules": 1}
