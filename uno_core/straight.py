"""Straight back to a release of before: no gate and no metric, but started and healthy before it serves."""

from __future__ import annotations

from typing import Any

from uno_core.context import Context
from uno_core.contracts.strategy import DeploymentStrategy, StrategyInfo
from uno_core.model import DeploymentResult, Slot, whole

NAME = "straight-back"
"""Stands in the history as the strategy of `uno rollback --to`."""

KEEP = 600.0
"""Seconds for which what served until now is kept, for the way back of the way back."""


class StraightBack(DeploymentStrategy[Any]):
    """The fast path to what ran here before.

    Options: `url`, what its health was checked with then; `outage`, whether it never runs beside
    another release.
    """

    def deploy(self, context: Context[Any]) -> DeploymentResult:
        live, release, size = context.initial.live, context.release, context.initial.size
        url = context.options.get("url")
        if live is None:
            return context.introduce(url=url)
        in_place = context.capabilities.mixed and not context.capabilities.routed
        slot = live if context.options.get("outage") or in_place else live.other
        if context.options.get("outage"):
            with context.step(f"stop what runs in {live}: the outage begins"):
                context.converge(live, {})
        with context.step(f"start {release} in {slot}"):
            context.deploy(slot, release, size)
            context.require_health(slot, url=url)
        if slot is not live:
            self._switch(context, slot)
        else:
            context.promoted()
        return DeploymentResult(True, f"{release} serves again")

    @staticmethod
    def _switch(context: Context[Any], slot: Slot) -> None:
        with context.step(f"all traffic to {slot}"):
            context.set_traffic(whole(slot))
        if not context.capabilities.routed:
            context.converge(slot.other, {})  # workers that run are in use
        context.promoted()
        context.retire(slot.other, after=KEEP)


def info(*, outage: bool) -> StrategyInfo:
    """What stands for a registration: it belongs to the way back, and nobody chooses it by name."""
    return StrategyInfo(
        name=NAME,
        summary="straight back to a release of before",
        load=lambda: StraightBack,
        outage=outage,
    )
