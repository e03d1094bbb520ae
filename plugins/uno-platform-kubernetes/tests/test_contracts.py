"""The contracts of workload and router, on a real control plane."""

from __future__ import annotations

import pytest
from attrs import evolve

from uno_core import Release
from uno_core.testing import PluginContract, RouterContract, WorkloadContract
from uno_platform_kubernetes.options import KubernetesOptions, KubernetesTraffic
from uno_platform_kubernetes.platform import KINDS, KubernetesPlatform

pytest_plugins = ["clusters"]


VIRTUAL_SERVICE = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "shop"},
    "spec": {
        "hosts": ["shop.example.com"],
        "http": [{"route": [{"destination": {"host": "shop"}, "weight": 100}]}],
    },
}


class TestPlugin(PluginContract):
    distribution = "uno-platform-kubernetes"
    sdks = ("kubernetes",)


@pytest.fixture
def plain(there, objects):
    """A Deployment that was never started, and a Service."""
    there.make(
        objects.deployment("shop", objects.pod_spec(objects.container("0.1")), replicas=0),
        objects.service("shop"),
    )
    return there


@pytest.fixture
def make(plain, services):
    """The platform with one of its routers."""
    made = []

    def platform(router):
        options = KubernetesOptions(
            kubeconfig=str(plain.cluster.kubeconfig),
            namespace=plain.name,
            adopt=True,
            traffic=KubernetesTraffic(router=router, grace=0.5),
        )
        one = KubernetesPlatform(options, evolve(services, platform_options=options))
        made.append(one)
        return one

    yield platform
    for one in made:
        one.close()


@pytest.mark.component("cluster")
class TestWorkload(WorkloadContract):
    @pytest.fixture
    def platform(self, make):
        return make("service")

    @pytest.fixture
    def capabilities(self, platform):
        return platform.capable()

    @pytest.fixture
    def missing(self):
        return Release("no tag")

    @pytest.fixture
    def unstartable(self):
        return Release("9.0-unready")


@pytest.mark.component("cluster")
@pytest.mark.parametrize("kind", ["service", "replicas", "gateway-api", "istio"])
class TestRouter(RouterContract):
    @pytest.fixture
    def platform(self, make, kind, plain, objects):
        if kind == "gateway-api":
            plain.make(
                objects.gateway(), objects.http_route("shop", "shop.example.com", objects.weighted(shop=1))
            )
        if kind == "istio":
            plain.make(VIRTUAL_SERVICE)
        return make(kind)

    @pytest.fixture
    def capabilities(self, kind):
        return KINDS[kind].capabilities
