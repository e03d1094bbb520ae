"""What load balancers and target groups are called: in ARNs, and as dimensions of CloudWatch."""

from __future__ import annotations

import re

from attrs import frozen

_ARN = r"arn:[a-z-]+:elasticloadbalancing:(?P<region>[a-z0-9-]+):\d{12}:"
_BALANCER = re.compile(
    rf"(?:{_ARN}(?:loadbalancer|listener|listener-rule)/)?(?P<name>app/[^/]+/[^/]+)(?:/.*)?"
)
_GROUP = re.compile(rf"(?:{_ARN})?(?P<name>targetgroup/[^/]+/[^/]+)")


@frozen
class Named:
    """The value of a dimension, and the region where the ARN tells it."""

    dimension: str
    region: str = ""


def load_balancer(text: str) -> Named:
    """By `app/NAME/ID`, or an ARN: of the load balancer, a listener or a rule. Raises ValueError."""
    return _named(_BALANCER, text, "app/NAME/ID, or the ARN of an Application Load Balancer")


def target_group(text: str) -> Named:
    """By `targetgroup/NAME/ID`, or the ARN. Raises ValueError."""
    return _named(_GROUP, text, "the ARN of a target group")


def _named(pattern: re.Pattern[str], text: str, expected: str) -> Named:
    found = pattern.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r}: expected {expected}")
    return Named(found["name"], found["region"] or "")
