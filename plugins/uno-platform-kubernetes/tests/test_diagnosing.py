"""`uno doctor` for a real apiserver: reachable, permitted, there, in the way, and how each is mended."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from attrs import evolve

from uno_core import Condition
from uno_platform_kubernetes import permissions
from uno_platform_kubernetes.options import KubernetesOptions, KubernetesTraffic
from uno_platform_kubernetes.platform import KubernetesPlatform

pytest_plugins = ["clusters"]

ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "uno"}
PAGE = Path(__file__).parents[3] / "docs" / "kubernetes.md"
ERROR, WARNING, OK = Condition.ERROR, Condition.WARNING, Condition.OK


@pytest.fixture
def shop(there, objects):
    """A Deployment that was never started, behind a Service."""
    there.make(
        objects.deployment("shop", objects.pod_spec(objects.container("0.1")), replicas=0),
        objects.service("shop"),
    )
    return there


@pytest.fixture
def look(there, services):
    """What the platform finds, by what it is about."""
    made = []

    def look(kubeconfig=None, router="", route="", **options):
        chosen = KubernetesOptions(
            kubeconfig=str(kubeconfig or there.cluster.kubeconfig), namespace=there.name,
            traffic=KubernetesTraffic(router=router, route=route), **options,
        )  # fmt: skip
        made.append(KubernetesPlatform(chosen, evolve(services, platform_options=chosen)))
        found = {}
        for one in made[-1].diagnose():
            assert one.remedy or one.condition is OK
            found.setdefault(one.about, []).append(one)
        return found

    yield look
    for one in made:
        one.close()


@pytest.fixture
def role(there, until):
    """Give somebody these rules, and be that somebody, once the apiserver has heard of it."""

    def role(rules, user="deployer"):
        body = {"metadata": {"name": "uno"}, "rules": rules}
        there.rbac.create_namespaced_role(there.name, body)
        subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
        bound = {"metadata": {"name": "uno"}, "roleRef": ROLE, "subjects": [subject]}
        there.rbac.create_namespaced_role_binding(there.name, bound)
        asked = {"namespace": there.name, "verb": rules[0]["verbs"][0].replace("*", "get"),
                 "group": rules[0]["apiGroups"][0].replace("*", "apps"),
                 "resource": rules[0]["resources"][0].replace("*", "deployments")}  # fmt: skip
        review = {"spec": {"user": user, "resourceAttributes": asked}}
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        until(lambda: there.cluster.api.post(path, review)["status"]["allowed"])
        return there.cluster.kubeconfig_of(user)

    return role


def documented():
    text = PAGE.read_text("utf-8")
    return yaml.safe_load(text.partition(":caption: role.yaml\n")[2].partition("```")[0])["rules"]


def test_the_role_of_the_documentation_is_what_is_asked_for():
    if not PAGE.exists():
        pytest.skip("the documentation is not here")
    written = {
        (group, resource, verb)
        for rule in documented()
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    rules = [
        *permissions.ALWAYS, *permissions.ROUTES.values(), *permissions.COPIES, *permissions.STATE,
        *permissions.COMPANIONS.values(), permissions.KEDA, permissions.USAGE,
    ]  # fmt: skip
    assert {(rule.group, rule.resource, verb) for rule in rules for verb in rule.verbs.split()} == written


@pytest.mark.component("cluster")
class TestDoctor:
    def test_all_is_well_with_the_rights_of_an_administrator(self, shop, look):
        found = look()
        assert {one.condition for rows in found.values() for one in rows} == {OK}
        (cluster,) = found["cluster"]
        assert " as admin, namespace " in cluster.found
        (rights,) = found["permissions"]
        assert rights.found.startswith("all ")
        (traffic,) = found["traffic"]
        assert traffic.found == (
            "replicas, since there is no route of that name: shop; the cluster has Gateway API and Istio"
        )
        assert found["metrics.k8s.io"][0].found == "is not served"

    def test_each_right_that_is_missing_is_named_with_its_namespace_and_the_line_of_a_role(
        self, shop, look, role, there
    ):
        rules = [
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["*"]},
        ]
        found = look(role(rules))
        told = {one.found: one for one in found["permissions"]}
        where = f"not permitted in the namespace {there.name}"
        assert set(told) == {
            f"{where}: create, patch deployments.apps",
            f"{where}: get pods/log",
            f"{where}: get, list, watch endpointslices.discovery.k8s.io",
            f"{where}: get, list, watch, create, patch, delete horizontalpodautoscalers.autoscaling",
            f"{where}: get, list poddisruptionbudgets.policy",
            f"{where}: get, list networkpolicies.networking.k8s.io",
        }
        one = told[f"{where}: create, patch deployments.apps"]
        assert (one.condition, one.forbidden) == (ERROR, True)
        before, _, line = one.remedy.partition(": ")
        assert before == "add to the role of deployer"
        assert yaml.safe_load(line) == {
            "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create", "patch"]
        }  # fmt: skip
        # What can be seen is told all the same.
        assert found["deployment"][0].found == "blue is shop"
        # That there is no route nobody could see: so it would go by the number of pods.
        doubtful = [one.found for one in found["traffic"] if one.condition is WARNING]
        assert doubtful == [
            "whether Gateway API routes to shop must not be looked at",
            "whether Istio routes to shop must not be looked at",
        ]
        assert found["autoscaling"][0].forbidden

    def test_somebody_without_any_right_gets_an_answer_to_everything(self, shop, look, there):
        found = look(there.cluster.kubeconfig_of("nobody"))
        assert {"cluster", "traffic", "permissions", "deployment", "metrics.k8s.io"} <= set(found)
        assert found["cluster"][0].condition is OK
        assert found["deployment"][0].forbidden

    def test_the_right_to_the_route_that_is_used_is_asked_for(self, shop, look, role, objects):
        shop.make(objects.gateway(), objects.http_route("shop", "shop.example.com", objects.weighted(shop=1)))
        rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch", "create"]}]
        found = look(role(rules))
        assert found["traffic"][0].found.startswith("gateway-api, found: shop; ")
        assert any(one.found.endswith(": patch httproutes.gateway.networking.k8s.io")
                   for one in found["permissions"])  # fmt: skip
        assert "istio" not in "".join(one.found for one in found["permissions"])

    def test_a_router_without_what_it_writes_is_told(self, shop, look):
        found = look(router="istio", route="missing")
        (one,) = found["traffic"]
        assert one.condition is ERROR
        assert "missing" in one.found
        assert found["permissions"][0].condition is OK

    def test_copies_of_configuration_need_more(self, shop, look, role):
        rules = [
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch", "create", "patch"]}
        ]
        found = look(role(rules), versioned=True)
        told = "".join(one.found for one in found["permissions"])
        assert "delete configmaps" in told
        assert "delete secrets" in told

    def test_an_application_that_is_not_there_and_the_rest_is_looked_at(self, there, look):
        found = look()
        assert found["deployment"][0].found == f"there is no Deployment shop in the namespace {there.name}"
        assert "there is no Service shop" in found["traffic"][0].found
        assert found["permissions"][0].condition is OK

    def test_nobody_there_is_one_finding(self, look, tmp_path, there):
        config = yaml.safe_load(Path(there.cluster.kubeconfig).read_text())
        config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
        (tmp_path / "away").write_text(yaml.safe_dump(config))
        found = look(tmp_path / "away")
        assert list(found) == ["cluster"]
        assert "the apiserver did not answer" in found["cluster"][0].found

    def test_a_user_whom_the_cluster_does_not_know_is_not_permitted(self, look, tmp_path, there):
        config = yaml.safe_load(Path(there.cluster.kubeconfig).read_text())
        config["users"][0]["user"] = {"token": "made-up"}
        (tmp_path / "unknown").write_text(yaml.safe_dump(config))
        found = look(tmp_path / "unknown")
        assert list(found) == ["cluster"]
        assert found["cluster"][0].forbidden
        assert "does not know this user" in found["cluster"][0].found

    def test_what_sizes_a_slot_is_told(self, shop, look):
        spec = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
            "minReplicas": 2, "maxReplicas": 4,
            "metrics": [{"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}],
        }  # fmt: skip
        body = {"metadata": {"name": "shop"}, "spec": spec}
        shop.autoscaling.create_namespaced_horizontal_pod_autoscaler(shop.name, body)
        assert look()["autoscaling"][0].found == "the HorizontalPodAutoscaler shop gives shop 2 to 4 pods"
        (tight,) = look(instances=9)["autoscaling"]
        assert tight.condition is WARNING


@pytest.mark.component("cluster")
def test_the_state_in_the_cluster_says_what_it_needs(connect, role):
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}]
    store = connect(role(rules))
    (one,) = store.diagnose()
    assert one.found.endswith(": get, create, patch leases.coordination.k8s.io")
    assert one.forbidden


@pytest.mark.component("cluster")
def test_companions_say_what_they_need(shop, services, objects, role):
    shop.make(objects.deployment("worker", objects.pod_spec(objects.container("0.1")), replicas=0))
    rules = [{"apiGroups": ["apps"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    options = KubernetesOptions(kubeconfig=str(role(rules)), namespace=shop.name, adopt=True)
    platform = KubernetesPlatform(options, evolve(services, platform_options=options))
    try:
        assert not list(platform.companions.diagnose())
        platform.companions.observe("deployment/worker")
        (one,) = platform.companions.diagnose()
        assert one.found.endswith(": patch deployments.apps")
    finally:
        platform.close()
