"""What this distribution registers. Nothing here imports an SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uno_core import Capabilities, PlatformInfo, hookimpl

if TYPE_CHECKING:
    from uno_platform_aws_alb.options import AlbOptions
    from uno_platform_aws_alb.platform import AlbPlatform

CAPABILITIES = Capabilities(
    granularity=0.1, marks=True, write_horizon=30.0, bound=10.0, least_ready=10.0, elastic=True, vouches=True
)


def _platform() -> type[AlbPlatform]:
    from uno_platform_aws_alb.platform import AlbPlatform

    return AlbPlatform


def _options() -> type[AlbOptions]:
    from uno_platform_aws_alb.options import AlbOptions

    return AlbOptions


@hookimpl
def uno_register_platforms() -> list[PlatformInfo]:
    return [
        PlatformInfo(
            name="aws-alb",
            summary="Weighted target groups of an Application Load Balancer; ECS services or given instances",
            load=_platform,
            options=_options,
            capabilities=CAPABILITIES,
        )
    ]
