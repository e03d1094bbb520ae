"""Calling into a strategy, and the world that it may begin from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from uno_core.context import Calls, Context
from uno_core.errors import PluginError, UnoError, Unsettled, Unwind
from uno_core.model import DeploymentResult, Snapshot
from uno_core.rules import protects


@protects("what is captured to go back to comes from a settled world only")
def check_settled(snapshot: Snapshot) -> None:
    """Raises Unsettled where a deployment cannot begin: traffic in two slots, or a slot of two releases."""
    if snapshot.settled:
        return
    if isinstance(snapshot.mark, Mapping):
        raise Unsettled(
            "a deployment of this application has not ended",
            found=f"the mark of {snapshot.mark.get('deployment')}, since {snapshot.mark.get('since')}",
            expected="no mark beside the routing",
            where="the routed object itself",
            remedy="`uno resume` goes on with it, `uno rollback` takes it back, both with the state that it"
            " was begun with; where that is lost, `uno deploy --stable SLOT` says which slot counts as live",
        )
    parts = [
        f"{slot} has {snapshot.split[slot]:g} % with "
        + (
            ", ".join(f"{r} ({snapshot.slot(slot).ready(r)} ready)" for r in snapshot.slot(slot).releases)
            or "nothing"
        )
        + (f" ({state.unready()})" if state.unready() else "")
        for slot in snapshot.serving
        for state in [snapshot.slot(slot)]
    ]
    raise Unsettled(
        "the application is not in a state to begin from",
        found="; ".join(parts),
        expected="one slot with all the traffic, one release, every instance ready",
        remedy="`uno rollback` takes the last deployment back; `uno deploy --stable SLOT` says which slot"
        " counts as live; or wait until its instances are ready",
    )


def run_strategy(method: Callable[[Context[Any]], Any], context: Context[Any]) -> DeploymentResult:
    """Call into a strategy. What it raises that is not uno's, or returns that is no result, is wrapped."""
    try:
        result = method(context)
    except (UnoError, Unwind, KeyboardInterrupt):
        raise
    except BaseException as problem:  # what ends threads, tasks and processes ends no deployment
        raise PluginError(
            f"the strategy {type(getattr(method, '__self__', method)).__name__} raised an error of its own",
            found=f"{type(problem).__name__}: {problem}",
            remedy="tell its author; --debug shows the traceback",
        ) from problem
    if not isinstance(result, DeploymentResult):
        raise PluginError(
            f"the strategy {type(getattr(method, '__self__', method)).__name__} returned no result",
            found=repr(result),
            expected="a DeploymentResult",
        )
    return result


def run_unwindable(
    method: Callable[[Context[Any]], Any], context: Context[Any], calls: Calls
) -> DeploymentResult:
    """An unwinding outranks whatever the strategy made of it: swallowed, masked, or passed on.

    Masked by another unwinding, too: a `finally` that asks its dead context for something raises one.
    """
    try:
        result = run_strategy(method, context)
    except (UnoError, Unwind):
        if calls.unwound is None:
            raise
        raise calls.unwound from None
    if calls.unwound is not None:
        raise calls.unwound
    return result
