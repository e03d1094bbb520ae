"""The test cluster as fixtures. Opt in by `pytest_plugins = ["tests.cluster.fixtures"]`."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import build
from tests.cluster.children import until
from tests.cluster.cluster import Cluster
from tests.cluster.metrics import Metrics
from tests.cluster.namespaced import Namespaced

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One for all tests: each takes a namespace of its own."""
    given = os.environ.get("UNO_TEST_KUBECONFIG")
    try:
        assets: Path | None = build.assets()
    except build.Unavailable as error:
        if not given:
            pytest.skip(str(error))
        assets = None
    with Cluster(assets, Path(given) if given else None) as running:
        yield running
        assert running.failures == []


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A new one, deleted afterwards with all that is in it."""
    cluster.control.check()
    name = f"test-{os.getpid()}-{next(_numbers)}"
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    # Without it every pod is refused.
    until(lambda: cluster.api.get(f"/api/v1/namespaces/{name}/serviceaccounts")["items"])
    yield name
    cluster.api.call("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def metrics(cluster: Cluster) -> Iterator[Metrics]:
    """metrics.k8s.io, which is served in this test only."""
    try:
        cluster.metrics.start()
        yield cluster.metrics
    finally:
        cluster.metrics.stop()


@pytest.fixture(scope="session")
def kubernetes_client(cluster: Cluster):
    """The official client, as an administrator."""
    from kubernetes import config

    client = config.new_client_from_config(str(cluster.kubeconfig))
    client.user_agent = "tests"
    yield client
    client.close()


@pytest.fixture
def there(namespace: str, cluster: Cluster, kubernetes_client) -> Namespaced:
    """The test's namespace, by the official client."""
    return Namespaced(namespace, cluster, kubernetes_client)
