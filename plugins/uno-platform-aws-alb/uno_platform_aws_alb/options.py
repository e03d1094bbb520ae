"""What is configured of a load balancer and what stands behind it. Imports no SDK."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attrs import frozen

from uno_aws.options import AwsOptions
from uno_core import GivenOptions, Slot, option

RULE = re.compile(r"arn:[a-z-]+:elasticloadbalancing:[a-z0-9-]+:\d{12}:listener-rule/app/\S+")
LISTENER = re.compile(r"arn:[a-z-]+:elasticloadbalancing:[a-z0-9-]+:\d{12}:listener/app/\S+")
WORKLOADS = ("ecs", "instances")


@frozen(kw_only=True)
class AlbTraffic:
    """The rule that splits the traffic, and the target group of each slot."""

    rule: str = option(default="", help="the ARN of the listener rule whose weights split the traffic")
    listener: str = option(
        default="", help="the ARN of a listener whose default action splits it, where there is no rule for it"
    )
    tags: Mapping[str, str] = option(
        factory=dict, help="tags by which the rule is found, where its ARN is not known; with load_balancer"
    )
    load_balancer: str = option(
        default="", help="the name of the load balancer whose rules are looked through"
    )
    target_groups: Mapping[str, str] = option(
        factory=dict, help="the target group of each slot by its ARN: {blue: arn:…, green: arn:…}"
    )
    testers: str = option(
        default="",
        help="the ARN of a rule or of another listener that leads to the new release before any weight does:"
        " a header rule, or a test listener",
    )
    grace: float = option(
        default=5.0, ge=0, unit="s", help="from weights that were read back to the switch counting as done"
    )

    def __attrs_post_init__(self) -> None:
        said = [name for name in ("rule", "listener", "tags") if getattr(self, name)]
        if len(said) > 1:
            raise ValueError(f"{' and '.join(said)}: expected one of them")
        if self.tags and not self.load_balancer:
            raise ValueError("tags without load_balancer: expected its name beside them")
        if self.rule and not RULE.fullmatch(self.rule):
            raise ValueError(
                f"rule = {self.rule}: expected arn:aws:elasticloadbalancing:…:listener-rule/app/…"
            )
        if self.listener and not LISTENER.fullmatch(self.listener):
            raise ValueError(
                f"listener = {self.listener}: expected arn:aws:elasticloadbalancing:…:listener/app/…"
            )
        if self.testers and not (RULE.fullmatch(self.testers) or LISTENER.fullmatch(self.testers)):
            raise ValueError(
                f"testers = {self.testers}: expected the ARN of a listener rule or of a listener"
            )
        if self.target_groups:
            both(self.target_groups, "target_groups")


@frozen(kw_only=True)
class AlbWorkload(GivenOptions):
    """What runs the releases."""

    type: str = option(
        default="ecs",
        choices=WORKLOADS,
        help="ecs: a service of Amazon ECS for each slot; instances: given ones, with a command",
    )
    cluster: str = option(default="default", help="the ECS cluster, by name or ARN")
    services: Mapping[str, str] = option(
        factory=dict, help="the ECS service of each slot: {blue: …, green: …}"
    )
    container: str = option(default="", help="the container that is released, where a task has several")
    targets: Mapping[str, Sequence[str]] = option(
        factory=dict,
        help="instances: addresses or EC2 ids of each slot: {blue: [10.0.1.5], green: [10.0.1.6]}",
    )
    command: Sequence[str] = option(
        default=(),
        help="instances: what puts a release on one; {host}, {id}, {slot}, {version} are filled in",
    )
    version_url: str = option(
        default="",
        help="instances: where one of them says which version runs, as http://{host}:8080/version",
    )
    port: int = option(default=0, ge=0, le=65535, help="instances: their port; 0: the target group's own")

    def __attrs_post_init__(self) -> None:
        if self.services:
            both(self.services, "services")
        super().__attrs_post_init__()


@frozen(kw_only=True)
class AlbOptions(AwsOptions):
    """One application behind one Application Load Balancer."""

    workload: AlbWorkload = option(factory=AlbWorkload, help="what runs the releases")
    instances: int = option(
        default=0, ge=0, help="tasks when one slot carries everything; 0: as many as the live slot has"
    )
    healthy_looks: int = option(
        default=2, ge=1, help="looks in a row at which a target has to be healthy to count"
    )
    poll: float = option(
        default=5.0, gt=0, unit="s", help="between two looks at least; each is put off by up to twice as much"
    )
    traffic: AlbTraffic = option(factory=AlbTraffic, help="what splits the traffic")


def both(named: Mapping[str, str], what: str) -> None:
    """Raises ValueError where it is not one for each slot."""
    wanted: Sequence[str] = [slot.value for slot in Slot]
    if sorted(named) != sorted(wanted) or len(set(named.values())) != len(wanted):
        raise ValueError(
            f"{what}: found {', '.join(named) or 'nothing'}; expected one of its own for blue and for green"
        )
