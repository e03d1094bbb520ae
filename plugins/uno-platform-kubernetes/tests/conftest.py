"""Stores that look at a namespace of the test cluster."""

import time

import pytest
from attrs import evolve

from uno_platform_kubernetes.options import KubernetesOptions
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
