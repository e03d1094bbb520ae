"""Who else keeps what uno writes: refused, unless it leaves that alone, and the rules by which it does."""

from __future__ import annotations

import pytest
import yaml
from attrs import evolve

from uno_core import Condition, ConfigError, Release, Slot
from uno_platform_kubernetes.options import KubernetesOptions, KubernetesTraffic
from uno_platform_kubernetes.platform import KubernetesPlatform

pytest_plugins = ["clusters"]
pytestmark = pytest.mark.component("cluster")

GREEN = Slot.GREEN
APPLY = "application/apply-patch+yaml"

TRACKING = {
    "Argo CD": {"annotations": {"argocd.argoproj.io/tracking-id": "web:apps/Deployment:shop/shop"}},
    "Flux": {
        "labels": {
            "kustomize.toolkit.fluxcd.io/name": "apps",
            "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        }
    },
    "Flux, by Helm": {
        "labels": {
            "helm.toolkit.fluxcd.io/name": "web",
            "helm.toolkit.fluxcd.io/namespace": "shop",
            "app.kubernetes.io/managed-by": "Helm",
        },
        "annotations": {"meta.helm.sh/release-name": "web"},
    },
    "Helm": {
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"},
    },
}
"""What each leaves on an object of its own."""

OBJECTS = {
    "deployment": ("/apis/apps/v1", "deployments"),
    "service": ("/api/v1", "services"),
    "route": ("/apis/gateway.networking.k8s.io/v1", "httproutes"),
    "autoscaler": ("/apis/autoscaling/v2", "horizontalpodautoscalers"),
}
HPA = {
    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
    "minReplicas": 2, "maxReplicas": 4,
    "metrics": [{"type": "Resource", "resource": {
        "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}],
}  # fmt: skip


@pytest.fixture
def shop(there, objects):
    """Never started, and all that there can be: Deployment, Service, HTTPRoute, autoscaler."""
    deployment = objects.deployment(
        "shop", objects.pod_spec(objects.container("0.1")), replicas=0,
        **{"app": "shop", "app.kubernetes.io/instance": "web"},
    )  # fmt: skip
    there.make(
        deployment, objects.service("shop"), objects.gateway(),
        objects.http_route("shop", "shop.example.com", objects.weighted(shop=1)),
    )  # fmt: skip
    body = {"metadata": {"name": "shop"}, "spec": HPA}
    there.autoscaling.create_namespaced_horizontal_pod_autoscaler(there.name, body)
    return there


@pytest.fixture
def edit(shop):
    """Have labels and annotations on one of them, as somebody else; None takes one away."""

    def edit(what, metadata):
        root, plural = OBJECTS[what]
        path = f"{root}/namespaces/{shop.name}/{plural}/shop"
        shop.cluster.api.call("PATCH", path, {"metadata": metadata}, kind="application/merge-patch+json")

    return edit


@pytest.fixture
def make(there, services):
    made = []

    def make(router="gateway-api", **options):
        chosen = KubernetesOptions(
            kubeconfig=str(there.cluster.kubeconfig), namespace=there.name, adopt=True,
            traffic=KubernetesTraffic(router=router, grace=0.0), **options,
        )  # fmt: skip
        made.append(KubernetesPlatform(chosen, evolve(services, platform_options=chosen)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def without(metadata):
    return {key: dict.fromkeys(values) for key, values in metadata.items()}


def told(platform):
    return [one for one in platform.diagnose() if one.about == "gitops"]


@pytest.mark.parametrize("name", TRACKING)
def test_each_of_them_on_each_object_is_refused_unless_it_cooperates(shop, edit, make, name):
    for what in OBJECTS:
        router = "service" if what == "service" else "gateway-api"
        edit(what, TRACKING[name])
        with pytest.raises(ConfigError, match=f"^{name} keeps shop as it is") as refused:
            make(router).prepare()
        assert "by its " in refused.value.found
        assert "`uno doctor`" in refused.value.remedy
        (finding,) = told(make(router))
        assert finding.condition is Condition.WARNING
        (said,) = told(make(router, gitops="cooperate"))
        assert said.condition is Condition.OK
        edit(what, without(TRACKING[name]))
    assert not told(make())
    edit("deployment", TRACKING[name])
    make(gitops="cooperate").prepare()


@pytest.mark.parametrize(
    ("manager", "name"),
    [
        ("argocd-controller", "Argo CD"), ("argocd-application-controller", "Argo CD"),
        ("kustomize-controller", "Flux"), ("helm-controller", "Flux, by Helm"), ("helm", "Helm"),
    ],
)  # fmt: skip
def test_who_leaves_no_mark_is_known_by_what_it_wrote(shop, make, manager, name):
    """As Argo CD does that tracks by the label `app.kubernetes.io/instance`, which charts set, too."""
    path = f"/apis/apps/v1/namespaces/{shop.name}/deployments/shop"
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}}
    query = {"fieldManager": manager, "force": "true"}
    marked = {**body, "metadata": {"name": "shop", "annotations": {"noted": "yes"}}}
    shop.cluster.api.call("PATCH", path, marked, kind=APPLY, query=query)
    assert not told(make()), "who wrote an annotation alone keeps nothing"
    applied = {**body, "spec": {"replicas": 0}}
    shop.cluster.api.call("PATCH", path, applied, kind=APPLY, query=query)
    with pytest.raises(ConfigError, match=f"^{name} keeps shop as it is") as refused:
        make().prepare()
    assert refused.value.found == f"Deployment shop, by its field manager {manager}"


def test_the_label_that_every_chart_sets_is_nobody_yet(edit, make):
    edit("deployment", {"labels": {"app.kubernetes.io/instance": "web"}})
    assert not told(make())


def rules(platform):
    """What is to be done, and the lines that are to be added."""
    (finding,) = told(platform)
    before, _, lines = finding.remedy.partition(":\n")
    return before, yaml.safe_load(lines)


def everything(edit, name):
    for what in ("deployment", "route", "autoscaler"):
        edit(what, TRACKING[name])


def test_the_rules_for_argo_cd(shop, edit, make):
    everything(edit, "Argo CD")
    before, lines = rules(make())
    assert before.startswith("add to the Application web, then set platform.gitops: cooperate")
    named = {"name": "shop", "namespace": shop.name}
    assert lines == {
        "spec": {
            "ignoreDifferences": [
                {"group": "apps", "kind": "Deployment", **named, "jsonPointers": ["/spec/replicas"]},
                {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", **named,
                 "jsonPointers": ["/spec/rules"]},
                {"group": "autoscaling", "kind": "HorizontalPodAutoscaler", **named,
                 "jsonPointers": ["/spec/minReplicas", "/spec/scaleTargetRef"]},
            ],
            "syncPolicy": {"syncOptions": ["RespectIgnoreDifferences=true"]},
        }
    }  # fmt: skip


def test_the_rules_for_flux(shop, edit, make):
    everything(edit, "Flux")
    edit("service", TRACKING["Flux"])
    before, lines = rules(make("service"))
    assert "the Kustomization flux-system/apps" in before
    assert "ssa: IfNotPresent" in before
    named = {"name": "shop", "namespace": shop.name}
    assert lines["spec"]["ignore"][:2] == [
        {"paths": ["/spec/replicas"], "target": {"group": "apps", "kind": "Deployment", **named}},
        {"paths": ["/spec/selector"], "target": {"kind": "Service", **named}},
    ]


def test_the_rules_for_flux_by_helm(edit, make):
    everything(edit, "Flux, by Helm")
    before, lines = rules(make())
    assert "the HelmRelease shop/web" in before
    assert "never force conflicts" in before
    paths = [rule["paths"] for rule in lines["spec"]["driftDetection"]["ignore"]]
    assert paths == [["/spec/replicas"], ["/spec/rules"], ["/spec/minReplicas", "/spec/scaleTargetRef"]]


def test_there_are_none_for_helm_and_that_is_told(edit, make):
    everything(edit, "Helm")
    (finding,) = told(make())
    assert "Helm has no such rules" in finding.remedy
    assert "the release web" in finding.remedy
    assert "spec.replicas of the Deployment shop" in finding.remedy


def test_copies_are_nobodys_and_their_pods_are_as_they_were(shop, edit, make):
    """A manager that found its marks on what it does not know would delete it."""
    for marks in TRACKING.values():
        edit("deployment", marks)
        edit("service", marks)
    edit("deployment", {"labels": {"app.kubernetes.io/instance": "web", "team": "sales"},
                        "annotations": {"contact": "sales@example.com"}})  # fmt: skip
    platform = make(gitops="cooperate")
    platform.prepare()
    platform.workload.converge(GREEN, {platform.workload.resolve(Release("0.2")): 1})
    made = shop.apps.read_namespaced_deployment("shop-green", shop.name)
    metadata = made.metadata
    assert set(metadata.labels) == {"team", "uno.dev/application", "uno.dev/slot"}
    assert {k for k in metadata.annotations if not k.startswith("deployment.kubernetes.io/")} == {"contact"}
    # Other things select by it, and the same pods came of it before.
    assert made.spec.template.metadata.labels["app.kubernetes.io/instance"] == "web"
    assert made.spec.selector.match_labels["app.kubernetes.io/instance"] == "web"
    for slot in ("blue", "green"):
        service = shop.core.read_namespaced_service(f"shop-{slot}", shop.name)
        assert set(service.metadata.labels) == {"uno.dev/application", "uno.dev/slot"}
        assert not service.metadata.annotations


def test_what_flux_lets_go_of_stays_as_it_is_once_uno_has_taken_it(there, objects, make):
    """Who applies without what he owned alone takes it away: one pod would be left, and no minimum."""
    things = [
        ("/apis/apps/v1", "deployments", "replicas",
         objects.deployment("shop", objects.pod_spec(objects.container("0.1")), replicas=3)),
        ("/apis/autoscaling/v2", "horizontalpodautoscalers", "minReplicas",
         {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "shop"},
          "spec": {**HPA, "minReplicas": 3}}),
        ("/api/v1", "services", "selector", objects.service("shop")),
    ]  # fmt: skip

    query = {"fieldManager": "kustomize-controller", "force": "true"}

    def flux(leaving):
        for root, plural, field, thing in things:
            path = f"{root}/namespaces/{there.name}/{plural}/shop"
            spec = {k: v for k, v in thing["spec"].items() if k != field or not leaving}
            there.cluster.api.call("PATCH", path, {**thing, "spec": spec}, kind=APPLY, query=query)

    flux(leaving=False)
    there.rolled_out("shop", 3)
    make("service", gitops="cooperate").adopt()
    selector = there.core.read_namespaced_service("shop", there.name).spec.selector
    flux(leaving=True)
    assert there.apps.read_namespaced_deployment("shop", there.name).spec.replicas == 3
    scaler = there.autoscaling.read_namespaced_horizontal_pod_autoscaler("shop", there.name)
    assert scaler.spec.min_replicas == 3
    assert there.core.read_namespaced_service("shop", there.name).spec.selector == selector
    assert selector["app"] == "shop"
