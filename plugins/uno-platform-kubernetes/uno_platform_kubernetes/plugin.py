"""What this distribution registers. Nothing here imports an SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uno_core import Capabilities, PlatformInfo, StateStoreInfo, hookimpl

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
                granularity=0.01, marks=True, cas=True, bound=10.0, least_ready=1.0, recalls=True
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
