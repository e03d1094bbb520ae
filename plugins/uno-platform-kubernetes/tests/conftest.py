"""Stores and applications in a namespace of the test cluster."""

import time

import pytest
from attrs import evolve
from configured import MORE, VOLUMES

from uno_platform_kubernetes.options import KubernetesOptions
from uno_platform_kubernetes.platform import KubernetesPlatform
from uno_platform_kubernetes.state import KubernetesStore


@pytest.fixture
def connect(there, services):
    """A store as one more machine has it; `kubeconfig` where it is another user, or goes another way."""
    opened = []

    def connect(kubeconfig=None, **changes):
        options = KubernetesOptions(
            kubeconfig=str(kubeconfig or there.cluster.kubeconfig), namespace=there.name
        )
        opened.append(KubernetesStore(None, evolve(services, platform_options=options, **changes)))
        return opened[-1]

    yield connect
    for store in opened:
        store.close()


@pytest.fixture
def store(connect):
    return connect()


@pytest.fixture
def until():
    def until(look, deadline=30.0):
        end = time.monotonic() + deadline
        while not (seen := look()):
            assert time.monotonic() < end, f"last seen: {seen}"
            time.sleep(0.02)
        return seen

    return until


@pytest.fixture
def objects():
    """What was there before uno: the test cluster's, which a wheel does not bring along."""
    return pytest.importorskip("tests.cluster.manifests")


@pytest.fixture
def pod(objects):
    return objects.pod_spec(objects.container("0.1", **MORE), volumes=VOLUMES)


@pytest.fixture
def platform_with(there, services):
    made = []

    def platform_with(application=None, **more):
        usual = {"kubeconfig": str(there.cluster.kubeconfig), "namespace": there.name, "adopt": True}
        options = KubernetesOptions(**{**usual, **more})
        application = application or services.application
        made.append(
            KubernetesPlatform(options, evolve(services, application=application, platform_options=options))
        )
        return made[-1]

    yield platform_with
    for one in made:
        one.close()
