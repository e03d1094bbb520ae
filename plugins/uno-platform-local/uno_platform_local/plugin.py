"""What this distribution registers. Nothing here imports an SDK."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from uno_core import Capabilities, MetricProviderInfo, PlatformInfo, Reads, Sketch, Surroundings, hookimpl

if TYPE_CHECKING:
    from uno_platform_local.metrics import LocalMetrics
    from uno_platform_local.options import LocalOptions
    from uno_platform_local.platform import LocalPlatform


def _platform() -> type[LocalPlatform]:
    from uno_platform_local.platform import LocalPlatform

    return LocalPlatform


def _metrics() -> type[LocalMetrics]:
    from uno_platform_local.metrics import LocalMetrics

    return LocalMetrics


def _options() -> type[LocalOptions]:
    from uno_platform_local.options import LocalOptions

    return LocalOptions


def _state_dir(options: Any) -> Path:
    return Path(options.root) / "state"


def _sketch(around: Surroundings) -> Sketch:
    from uno_platform_local.sketching import sketch

    return sketch(around)


@hookimpl
def uno_register_platforms() -> list[PlatformInfo]:
    return [
        PlatformInfo(
            name="local",
            summary="Processes on this machine, behind an Envoy",
            load=_platform,
            options=_options,
            capabilities=Capabilities(
                mixed=True,
                granularity=0.01,
                unroute=True,
                marks=True,
                retires=True,
                cas=True,
                bound=2.0,
                least_ready=0.1,
                recalls=True,
            ),
            state_dir=_state_dir,
            metrics="local",
            sketch=_sketch,
        )
    ]


@hookimpl
def uno_register_metric_providers() -> list[MetricProviderInfo]:
    return [
        MetricProviderInfo(
            name="local",
            summary="What this machine's Envoy counted, and the processes' CPU and memory",
            load=_metrics,
            reads=lambda _: Reads(
                names=frozenset(
                    {"requests", "error_rate", "latency_p50", "latency_p95", "latency_p99", "cpu", "memory"}
                ),
                counts=True,
                latency=True,
            ),
        )
    ]
