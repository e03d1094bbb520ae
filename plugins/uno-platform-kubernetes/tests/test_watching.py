"""What the cluster says of a slot's pods: whether they are ready."""

from __future__ import annotations

import pytest
from attrs import evolve

from uno_core import ConfigError, Release, Slot, Target
from uno_core.testing import HealthCheckContract
from uno_platform_kubernetes.options import KubernetesOptions, ReadinessOptions
from uno_platform_kubernetes.platform import KubernetesPlatform
from uno_platform_kubernetes.readiness import KubernetesReadiness

pytest_plugins = ["clusters", "uno_core.testing.fixtures"]
pytestmark = pytest.mark.component("cluster")

BLUE, GREEN = Slot.BLUE, Slot.GREEN


@pytest.fixture
def kube(there, services, objects):
    """Services with the options of an application that has two pods of 0.1 in blue."""
    there.make(
        objects.deployment("shop", objects.pod_spec(objects.container("0.1")), replicas=2),
        objects.service("shop"),
    )
    there.rolled_out("shop", 2)
    options = KubernetesOptions(kubeconfig=str(there.cluster.kubeconfig), namespace=there.name, adopt=True)
    return evolve(services, platform_options=options)


@pytest.fixture
def bring(kube):
    """Have a version asked for in green."""
    platform = KubernetesPlatform(kube.platform_options, kube)
    platform.prepare()

    def bring(version, count=1):
        platform.workload.converge(GREEN, {platform.workload.resolve(Release(version)): count})

    yield bring
    platform.close()


def target(slot, version):
    return Target(application="shop", slot=slot, release=Release(version))


class TestReadiness(HealthCheckContract):
    @pytest.fixture
    def check(self, kube):
        check = KubernetesReadiness(ReadinessOptions(), kube)
        yield check
        check.close()

    @pytest.fixture
    def healthy(self, kube):
        return target(BLUE, "0.1")

    @pytest.fixture
    def unhealthy(self, bring):
        bring("0.2-unready")
        return target(GREEN, "0.2-unready")

    def test_it_says_why(self, check, unhealthy, until):
        until(lambda: "readiness probe has not passed" in check.check(unhealthy, 5).answer)

    def test_another_release_is_not_the_one_that_was_asked_for(self, check):
        probe = check.check(target(BLUE, "0.2"), 5)
        assert not probe.healthy
        assert "0.1" in probe.answer

    def test_another_configuration_of_a_version_is_another_release(self, check):
        asked = evolve(target(BLUE, "0.1"), release=Release("0.1", "example.com/shop:0.1", "of before"))
        probe = check.check(asked, 5)
        assert not probe.healthy
        assert probe.answer == "0.1 of another configuration is to run in blue, not 0.1"

    def test_a_slot_of_nothing_is_not_healthy(self, check):
        assert "nothing is to run in green" in check.check(target(GREEN, "0.2"), 5).answer

    def test_one_pod_can_be_asked_for(self, check, kube, there):
        pod = there.pods("app=shop")[0].metadata.name
        assert check.check(evolve(target(BLUE, "0.1"), instance=pod), 5).healthy
        gone = check.check(evolve(target(BLUE, "0.1"), instance="shop-0"), 5)
        assert gone.answer == "there is no such pod"

    def test_another_platform_has_no_pods(self, services):
        with pytest.raises(ConfigError, match="looks at pods"):
            KubernetesReadiness(ReadinessOptions(), services)
