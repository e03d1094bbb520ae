"""Somebody else at work in the same namespace, in the middle of a deployment."""

from __future__ import annotations

import http.client
import time

import pytest
from clustered import Clustered, lost
from reconciling import Reconciler
from shop import ended, until

from tests.cluster.manifests import container, deployment, http_route, pod_spec, service, weighted

pytest_plugins = ["tests.cluster.fixtures"]
pytestmark = [pytest.mark.component("cluster"), pytest.mark.component("envoy")]

CONFIG = """\
application: my-app
environment: prod
platform: {{name: kubernetes, namespace: {namespace}, adopt: true}}
release: {{image: "example.com/shop"}}
traffic: {{grace: 500ms}}
look_every: 1s
strategies:
  blue-green: {{verify_for: 3s, keep_old_for: 1s, drain: 1s}}
  canary: {{increments: [50, 100], increment_interval: 10s, keep_old_for: 1s, drain: 1s}}
"""


@pytest.fixture
def app(there, tmp_path):
    made = Clustered(there, tmp_path)
    made.plain(replicas=4)
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


def route(app):
    return app.there.custom.get_namespaced_custom_object(
        "gateway.networking.k8s.io", "v1", app.there.name, "httproutes", "my-app"
    )


def weights(app):
    refs = route(app)["spec"]["rules"][0]["backendRefs"]
    return {ref["name"]: ref.get("weight") for ref in refs}


def ready(app, name):
    return app.there.apps.read_namespaced_deployment(name, app.there.name).status.ready_replicas or 0


def scale(app, name, replicas):
    app.there.apps.patch_namespaced_deployment_scale(name, app.there.name, {"spec": {"replicas": replicas}})


def canary(app, *more):
    process = app.start("uno_core", "deploy", "--strategy", "canary", "--version", "v1.1.0", *more)
    until(lambda: weights(app) == {"my-app-blue": 9000, "my-app-green": 1000})
    return process


def versions(load):
    return [answer.version for answer in sorted(load.answers, key=lambda a: a.at)]


def test_the_old_slot_scaled_down_is_brought_up_before_it_gets_its_traffic_back(routed):
    with routed.load(host=host(routed)) as load:
        process = canary(routed)
        scale(routed, "my-app", 1)
        until(lambda: ready(routed, "my-app") == 1)
        routed.uno("abort")
        ended(process, code=3)
        assert ready(routed, "my-app") == 4
    assert not lost(load)
    assert versions(load)[-1] == "v1.0.0"


def test_the_new_slot_scaled_down_is_no_success(routed):
    with routed.load(host=host(routed)) as load:
        process = canary(routed, "--option", "strategy.increments=[100]")
        until(lambda: weights(routed) == {"my-app-blue": 0, "my-app-green": 10_000})
        scale(routed, "my-app-green", 1)
        said = ended(process, code=3)
    assert not lost(load)
    assert versions(load)[-1] == "v1.0.0"
    assert "1 of 4 instances are ready in green" in said.err


@pytest.mark.parametrize(
    ("gone", "words"),
    [("Deployment", "no instance runs in green"), ("Service", "no Service my-app-green with port 80")],
)
def test_what_the_new_release_stands_on_deleted_takes_the_traffic_back(routed, gone, words):
    with routed.load(host=host(routed)) as load:
        process = canary(routed)
        if gone == "Deployment":
            routed.there.apps.delete_namespaced_deployment("my-app-green", routed.there.name)
        else:
            routed.there.core.delete_namespaced_service("my-app-green", routed.there.name)
        said = ended(process, code=3)
        back = time.monotonic()
        until(lambda: load.answers[-1].at > back + 1)
    assert words in said.err
    assert weights(routed) == {"my-app-blue": 10_000, "my-app-green": 0}
    assert not [answer for answer in lost(load) if answer.at > back]
    assert {answer.version for answer in load.answers if answer.at > back} == {"v1.0.0"}


