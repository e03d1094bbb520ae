"""Blue-green: find the idle slot, fill it, check it, switch, verify; the old slot stands by for a while."""

from __future__ import annotations

from typing import Any

from uno_core import Context, DeploymentResult, DeploymentStrategy, Logger, whole
from uno_strategy_blue_green.options import BlueGreenOptions


class BlueGreen(DeploymentStrategy[BlueGreenOptions]):
    """Two slots, one switch. The way back is the same switch, while the old slot stands."""

    def __init__(self, name: str = "blue-green", logger: Logger | None = None, **options: Any) -> None:
        super().__init__(name, logger, **options)

    def deploy(self, context: Context[BlueGreenOptions]) -> DeploymentResult:
        o = context.options
        live = context.initial.live
        if live is None:
            return context.introduce(
                url=o.health_check_url,
                health_timeout=o.health_check_timeout,
                deadline=o.ready_timeout,
                thresholds=o.metrics_threshold,
                verify_for=o.verify_for,
            )
        target = live.other
        with context.step(f"deploy {context.release} to {target}, {live} stays live"):
            context.deploy(target, context.release, context.initial.size, deadline=o.ready_timeout)
        with context.step(f"check the health of {target}"):
            context.require_health(target, url=o.health_check_url, timeout=o.health_check_timeout)
        if o.preview_for:
            with context.step(f"preview {target} before it has traffic"):
                context.wait(
                    o.preview_for, slot=target, thresholds=o.preview_threshold, url=o.health_check_url
                )
        with context.step(f"switch all traffic to {target}"):
            context.set_traffic(whole(target), timeout=o.switch_timeout)
        with context.step(f"verify {target} under traffic"):
            context.wait(o.verify_for, slot=target, thresholds=o.metrics_threshold, url=o.health_check_url)
        context.promoted()
        with context.step(f"drain {live}"):
            context.wait(o.drain, watch=False)
        context.retire(live, after=o.keep_old_for)
        return DeploymentResult(True, f"{context.release} serves from {target}")
