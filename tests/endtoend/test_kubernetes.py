"""The document's own command lines on a real control plane, with every request counted."""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from datetime import UTC, datetime

import pytest
from clustered import Clustered, lost
from shop import ended, until

from tests.cluster.manifests import http_route, weighted

pytest_plugins = ["tests.cluster.fixtures"]
pytestmark = [pytest.mark.component("cluster"), pytest.mark.component("envoy")]

SLOT = "http://my-app-{env}.example.com"
HEALTH = f"--health-check-url={SLOT}/health"
DEPLOY = (
    "uno.deployment.scripts.deploy", "--app-name", "my-app", "--environment", "prod", "--platform",
    "kubernetes", "--config-file", "uno.yaml",
)  # fmt: skip
QUICK = ("--option=strategy.keep_old_for=1s", "--option=strategy.drain=1s", "--option=strategy.verify_for=2s")
ROUTE = ("gateway.networking.k8s.io", "v1", "httproutes", "my-app")
CONFIG = """\
application: my-app
environment: prod
platform: {{name: kubernetes, namespace: {namespace}}}
release: {{image: "example.com/shop"}}
look_every: 1s
strategies:
  rolling: {{batch_size: 2}}
  canary: {{increments: [50, 100], increment_interval: 10s, keep_old_for: 1s, drain: 1s}}
{more}
"""


@pytest.fixture
def app(there, tmp_path):
    return Clustered(there, tmp_path)


def blue_green(app, tag, *more, code=0):
    """As the document has it."""
    return app.run(
        "uno.deployment.scripts.blue_green", "--app-name", "my-app", "--namespace", app.there.name,
        "--image-tag", tag, *QUICK, *more, code=code,
    )  # fmt: skip


def deploy(app, strategy, tag, *more, code=0):
    """As the document has it, with the version that its configuration would name."""
    return app.run(*DEPLOY, "--strategy", strategy, "--version", tag, *more, code=code)


def replicas(app):
    found = app.there.apps.list_namespaced_deployment(app.there.name).items
    return {one.metadata.name: one.spec.replicas for one in found}


def uids(app):
    return {pod.metadata.uid for pod in app.there.pods("app=my-app")}


def route(app):
    return app.there.custom.get_namespaced_custom_object(*ROUTE[:2], app.there.name, *ROUTE[2:])


def weights(app):
    (rule,) = route(app)["spec"]["rules"]
    return {ref["name"]: ref.get("weight") for ref in rule["backendRefs"]}


def edit(app, **shares):
    """As somebody with kubectl."""
    refs = [{"name": f"my-app-{slot}", "port": 80, "weight": weight} for slot, weight in shares.items()]
    body = {"spec": {"rules": [{"backendRefs": refs}]}}
    app.there.custom.patch_namespaced_custom_object(
        *ROUTE[:2], app.there.name, *ROUTE[2:], body, _content_type="application/merge-patch+json"
    )


def steps(app):
    """Of the shares that were waited on in the last deployment: which, from when, until when."""
    told = app.uno("show", "--config-file", "uno.yaml", "--output", "json").document
    now, clock = datetime.now(UTC), time.monotonic()
    results = [line for line in told["journal"] if line["mark"] == "result"]
    found, share = [], 0.0
    for line in told["journal"]:
        if line["op"] == "set_traffic" and line["mark"] == "intent":
            share = line["value"]["split"]["green"]
        if line["op"] == "wait" and line["mark"] == "intent" and 0 < share < 100:
            end = next(one for one in results if (one["run"], one["seq"]) == (line["run"], line["seq"]))
            times = [datetime.fromisoformat(one["at"]) for one in (line, end)]
            found.append((share, *(clock - (now - at).total_seconds() for at in times)))
    return found


def test_blue_green_over_a_plain_deployment_there_and_back_and_there(app):
    """The document's own command line."""
    app.plain()
    before = uids(app)
    with app.load() as load:
        said = blue_green(app, "v1.1.0", HEALTH)
        assert "took over what others own" in said.err
        assert before <= {pod.metadata.uid for pod in app.there.pods("app=my-app")}, (
            "what served still stands"
        )
        blue_green(app, "v1.2.0", HEALTH)
        blue_green(app, "v1.3.0", HEALTH)
    assert not lost(load)
    assert [a.version for a in sorted(load.answers, key=lambda a: a.at)][-1] == "v1.3.0"
    assert replicas(app) == {"my-app": 0, "my-app-blue": 3, "my-app-green": 3}