def test_a_selector_that_somebody_wrote_stops_it(app):
    with app.load() as load:
        process = app.start("uno_core", "deploy", "--strategy", "blue-green", "--version", "v1.1.0")
        until(lambda: "v1.1.0" in {a.version for a in load.answers})
        time.sleep(1.5)  # until uno has seen that it is in force
        app.there.core.patch_namespaced_service(
            "my-app", app.there.name, {"spec": {"selector": {"uno.dev/slot": None}}}
        )
        said = ended(process, code=7)
    assert not lost(load)
    assert "found: blue 50 %, green 50 %" in said.err
    selector = app.there.core.read_namespaced_service("my-app", app.there.name).spec.selector
    assert selector == {"app": "my-app"}, "what somebody wrote is not undone"


def test_an_abort_waits_neither_for_one_old_pod_nor_for_new_ones_that_crash(there, tmp_path):
    app = Clustered(there, tmp_path)
    app.plain(replicas=10)
    app.configure(CONFIG.format(namespace=there.name))
    there.make(http_route("my-app", host(app), weighted(my_app=1)))
    there.serves(host(app), "v1.0.0")
    with app.load(host=host(app)) as load:
        process = canary(app)
        until(lambda: weights(app) == {"my-app-blue": 5000, "my-app-green": 5000})
        slow, *_ = there.pods("app=my-app,!uno.dev/slot")
        ask(slow, "/ready/no")
        until(lambda: ready(app, "my-app") == 9)
        abort = app.start("uno_core", "abort")
        for pod in there.pods("app=my-app,uno.dev/slot=green"):
            ask(pod, "/die")
        until(lambda: weights(app) == {"my-app-blue": 10_000, "my-app-green": 0})
        back = time.monotonic()
        assert ready(app, "my-app") == 9
        until(lambda: load.answers[-1].at > back + 2)
        ask(slow, "/ready/yes")
        ended(abort)
        ended(process, code=3)
    assert not [answer for answer in lost(load) if answer.at > back + 1]
    assert versions(load)[-1] == "v1.0.0"


def ask(pod, path):
    """As its own kubelet would reach it."""
    connection = http.client.HTTPConnection("127." + pod.status.pod_ip.partition(".")[2], 8080, timeout=5)
    try:
        connection.request("POST", path)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        assert path == "/die"
    finally:
        connection.close()


GIT = [
    {**deployment("my-app", pod_spec(container("v1.0.0")), replicas=3)},
    {**service("my-app")},
]


def test_a_manager_that_heals_and_prunes_with_the_rules_does_no_harm(there, tmp_path):
    app = gitops(there, tmp_path)
    rules = ["Deployment spec.replicas", "Service spec.selector"]
    with Reconciler(there, GIT, ignored=rules) as manager, app.load() as load:
        for tag in ("v1.1.0", "v1.2.0"):
            ended(app.start("uno_core", "deploy", "--strategy", "blue-green", "--version", tag))
        assert versions(load)[-1] == "v1.2.0"
        manager.healed.clear()
        app.uno("rollback")
    assert not lost(load)
    assert versions(load)[-1] == "v1.1.0"
    assert not manager.pruned, "what uno made is none of the manager's"
    assert not manager.healed, "nothing that git says was changed"


def test_a_manager_that_heals_what_uno_writes_stops_it(there, tmp_path):
    app = gitops(there, tmp_path)
    with Reconciler(there, GIT), app.load() as load:
        process = app.start("uno_core", "deploy", "--strategy", "blue-green", "--version", "v1.1.0")
        said = ended(process, code=7)
    assert not lost(load)
    assert "somebody else changed the split" in said.err
    assert ready(app, "my-app") == 3


def gitops(there, folder):
    """An application that a manager keeps as it is in git; uno was told that it has the rules."""
    app = Clustered(there, folder)
    app.plain()
    app.configure(
        CONFIG.format(namespace=there.name).replace("adopt: true", "adopt: true, gitops: cooperate")
    )
    return app
