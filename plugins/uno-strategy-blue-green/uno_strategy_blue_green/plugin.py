"""Registers the strategy `blue-green`."""

from __future__ import annotations

from uno_core import Guide, Kind, StrategyInfo, hookimpl
from uno_strategy_blue_green.options import BlueGreenOptions


def _load() -> type:
    from uno_strategy_blue_green.strategy import BlueGreen

    return BlueGreen


@hookimpl
def uno_register_strategies() -> list[StrategyInfo]:
    return [
        StrategyInfo(
            name="blue-green",
            summary="the new release comes up whole in the idle slot, is checked, and takes all traffic at once",
            load=_load,
            options=lambda: BlueGreenOptions,
            needs=frozenset({"traffic"}),
            guide=Guide(
                best_for="Critical applications where downtime is unacceptable",
                resources="High (requires double the resources during deployment)",
                complexity="Medium",
                rollback_speed="Immediate",
                environments="Production, staging",
                recommended=frozenset({Kind.PRODUCTION, Kind.STAGING}),
            ),
        )
    ]
