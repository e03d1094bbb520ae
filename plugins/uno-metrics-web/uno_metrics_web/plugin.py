"""What uno is told about the provider. `requests` and `jmespath` are imported by `load` only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uno_core import MetricProviderInfo, Reads, hookimpl

if TYPE_CHECKING:
    from uno_metrics_web.options import WebOptions


def _load() -> type[Any]:
    from uno_metrics_web.provider import WebMetrics

    return WebMetrics


def _options() -> type[Any]:
    from uno_metrics_web.options import WebOptions

    return WebOptions


def _reads(options: WebOptions) -> Reads:
    return options.reads()


@hookimpl
def uno_register_metric_providers() -> list[MetricProviderInfo]:
    return [
        MetricProviderInfo(
            name="web",
            summary="Numbers out of JSON over HTTP: values as they are now, and counters",
            load=_load,
            options=_options,
            reads=_reads,
        )
    ]
