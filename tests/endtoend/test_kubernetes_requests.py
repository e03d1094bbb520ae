"""How much a deployment asks the apiserver, by its audit log."""

from __future__ import annotations

from collections import Counter

import pytest
from clustered import Clustered
from shop import ended

from tests.cluster.manifests import http_route, weighted

pytest_plugins = ["tests.cluster.fixtures"]
pytestmark = [pytest.mark.component("cluster"), pytest.mark.component("envoy")]

CONFIG = """\
application: my-app
environment: prod
platform: {{name: kubernetes, namespace: {namespace}, adopt: true}}
release: {{image: "example.com/shop"}}
traffic: {{grace: 500ms}}
state: platform
strategies:
  blue-green: {{verify_for: {wait}, keep_old_for: 1s, drain: 1s}}
  canary: {{increments: [50, 100], increment_interval: 10s, keep_old_for: 1s, drain: 1s}}
"""
AGENT = "uno ("
STATE = {"configmaps", "leases"}


@pytest.fixture
def app(there, tmp_path):
    made = Clustered(there, tmp_path)
    made.plain(replicas=3)
    return made


def asked(app, strategy, tag, *, wait="2s"):
    """How often one deployment asked for what; a watch counts once for each minute."""
    app.configure(CONFIG.format(namespace=app.there.name, wait=wait))
    app.there.cluster.audit.mark()
    ended(app.start("uno_core", "deploy", "--strategy", strategy, "--version", tag))
    found = app.there.cluster.audit.requests(AGENT, app.there.name)
    return Counter((one.verb, one.resource) for one in found)


def split(counted):
    """The requests for the deployment, and those for its journal and lock."""
    kept = sum(n for (_, resource), n in counted.items() if resource in STATE)
    return sum(counted.values()) - kept, kept


def test_a_wait_asks_nothing_but_keeps_its_lease(app):
    asked(app, "blue-green", "v1.1.0")
    short = asked(app, "blue-green", "v1.2.0")
    longer = asked(app, "blue-green", "v1.3.0", wait="22s")
    more = split(longer - short)[0]
    assert more < 10, f"a look every second would be 20 more: {longer - short}"
    assert split(short)[0] < 60, short  # 42 were counted
    assert split(longer)[1] < 150, longer  # 90
    renewed = (longer - short)["patch", "leases"]
    assert renewed <= 3, "every 15 s"


def test_a_canary_asks_about_twenty_times_for_each_step(app):
    app.there.make(http_route("my-app", f"shop.{app.there.name}.example.com", weighted(my_app=1)))
    app.there.serves(f"shop.{app.there.name}.example.com", "v1.0.0")
    assert split(asked(app, "canary", "v1.1.0"))[0] < 110  # 105 were counted with five steps
