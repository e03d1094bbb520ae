"""Registers the strategy `canary`."""

from __future__ import annotations

from uno_core import Guide, Kind, StrategyInfo, hookimpl
from uno_strategy_canary.options import CanaryOptions


def _load() -> type:
    from uno_strategy_canary.strategy import Canary

    return Canary


@hookimpl
def uno_register_strategies() -> list[StrategyInfo]:
    return [
        StrategyInfo(
            name="canary",
            summary="a small share of the traffic first, more step by step while the metrics stay within bounds",
            load=_load,
            options=lambda: CanaryOptions,
            needs=frozenset({"weights"}),
            guide=Guide(
                best_for="Applications with high risk or high impact changes",
                resources="Medium",
                complexity="High",
                rollback_speed="Fast",
                environments="Production (especially for user-facing applications)",
                recommended=frozenset({Kind.PRODUCTION}),
            ),
        )
    ]
