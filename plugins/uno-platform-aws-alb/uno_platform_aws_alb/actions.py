"""The actions of a rule or a listener as values: which slot has which weight, and what else there is.

Sources: the API reference of Elastic Load Balancing v2 (ModifyRule, ModifyListener, ForwardActionConfig).
Both replace the whole list, so all that is not uno's is handed back as it was found.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from uno_core import ConfigError, Slot, Split

Action = Mapping[str, Any]
Groups = Mapping[Slot, str]

WHOLE = 1000
"""What the weights of a split sum to: 999 is the greatest that one may be, so a tenth of a percent is the
finest share."""


def forward_of(actions: Sequence[Action], where: str) -> Action:
    """The action that forwards. Raises ConfigError where there is none."""
    found = [one for one in actions if one.get("Type") == "forward"]
    if not found:
        raise ConfigError(
            "this rule forwards nothing", where=where,
            found=", ".join(str(one.get("Type")) for one in actions) or "no action",
            expected="a forward action to the target groups of the slots",
            remedy="have it forward to the target group that serves, or name another rule",
        )  # fmt: skip
    return found[-1]


def weights(action: Action) -> Mapping[str, int]:
    """The weight of each target group of a forward action."""
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or ()
    if groups:
        return {str(one["TargetGroupArn"]): int(one.get("Weight", 1)) for one in groups}
    return {str(action["TargetGroupArn"]): 1} if action.get("TargetGroupArn") else {}


def split_of(actions: Sequence[Action], groups: Groups, where: str) -> Split:
    """The split that stands in a list. Raises ConfigError where a third target group has a share."""
    found = weights(forward_of(actions, where))
    others = [arn for arn, weight in found.items() if arn not in groups.values() and weight > 0]
    if others:
        raise ConfigError(
            "this rule forwards to a target group that is of no slot", where=where,
            found=", ".join(map(short, others)), expected=", ".join(map(short, groups.values())),
            remedy="name the target groups of both slots in traffic.target_groups, or another rule",
        )  # fmt: skip
    total = sum(found.values())
    if not total:
        return {}
    return {slot: round(100 * found.get(arn, 0) / total, 4) for slot, arn in groups.items()}


def with_split(actions: Sequence[Action], groups: Groups, split: Split, where: str) -> list[dict[str, Any]]:
    """The same list with these weights. Both groups stay in it: an idle one is checked only there."""
    made = [_writable(one) for one in actions]
    index = next(n for n, one in enumerate(actions) if one is forward_of(actions, where))
    made[index].pop("TargetGroupArn", None)
    config = made[index].setdefault("ForwardConfig", {})
    config["TargetGroups"] = [
        {"TargetGroupArn": arn, "Weight": weight} for arn, weight in _weighed(groups, split)
    ]
    return made


def _weighed(groups: Groups, split: Split) -> Sequence[tuple[str, int]]:
    return [(arn, min(WHOLE - 1, round(split.get(slot, 0.0) * WHOLE / 100))) for slot, arn in groups.items()]


def attached(actions: Sequence[Action], groups: Groups, where: str) -> bool:
    """Whether the groups of both slots stand in the list."""
    return set(groups.values()) <= set(weights(forward_of(actions, where)))


def restored(
    now: Sequence[Action], captured: Sequence[Action], where: str
) -> tuple[list[dict[str, Any]], bool]:
    """What puts back what was captured, and whether that is all of it.

    All of it where nothing but the weights differ; where somebody changed something else meanwhile, only
    the weights.
    """
    if without_weights(now) == without_weights(captured):
        return [_writable(one) for one in captured], True
    before = weights(forward_of(captured, where))
    made = [_writable(one) for one in now]
    index = next(n for n, one in enumerate(now) if one is forward_of(now, where))
    made[index].pop("TargetGroupArn", None)
    config = made[index].setdefault("ForwardConfig", {})
    kept = weights(now[index])
    config["TargetGroups"] = [
        {"TargetGroupArn": arn, "Weight": before.get(arn, 0)} for arn in dict.fromkeys([*before, *kept])
    ]
    return made, False


def without_weights(actions: Sequence[Action]) -> Any:
    """Everything in a list but which group gets how much, in a form that can be compared."""
    plain = []
    for one in actions:
        made = _writable(one)
        if made.get("Type") == "forward":
            made.pop("TargetGroupArn", None)
            config = made.pop("ForwardConfig", None) or {}
            sticky = config.get("TargetGroupStickinessConfig") or {}
            made["Sticky"] = stickiness(one) if sticky else 0
        plain.append(made)
    return json.loads(json.dumps(plain, sort_keys=True))


def stickiness(action: Action) -> int:
    """Seconds for which a client stays with the target group that it came to; 0 where it does not."""
    config = (action.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig") or {}
    return int(config.get("DurationSeconds") or 0) if config.get("Enabled") else 0


def longest_stickiness(actions: Sequence[Action]) -> int:
    """`stickiness` of the action of a list that forwards."""
    return max((stickiness(one) for one in actions if one.get("Type") == "forward"), default=0)


def fingerprint(actions: Sequence[Action]) -> str:
    """The same for the same list."""
    plain = [_writable(one) for one in actions]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def _writable(action: Action) -> dict[str, Any]:
    """An action as it may be written back: what is described of a list has its order twice."""
    made: dict[str, Any] = copy.deepcopy(dict(action))
    if made.get("Type") == "forward" and (made.get("ForwardConfig") or {}).get("TargetGroups"):
        made.pop("TargetGroupArn", None)  # told again where there is one group alone
    return made


def short(arn: str) -> str:
    """The part of an ARN that a person knows it by."""
    return arn.rpartition(":")[2]
