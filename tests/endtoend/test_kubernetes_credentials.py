"""A deployment whose credentials end on the way, with a plugin that hands out others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from clustered import Clustered, lost
from shop import ended, until

pytest_plugins = ["tests.cluster.fixtures"]
pytestmark = [pytest.mark.component("cluster"), pytest.mark.component("envoy")]

CONFIG = """\
application: my-app
environment: prod
platform: {{name: kubernetes, namespace: {namespace}, adopt: true}}
release: {{image: "example.com/shop"}}
look_every: 1s
strategies:
  blue-green: {{verify_for: 14s, keep_old_for: 1s, drain: 1s}}
"""
PLUGIN = """\
import json, pathlib
here = pathlib.Path(__file__).parent
with (here / "runs").open("a") as runs:
    runs.write(".")
kind = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
print(json.dumps({**kind, "status": {"token": (here / "token").read_text()}}))
"""
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "uno"}


def test_a_token_that_is_revoked_in_the_middle_is_replaced_by_another_one(there, tmp_path):
    from kubernetes import client

    app = Clustered(there, tmp_path)
    app.plain(replicas=2)
    app.configure(CONFIG.format(namespace=there.name))
    there.core.create_namespaced_service_account(there.name, {"metadata": {"name": "deployer"}})
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    there.rbac.create_namespaced_role(there.name, {"metadata": {"name": "uno"}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": "deployer", "namespace": there.name}
    bound = {"metadata": {"name": "uno"}, "roleRef": ROLE, "subjects": [subject]}
    there.rbac.create_namespaced_role_binding(there.name, bound)

    def token(secret):
        """Good for as long as the Secret is there."""
        there.core.create_namespaced_secret(there.name, {"metadata": {"name": secret}})
        asked = client.V1TokenRequestSpec(
            audiences=["https://kubernetes.default.svc"],
            bound_object_ref=client.V1BoundObjectReference(kind="Secret", api_version="v1", name=secret),
        )
        body = client.AuthenticationV1TokenRequest(spec=asked)
        made = there.core.create_namespaced_service_account_token("deployer", there.name, body)
        return made.status.token

    first, second = token("first"), token("second")
    (tmp_path / "login.py").write_text(PLUGIN)
    (tmp_path / "token").write_text(first)
    config = yaml.safe_load(Path(there.cluster.kubeconfig).read_text("utf-8"))
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable,
           "args": [str(tmp_path / "login.py")], "interactiveMode": "Never"}  # fmt: skip
    config["users"][0]["user"] = {"exec": run}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    app.kubeconfig = str(tmp_path / "kubeconfig")
    runs = tmp_path / "runs"
    with app.load() as load:
        process = app.start("uno_core", "deploy", "--strategy", "blue-green", "--version", "v1.1.0")
        until(lambda: process.poll() is not None or {"v1.1.0"} & {a.version for a in load.answers})
        before = len(runs.read_text())
        (tmp_path / "token").write_text(second)
        there.core.delete_namespaced_secret("first", there.name)
        ended(process)
    assert not lost(load)
    assert [a.version for a in sorted(load.answers, key=lambda a: a.at)][-1] == "v1.1.0"
    assert before < len(runs.read_text()) <= 2 * before, (
        "once for each part that asks, and not for each request"
    )
