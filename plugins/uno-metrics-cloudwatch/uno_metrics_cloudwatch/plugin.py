"""What uno is told about the provider. boto3 is imported by `load` only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uno_core import MetricProviderInfo, Reads, hookimpl

if TYPE_CHECKING:
    from uno_metrics_cloudwatch.options import CloudWatchOptions


def _load() -> type[Any]:
    from uno_metrics_cloudwatch.provider import CloudWatchMetrics

    return CloudWatchMetrics


def _options() -> type[Any]:
    from uno_metrics_cloudwatch.options import CloudWatchOptions

    return CloudWatchOptions


def _reads(options: CloudWatchOptions) -> Reads:
    return options.reads()


@hookimpl
def uno_register_metric_providers() -> list[MetricProviderInfo]:
    return [
        MetricProviderInfo(
            name="cloudwatch",
            summary="What CloudWatch knows: requests, errors and latencies of target groups, any metric, alarms",
            load=_load,
            options=_options,
            history=True,
            reads=_reads,
        )
    ]
