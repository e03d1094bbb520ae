"""Registers the strategy `rolling`."""

from __future__ import annotations

from uno_core import Guide, Kind, StrategyInfo, hookimpl
from uno_strategy_rolling.options import RollingOptions


def _load() -> type:
    from uno_strategy_rolling.strategy import Rolling

    return Rolling


@hookimpl
def uno_register_strategies() -> list[StrategyInfo]:
    return [
        StrategyInfo(
            name="rolling",
            summary="instances are replaced batch by batch, each batch checked before the next",
            load=_load,
            options=lambda: RollingOptions,
            needs=frozenset({"mixed or weights or no traffic"}),
            guide=Guide(
                best_for="Applications with limited resources or where multiple versions can coexist",
                resources="Low to medium (depends on batch size)",
                complexity="Low",
                rollback_speed="Medium (depends on batch size)",
                environments="Development, testing, staging",
                recommended=frozenset({Kind.DEVELOPMENT, Kind.TESTING, Kind.STAGING}),
            ),
        )
    ]
