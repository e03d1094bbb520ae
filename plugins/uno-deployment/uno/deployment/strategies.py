"""What a strategy of your own is made from."""

from __future__ import annotations

from uno_core import Context, DeploymentResult, DeploymentStrategy, Guide, StrategyInfo

__all__ = ["Context", "DeploymentResult", "DeploymentStrategy", "Guide", "StrategyInfo"]
