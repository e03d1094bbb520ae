"""Two places of Kubernetes, each with a Service of its own, behind one name in a real BIND."""

from __future__ import annotations

import http.client
import time

import pytest
import yaml
from attrs import define, field
from bind import NAME, SECRET, Bind
from clustered import Clustered
from dialled import Dialled, asked
from placed import server_of
from scaled import REQUESTS, autoscaler, replicas, scaled_by, wants_fewer
from shop import ended, free_port, until
from steady import Answer

from tests.cluster.manifests import container, deployment, pod_spec, service
from tests.cluster.namespaced import Namespaced

pytest_plugins = ["tests.cluster.fixtures"]
pytestmark = [
    pytest.mark.component("bind"), pytest.mark.component("cluster"), pytest.mark.component("envoy"),
]  # fmt: skip
ADDRESSES = {"blue": "192.0.2.10", "green": "198.51.100.10"}


@define
class Entering(Dialled):
    """Clients for whom each address is the entrance of one place: its host at the cluster's own entrance."""

    hosts: dict[str, str] = field(kw_only=True)

    def _asked(self, address: str) -> Answer:
        at = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/", headers={"Host": self.hosts[address]})
            answer = connection.getresponse()
            said = answer.read().decode().split()
            return Answer(at, answer.status, said[0] if said else "")
        except (OSError, http.client.HTTPException):
            return Answer(at, 0, "")
        finally:
            connection.close()


@pytest.fixture
def west(there, cluster, kubernetes_client):
    """A second namespace, as a second cluster is one."""
    name = f"{there.name}-west"
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    until(lambda: cluster.api.get(f"/api/v1/namespaces/{name}/serviceaccounts")["items"])
    yield Namespaced(name, cluster, kubernetes_client)
    cluster.api.call("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def bind(tmp_path):
    running = Bind(tmp_path / "bind", "127.0.0.1", free_port(), records=f"shop 2 A {ADDRESSES['blue']}")
    running.start()
    yield running
    running.stop(kill=True)


@pytest.fixture
def app(there, west, bind, tmp_path, monkeypatch):
    """Three pods here that carry everything, and one there."""
    for place, count in ((there, 3), (west, 1)):
        spec = pod_spec(container("v1.0.0", **REQUESTS))
        place.make(deployment("my-app", spec, replicas=count), service("my-app"))
        place.rolled_out("my-app", count)
        place.serves(place.host("my-app"), "v1.0.0")
    monkeypatch.setenv("UNO_TSIG", SECRET)
    app = Clustered(there, tmp_path)
    config = {
        "application": "my-app",
        "environment": "prod",
        "release": {"image": "example.com/shop"},
        "platform": {
            "name": "kubernetes", "adopt": True,
            "slots": {"blue": {"namespace": there.name}, "green": {"namespace": west.name}},
        },
        "traffic": {
            "name": "dns", "record": NAME, "ttl": "2s", "overstay": "1s", "rfc2136": server_of(bind),
            "addresses": {slot: [address] for slot, address in ADDRESSES.items()},
        },
        "look_every": "1s",
        "strategy": "blue-green",
        "strategies": {"blue-green": {"verify_for": "6s", "keep_old_for": "1s", "drain": "1s"}},
    }  # fmt: skip
    app.configure(yaml.safe_dump(config))
    return app


def test_from_one_place_to_the_other_and_back_nothing_is_lost(app, there, west, bind):
    hosts = {ADDRESSES["blue"]: there.host("my-app"), ADDRESSES["green"]: west.host("my-app")}
    server = (bind.address, bind.port)
    with Entering(there.cluster.port, 40.0, server=server, name=NAME, hosts=hosts) as load:
        app.uno("deploy", "--strategy", "blue-green", "--image-tag", "v2.0.0")
        assert asked(server, NAME) == [ADDRESSES["green"]]
        west.serves(west.host("my-app"), "v2.0.0")
        there.serves(there.host("my-app"), "v1.0.0")
        app.uno("deploy", "--strategy", "blue-green", "--image-tag", "v3.0.0")
        assert asked(server, NAME) == [ADDRESSES["blue"]]
        there.serves(there.host("my-app"), "v3.0.0")
    assert not load.lost(), load.lost()
    assert load.of("v2.0.0")
    assert load.of("v3.0.0")


def test_the_autoscaler_of_a_place_keeps_what_a_rollback_needs(app, there, bind, metrics):
    metrics.use(there.name, "my-app", cpu="50m")
    scaled_by(there, "my-app")
    process = app.start("uno_core", "deploy", "--image-tag", "v2.0.0", "--option", "strategy.verify_for=10m")
    until(lambda: asked((bind.address, bind.port), NAME) == [ADDRESSES["green"]])
    metrics.use(there.name, "my-app", cpu="1m")
    until(lambda: wants_fewer(there, "my-app"))
    assert (autoscaler(there, "my-app").spec.min_replicas, replicas(there, "my-app")) == (3, 3)
    app.uno("abort")
    ended(process, code=3)
    assert asked((bind.address, bind.port), NAME) == [ADDRESSES["blue"]]
    assert autoscaler(there, "my-app").spec.min_replicas == 1, "what was its own is put back"
