"""What this distribution registers. Nothing here imports an SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uno_core import (
    Capabilities,
    HealthCheckInfo,
    MetricProviderInfo,
    PlatformInfo,
    Reads,
    StateStoreInfo,
    hookimpl,
)

if TYPE_CHECKING:
    from uno_platform_kubernetes.options import KubernetesOptions
    from uno_platform_kubernetes.platform import KubernetesPlatform
    from uno_platform_kubernetes.state import KubernetesStore


def _platform() -> type[KubernetesPlatform]:
    from uno_platform_kubernetes.platform import KubernetesPlatform

    return KubernetesPlatform


def _options() -> type[KubernetesOptions]:
    from uno_platform_kubernetes.options import KubernetesOptions

    return KubernetesOptions


def _store() -> type[KubernetesStore]:
    from uno_platform_kubernetes.state import KubernetesStore

    return KubernetesStore


def _readiness() -> type[Any]:
    from uno_platform_kubernetes.readiness import KubernetesReadiness

    return KubernetesReadiness


def _readiness_options() -> type[Any]:
    from uno_platform_kubernetes.options import ReadinessOptions

    return ReadinessOptions


def _usage() -> type[Any]:
    from uno_platform_kubernetes.usage import KubernetesUsage

    return KubernetesUsage


def _usage_options() -> type[Any]:
    from uno_platform_kubernetes.options import UsageOptions

    return UsageOptions


@hookimpl
def uno_register_platforms() -> list[PlatformInfo]:
    return [
        PlatformInfo(
            name="kubernetes",
            summary="A Deployment per slot behind a Service, an HTTPRoute or a VirtualService",
            load=_platform,
            options=_options,
            # The most that there can be; which router there is says what there is.
            capabilities=Capabilities(
                granularity=0.01,
                marks=True,
                cas=True,
                bound=10.0,
                least_ready=1.0,
                recalls=True,
                elastic=True,
            ),
        )
    ]


@hookimpl
def uno_register_state_stores() -> list[StateStoreInfo]:
    return [
        StateStoreInfo(
            name="kubernetes",
            summary="Journals, leases and signals beside the application, in its namespace",
            load=_store,
            remote=True,
        )
    ]


@hookimpl
def uno_register_health_checks() -> list[HealthCheckInfo]:
    return [
        HealthCheckInfo(
            name="kubernetes",
            summary="Readiness of the slot's pods, as the cluster tells it",
            load=_readiness,
            options=_readiness_options,
        )
    ]


@hookimpl
def uno_register_metric_providers() -> list[MetricProviderInfo]:
    return [
        MetricProviderInfo(
            name="kubernetes",
            summary="CPU and memory of the slot's pods, from metrics.k8s.io",
            load=_usage,
            options=_usage_options,
            reads=lambda _: Reads(
                names=frozenset(
                    f"{what}{of}" for what in ("cpu", "memory") for of in ("", "_per_pod", "_per_pod_max")
                ),
                shortest=15.0,
            ),
        )
    ]
