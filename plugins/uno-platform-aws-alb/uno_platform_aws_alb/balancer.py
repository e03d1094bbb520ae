"""What both halves look at: one rule, the target groups of the slots, and the health of their targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from attrs import frozen

from uno_aws.errors import Refusal
from uno_aws.session import Aws
from uno_core import ConfigError, Services, Slot
from uno_platform_aws_alb import tags
from uno_platform_aws_alb.actions import Action, Groups, longest_stickiness
from uno_platform_aws_alb.options import AlbOptions

MISSING = frozenset({"RuleNotFound", "ListenerNotFound", "TargetGroupNotFound", "LoadBalancerNotFound"})

REASONS: Mapping[str, str] = {
    "Elb.RegistrationInProgress": "it is being registered",
    "Elb.InitialHealthChecking": "the load balancer checks it for the first time",
    "Target.ResponseCodeMismatch": "its health check answers with another status",
    "Target.Timeout": "its health check does not answer in time",
    "Target.FailedHealthChecks": "the load balancer gets no answer of it that it understands",
    "Target.NotRegistered": "it is not registered with its target group",
    "Target.NotInUse": "no rule of a load balancer names its target group, so that nobody checks it",
    "Target.DeregistrationInProgress": "it drains",
    "Target.IpUnusable": "its address is the load balancer's own, or cannot be used",
    "Target.InvalidState": "its machine is stopped, or ended",
    "Target.HealthCheckDisabled": "the health checks of its target group are switched off",
    "Elb.InternalError": "the load balancer had an error of its own",
    "Target.UnhealthyDraining": "it is not healthy, and drains",
}
"""Of TargetHealth in the API reference, in words."""


@frozen
class Place:
    """A list of actions: of a rule, or the default one of a listener."""

    arn: str
    default: bool

    def __str__(self) -> str:
        return f"{'default action of ' if self.default else ''}{self.arn.rpartition(':')[2]}"


class Balancer:
    """One application behind one load balancer. Nothing is asked before it is needed."""

    def __init__(self, aws: Aws, options: AlbOptions, services: Services) -> None:
        self.aws, self.options, self.services = aws, options, services
        self.mark: Any = None
        """What is under way, as the router has read it last."""

    # What is configured

    @cached_property
    def groups(self) -> Groups:
        """The ARN of each slot's target group. Raises ConfigError where they are not named."""
        named = self.options.traffic.target_groups
        if not named:
            raise ConfigError(
                "the target groups of the slots are not named", where="traffic.target_groups",
                expected="{blue: arn:…, green: arn:…}",
                remedy="make one for each slot, alike in port and health check, and name both",
            )  # fmt: skip
        return {slot: named[slot.value] for slot in Slot}

    @cached_property
    def place(self) -> Place:
        """Where the weights stand. Raises ConfigError where that is not said, or not to be found."""
        traffic = self.options.traffic
        if traffic.listener:
            return Place(traffic.listener, default=True)
        arn = traffic.rule or self._tagged()
        return self._rule(arn)

    @cached_property
    def testers(self) -> Place | None:
        """Where testers are led by; None where nobody asked for it."""
        arn = self.options.traffic.testers
        if not arn:
            return None
        return Place(arn, default=True) if ":listener/" in arn else self._rule(arn)

    def _rule(self, arn: str) -> Place:
        """Raises ConfigError for the default rule of a listener: it changes through the listener only."""
        (rule,) = self._found("describe_rules", "Rules", RuleArns=[arn])
        if not rule.get("IsDefault"):
            return Place(arn, default=False)
        listener = arn.replace(":listener-rule/", ":listener/").rpartition("/")[0]
        raise ConfigError(
            "this is the default rule of its listener, which is not written as a rule", where="traffic.rule",
            found=arn, expected="another rule, or the listener", remedy=f"traffic.listener: {listener}",
        )  # fmt: skip

    def _tagged(self) -> str:
        """The one rule with the tags. Raises ConfigError where there is none, or more than one."""
        wanted, name = self.options.traffic.tags, self.options.traffic.load_balancer
        if not wanted:
            raise ConfigError(
                "it is not said which rule splits the traffic", where="traffic",
                expected="rule: the ARN of a listener rule; or listener, or tags with load_balancer",
                remedy="aws elbv2 describe-rules --listener-arn … shows them",
            )  # fmt: skip
        (balancer,) = self._found("describe_load_balancers", "LoadBalancers", Names=[name])
        listeners = self.aws.pages(
            "elbv2", "describe_listeners", "Listeners", LoadBalancerArn=balancer["LoadBalancerArn"]
        )
        rules = [
            str(rule["RuleArn"])
            for one in listeners
            for rule in self.aws.pages("elbv2", "describe_rules", "Rules", ListenerArn=one["ListenerArn"])
            if not rule.get("IsDefault")
        ]
        found = [arn for arn, has in self._tags(rules).items() if wanted.items() <= has.items()]
        if len(found) != 1:
            told = ", ".join(f"{key}={value}" for key, value in wanted.items())
            raise ConfigError(
                f"{'no rule has' if not found else 'several rules have'} the tags {told}",
                found=", ".join(found) or f"{len(rules)} rules", where=f"load balancer {name}",
                expected="exactly one", remedy="tag the rule, or name it by its ARN: traffic.rule",
            )  # fmt: skip
        return found[0]

    # What is there

    def actions(self, place: Place) -> Sequence[Action]:
        """The whole list, in its order."""
        if place.default:
            (one,) = self._found("describe_listeners", "Listeners", ListenerArns=[place.arn])
            found = one["DefaultActions"]
        else:
            (one,) = self._found("describe_rules", "Rules", RuleArns=[place.arn])
            found = one["Actions"]
        return sorted(found, key=lambda action: int(action.get("Order", 0)))

    def write(self, place: Place, actions: Sequence[Action]) -> Sequence[Action]:
        """Replace the whole list; returns what was read back of it. Raises Unanswered where nobody knows."""
        made = [dict(one) for one in actions]
        if place.default:
            answer = self.aws.write("elbv2", "modify_listener", ListenerArn=place.arn, DefaultActions=made)
            found = answer["Listeners"][0]["DefaultActions"]
        else:
            answer = self.aws.write("elbv2", "modify_rule", RuleArn=place.arn, Actions=made)
            found = answer["Rules"][0]["Actions"]
        return sorted(found, key=lambda action: int(action.get("Order", 0)))

    def tags(self, arn: str) -> Mapping[str, str]:
        return self._tags([arn]).get(arn, {})

    def tag(self, arn: str, values: Mapping[str, str]) -> None:
        rows = [{"Key": key, "Value": value} for key, value in values.items()]
        self.aws.read("elbv2", "add_tags", ResourceArns=[arn], Tags=rows)

    def untag(self, arn: str, keys: Sequence[str]) -> None:
        self.aws.read("elbv2", "remove_tags", ResourceArns=[arn], TagKeys=list(keys))

    def _tags(self, arns: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        found: dict[str, Mapping[str, str]] = {}
        for at in range(0, len(arns), 20):  # as many as one call takes
            rows = self.aws.read("elbv2", "describe_tags", ResourceArns=list(arns[at : at + 20]))
            found |= {row["ResourceArn"]: tags.of(row["Tags"]) for row in rows["TagDescriptions"]}
        return found

    def health(self, group: str) -> Sequence[Mapping[str, Any]]:
        """All targets of a group, those that drain too."""
        answer = self._named(
            lambda: self.aws.read("elbv2", "describe_target_health", TargetGroupArn=group), group
        )
        rows: Sequence[Mapping[str, Any]] = answer["TargetHealthDescriptions"]
        return rows

    def lingering(self, actions: Sequence[Action]) -> float:
        """Seconds for which something may still come to a slot that has no share any more, or is in it."""
        return longest_stickiness(actions) + self.draining

    @cached_property
    def draining(self) -> float:
        """Seconds that a target takes to drain: from its deregistration on, busy or not."""
        return max(
            float(
                {
                    row["Key"]: row["Value"]
                    for row in self._named(
                        lambda arn=arn: self.aws.read(  # type: ignore[misc]  # bound now
                            "elbv2", "describe_target_group_attributes", TargetGroupArn=arn
                        ),
                        arn,
                    )["Attributes"]
                }.get("deregistration_delay.timeout_seconds", 300)
            )
            for arn in self.groups.values()
        )

    def _found(self, operation: str, key: str, **arguments: Any) -> Sequence[Mapping[str, Any]]:
        named = ", ".join(str(one) for value in arguments.values() for one in value)
        answer = self._named(lambda: self.aws.read("elbv2", operation, **arguments), named)
        rows: Sequence[Mapping[str, Any]] = answer[key]
        if not rows:
            raise _absent(named, self.aws.where, "nothing of that name")
        return rows

    def _named(self, ask: Callable[[], Mapping[str, Any]], named: str) -> Mapping[str, Any]:
        """Raises ConfigError where there is nothing of that name."""
        try:
            return ask()
        except Refusal as problem:
            if problem.reason not in MISSING:
                raise
            raise _absent(named, self.aws.where, problem.found) from problem


def _absent(named: str, where: str, found: str) -> ConfigError:
    return ConfigError(
        f"there is no {named}", found=found, where=where,
        remedy="correct the name or ARN in the configuration, or the region and account",
    )  # fmt: skip


def why(health: Mapping[str, Any]) -> str:
    """Why a target gets no requests, in words; empty where it is healthy."""
    state, reason = str(health.get("State", "")), str(health.get("Reason") or "")
    if state == "healthy":
        return ""
    words = REASONS.get(reason, reason)
    described = str(health.get("Description") or "")
    codes = described.partition("codes: ")[2].strip("[]")
    return f"{state}: {words or described or 'the load balancer does not say why'}" + (
        f" ({codes})" if codes else ""
    )
