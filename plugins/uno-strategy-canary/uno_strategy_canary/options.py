"""The options of canary, and the shares that they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from attrs import frozen

from uno_core import Bounds, option

INCREMENTS = (25.0, 50.0, 75.0, 100.0)


@frozen(kw_only=True)
class CanaryOptions:
    """Durations are seconds, shares are percent."""

    initial_percentage: float = option(
        default=10.0, gt=0, le=100, unit="%", help="share of the traffic that the canary gets first"
    )
    increments: tuple[float, ...] = option(
        default=INCREMENTS,
        gt=0,
        le=100,
        unit="%",
        help="shares that follow, growing; 100 ends them in any case",
    )
    increment_interval: float = option(
        default=300.0, ge=0, unit="s", help="how long the canary is watched at each share"
    )
    metrics_threshold: Mapping[str, Bounds] | None = option(
        default=None, help="bounds that the metrics must keep, such as {error_rate: 1%, latency_p95: 300ms}"
    )
    step: float | None = option(
        default=None, gt=0, le=100, unit="%", help="instead of increments: by how much each share grows"
    )
    max: float | None = option(
        default=None,
        gt=0,
        le=100,
        unit="%",
        help="with step: the greatest share before promotion, never exceeded",
    )
    hold_back: float | None = option(
        default=None,
        gt=0,
        lt=100,
        unit="%",
        help="share that the old release keeps in one more step before 100, so that there is something to"
        " compare the last step with",
    )
    gates: tuple[float, ...] = option(
        default=(), gt=0, le=100, unit="%", help="shares before which a person has to promote"
    )
    gate_timeout: float = option(
        default=86400.0, gt=0, unit="s", help="how long a gate waits for a person before the canary goes back"
    )
    warm_up: float = option(
        default=0.0, ge=0, unit="s", help="how long after each share nothing is measured yet"
    )
    health_check_url: str | None = option(
        default=None, help="URL of the health check; {env} is the slot, {host} and {port} an instance"
    )
    health_check_timeout: float = option(
        default=60.0, gt=0, unit="s", help="how long the canary has to become healthy, once it is ready"
    )
    ready_timeout: float = option(
        default=600.0, gt=0, unit="s", help="how long new instances have to become ready"
    )
    switch_timeout: float = option(
        default=300.0, gt=0, unit="s", help="how long a change of the split may take to be in force"
    )
    drain: float = option(
        default=30.0, ge=0, unit="s", help="how long the old slot may finish what it has begun at the end"
    )
    keep_old_for: float = option(
        default=600.0, ge=0, unit="s", help="how long the old release stands ready for an immediate way back"
    )

    def __attrs_post_init__(self) -> None:
        if self.step is None and self.max is not None:
            raise ValueError(f"max = {self.max:g}: expected step beside it; increments name their shares")
        if self.step is not None and self.increments != INCREMENTS:
            raise ValueError("step and increments: expected one of them, not both")
        if self.max is not None and self.max < self.initial_percentage:
            raise ValueError(f"max = {self.max:g}: expected at least initial_percentage")
        if self.hold_back is not None and 100.0 - self.hold_back <= self.initial_percentage:
            raise ValueError(
                f"hold_back = {self.hold_back:g}: expected less than {100 - self.initial_percentage:g},"
                " since the canary begins with initial_percentage"
            )
        for before, after in pairwise(self.shares):
            if after <= before:
                raise ValueError(
                    f"increments = {', '.join(f'{s:g}' for s in self.increments)}: expected shares that grow "
                    f"from initial_percentage on, but {after:g} follows {before:g}"
                )
        for gate in self.gates:
            if gate not in self.shares:
                raise ValueError(
                    f"gates = {gate:g}: expected one of {', '.join(f'{s:g}' for s in self.shares)}"
                )

    @property
    def shares(self) -> Sequence[float]:
        """Every share in order, the last of them 100."""
        shares = [self.initial_percentage]
        if self.step is None:
            shares += self.increments
        else:
            cap = self.max if self.max is not None else 100.0
            while shares[-1] < cap:
                shares.append(min(cap, shares[-1] + self.step))
        if self.hold_back is not None:
            held = 100.0 - self.hold_back
            shares = [share for share in shares if share < held] + [held]
        return shares if shares[-1] == 100.0 else [*shares, 100.0]
