"""Autoscalers of KEDA, whose objects are held, copied, paused and moved as an HPA is."""

from __future__ import annotations

import pytest
from attrs import evolve

from uno_core import ConfigError, Release, Slot
from uno_platform_kubernetes.options import KubernetesOptions
from uno_platform_kubernetes.platform import KubernetesPlatform

pytest_plugins = ["clusters"]
pytestmark = pytest.mark.component("cluster")

BLUE, GREEN = Slot.BLUE, Slot.GREEN
GROUP, VERSION, PLURAL = "keda.sh", "v1alpha1", "scaledobjects"
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"{PLURAL}.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": PLURAL, "singular": "scaledobject", "kind": "ScaledObject"},
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                        },
                    }
                },
            }
        ],
    },
}
TRIGGER = {"type": "prometheus", "metadata": {"query": "sum(rate(requests[1m]))", "threshold": "100"}}
FLOOR, PAUSED = "uno.dev/floor", "autoscaling.keda.sh/paused-replicas"


@pytest.fixture
def there(there, until):
    """KEDA's kind of object, without its operator: what uno writes of it is what is looked at."""
    from kubernetes import client

    definitions = client.ApiextensionsV1Api(there.client)
    definitions.create_custom_resource_definition(CRD)

    def established():
        found = definitions.read_custom_resource_definition(CRD["metadata"]["name"])
        return {c.type: c.status for c in found.status.conditions or ()}.get("Established") == "True"

    until(established)
    yield there
    definitions.delete_custom_resource_definition(CRD["metadata"]["name"])
    until(lambda: not [one for one in definitions.list_custom_resource_definition().items
                       if one.metadata.name == CRD["metadata"]["name"]])  # fmt: skip


@pytest.fixture
def platform(there, services):
    """Of an application that has a Deployment, a Service, and something that scales them."""
    objects = pytest.importorskip("tests.cluster.manifests")
    there.make(
        objects.deployment("shop", objects.pod_spec(objects.container("0.1")), replicas=2),
        objects.service("shop"),
    )
    there.custom.create_namespaced_custom_object(
        GROUP, VERSION, there.name, PLURAL,
        {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "ScaledObject",
            "metadata": {"name": "by-requests", "labels": {"argocd.argoproj.io/instance": "shop"}},
            "spec": {"scaleTargetRef": {"name": "shop"}, "maxReplicaCount": 5, "triggers": [TRIGGER]},
        },
    )  # fmt: skip
    there.rolled_out("shop", 2)
    options = KubernetesOptions(
        kubeconfig=str(there.cluster.kubeconfig), namespace=there.name, adopt=True, gitops="cooperate"
    )
    made = KubernetesPlatform(options, evolve(services, platform_options=options))
    made.prepare()
    yield made
    made.close()


@pytest.fixture
def scaled(there):
    def scaled(name):
        return there.custom.get_namespaced_custom_object(GROUP, VERSION, there.name, PLURAL, name)

    return scaled


@pytest.fixture
def bring(platform, until):
    def bring(slot, version, count):
        release = platform.workload.resolve(Release(version))
        platform.workload.converge(slot, {release: count} if count else {})
        wanted = {release: count} if count else {}
        until(lambda: (s := platform.workload.observe().slots.get(slot)) and s.holds(wanted))

    return bring


def test_it_is_held_and_let_go(platform, scaled):
    platform.workload.hold(BLUE, 2)
    held = scaled("by-requests")
    assert held["spec"]["minReplicaCount"] == 2
    platform.workload.let_go(BLUE)
    free = scaled("by-requests")
    assert "minReplicaCount" not in free["spec"], "it had none of its own"
    assert FLOOR not in (free["metadata"].get("annotations") or {})
    assert platform.workload.observe().slots[BLUE].elastic


