"""The data plane, as the rules for Services, HTTPRoutes and VirtualServices have it; requests are counted."""

import math

import pytest
from steady import Steady

from tests.cluster.children import until
from tests.cluster.manifests import (
    container,
    deployment,
    gateway,
    http_route,
    pod,
    pod_spec,
    service,
    weighted,
)

pytest_plugins = ["tests.cluster.fixtures"]
pytestmark = [pytest.mark.component("cluster"), pytest.mark.component("envoy")]

ISTIO = "networking.istio.io/v1"


@pytest.fixture
def slots(there):
    """Blue is 1.0 and green is 2.0: a pod and a Service each, both in service."""
    for slot, tag in (("blue", "1.0"), ("green", "2.0")):
        name = f"shop-{slot}"
        there.make(service(name, slot=slot), pod(name, pod_spec(container(tag)), slot=slot, app="shop"))
    there.serves(there.host("shop-blue"), "1.0")
    there.serves(there.host("shop-green"), "2.0")
    return there


@pytest.fixture
def outside(slots):
    """A hostname of the test's own, behind a Gateway."""
    slots.make(gateway())
    return f"shop.{slots.name}.example.com"


def route_said(there, name="shop"):
    """The conditions of a route, those of its current generation only."""
    found = there.custom.get_namespaced_custom_object(
        "gateway.networking.k8s.io", "v1", there.name, "httproutes", name
    )
    rows = [row for parent in found.get("status", {}).get("parents", []) for row in parent["conditions"]]
    current = found["metadata"]["generation"]
    return {row["type"]: row["reason"] for row in rows if row["observedGeneration"] == current}


ACCEPTED = {"Accepted": "Accepted", "ResolvedRefs": "ResolvedRefs"}


def route(there, host, *rules):
    """Make the route, or change it, and wait until it is accepted as it is now."""
    there.custom.patch_namespaced_custom_object(
        "gateway.networking.k8s.io", "v1", there.name, "httproutes", "shop",
        http_route("shop", host, *rules), field_manager="tests", _content_type="application/apply-patch+yaml",
    )  # fmt: skip
    return until(lambda: route_said(there), len)


def within(count, number, share):
    """Whether that many of so many are what chance makes of a share: five standard deviations."""
    return abs(count - number * share) <= 5 * math.sqrt(number * share * (1 - share)) + 1


def test_a_selector_switch_moves_all_requests_and_loses_none(slots, cluster):
    slots.make(service("shop", slot="blue"))
    slots.serves(slots.host("shop"), "1.0")
    with Steady(cluster.port, 100, host=slots.host("shop")) as load:
        until(lambda: len(load.answers), lambda seen: seen >= 30)
        slots.core.patch_namespaced_service("shop", slots.name, {"spec": {"selector": {"slot": "green"}}})
        until(lambda: slots.ready("shop"), {"shop-green"})
        until(lambda: len(load.of("2.0")), lambda seen: seen >= 30)
    assert [one for one in load.answers if one.bad] == []
    last, first = load.of("1.0")[-1].at, load.of("2.0")[0].at
    assert last - first < 1
    assert slots.answered(slots.host("shop"), 50) == {"2.0": 50}


def test_a_rollout_under_load_loses_no_request(there, cluster):
    there.make(service("shop"), deployment("shop", replicas=2))
    there.serves(there.host("shop"), "1.0")
    there.rolled_out("shop", 2)
    patch = {
        "spec": {"template": {"spec": {"containers": [{"name": "app", "image": "example.com/shop:2.0"}]}}}
    }
    with Steady(cluster.port, 100, host=there.host("shop")) as load:
        there.apps.patch_namespaced_deployment("shop", there.name, patch)
        there.rolled_out("shop", 2)
        until(lambda: len(there.pods()), 2)
    assert [one for one in load.answers if one.bad] == []
    assert load.of("2.0")


def test_nobody_ready_is_a_503(there):
    there.make(service("shop"), pod("shop", pod_spec(container("1.0-unready"))))
    until(lambda: there.answered(there.host("shop"), 1), {"503": 1})


def test_a_route_splits_by_weight_and_follows_a_change(slots, outside):
    assert route(slots, outside, weighted(shop_blue=90, shop_green=10)) == ACCEPTED
    seen = slots.answered(outside, 1000)
    assert within(seen["2.0"], 1000, 0.1)
    assert seen["1.0"] + seen["2.0"] == 1000
    assert route(slots, outside, weighted(shop_blue=1, shop_green=3)) == ACCEPTED
    assert within(slots.answered(outside, 1000)["2.0"], 1000, 0.75)
    assert route(slots, outside, weighted(shop_blue=0, shop_green=7)) == ACCEPTED
    assert slots.answered(outside, 100) == {"2.0": 100}


def test_an_invalid_backend_gets_its_share_as_500(slots, outside):
    rule = weighted(shop_blue=50, nobody=50)
    assert route(slots, outside, rule) == {"Accepted": "Accepted", "ResolvedRefs": "BackendNotFound"}
    seen = slots.answered(outside, 600)
    assert within(seen["500"], 600, 0.5)
    assert seen["500"] + seen["1.0"] == 600


def test_a_header_sends_testers_to_the_other_slot(slots, outside, cluster):
    match = {"headers": [{"name": "x-canary", "value": "1"}]}
    rules = [weighted(shop_blue=1), {"matches": [match], **weighted(shop_green=1)}]
    assert route(slots, outside, *rules) == ACCEPTED
    assert slots.answered(outside, 50) == {"1.0": 50}
    assert cluster.ask(outside, **{"x-canary": "1"})[1].startswith("2.0")


