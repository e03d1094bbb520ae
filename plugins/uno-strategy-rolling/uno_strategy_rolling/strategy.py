"""Rolling: batch by batch, in place where a slot can hold two releases, between the slots elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from uno_core import (
    Context,
    DeploymentResult,
    DeploymentStrategy,
    Logger,
    NotReady,
    OnTimeout,
    Slot,
    Unhealthy,
    UnoError,
    needed,
    share,
)
from uno_strategy_rolling.options import RollingOptions


class Rolling(DeploymentStrategy[RollingOptions]):
    """Replaces instances in batches; each is ready and healthy before the next begins."""

    def __init__(self, name: str = "rolling", logger: Logger | None = None, **options: Any) -> None:
        super().__init__(name, logger, **options)

    def deploy(self, context: Context[RollingOptions]) -> DeploymentResult:
        o = context.options
        live = context.initial.live
        if live is None:
            return context.introduce(
                url=o.health_check_url,
                health_timeout=o.health_check_timeout,
                deadline=o.batch_timeout,
                thresholds=o.metrics_threshold,
                verify_for=o.pause_between,
            )
        size = context.initial.size
        batch = o.batch_size.of(size)
        slot = live if context.capabilities.mixed else live.other
        update = self._in_place if context.capabilities.mixed else self._shift
        steps = math.ceil(size / batch)
        for number in range(1, steps + 1):
            done = min(size, number * batch)
            title = f"batch {number} of {steps}: {done} of {size} instances on {context.release}"
            self._batch(context, title, slot, lambda done=done: update(context, live, done))  # type: ignore[misc]  # done is bound now
            if o.pause_between and done < size:
                context.wait(
                    o.pause_between, slot=slot, thresholds=o.metrics_threshold, url=o.health_check_url
                )
        if context.capabilities.mixed:
            # Where more instances ran than are wanted now, what is left over goes at the end.
            context.converge(live, {context.release: size}, deadline=o.batch_timeout)
        if o.metrics_threshold:
            context.wait(o.pause_between, slot=slot, thresholds=o.metrics_threshold, url=o.health_check_url)
        if not context.capabilities.mixed and not context.capabilities.routed:
            context.converge(live, {}, deadline=o.batch_timeout)  # workers that run are in use
        context.promoted()
        if not context.capabilities.mixed:
            context.retire(live)
        return DeploymentResult(True, f"{size} instances run {context.release}")

    def _batch(
        self, context: Context[RollingOptions], title: str, slot: Slot, update: Callable[[], None]
    ) -> None:
        """One batch, ready and healthy; where the options say so, a person may have it tried again."""
        o = context.options
        again = False
        while True:
            try:
                with context.step(title):
                    if again:
                        self._start_anew(context, slot)
                    update()
                    context.require_health(slot, url=o.health_check_url, timeout=o.health_check_timeout)
            except (NotReady, Unhealthy) as problem:
                if o.on_batch_failure != "hold":
                    raise
                context.pause(
                    f"{title}: {problem.message}; promote tries the batch again, abort goes back",
                    timeout=o.hold_timeout,
                    on_timeout=OnTimeout.ROLLBACK,
                )
                again = True
            else:
                return

    @staticmethod
    def _start_anew(context: Context[RollingOptions], slot: Slot) -> None:
        """Replace what did not get ready: the platform may have given it up."""
        state, new = context.observe().slot(slot), context.release
        if state.ready(new) < state.wanted.get(new, 0):
            fit = {**state.wanted, new: state.ready(new)}
            context.converge(slot, fit, deadline=context.options.batch_timeout)
            context.converge(slot, state.wanted, deadline=context.options.batch_timeout)

    @staticmethod
    def _in_place(context: Context[RollingOptions], live: Slot, done: int) -> None:
        o, size, new = context.options, context.initial.size, context.release
        before = context.initial.slot(live).wanted
        if before.get(new, 0) >= done:
            return  # so many run the release from the beginning; whether they are healthy is asked next
        if sum(before.values()) >= size:
            context.update(live, new, done, deadline=o.batch_timeout, max_unavailable=o.max_unavailable)
            return
        # Fewer run than are wanted now: the new ones fill up what is missing before old ones go.
        old = {r: n for r, n in context.observe().slot(live).wanted.items() if r != new}
        context.converge(live, {**old, new: done}, deadline=o.batch_timeout)
        kept = {r: min(n, size - done) for r, n in old.items()}
        context.converge(live, {**kept, new: done}, deadline=o.batch_timeout)

    @staticmethod
    def _shift(context: Context[RollingOptions], live: Slot, done: int) -> None:
        """The batch comes up in the other slot, its share follows, then as many go from the live one."""
        o, size = context.options, context.initial.size
        finest = context.capabilities.granularity
        # The share that the new instances can carry, in the router's own steps; the old ones carry the rest.
        percent = 100.0 if done == size else math.floor(done / size * 100 / finest + 1e-6) * finest
        context.deploy(live.other, context.release, done, deadline=o.batch_timeout)
        context.set_traffic(share(live.other, percent), timeout=o.switch_timeout)
        if done < size:
            staying = max(size - done, needed(size, 100 - percent))
            old = {r: min(n, staying) for r, n in context.initial.slot(live).wanted.items()}
            context.converge(live, old, deadline=o.batch_timeout, max_unavailable=o.max_unavailable)

    def rollback(self, context: Context[RollingOptions]) -> DeploymentResult:
        """The affected batch first, where it can be told apart, then all that was updated."""
        live = context.initial.live
        if live is not None and context.capabilities.mixed:
            state = context.observe().slot(live)
            bad = state.count(context.release) - state.ready(context.release)
            if bad > 0:
                with context.step(f"put back the affected batch: {bad} instances that are not ready"):
                    counts = {**state.wanted, context.release: state.ready(context.release)}
                    try:
                        context.converge(live, counts, deadline=context.options.batch_timeout)
                    except UnoError as problem:
                        context.logger.warning(
                            "the batch could not be put back by itself", problem=str(problem)
                        )
        with context.step("put back all that this deployment updated"):
            context.restore()
        return DeploymentResult(True, "every batch is back")
