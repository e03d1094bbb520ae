"""What goes wrong around a deployment on Kubernetes: the driver, the apiserver, the rights, the disk."""

from __future__ import annotations

import shutil

import pytest
import yaml
from clustered import Clustered, lost
from shop import ended, until

from tests.cluster.control import ADMINS
from tests.cluster.manifests import container, deployment, http_route, pod_spec, weighted

pytest_plugins = ["tests.cluster.fixtures"]
pytestmark = [pytest.mark.component("cluster"), pytest.mark.component("envoy")]

ROUTING = {"gateway.networking.k8s.io", "networking.istio.io"}
CONFIG = """\
application: my-app
environment: prod
platform: {{name: kubernetes, namespace: {namespace}, adopt: true}}
release: {{image: "example.com/shop"}}
traffic: {{grace: 500ms}}
state: platform
look_every: 1s
strategies:
  blue-green: {{verify_for: 2s, keep_old_for: 1s, drain: 1s}}
  canary: {{increments: [50, 100], increment_interval: 10s, keep_old_for: 1s, drain: 1s}}
"""


@pytest.fixture
def app(there, tmp_path):
    made = Clustered(there, tmp_path)
    made.plain(replicas=2)
    made.configure(CONFIG.format(namespace=there.name))
    return made


@pytest.fixture
def routed(app):
    app.there.make(http_route("my-app", host(app), weighted(my_app=1)))
    app.there.serves(host(app), "v1.0.0")
    return app


def host(app):
    """One for each test: the namespace of the one before is still being deleted."""
    return f"shop.{app.there.name}.example.com"


def deploying(app, strategy, tag="v1.1.0", *more):
    return app.start("uno_core", "deploy", "--strategy", strategy, "--version", tag, *more)


def green(app):
    """The weight that the new release has."""
    route = app.there.custom.get_namespaced_custom_object(
        "gateway.networking.k8s.io", "v1", app.there.name, "httproutes", "my-app"
    )
    refs = route["spec"]["rules"][0]["backendRefs"]
    return next((ref["weight"] for ref in refs if ref["name"] == "my-app-green"), 0)


def status(app):
    return app.uno("status", "--output", "json").document["deployment"]["status"]


@pytest.mark.parametrize("verb", ["resume", "rollback", "promote"])
def test_another_machine_takes_over_when_the_runner_dies_with_its_disk(routed, verb):
    with routed.load(host=host(routed)) as load:
        gate = ["--option", "strategy.gates=[50]"] if verb == "promote" else []
        process = deploying(routed, "canary", "v1.1.0", *gate)
        until(lambda: green(routed) == 1000)
        if gate:
            until(
                lambda: routed.uno("status", "--output", "json").document["deployment"]["status"] == "paused"
            )
        process.kill()
        process.communicate()
        for kept in routed.folder.iterdir():
            if kept.name != "uno.yaml":
                shutil.rmtree(kept)
        if verb != "rollback":
            routed.uno("unlock", "--force")  # or wait until the lease has expired
        routed.uno(verb, *{"rollback": ["--take-over"], "promote": ["--full"]}.get(verb, []))
    assert not lost(load)
    versions = [a.version for a in sorted(load.answers, key=lambda a: a.at)]
    assert versions[-1] == ("v1.0.0" if verb == "rollback" else "v1.1.0")


def test_an_apiserver_that_is_restarted_in_the_middle_loses_no_request(routed):
    with routed.load(host=host(routed)) as load:
        process = deploying(routed, "canary")
        until(lambda: green(routed) == 1000)
        routed.there.cluster.restart_apiserver(hard=True)
        ended(process)
    assert not lost(load)
    assert load.of("v1.1.0")


def test_an_apiserver_that_is_busy_and_fails_is_asked_again(app):
    front = app.there.cluster.front
    app.kubeconfig = str(front.kubeconfig("busy", *ADMINS))
    faults = [
        front.inject(status=429, retry_after=1, times=3),
        front.inject(status=500, method="GET", times=3),
        front.inject(status=503, method="PATCH", times=2),
        front.inject(lost=True, method="PATCH", times=2),
    ]
    try:
        with app.load() as load:
            process = deploying(app, "blue-green")
            until(lambda: process.poll() is not None or all(fault.hits for fault in faults))
            front.cut_watches()
            ended(process)
    finally:
        front.heal()
    assert not lost(load)
    assert all(fault.hits for fault in faults)


