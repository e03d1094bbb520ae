"""Why pods are not there or not ready, in a person's words, as soon as the cluster knows."""

from __future__ import annotations

import pytest
from attrs import evolve

from uno_core import Release, Slot
from uno_platform_kubernetes.options import KubernetesOptions
from uno_platform_kubernetes.platform import KubernetesPlatform

pytest_plugins = ["clusters"]
pytestmark = pytest.mark.component("cluster")

GREEN = Slot.GREEN


@pytest.fixture
def platform_of(there, services, objects):
    """Of an application whose pods are as they are said to be, and none runs yet."""
    made = []

    def platform_of(**pod):
        container = objects.container("0.1", **pod.pop("container", {}))
        there.make(
            objects.deployment("shop", objects.pod_spec(container, **pod), replicas=0),
            objects.service("shop"),
        )
        options = KubernetesOptions(
            kubeconfig=str(there.cluster.kubeconfig), namespace=there.name, adopt=True
        )
        made.append(KubernetesPlatform(options, evolve(services, platform_options=options)))
        made[-1].prepare()
        return made[-1]

    yield platform_of
    for one in made:
        one.close()


@pytest.fixture
def reasons(until):
    """What is told of a version in green, once it holds this."""

    def reasons(platform, version, words, count=1):
        release = platform.workload.resolve(Release(version))
        platform.workload.converge(GREEN, {release: count})

        def told():
            slot = platform.workload.observe().slots.get(GREEN)
            found = [one for one in (slot.instances if slot else ()) if words in one.reason]
            return found and slot

        return until(told)

    return reasons


def test_a_quota(there, platform_of, reasons, until):
    hard = {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "2"}}}
    there.core.create_namespaced_resource_quota(there.name, hard)
    until(lambda: there.core.read_namespaced_resource_quota("small", there.name).status.hard)
    slot = reasons(platform_of(), "0.2", "its pods cannot be made", 3)
    assert "exceeded quota: small" in slot.unready()
    assert slot.count(next(iter(slot.wanted))) == 3, "the one that is missing stands for itself"


@pytest.mark.parametrize(
    "pod",
    [{"container": {"resources": {"requests": {"cpu": "100"}}}}, {"nodeSelector": {"disk": "fast"}}],
    ids=["too large", "no such node"],
)
def test_no_node(platform_of, reasons, pod):
    slot = reasons(platform_of(**pod), "0.2", "no node takes it")
    assert "0/2 nodes are available" in slot.unready()
    assert not any(one.given_up for one in slot.instances), "another node may come"


def test_an_end_with_its_last_words(platform_of, reasons, until):
    platform = platform_of()
    slot = reasons(platform, "0.2-crash", "its last words")
    assert "app: it ended with 1" in slot.unready()
    until(lambda: any(i.given_up for i in platform.workload.observe().slots[GREEN].instances))


def test_a_watch_whose_version_is_forgotten_begins_anew(there, platform_of, reasons, until):
    platform = platform_of()
    reasons(platform, "0.2-unready", "readiness probe")
    there.cluster.control.compact()
    there.cluster.restart_apiserver(hard=True)
    there.apps.patch_namespaced_deployment_scale("shop-green", there.name, {"spec": {"replicas": 2}})

    def seen():
        try:
            return len(platform.workload.observe().slots[GREEN].instances) == 2
        except Exception:  # noqa: BLE001 - while it is away that is told
            return False

    until(seen)
