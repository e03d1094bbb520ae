"""Recreate: stop the old release, start the new one, put the old one back if the new one does not come up."""

from __future__ import annotations

from typing import Any

from uno_core import Context, DeploymentResult, DeploymentStrategy, Logger
from uno_strategy_recreate.options import RecreateOptions


class Recreate(DeploymentStrategy[RecreateOptions]):
    """Never two releases at once, and so an outage in between, which the plan tells."""

    def __init__(self, name: str = "recreate", logger: Logger | None = None, **options: Any) -> None:
        super().__init__(name, logger, **options)

    def deploy(self, context: Context[RecreateOptions]) -> DeploymentResult:
        o = context.options
        live = context.initial.live
        if live is None:
            return context.introduce(
                url=o.health_check_url, health_timeout=o.health_check_timeout, deadline=o.ready_timeout
            )
        with context.step(
            f"stop {', '.join(map(str, context.initial.slot(live).releases))}: the outage begins"
        ):
            context.converge(live, {}, deadline=o.stop_timeout)
        with context.step(f"start {context.release}"):
            context.deploy(live, context.release, context.initial.size, deadline=o.ready_timeout)
        with context.step(f"check the health of {context.release}"):
            context.require_health(live, url=o.health_check_url, timeout=o.health_check_timeout)
        context.promoted()
        return DeploymentResult(True, f"{context.release} serves")

    def rollback(self, context: Context[RecreateOptions]) -> DeploymentResult:
        """Stop the new release before the old one starts: not even on the way back may both run."""
        live = context.initial.live
        if live is not None:
            captured = context.initial.slot(live).wanted
            with context.step("stop the new release"):
                if context.release not in captured:
                    context.converge(live, {}, deadline=context.options.stop_timeout)
            with context.step(f"start {', '.join(map(str, captured))} again"):
                context.converge(live, captured, deadline=context.options.ready_timeout)
        context.restore()
        return DeploymentResult(True, "the old release runs again")
