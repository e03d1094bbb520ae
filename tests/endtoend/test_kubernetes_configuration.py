"""A release whose configuration goes with it: from a manifest, with a worker beside it, there and back."""

from __future__ import annotations

import pytest
import yaml
from clustered import Clustered, lost

from tests.cluster.manifests import container, deployment, pod_spec, service

pytest_plugins = ["tests.cluster.fixtures"]
pytestmark = [pytest.mark.component("cluster"), pytest.mark.component("envoy")]

CONFIG = """\
application: my-app
environment: prod
platform: {{name: kubernetes, namespace: {namespace}, manifest: deploy, versioned: true, adopt: true}}
companions: [deployment/worker]
strategy: blue-green
strategies:
  blue-green: {{verify_for: 2s, keep_old_for: 1m, drain: 1s}}
"""


@pytest.fixture
def app(there, tmp_path):
    made = Clustered(there, tmp_path)
    made.configure(CONFIG.format(namespace=there.name))
    return made


def write(app, colour):
    """As somebody commits it."""
    env = [{"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "paint", "key": "colour"}}}]
    held = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "paint"},
        "data": {"colour": colour},
    }
    things = [
        deployment("my-app", pod_spec(container("v0.0.0", env=env)), replicas=2),
        held,
        service("my-app"),
    ]
    (app.folder / "deploy").mkdir(exist_ok=True)
    (app.folder / "deploy" / "my-app.yaml").write_text(yaml.safe_dump_all(things))


def served(app):
    """What the configuration says in the pods that users are led to."""
    host = app.there.host("my-app")
    return {app.there.cluster.ask(host, "/env/COLOUR")[1].strip() for _ in range(20)}


def works(app):
    (one,) = app.there.apps.read_namespaced_deployment("worker", app.there.name).spec.template.spec.containers
    return one.image.partition(":")[2]


def test_the_configuration_goes_with_its_release_and_comes_back_with_it(app):
    app.there.make(deployment("worker", pod_spec(container("v0.0.0")), replicas=1))
    write(app, "red")
    planned = app.uno("plan", "--version", "v1.0.0")
    assert "there is no Deployment my-app yet: it is made of" in planned.out
    assert "the Service my-app is made, as the manifest has it" in planned.out
    assert not app.there.core.list_namespaced_service(app.there.name).items, "a plan makes nothing"
    app.uno("deploy", "--version", "v1.0.0")
    assert (served(app), works(app)) == ({"red"}, "v1.0.0")

    write(app, "blue")
    with app.load() as load:
        planned = app.uno("plan", "--version", "v1.0.0")
        assert "changed configuration: v1.0.0 serves already, configured in another way" in planned.out
        app.uno("deploy", "--version", "v1.0.0")
        assert served(app) == {"blue"}
        app.uno("rollback")
        assert served(app) == {"red"}, "whatever the manifest says by now"
        said = app.uno("deploy", "--version", "v1.1.0")
        assert "companion deployment/worker: ready" in said.err
        assert (served(app), works(app)) == ({"blue"}, "v1.1.0")
        app.uno("rollback")
        assert (served(app), works(app)) == ({"red"}, "v1.0.0")
    assert not lost(load)