def test_the_least_role_is_enough_and_whatever_is_missing_is_named(app, pytestconfig):
    page = (pytestconfig.rootpath / "docs" / "kubernetes.md").read_text("utf-8")
    role = yaml.safe_load(page.partition(":caption: role.yaml\n")[2].partition("```")[0])
    # There is no route here, and so no right to look for one.
    role["rules"] = [rule for rule in role["rules"] if not set(rule["apiGroups"]) & ROUTING]
    app.there.rbac.create_namespaced_role(app.there.name, {**role, "metadata": {"name": "uno"}})
    app.there.rbac.create_namespaced_role_binding(
        app.there.name,
        {
            "metadata": {"name": "uno"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "uno"},
            "subjects": [{"kind": "User", "name": "deployer", "apiGroup": "rbac.authorization.k8s.io"}],
        },
    )
    app.kubeconfig = str(app.there.cluster.kubeconfig_of("deployer"))
    assert "permissions: all " in app.uno("doctor").out
    with app.load() as load:
        ended(deploying(app, "blue-green"))
        assert not lost(load)
        rules = [rule for rule in role["rules"] if "deployments" not in rule["resources"]]
        app.there.rbac.patch_namespaced_role("uno", app.there.name, {"rules": rules})
        said = ended(deploying(app, "blue-green", "v1.2.0"), code=9)
    assert 'cannot list resource "deployments"' in said.err
    assert "Role" in said.err or "role" in said.err
    # And beforehand, all at once, with the line that is missing.
    told = app.uno("doctor", code=9).out
    assert "get, list, watch, create, patch deployments.apps" in told
    assert "add to the role of deployer: {apiGroups: [apps], resources: [deployments]" in told
    assert "Traceback" not in told


def test_a_release_of_before_serves_again_and_its_companions_go_with_it(app):
    there, worker = app.there, container("v1.0.0")
    there.make(deployment("worker", pod_spec(worker), replicas=1))
    app.configure(CONFIG.format(namespace=there.name) + "companions: [deployment/worker]\n")

    def works():
        (one,) = there.apps.read_namespaced_deployment("worker", there.name).spec.template.spec.containers
        return one.image.partition(":")[2]

    for tag in ("v1.1.0", "v1.2.0", "v1.3.0"):
        said = ended(deploying(app, "blue-green", tag))
        assert "companion deployment/worker: ready" in said.err
        assert works() == tag
    with app.load() as load:
        app.uno("rollback", "--to", "v1.1.0")
    assert not lost(load)
    assert works() == "v1.1.0"
    assert [a.version for a in sorted(load.answers, key=lambda a: a.at)][-1] == "v1.1.0"


def test_what_git_keeps_as_it_is_is_not_fought_over(app):
    body = {"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:my-app"}}}
    app.there.apps.patch_namespaced_deployment("my-app", app.there.name, body)
    said = ended(deploying(app, "blue-green"), code=2)
    assert "Argo CD keeps my-app as it is" in said.err
    assert "platform.gitops: cooperate" in said.err


def test_what_selects_both_slots_is_refused_unless_it_is_listed(app):
    from tests.cluster.manifests import service

    app.there.make(service("metrics", app="my-app"))
    said = ended(deploying(app, "blue-green"), code=2)
    assert "service/metrics" in said.err
    app.configure(
        CONFIG.format(namespace=app.there.name).replace(
            "adopt: true", "adopt: true, beside: [service/metrics]"
        )
    )
    ended(deploying(app, "blue-green"))


def test_what_was_there_before_is_taken_over_without_a_deployment(app):
    app.configure(CONFIG.format(namespace=app.there.name).replace(", adopt: true", ""))
    pods = app.there.ready("my-app")
    pin = "the selector of the Service my-app will be app=my-app,pod-template-hash="
    planned = app.uno("plan", "--strategy", "blue-green", "--version", "v1.1.0")
    for said in (planned.out + planned.err, app.uno("adopt", "--dry-run").out):
        assert "others own what it has to write: spec.replicas of my-app (tests)" in said
        assert pin in said
    refused = ended(deploying(app, "blue-green"), code=2)
    assert "somebody else owns what uno has to write" in refused.err
    with app.load() as load:
        done = app.uno("adopt", "--output", "json").document["done"]
        assert done[0] == "took over spec.replicas of my-app (tests)"
        assert done[-1].startswith(pin.replace("will be", "is"))
        assert app.there.ready("my-app") == pods
        assert "there is nothing to take over" in app.uno("adopt").out
        said = ended(deploying(app, "blue-green"))
    assert not lost(load)
    assert "took over" not in said.err
