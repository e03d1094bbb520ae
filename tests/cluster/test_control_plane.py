"""What the real control plane does, and a mock would not: with the official client, and without uno."""

import json
import time

import pytest
from kubernetes import config, watch
from kubernetes.client import ApiException, CoreV1Api, VersionApi

from tests.cluster import build
from tests.cluster.children import until
from tests.cluster.manifests import container, deployment, pod_spec
from tests.cluster.namespaced import Namespaced, conditions

pytest_plugins = ["tests.cluster.fixtures"]
pytestmark = [pytest.mark.component("cluster"), pytest.mark.component("envoy")]

APPLY = {"_content_type": "application/apply-patch+yaml"}


def message(refused):
    return json.loads(refused.value.body)["message"]


@pytest.fixture
def as_somebody(cluster, there):
    """A function that gives the namespace as another user sees it, by way of the front where that is said."""
    opened = []

    def see(user, *groups, front=False):
        where = cluster.front.kubeconfig(user, *groups) if front else cluster.kubeconfig_of(user, *groups)
        opened.append(config.new_client_from_config(str(where)))
        opened[-1].user_agent = f"{user}/1"
        return Namespaced(there.name, cluster, opened[-1])

    yield see
    cluster.front.heal()
    for client in opened:
        client.close()


def test_it_is_the_pinned_version(cluster, kubernetes_client):
    if not cluster.control.own:
        pytest.skip("the cluster of UNO_TEST_KUBECONFIG is of whatever version")
    assert VersionApi(kubernetes_client).get_code().git_version == build.version()


def test_a_quota_refuses_pods_and_the_deployment_says_so(there):
    hard = {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "1"}}}
    there.core.create_namespaced_resource_quota(there.name, hard)
    until(lambda: there.core.read_namespaced_resource_quota("small", there.name).status.hard)
    there.make(deployment("shop", replicas=2))

    def said():
        return conditions(there.apps.read_namespaced_deployment("shop", there.name)).get("ReplicaFailure")

    until(said, ("True", "FailedCreate"))
    until(
        lambda: [m for r, m in there.events("shop") if r == "FailedCreate" and "exceeded quota: small" in m]
    )


def test_no_progress_is_a_condition_only(there):
    made = deployment("shop", pod_spec(container("2.0-unready")), replicas=1)
    made["spec"] |= {"progressDeadlineSeconds": 2, "minReadySeconds": 1}
    there.make(made)

    def progressing():
        return conditions(there.apps.read_namespaced_deployment("shop", there.name)).get("Progressing")

    until(progressing, ("False", "ProgressDeadlineExceeded"))
    assert len(there.pods()) == 1


def test_applying_what_somebody_else_owns_is_a_409_that_names_them(there):
    there.apps.create_namespaced_deployment(there.name, deployment("shop"), field_manager="kubectl")
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 5}}
    with pytest.raises(ApiException) as refused:
        there.apps.patch_namespaced_deployment("shop", there.name, scaled, field_manager="uno", **APPLY)
    assert refused.value.status == 409
    assert 'conflict with "kubectl" using apps/v1: .spec.replicas' in message(refused)
    assert there.apps.read_namespaced_deployment("shop", there.name).spec.replicas == 2
    there.apps.patch_namespaced_deployment(
        "shop", there.name, scaled, field_manager="uno", force=True, **APPLY
    )
    assert there.apps.read_namespaced_deployment("shop", there.name).spec.replicas == 5


def test_writing_over_a_newer_version_is_a_409(there):
    made = {"metadata": {"name": "state"}, "data": {"at": "1"}}
    old = there.core.create_namespaced_config_map(there.name, made)
    there.core.patch_namespaced_config_map("state", there.name, {"data": {"at": "2"}})
    old.data["at"] = "3"
    with pytest.raises(ApiException) as refused:
        there.core.replace_namespaced_config_map("state", there.name, old)
    assert refused.value.status == 409
    assert "the object has been modified" in message(refused)
    assert there.core.read_namespaced_config_map("state", there.name).data == {"at": "2"}


def test_one_of_two_takes_a_lease(there):
    def take(lease, holder):
        lease.spec.holder_identity = holder
        lease.spec.lease_transitions = (lease.spec.lease_transitions or 0) + 1
        return there.coordination.replace_namespaced_lease("uno-shop", there.name, lease)

    there.coordination.create_namespaced_lease(there.name, {"metadata": {"name": "uno-shop"}, "spec": {}})
    seen = [there.coordination.read_namespaced_lease("uno-shop", there.name) for _ in range(2)]
    assert take(seen[0], "one").spec.lease_transitions == 1
    with pytest.raises(ApiException) as refused:
        take(seen[1], "other")
    assert refused.value.status == 409
    assert there.coordination.read_namespaced_lease("uno-shop", there.name).spec.holder_identity == "one"


