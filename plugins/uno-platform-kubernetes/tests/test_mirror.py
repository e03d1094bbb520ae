"""Connections to the apiserver: what is watched, and what is left of it when nobody looks any more."""

from __future__ import annotations

import pytest

from uno_core.clock import SystemClock
from uno_platform_kubernetes.api import Api
from uno_platform_kubernetes.mirror import Changes, Mirror
from uno_platform_kubernetes.options import KubernetesOptions

pytest_plugins = ["clusters"]
pytestmark = pytest.mark.component("cluster")


@pytest.fixture
def path(there):
    """Where there is something from the beginning: the certificates that every namespace gets."""
    return f"/api/v1/namespaces/{there.name}/configmaps"


@pytest.fixture
def api(there):
    api = Api(KubernetesOptions(kubeconfig=str(there.cluster.kubeconfig)), SystemClock())
    yield api
    api.close()


def change(there, name="news"):
    return there.core.create_namespaced_config_map(there.name, {"metadata": {"name": name}})


def test_a_request_after_a_watch_that_was_left_has_a_connection_of_its_own(there, api, path):
    change(there)
    changes = iter(api.watch(path, "0", 60))
    assert next(changes)["type"] == "ADDED"
    changes.close()
    # On the watch's connection it would be answered after the watch, a minute from now.
    assert api.once(path)["items"]


def test_a_mirror_that_is_closed_leaves_neither_a_thread_nor_a_connection(api, path):
    mirror = Mirror(api, path, Changes(), SystemClock())
    mirror.objects()
    thread = mirror._thread
    mirror.close()
    # Sooner than its watch would end by itself.
    thread.join(30)
    assert not thread.is_alive()
    mirror.close()


def test_one_that_was_never_looked_at_is_closed_as_well(api, path):
    Mirror(api, path, Changes(), SystemClock()).close()


def test_closed_the_connections_are_closed_too(there, api, path):
    api.get(path)
    pools = api._credentials.current().client.rest_client.pool_manager.pools
    assert len(pools) == 1
    api.close()
    assert len(pools) == 0


def test_what_never_asked_anything_logs_in_for_no_end(tmp_path):
    Api(KubernetesOptions(kubeconfig=str(tmp_path / "none")), SystemClock()).close()
