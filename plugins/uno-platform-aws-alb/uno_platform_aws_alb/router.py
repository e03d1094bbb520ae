"""The half that splits traffic: the weights of two target groups in one rule.

ELB replaces a whole list of actions and knows no precondition, so the comparison with what was read is
advice: the lock keeps uno from itself, and what somebody else writes is found by reading back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve

from uno_aws.session import HORIZON
from uno_core import (
    Capabilities,
    ConfigError,
    Drift,
    Json,
    PlatformError,
    RouterState,
    Slot,
    Split,
    Unsupported,
    same_split,
    whole,
)
from uno_platform_aws_alb import tags
from uno_platform_aws_alb.actions import (
    Action,
    attached,
    fingerprint,
    forward_of,
    longest_stickiness,
    restored,
    short,
    split_of,
    weights,
    with_split,
)
from uno_platform_aws_alb.balancer import Balancer, why
from uno_platform_aws_alb.plugin import CAPABILITIES

OWNERS: Mapping[str, str] = {
    "elbv2.k8s.aws/": "the AWS Load Balancer Controller of a Kubernetes cluster",
    "ingress.k8s.aws/": "the AWS Load Balancer Controller of a Kubernetes cluster",
    "AmazonECSManaged": "Amazon ECS",
    "aws:ecs:": "Amazon ECS",
    "aws:codedeploy:": "CodeDeploy",
}
"""Tags by which somebody who writes a rule by himself says so."""

KEEPERS: Mapping[str, str] = {"aws:cloudformation:stack-name": "CloudFormation"}
"""Tags of those who write it again with their next change."""


FRESH = 1.0
"""Seconds for which a reading serves who asks what is in force: it is asked right after it."""


class AlbRouter:
    """Writes the weights of a rule, and hands back everything else in it as it was found."""

    def __init__(self, balancer: Balancer) -> None:
        self.balancer = balancer
        self._since: tuple[Split, float] | None = None
        self._seen: tuple[Split, float] | None = None
        self._written = False

    @property
    def capabilities(self) -> Capabilities:
        """With what the rule and the groups say of time."""
        actions = self._actions()
        return evolve(
            CAPABILITIES,
            write_horizon=HORIZON,
            bound=self.balancer.options.traffic.grace + 5.0,
            linger=self.balancer.lingering(actions),
            sticky=longest_stickiness(actions),
        )

    @property
    def _where(self) -> str:
        return str(self.balancer.place)

    def _actions(self) -> Sequence[Action]:
        return self.balancer.actions(self.balancer.place)

    def _put(self, actions: Sequence[Action]) -> None:
        """Write a list, and forget what was read before it."""
        self._seen, self._since, self._written = None, None, True
        self.balancer.write(self.balancer.place, actions)

    # The contract

    def observe(self) -> RouterState:
        actions = self._actions()
        has = self.balancer.tags(self.balancer.place.arn)
        split = self._split(actions, has)
        self._seen = (split, self.balancer.services.clock.monotonic())
        try:
            mark: Json = tags.unpacked(has)
        except ValueError as problem:
            raise PlatformError(
                "the mark of a deployment cannot be read", found=str(problem), where=self._where,
                remedy=f"if none is under way, remove the tags {tags.MARK}… from it",
            ) from problem  # fmt: skip
        self.balancer.mark = mark
        captured: Json = {
            "actions": [dict(one) for one in actions],
            "split": {slot.value: percent for slot, percent in split.items()},
        }
        return RouterState(split=split, token=fingerprint(actions), captured=captured, mark=mark)

    def _split(self, actions: Sequence[Action], has: Mapping[str, str]) -> Split:
        """Nothing is routed while both groups were empty and nobody has routed anything by uno."""
        routed = has.get(tags.ROUTED)
        groups = self.balancer.groups
        split = split_of(actions, groups, self._where)
        if (
            routed == "no"
            and same_split(split, whole(Slot.GREEN))
            and not self.balancer.health(groups[Slot.GREEN])
        ):
            return {}  # as `prepare` left it: whoever has led it elsewhere since has routed something
        if routed is None and not any(map(self.balancer.health, groups.values())):
            return {}
        return split

    def write(self, split: Split, expect: Json) -> None:
        self._check(split)
        place, actions = self.balancer.place, self._actions()
        if expect is not None and fingerprint(actions) != expect:
            raise Drift(
                "somebody else changed the rule", where=self._where,
                found=told(actions, self.balancer.groups, self._where),
                expected="the actions as they were read before",
                remedy="find out who did: CloudTrail has it under ModifyRule and ModifyListener",
            )  # fmt: skip
        made = with_split(actions, self.balancer.groups, split, self._where)
        if fingerprint(made) != fingerprint(actions) and not self._alike(actions, split):
            self._put(made)
        if self.balancer.tags(place.arn).get(tags.ROUTED) != "yes":
            self._seen, self._since, self._written = None, None, True
            self.balancer.tag(place.arn, {tags.ROUTED: "yes"})

    def _alike(self, actions: Sequence[Action], split: Split) -> bool:
        groups = self.balancer.groups
        return attached(actions, groups, self._where) and same_split(
            split_of(actions, groups, self._where), split
        )

    def _check(self, split: Split) -> None:
        if not split:
            raise Unsupported(
                "a rule of a load balancer always leads somewhere", expected="a split that sums to 100"
            )
        for slot, percent in split.items():
            if abs(percent * 10 - round(percent * 10)) > 1e-6:
                raise Unsupported(
                    f"{slot} cannot have {percent:g} % of the traffic here",
                    expected="a multiple of 0.1 %: weights are whole numbers up to 999",
                )

    def mark(self, value: Json) -> None:
        arn = self.balancer.place.arn
        has = self.balancer.tags(arn)
        made = tags.packed(value) if value is not None else {}
        if made:
            self.balancer.tag(arn, made)
        if old := [key for key in has if key.startswith(tags.MARK) and key not in made]:
            self.balancer.untag(arn, old)
        self.balancer.mark = value

    def in_force(self) -> Split:
        """What was read last, once it has been so for `grace`: AWS says of no bound for its own spreading."""
        clock, grace = self.balancer.services.clock, self.balancer.options.traffic.grace
        if self._seen is None or clock.monotonic() - self._seen[1] > FRESH:
            self.observe()
        assert self._seen is not None  # noqa: S101 - observe has just set it
        now = self._seen[0]
        if self._since is None or not same_split(self._since[0], now):
            # Found so by a process that has not written yet, it has been so for a while.
            settled = self._since is None and not self._written
            self._since = (now, clock.monotonic() - (grace if settled else 0.0))
        return now if clock.monotonic() - self._since[1] >= grace else {}

    def unfit(self, slot: Slot) -> str:
        """Why its group would get no requests, or send them to targets that are not healthy."""
        rows = self.balancer.health(self.balancer.groups[slot])
        if any(row["TargetHealth"]["State"] == "healthy" for row in rows):
            return ""
        reasons = dict.fromkeys(why(row["TargetHealth"]) for row in rows)
        return f"no target of its group is healthy: {'; '.join(reasons) or 'there is none'}"

    def restore(self, captured: Json) -> None:
        """The whole list as it was captured; only the weights, and said so, where it was changed."""
        if not isinstance(captured, Mapping) or "actions" not in captured:
            raise PlatformError("that was not captured by this platform", found=str(captured)[:200])
        before: Any = captured["actions"]
        now = self._actions()
        made, whole_list = restored(now, before, self._where)
        if not whole_list:
            self.balancer.services.logger.warning(
                "somebody changed the rule meanwhile: only the weights are put back", rule=self._where,
                now=told(now, self.balancer.groups, self._where),
            )  # fmt: skip
        if fingerprint(made) != fingerprint(now):
            since, groups = self._since, self.balancer.groups
            self._put(made)
            if same_split(split_of(made, groups, self._where), split_of(now, groups, self._where)):
                self._since = since  # the same shares in other numbers: nobody notices

    # Beside the contract

    def prepare(self) -> None:
        """Have both groups in the rule, so that an idle one is checked, and testers at the idle slot."""
        self.refuse()
        self.observe()  # the mark of who was here before, too
        place, actions, groups = self.balancer.place, self._actions(), self.balancer.groups
        has = self.balancer.tags(place.arn)
        split = self._split(actions, has)
        if not split and tags.ROUTED not in has:
            # Away from the slot that comes first: what is started gets no request before it is routed to.
            self.balancer.write(place, with_split(actions, groups, whole(Slot.GREEN), self._where))
            self.balancer.tag(place.arn, {tags.ROUTED: "no"})
        elif not attached(actions, groups, self._where):
            self.balancer.write(place, with_split(actions, groups, split, self._where))
        if self.balancer.testers is not None:
            live = max(split, key=lambda slot: split[slot], default=Slot.GREEN)
            self._lead_testers(live.other)

    def _lead_testers(self, slot: Slot) -> None:
        place = self.balancer.testers
        assert place is not None  # noqa: S101 - asked by the only caller
        actions = self.balancer.actions(place)
        made = with_split(actions, self.balancer.groups, whole(slot), str(place))
        if fingerprint(made) != fingerprint(actions):
            self.balancer.write(place, made)

    def refuse(self) -> None:
        """Raises ConfigError where somebody else writes this rule by himself."""
        has = self.balancer.tags(self.balancer.place.arn)
        for key in has:
            owner = next((name for tag, name in OWNERS.items() if key.startswith(tag)), "")
            if owner:
                raise ConfigError(
                    f"{owner} writes this rule by itself", found=f"its tag {key}", where=self._where,
                    expected="a rule that nobody but uno writes the weights of",
                    remedy="name a rule of your own, or let the other one deploy",
                )  # fmt: skip

    def remarks(self) -> Iterator[str]:
        """What a plan tells of it."""
        try:
            self.refuse()
        except ConfigError as problem:
            yield f"this would be refused: {problem.message} ({problem.found}); {problem.remedy}"
        actions = self._actions()
        if not attached(actions, self.balancer.groups, self._where):
            yield (
                f"{self._where} will name the target groups of both slots, the idle one with the weight 0:"
                " only so the load balancer checks it"
            )
        if seconds := longest_stickiness(actions):
            yield (
                f"the rule is sticky for {seconds:g} s: whoever came to a slot stays there that long,"
                " whatever its weight, also with a release that is taken back. The slot that is left,"
                f" there or back, is kept for {self.balancer.lingering(actions):g} s at least,"
                " its draining included"
            )
        has = self.balancer.tags(self.balancer.place.arn)
        for key, keeper in KEEPERS.items():
            if key in has:
                yield (
                    f"{keeper} ({has[key]}) has made this rule: its next change of it would reset the weights"
                )


def told(actions: Sequence[Action], groups: Mapping[Slot, str], where: str) -> str:
    """A list for a person: which action, and how much for whom."""
    names = {arn: slot.value for slot, arn in groups.items()}
    words = [str(one.get("Type")) for one in actions]
    shares = weights(forward_of(actions, where))
    weighed = ", ".join(f"{names.get(arn, short(arn))} {weight}" for arn, weight in shares.items())
    return f"{' then '.join(words)}: {weighed}"