def test_a_watch_from_a_version_that_is_forgotten_is_a_410(there, cluster):
    def written(number):
        body = {"metadata": {"name": f"c-{number}"}}
        return there.core.create_namespaced_config_map(there.name, body).metadata.resource_version

    first = written(0)
    for number in range(1, 5):
        written(number)
    cluster.control.compact()
    # What the apiserver still has in memory is gone with it.
    cluster.restart_apiserver(hard=True)
    with pytest.raises(ApiException) as refused:
        list(
            watch.Watch().stream(
                there.core.list_namespaced_config_map, there.name, resource_version=first, timeout_seconds=5
            )
        )
    assert refused.value.status == 410
    # A list begins anew, and a watch from there goes on.
    listed = there.core.list_namespaced_config_map(there.name)
    assert {f"c-{number}" for number in range(5)} <= {row.metadata.name for row in listed.items}
    written(5)
    version = listed.metadata.resource_version
    stream = watch.Watch().stream(
        there.core.list_namespaced_config_map, there.name, resource_version=version, timeout_seconds=5
    )
    assert next(stream)["object"].metadata.name == "c-5"
    stream.close()


def test_what_runs_outlives_the_apiserver(there, cluster):
    there.make(deployment("shop"))
    there.rolled_out("shop", 2)
    before = {one.metadata.name for one in there.pods()}
    cluster.restart_apiserver()
    there.apps.patch_namespaced_deployment_scale("shop", there.name, {"spec": {"replicas": 3}})
    there.rolled_out("shop", 3)
    assert before < {one.metadata.name for one in there.pods()}


@pytest.mark.parametrize("front", [False, True], ids=["apiserver", "front"])
def test_a_right_that_is_missing_is_a_403_that_names_verb_and_resource(there, as_somebody, front):
    somebody = as_somebody("deployer", "team", front=front)
    with pytest.raises(ApiException) as refused:
        somebody.pods()
    assert refused.value.status == 403
    assert 'User "deployer" cannot list resource "pods"' in message(refused)
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    there.rbac.create_namespaced_role(there.name, {"metadata": {"name": "reader"}, "rules": rules})
    subject = {"kind": "User", "name": "deployer", "apiGroup": "rbac.authorization.k8s.io"}
    ref = {"kind": "Role", "name": "reader", "apiGroup": "rbac.authorization.k8s.io"}
    bound = {"metadata": {"name": "reader"}, "subjects": [subject], "roleRef": ref}
    there.rbac.create_namespaced_role_binding(there.name, bound)
    assert until(lambda: allowed(somebody), "yes")


def allowed(somebody):
    try:
        somebody.pods()
    except ApiException as error:
        return error.status
    return "yes"


def test_requests_are_counted_by_who_asked_and_for_what(there, cluster, as_somebody):
    cluster.audit.mark()
    somebody = as_somebody("counted", "system:masters")
    somebody.pods()
    somebody.pods()
    there.pods()
    somebody.make(deployment("shop", replicas=1))
    counted = cluster.audit.counted("counted/", there.name)
    assert counted == {("list", "pods"): 2, ("create", "deployments"): 1}
    # A watch is one request, from its beginning on.
    stream = watch.Watch().stream(somebody.core.list_namespaced_pod, there.name, timeout_seconds=20)
    next(stream)
    assert cluster.audit.counted("counted/", there.name)["watch", "pods"] == 1
    stream.close()


def test_the_front_refuses_delays_and_cuts_as_it_is_told(there, cluster, as_somebody):
    somebody = as_somebody("admin", front=True)
    assert somebody.pods() == []
    fault = cluster.front.inject(status=500, method="GET", part="/pods", times=1)
    with pytest.raises(ApiException) as refused:
        somebody.pods()
    assert (refused.value.status, fault.hits) == (500, 1)
    busy = cluster.front.inject(status=429, retry_after=1, times=1)
    began = time.monotonic()
    # The official client waits as it is told to, and asks again.
    assert somebody.pods() == []
    assert (busy.hits, time.monotonic() - began >= 1) == (1, True)
    cluster.front.inject(delay=0.3)
    began = time.monotonic()
    somebody.pods()
    assert time.monotonic() - began >= 0.3


def test_a_lost_answer_leaves_what_was_asked_for_done(there, cluster, as_somebody):
    somebody = as_somebody("admin", front=True)
    cluster.front.inject(method="PUT", part="/configmaps/state", lost=True)
    made = there.core.create_namespaced_config_map(there.name, {"metadata": {"name": "state"}})
    made.data = {"at": "2"}
    with pytest.raises(Exception, match=r"(?i)connection|409"):
        somebody.core.replace_namespaced_config_map("state", there.name, made)
    assert there.core.read_namespaced_config_map("state", there.name).data == {"at": "2"}


def test_a_watch_that_is_cut_ends(there, cluster, as_somebody):
    somebody = as_somebody("admin", front=True)
    version = somebody.core.list_namespaced_config_map(there.name).metadata.resource_version
    stream = CoreV1Api(somebody.client).list_namespaced_config_map(
        there.name, watch=True, resource_version=version, _preload_content=False
    )
    there.core.create_namespaced_config_map(there.name, {"metadata": {"name": "seen"}})
    assert b'"seen"' in stream.readline()
    assert cluster.front.cut_watches() == 1
    assert stream.read() == b""