def test_a_mirror_gets_copies_and_its_answers_reach_nobody(slots, outside, cluster):
    mirror = {"backendRef": {"name": "shop-green", "port": 80}, "percent": 100}
    rule = {**weighted(shop_blue=1), "filters": [{"type": "RequestMirror", "requestMirror": mirror}]}
    assert route(slots, outside, rule) == ACCEPTED
    assert slots.answered(outside, 50) == {"1.0": 50}

    def copies():
        wanted = f"cluster.{slots.name}~shop-green~80.internal.upstream_rq_completed"
        stats = cluster.data_plane.proxy.statistics()["stats"]
        return next((row["value"] for row in stats if row.get("name") == wanted), 0)

    until(copies, lambda seen: seen >= 50)


def test_a_route_of_no_gateway_is_told_nothing_and_serves_nothing(slots, outside, cluster):
    slots.make(http_route("shop", outside, weighted(shop_blue=1), parent="nobody"))
    # A route made after it is carried out, so this one has been seen.
    slots.make(http_route("later", f"later.{outside}", weighted(shop_blue=1)))
    until(lambda: route_said(slots, "later"), ACCEPTED)
    assert route_said(slots) == {}
    assert cluster.ask(outside)[0] == 404


def test_a_hostname_that_no_listener_has_is_not_accepted(slots):
    made = gateway("narrow")
    made["spec"]["listeners"][0]["hostname"] = "*.example.org"
    slots.make(made, http_route("shop", "shop.example.com", weighted(shop_blue=1), parent="narrow"))
    until(lambda: route_said(slots).get("Accepted"), "NoMatchingListenerHostname")


def test_conditions_say_of_which_generation_they_are(slots, outside, cluster):
    if not cluster.control.own:
        pytest.skip("another data plane may tell it first")
    route(slots, outside, weighted(shop_blue=1))
    with cluster.data_plane.paused():
        slots.custom.patch_namespaced_custom_object(
            "gateway.networking.k8s.io", "v1", slots.name, "httproutes", "shop",
            {"spec": {"rules": [weighted(shop_green=1)]}},
        )  # fmt: skip
        assert route_said(slots) == {}
        assert slots.answered(outside, 1) == {"1.0": 1}
    until(lambda: route_said(slots), ACCEPTED)
    assert slots.answered(outside, 50) == {"2.0": 50}


def test_one_that_lags_sends_requests_to_the_old_slot_meanwhile(slots, cluster):
    slots.make(service("shop", slot="blue"))
    slots.serves(slots.host("shop"), "1.0")
    cluster.data_plane.lag = 0.5
    try:
        slots.core.patch_namespaced_service("shop", slots.name, {"spec": {"selector": {"slot": "green"}}})
        until(lambda: slots.ready("shop"), {"shop-green"})
        assert slots.answered(slots.host("shop"), 10) == {"1.0": 10}
    finally:
        cluster.data_plane.lag = 0.0
    slots.serves(slots.host("shop"), "2.0")


def test_a_virtual_service_splits_between_subsets(slots):
    slots.make(service("shop", app="shop"))
    subsets = [{"name": slot, "labels": {"slot": slot}} for slot in ("blue", "green")]
    rule = {"host": "shop", "subsets": subsets}
    ways = [
        {"destination": {"host": "shop", "subset": slot}, "weight": weight}
        for slot, weight in (("blue", 80), ("green", 20))
    ]
    virtual = {"hosts": ["shop"], "http": [{"route": ways}]}
    slots.make(
        {"apiVersion": ISTIO, "kind": "DestinationRule", "metadata": {"name": "shop"}, "spec": rule},
        {"apiVersion": ISTIO, "kind": "VirtualService", "metadata": {"name": "shop"}, "spec": virtual},
    )
    host = slots.host("shop")
    until(lambda: slots.answered(host, 40), lambda seen: seen["1.0"] > 20 and not seen["503"])
    seen = slots.answered(host, 600)
    assert within(seen["2.0"], 600, 0.2)
    assert seen["1.0"] + seen["2.0"] == 600
    # A subset that nobody declares any more: its share fails, so the route has to leave it first.
    slots.custom.patch_namespaced_custom_object(
        "networking.istio.io",
        "v1",
        slots.name,
        "destinationrules",
        "shop",
        {"spec": {"subsets": subsets[:1]}},
    )
    until(lambda: slots.answered(host, 40), lambda seen: seen["503"] > 0)
    assert set(slots.answered(host, 100)) == {"1.0", "503"}


def test_a_pod_that_is_killed_costs_no_request(there, cluster):
    there.make(service("shop"), deployment("shop", replicas=2))
    there.rolled_out("shop", 2)
    until(lambda: len(there.ready("shop")), 2)
    there.serves(there.host("shop"), "1.0")
    with Steady(cluster.port, 100, host=there.host("shop")) as load:
        until(lambda: len(load.answers), lambda seen: seen >= 20)
        victim = there.pods()[0].metadata.name
        cluster.container(there.name, victim).kill()
        until(lambda: there.pod(victim).status.container_statuses[0].restart_count, 1)
    bad = [one for one in load.answers if one.bad]
    # What was under way in it is lost; what came later went to the other one.
    assert len(bad) <= 2
