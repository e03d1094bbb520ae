"""An autoscaler beside a deployment: the test cluster's own controller, with what the test says pods use."""

from __future__ import annotations

from collections import Counter

import pytest
from clustered import Clustered, lost
from scaled import REQUESTS, autoscaler, replicas, scaled_by, wants_fewer
from shop import ended, until

from tests.cluster.manifests import http_route, weighted

pytest_plugins = ["tests.cluster.fixtures"]
pytestmark = [pytest.mark.component("cluster"), pytest.mark.component("envoy")]

ROUTE = ("gateway.networking.k8s.io", "v1", "httproutes")
CONFIG = """\
application: my-app
environment: prod
platform: {{name: kubernetes, namespace: {namespace}, adopt: true}}
release: {{image: "example.com/shop"}}
traffic: {{grace: 500ms}}
look_every: 1s
strategies:
  blue-green: {{verify_for: 1s, keep_old_for: 1s, drain: 1s}}
  canary: {{increments: [50, 100], increment_interval: 60s, keep_old_for: 1s, drain: 1s}}
"""


def of(there, slot):
    return [
        pod for pod in there.pods(f"app=my-app,uno.dev/slot={slot}") if not pod.metadata.deletion_timestamp
    ]


def host(app):
    return f"shop.{app.there.name}.example.com"


def weight(app, slot):
    route = app.there.custom.get_namespaced_custom_object(*ROUTE[:2], app.there.name, *ROUTE[2:], "my-app")
    refs = route["spec"]["rules"][0]["backendRefs"]
    return next((ref["weight"] for ref in refs if ref["name"] == f"my-app-{slot}"), 0)


@pytest.fixture
def app(there, metrics, tmp_path):
    made = Clustered(there, tmp_path)
    made.plain(replicas=4, **REQUESTS)
    metrics.use(there.name, "my-app-green", cpu="50m")
    metrics.use(there.name, "my-app", cpu="50m")
    scaled_by(there, "my-app")
    made.configure(CONFIG.format(namespace=there.name))
    return made


def test_it_cannot_shrink_what_a_rollback_needs(app, metrics):
    there = app.there
    there.make(http_route("my-app", host(app), weighted(my_app=1)))
    there.serves(host(app), "v1.0.0")
    with app.load(host=host(app)) as load:
        process = app.start("uno_core", "deploy", "--strategy", "canary", "--version", "v1.1.0")
        until(lambda: weight(app, "green") == 1000)
        metrics.use(there.name, "my-app", cpu="1m")
        until(lambda: wants_fewer(there, "my-app"))
        assert autoscaler(there, "my-app").spec.min_replicas == 4
        assert replicas(there, "my-app") == 4, "it has kept what it had when it carried everything"
        app.uno("abort")
        ended(process, code=3)
        assert weight(app, "blue") == 10_000
    assert not lost(load)
    assert Counter(a.version for a in load.answers)["v1.1.0"], "the canary had its share"
    restored = autoscaler(there, "my-app")
    assert restored.spec.min_replicas == 1, "what was the autoscaler's own is put back"
    assert "uno.dev/floor" not in (restored.metadata.annotations or {})
    there.rolled_out("my-app", 1)


def test_each_slot_is_scaled_as_the_first_one_was(app, metrics):
    there = app.there

    def deploy(tag):
        ended(app.start("uno_core", "deploy", "--strategy", "blue-green", "--version", tag))

    with app.load() as load:
        deploy("v1.1.0")
        moved = autoscaler(there, "my-app")
        assert (moved.spec.scale_target_ref.name, moved.spec.min_replicas) == ("my-app-green", 1)
        metrics.use(there.name, "my-app-green", cpu="75m")
        there.rolled_out("my-app-green", 6)
        metrics.use(there.name, "my-app-green", cpu="50m")
        deploy("v1.2.0")
        assert replicas(there, "my-app-blue") == 6, "as many as the load had made of it"
    assert not lost(load)
    made = autoscaler(there, "my-app-blue")
    assert (made.spec.scale_target_ref.name, made.spec.min_replicas) == ("my-app-blue", 1)
    assert made.spec.metrics == moved.spec.metrics
    metrics.use(there.name, "my-app-blue", cpu="1m")
    there.rolled_out("my-app-blue", 1)


def test_what_the_autoscaler_does_not_permit_is_refused(app):
    text = CONFIG.format(namespace=app.there.name)
    app.configure(text.replace("adopt: true", "adopt: true, instances: 9"))
    said = ended(app.start("uno_core", "deploy", "--strategy", "canary", "--version", "v1.1.0"), code=2)
    assert "9 pods are more than the HorizontalPodAutoscaler my-app permits" in said.err
    assert "maxReplicas: 8" in said.err
