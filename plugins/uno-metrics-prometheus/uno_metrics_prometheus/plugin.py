"""What uno is told about the provider. `requests` is imported by `load` only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uno_core import MetricProviderInfo, Reads, hookimpl

if TYPE_CHECKING:
    from uno_metrics_prometheus.options import PrometheusOptions


def _load() -> type[Any]:
    from uno_metrics_prometheus.provider import PrometheusMetrics

    return PrometheusMetrics


def _options() -> type[Any]:
    from uno_metrics_prometheus.options import PrometheusOptions

    return PrometheusOptions


def _reads(options: PrometheusOptions) -> Reads:
    return options.reads()


@hookimpl
def uno_register_metric_providers() -> list[MetricProviderInfo]:
    return [
        MetricProviderInfo(
            name="prometheus",
            summary="What Prometheus scraped: requests, errors, latencies by raw samples, and queries of your own",
            load=_load,
            options=_options,
            history=True,
            reads=_reads,
        )
    ]
