"""Strategies written for the tests of the engine, some of them hostile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uno_core import Context, DeploymentResult, DeploymentStrategy, Slot, whole


class Scripted(DeploymentStrategy[Any]):
    """Does what a function does."""

    def __init__(self, script: Callable[[Context[Any]], DeploymentResult | None]) -> None:
        super().__init__("scripted")
        self.script = script

    def deploy(self, context: Context[Any]) -> DeploymentResult:
        return self.script(context) or DeploymentResult(True, "done")


def switch(context: Context[Any], **wait: Any) -> DeploymentResult:
    """The least blue-green: fill the idle slot, switch, watch."""
    target = context.initial.idle
    context.deploy(target, context.release, context.initial.size)
    context.set_traffic(whole(target))
    if wait:
        context.wait(slot=target, **wait)
    context.promoted()
    return DeploymentResult(True, "switched")


BOTH = tuple(Slot)
