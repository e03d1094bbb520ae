"""Registers the strategy `recreate`."""

from __future__ import annotations

from uno_core import Guide, Kind, StrategyInfo, hookimpl
from uno_strategy_recreate.options import RecreateOptions


def _load() -> type:
    from uno_strategy_recreate.strategy import Recreate

    return Recreate


@hookimpl
def uno_register_strategies() -> list[StrategyInfo]:
    return [
        StrategyInfo(
            name="recreate",
            summary="the old release is stopped, then the new one is started: simple, with an outage",
            load=_load,
            options=lambda: RecreateOptions,
            outage=True,
            guide=Guide(
                best_for="Development, and applications of which only one release may run",
                resources="Low (never two releases at once)",
                complexity="Low",
                rollback_speed="Slow (the old release is started again)",
                environments="Development",
                recommended=frozenset({Kind.DEVELOPMENT}),
            ),
        )
    ]
