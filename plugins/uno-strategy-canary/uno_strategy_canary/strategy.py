"""Canary: a small share first, more while the evidence allows; the canary grows before its share does."""

from __future__ import annotations

from typing import Any

from uno_core import Context, DeploymentResult, DeploymentStrategy, Logger, needed, share
from uno_strategy_canary.options import CanaryOptions


class Canary(DeploymentStrategy[CanaryOptions]):
    """The old slot stays whole until promotion, so that the way back is one write."""

    def __init__(self, name: str = "canary", logger: Logger | None = None, **options: Any) -> None:
        super().__init__(name, logger, **options)

    def deploy(self, context: Context[CanaryOptions]) -> DeploymentResult:
        o = context.options
        live = context.initial.live
        if live is None:
            return context.introduce(
                url=o.health_check_url,
                health_timeout=o.health_check_timeout,
                deadline=o.ready_timeout,
                thresholds=o.metrics_threshold,
                verify_for=o.increment_interval if o.metrics_threshold else 0.0,
            )
        canary = live.other
        for percent in o.shares:
            if percent in o.gates:
                context.pause(f"promote to go to {percent:g} %", timeout=o.gate_timeout)
            with context.step(f"{percent:g} % to {context.release} in {canary}"):
                instances = needed(context.initial.size, percent)
                context.deploy(canary, context.release, instances, deadline=o.ready_timeout)
                context.require_health(canary, url=o.health_check_url, timeout=o.health_check_timeout)
                context.set_traffic(share(canary, percent), timeout=o.switch_timeout)
                if o.warm_up:
                    context.wait(o.warm_up, watch=False)
                context.wait(
                    o.increment_interval,
                    slot=canary,
                    thresholds=o.metrics_threshold,
                    url=o.health_check_url,
                )
        context.promoted()
        with context.step(f"finalize: drain {live}, clean up the old release later"):
            context.wait(o.drain, watch=False)
        context.retire(live, after=o.keep_old_for)
        return DeploymentResult(True, f"{context.release} serves from {canary}")
