"""Whose requests are counted: the load balancer and the target groups, said here or by the platform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from uno_aws.options import inherited
from uno_core import ConfigError, Slot
from uno_metrics_cloudwatch import names
from uno_metrics_cloudwatch.options import CloudWatchOptions

REMEDY = "set load_balancer and target_groups (blue and green) of the provider cloudwatch, or use aws-alb"


@frozen(kw_only=True)
class Places:
    """Values of the dimensions LoadBalancer and TargetGroup. missing: what is not known, in words."""

    options: CloudWatchOptions
    load_balancer: str = ""
    target_groups: Mapping[str, str] = field(factory=dict)
    missing: str = ""

    def need(self) -> None:
        """Raises ConfigError where nothing can be counted."""
        if self.missing:
            raise ConfigError(
                "cloudwatch does not know whose requests to count",
                found=self.missing, expected="one load balancer, and a target group for each slot",
                remedy=REMEDY,
            )  # fmt: skip


def places(options: CloudWatchOptions, platform: Any) -> Places:
    """What is known by the options, and by those of the platform where they are silent.

    The platform's are read by their names, since that plugin need not be installed. The options come back
    with what they inherit, and with the region of the ARNs where nobody names one. Raises ConfigError for
    an ARN of the platform that is none.
    """
    traffic = getattr(platform, "traffic", None)
    heard = str(getattr(traffic, "rule", None) or getattr(traffic, "listener", None) or "")
    groups = dict(options.target_groups or getattr(traffic, "target_groups", None) or {})
    try:
        balancer = names.load_balancer(options.load_balancer or heard or "")
    except ValueError as wrong:
        if options.load_balancer or heard:
            raise _wrong("load balancer", wrong) from None
        balancer = names.Named("")
    try:
        named = {slot: names.target_group(str(groups[slot])) for slot in Slot if groups.get(slot)}
    except ValueError as wrong:
        raise _wrong("target group", wrong) from None
    absent = [] if balancer.dimension else ["the load balancer"]
    absent += [f"the target group of {slot}" for slot in Slot if slot not in named]
    known = inherited(options, platform)
    told = [one.region for one in (balancer, *named.values()) if one.region]
    if not known.region and told:
        known = evolve(known, region=told[0])
    return Places(
        options=known,
        load_balancer=balancer.dimension,
        target_groups={slot.value: one.dimension for slot, one in named.items()},
        missing=f"not known: {', '.join(absent)}" if absent else "",
    )


def _wrong(what: str, wrong: ValueError) -> ConfigError:
    return ConfigError(
        f"the {what} of the platform has no name that is known", found=str(wrong), remedy=REMEDY
    )
