"""The real autoscaler, with metrics that the test gives: with the official client, and without uno."""

import pytest

from tests.cluster.children import until
from tests.cluster.manifests import container, deployment, pod_spec

pytest_plugins = ["tests.cluster.fixtures"]
pytestmark = [pytest.mark.component("cluster"), pytest.mark.component("envoy")]


@pytest.fixture
def scaled(there, metrics):
    """Between 1 and 4 pods, each meant to use half of its 100m."""
    requests = {"resources": {"requests": {"cpu": "100m"}}}
    there.make(deployment("shop", pod_spec(container(**requests)), replicas=2))
    there.rolled_out("shop", 2)
    target = {"type": "Utilization", "averageUtilization": 50}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
        "minReplicas": 1,
        "maxReplicas": 4,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    there.autoscaling.create_namespaced_horizontal_pod_autoscaler(
        there.name, {"metadata": {"name": "shop"}, "spec": spec}
    )
    return there


def test_it_grows_and_shrinks_with_what_the_pods_use(scaled, metrics):
    metrics.use(scaled.name, "shop", cpu="200m")
    scaled.rolled_out("shop", 4)
    metrics.use(scaled.name, "shop", cpu="1m")
    scaled.rolled_out("shop", 1)


def test_it_goes_no_lower_than_its_floor(scaled, metrics):
    floor = {"spec": {"minReplicas": 3}}
    scaled.autoscaling.patch_namespaced_horizontal_pod_autoscaler("shop", scaled.name, floor)
    metrics.use(scaled.name, "shop", cpu="1m")
    scaled.rolled_out("shop", 3)


def test_what_each_pod_uses_is_read_by_way_of_the_apiserver(scaled, metrics):
    metrics.use(scaled.name, "shop", cpu="70m", memory="5Mi")
    rows = until(
        lambda: scaled.custom.list_namespaced_custom_object(
            "metrics.k8s.io", "v1beta1", scaled.name, "pods", label_selector="app=shop"
        )["items"]
    )
    assert rows[0]["containers"] == [{"name": "app", "usage": {"cpu": "70m", "memory": "5Mi"}}]