@pytest.mark.parametrize(
    ("tag", "words"),
    [("v2.0.0-unready", "readiness probe"), ("v2.0.0-crash", r"it ended with 1, \d+ times so far")],
)
def test_a_version_that_never_gets_ready_gets_no_request(app, tag, words):
    app.plain()
    with app.load() as load:
        said = blue_green(app, tag, "--option=strategy.ready_timeout=20s", code=3)
    assert not lost(load)
    assert set(Counter(a.version for a in load.answers)) == {"v1.0.0"}
    assert re.search(words, said.err)
    assert replicas(app)["my-app-green"] == 0


def test_an_image_that_is_not_there_is_told_at_once(app):
    app.plain()
    app.configure(
        CONFIG.format(namespace=app.there.name, more="").replace("example.com/shop", "example.com/missing")
    )
    said = deploy(app, "blue-green", "v2.0.0", code=3)
    assert "app: ErrImagePull" in said.err or "app: ImagePullBackOff" in said.err
    assert replicas(app)["my-app-green"] == 0


def test_a_health_check_that_fails_after_the_switch_takes_the_traffic_back(app):
    """It is well until its users come."""
    app.plain()
    before = uids(app)
    with app.load() as load:
        said = blue_green(app, "v1.1.0-sick", HEALTH.replace("/health", "/healthz"), code=3)
    assert not lost(load)
    assert "503" in said.err
    seen = [a.version for a in sorted(load.answers, key=lambda a: a.at)]
    assert "v1.1.0-sick" in seen
    assert seen[-1] == "v1.0.0"
    assert before <= uids(app), "old pods were never touched"


def host(app):
    """One for each test: the namespace of the one before is still being deleted."""
    return f"shop.{app.there.name}.example.com"


class TestCanary:
    @pytest.fixture
    def routed(self, app):
        app.plain(replicas=4)
        app.there.make(http_route("my-app", host(app), weighted(my_app=1)))
        app.there.serves(host(app), "v1.0.0")
        app.configure(CONFIG.format(namespace=app.there.name, more=""))
        return app

    def test_it_grows_over_an_http_route(self, routed):
        with routed.load(host=host(routed), rate=150) as load:
            deploy(routed, "canary", "v1.1.0")
        assert not lost(load)
        shares = steps(routed)
        assert [share for share, *_ in shares] == [10.0, 50.0]
        for share, begun, end in shares:
            answers = [a for a in load.answers if begun < a.at < end]
            mine = sum(a.version == "v1.1.0" for a in answers)
            spread = 4 * math.sqrt(share / 100 * (1 - share / 100) / len(answers))
            assert abs(mine / len(answers) - share / 100) < spread, f"{mine} of {len(answers)} at {share} %"

    def test_a_bad_one_goes_back(self, routed):
        with routed.load(host=host(routed)) as load:
            deploy(routed, "canary", "v1.1.0-sick", "--option", f"health.url={SLOT}/healthz",
                   "--option", "health.name=http", code=3)  # fmt: skip
        assert not lost(load)
        assert [a.version for a in sorted(load.answers, key=lambda a: a.at)][-1] == "v1.0.0"

    def test_somebody_else_who_changes_the_weights_stops_it(self, routed):
        process = routed.start(*DEPLOY, "--strategy", "canary", "--version", "v1.1.0")
        until(lambda: weights(routed) == {"my-app-blue": 9000, "my-app-green": 1000})
        time.sleep(1)  # until uno has seen that it is in force
        edit(routed, blue=50, green=50)
        said = ended(process, code=7)
        assert "blue 90 %, green 10 %" in said.err
        assert weights(routed) == {"my-app-blue": 50, "my-app-green": 50}, "what somebody wrote is not undone"


def test_rolling_moves_batches_and_a_bad_one_goes_back(app):
    app.plain(replicas=6)
    app.configure(CONFIG.format(namespace=app.there.name, more=""))
    with app.load() as load:
        deploy(app, "rolling", "v1.1.0")
        assert replicas(app) == {"my-app": 0, "my-app-green": 6}
        deploy(app, "rolling", "v1.2.0-unready", "--option", "strategy.batch_timeout=15s", code=3)
    assert not lost(load)
    assert set(Counter(a.version for a in load.answers)) == {"v1.0.0", "v1.1.0"}