def test_it_moves_with_the_traffic_and_then_there_is_one_for_each_slot(platform, scaled, bring):
    workload = platform.workload
    bring(GREEN, "0.2", 2)
    workload.let_go(GREEN)
    moved = scaled("by-requests")["spec"]
    assert (moved["scaleTargetRef"], moved["triggers"]) == ({"name": "shop-green"}, [TRIGGER])

    workload.hold(GREEN, 2)
    bring(BLUE, "0.3", 3)
    made = scaled("shop-blue")
    assert made["spec"]["scaleTargetRef"] == {"name": "shop-blue"}
    assert made["spec"]["minReplicaCount"] == 3
    assert (made["spec"]["maxReplicaCount"], made["spec"]["triggers"]) == (5, [TRIGGER])
    assert made["metadata"]["labels"] == {"uno.dev/application": workload.cluster.application}

    workload.let_go(BLUE)
    assert "minReplicaCount" not in scaled("shop-blue")["spec"]
    bring(GREEN, "0.2", 0)
    assert scaled("by-requests")["metadata"]["annotations"][PAUSED] == "0", "its triggers would start pods"
    assert FLOOR not in scaled("by-requests")["metadata"]["annotations"]

    bring(GREEN, "0.4", 2)
    again = scaled("by-requests")
    assert PAUSED not in again["metadata"]["annotations"]
    assert again["spec"]["minReplicaCount"] == 2


def test_what_was_asked_for_stays_so_where_the_mark_is_elsewhere(platform, there, bring, until):
    """Behind a name in DNS the marks of this platform's own router are not there to tell of a deployment."""
    bring(GREEN, "0.2", 2)
    platform.workload.let_go(GREEN)  # from here on it is the one that is scaled
    platform.workload.hold(GREEN, 2)
    there.apps.patch_namespaced_deployment_scale("shop-green", there.name, {"spec": {"replicas": 3}})
    held = until(lambda: (s := platform.workload.observe().slots[GREEN]).ready() == 3 and s)
    assert held.elastic
    assert sum(held.wanted.values()) == 2, "more than that is the autoscaler's own will"
    platform.workload.let_go(GREEN)
    free = until(lambda: (s := platform.workload.observe().slots[GREEN]).ready() == 3 and s)
    assert sum(free.wanted.values()) == 3, "that is what there is to go back to"


def test_an_autoscaler_that_somebody_took_away_is_not_kept_for_the_other_slot(platform, there, bring, until):
    workload = platform.workload
    bring(GREEN, "0.2", 1)
    workload.let_go(GREEN)
    bring(BLUE, "0.3", 1)
    there.custom.delete_namespaced_custom_object(GROUP, VERSION, there.name, PLURAL, "by-requests")
    until(lambda: not workload.observe().slots[GREEN].elastic)
    bring(BLUE, "0.3", 0)
    bring(BLUE, "0.5", 1)
    left = there.custom.list_namespaced_custom_object(GROUP, VERSION, there.name, PLURAL)["items"]
    assert not left


def test_a_pod_that_was_never_ready_is_coming_and_one_that_crashes_is_not(platform, until):
    def instances(version):
        platform.workload.converge(GREEN, {platform.workload.resolve(Release(version)): 1})
        state = until(lambda: (s := platform.workload.observe().slots.get(GREEN)) and s.instances and s)
        return [one for one in state.instances if one.release.version == version]

    until(lambda: [i for i in instances("0.2-unready") if "readiness probe" in i.reason and i.coming])
    until(lambda: [i for i in instances("0.2-crash") if i.restarts and not i.coming])
    assert not any(i.coming for i in platform.workload.observe().slots[BLUE].instances)


def test_more_than_it_permits_is_refused(platform):
    with pytest.raises(ConfigError, match="6 pods are more than the ScaledObject by-requests permits"):
        platform.workload.hold(BLUE, 6)


def test_one_that_somebody_else_gave_the_name_of_a_slot_is_left_alone(platform, there, bring):
    bring(GREEN, "0.2", 1)
    platform.workload.let_go(GREEN)
    other = {
        "apiVersion": f"{GROUP}/{VERSION}", "kind": "ScaledObject", "metadata": {"name": "shop-blue"},
        "spec": {"scaleTargetRef": {"name": "something"}},
    }  # fmt: skip
    there.custom.create_namespaced_custom_object(GROUP, VERSION, there.name, PLURAL, other)
    release = platform.workload.resolve(Release("0.3"))
    with pytest.raises(ConfigError, match="there is a ScaledObject shop-blue already"):
        platform.workload.converge(BLUE, {release: 1})
