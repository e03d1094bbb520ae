"""What an Application Load Balancer refuses and moto lets through, and who its targets really are.

Sources: the API reference of Elastic Load Balancing v2 (ModifyRule, ModifyListener, ForwardActionConfig,
TargetHealth).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.elbv2.exceptions import ActionTargetGroupNotFoundError, ELBClientError, RuleNotFoundError
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, elbv2_backends

from tests.aws.front import ACCOUNT

MOST_WEIGHT, MOST_GROUPS = 999, 5
LONGEST_STICKINESS = 604_800

_real = {
    name: getattr(ELBv2Backend, name)
    for name in ("create_rule", "modify_rule", "modify_listener", "create_listener", "describe_target_health")
}


class Invalid(ELBClientError):
    """A load balancer action that AWS refuses."""

    def __init__(self, message: str, code: str = "InvalidLoadBalancerAction") -> None:
        super().__init__(code, message)


def install(health: Any) -> None:
    """Have every backend of moto check first, and tell of targets what `health` has seen."""

    def create_rule(
        self: Any, listener_arn: str, conditions: Any, priority: Any, actions: Any, **more: Any
    ) -> Any:
        check(self, actions)
        return _real["create_rule"](self, listener_arn, conditions, priority, actions, **more)

    def create_listener(self: Any, *args: Any, **more: Any) -> Any:
        check(self, more.get("default_actions") or next((a for a in args if isinstance(a, list)), []))
        return _real["create_listener"](self, *args, **more)

    def modify_rule(self: Any, rule_arn: str, conditions: Any, actions: Any) -> Any:
        rules = self.describe_rules(listener_arn=None, rule_arns=[rule_arn])
        if not rules:
            raise RuleNotFoundError
        if rules[0].is_default:
            raise Invalid(
                "The default rule cannot be modified this way: ModifyListener", "OperationNotPermitted"
            )
        check(self, actions)
        return _real["modify_rule"](self, rule_arn, conditions, actions)

    def modify_listener(self: Any, arn: str, *args: Any, **more: Any) -> Any:
        check(self, more.get("actions") or [])
        return _real["modify_listener"](self, arn, *args, **more)

    def describe_target_health(self: Any, target_group_arn: str, targets: Any) -> list[FakeHealthStatus]:
        _real["describe_target_health"](self, target_group_arn, targets)  # raises for an unknown group
        return health.told(self.target_groups[target_group_arn], targets)

    for name, method in locals().copy().items():
        if name in _real:
            setattr(ELBv2Backend, name, method)


def uninstall() -> None:
    for name, method in _real.items():
        setattr(ELBv2Backend, name, method)


def check(backend: ELBv2Backend, actions: list[dict[str, Any]]) -> None:
    """Raises what AWS answers for an action list that it does not take."""
    forwards = [one for one in actions if one.get("Type") == "forward"]
    if actions and actions[-1].get("Type") not in ("forward", "redirect", "fixed-response"):
        raise Invalid("The last action must be a forward, a redirect or a fixed-response")
    for action in forwards:
        config = action.get("ForwardConfig") or {}
        groups = config.get("TargetGroups") or []
        if len(groups) > MOST_GROUPS:
            raise Invalid(
                f"A forward action takes {MOST_GROUPS} target groups at most", "TooManyTargetGroups"
            )
        if len({one["TargetGroupArn"] for one in groups}) != len(groups):
            raise Invalid("A target group stands twice in a forward action")
        for one in groups:
            weight = int(one.get("Weight", 1))
            if not 0 <= weight <= MOST_WEIGHT:
                raise Invalid(f"The weight {weight} is not between 0 and {MOST_WEIGHT}", "ValidationError")
            if one["TargetGroupArn"] not in backend.target_groups:
                raise ActionTargetGroupNotFoundError(one["TargetGroupArn"])
        _check_stickiness(backend, config, groups)


def _check_stickiness(backend: ELBv2Backend, config: dict[str, Any], groups: list[dict[str, Any]]) -> None:
    sticky = config.get("TargetGroupStickinessConfig") or {}
    enabled = str(sticky.get("Enabled", "false")).lower() == "true"
    if enabled and not 1 <= int(sticky.get("DurationSeconds") or 0) <= LONGEST_STICKINESS:
        raise Invalid("The duration of stickiness is 1 to 604800 seconds", "ValidationError")
    if enabled or len(groups) < 2:
        return
    for one in groups:
        attributes = backend.target_groups[one["TargetGroupArn"]].attributes
        if str(attributes.get("stickiness.enabled")).lower() == "true":
            raise Invalid(
                "You must enable group stickiness on a rule whose target groups have stickiness enabled",
                "InvalidConfigurationRequest",
            )


def backends() -> Iterator[ELBv2Backend]:
    """Those of every region that was used."""
    yield from list(elbv2_backends[ACCOUNT].values())


def shares(action: dict[str, Any]) -> dict[str, int]:
    """The weight of each target group of a forward action."""
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups")
    if groups:
        return {one["TargetGroupArn"]: int(one.get("Weight", 1)) for one in groups}
    return {action["TargetGroupArn"]: 1} if "TargetGroupArn" in action else {}


def used(backend: ELBv2Backend) -> set[str]:
    """The target groups that a listener or a rule names, with whatever weight."""
    return {
        arn
        for balancer in backend.load_balancers.values()
        for listener in balancer.listeners.values()
        for rule in listener.rules.values()
        for action in rule.actions
        if action.type == "forward"
        for arn in shares(action.data)
    }
