"""What this distribution registers. Nothing here imports an SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uno_core import Capabilities, HealthCheckInfo, PlatformInfo, hookimpl

if TYPE_CHECKING:
    from uno_platform_dns.options import DnsOptions, ResolvingOptions
    from uno_platform_dns.platform import DnsPlatform
    from uno_platform_dns.resolving import ResolvingCheck

CAPABILITIES = Capabilities(
    granularity=0.390625, unroute=True, lock=True, marks=True, cas=True, bound=155.0, least_ready=1.0
)
"""The most that there can be: the provider and the number of addresses say what there is."""


def _platform() -> type[DnsPlatform]:
    from uno_platform_dns.platform import DnsPlatform

    return DnsPlatform


def _options() -> type[DnsOptions]:
    from uno_platform_dns.options import DnsOptions

    return DnsOptions


def _check() -> type[ResolvingCheck]:
    from uno_platform_dns.resolving import ResolvingCheck

    return ResolvingCheck


def _check_options() -> type[ResolvingOptions]:
    from uno_platform_dns.options import ResolvingOptions

    return ResolvingOptions


@hookimpl
def uno_register_platforms() -> list[PlatformInfo]:
    return [
        PlatformInfo(
            name="dns",
            summary="Weighted records of Route 53, or addresses by dynamic updates; given machines behind them",
            load=_platform,
            options=_options,
            capabilities=CAPABILITIES,
        )
    ]


@hookimpl
def uno_register_health_checks() -> list[HealthCheckInfo]:
    return [
        HealthCheckInfo(
            name="dns",
            summary="What a name leads to, as resolvers of your choice answer it",
            load=_check,
            options=_check_options,
            schemes=frozenset({"dns"}),
        )
    ]
