"""What stands in an HTTPRoute beside the split while a deployment is under way: testers, and a mirror."""

from __future__ import annotations

from collections import Counter

import pytest
from attrs import evolve

from uno_core import ConfigError, Release, Slot, share, whole
from uno_platform_kubernetes.options import KubernetesOptions, KubernetesTraffic
from uno_platform_kubernetes.platform import KubernetesPlatform

pytest_plugins = ["clusters"]
pytestmark = pytest.mark.component("cluster")

BLUE, GREEN = Slot.BLUE, Slot.GREEN
UNDER_WAY = {"split": {"blue": 100.0, "green": 0.0}}
HEADER = {"x-release": "next"}
BY_ME = {
    "type": "ResponseHeaderModifier",
    "responseHeaderModifier": {"add": [{"name": "x-by", "value": "me"}]},
}
ROUTE = ("gateway.networking.k8s.io", "v1", "httproutes")


@pytest.fixture
def host(there):
    return f"shop.{there.name}.example.com"


@pytest.fixture
def platform_with(there, services, objects, host):
    """Of an application behind a route that has a rule of somebody else's, and a filter."""
    there.make(
        objects.deployment("shop", objects.pod_spec(objects.container("0.1")), replicas=1),
        objects.deployment("other", objects.pod_spec(objects.container("9.9")), replicas=1),
        objects.service("shop"),
        objects.service("other"),
        objects.gateway(),
        objects.http_route(
            "shop",
            host,
            {
                "filters": [
                    {
                        "type": "ResponseHeaderModifier",
                        "responseHeaderModifier": {"add": [{"name": "x-by", "value": "me"}]},
                    },
                ],
                **objects.weighted(shop=1),
            },
            {"matches": [{"path": {"type": "PathPrefix", "value": "/other"}}], **objects.weighted(other=1)},
        ),
    )
    there.rolled_out("shop", 1)
    there.rolled_out("other", 1)
    made = []

    def platform_with(**traffic):
        options = KubernetesOptions(
            kubeconfig=str(there.cluster.kubeconfig),
            namespace=there.name,
            adopt=True,
            traffic=KubernetesTraffic(grace=0.1, **traffic),
        )
        made.append(KubernetesPlatform(options, evolve(services, platform_options=options)))
        return made[-1]

    yield platform_with
    for one in made:
        one.close()


def rules(there):
    route = there.custom.get_namespaced_custom_object(*ROUTE[:2], there.name, ROUTE[2], "shop")
    return route["spec"]["rules"], (route["metadata"].get("annotations") or {})


def begin(platform, until, there):
    """As a deployment does: the new slot is filled, and has no share yet."""
    platform.prepare()
    before = rules(there)[0]
    release = platform.workload.resolve(Release("0.2"))
    platform.router.mark(UNDER_WAY)
    platform.workload.converge(GREEN, {release: 1})
    until(lambda: platform.workload.observe().slots[GREEN].holds({release: 1}))
    until(lambda: platform.router.in_force() == whole(BLUE))
    return before


def versions(there, host, number=20, path="/", **headers):
    asked = [there.cluster.ask(host, path, **headers) for _ in range(number)]
    return Counter(text.split()[0] if status == 200 else str(status) for status, text in asked)


def test_testers_get_the_new_release_before_anybody_else(there, host, platform_with, until):
    platform = platform_with(testers="x-release: next")
    before = begin(platform, until, there)
    until(lambda: set(versions(there, host, 3, **HEADER)) == {"0.2"})
    assert set(versions(there, host, **HEADER)) == {"0.2"}
    assert set(versions(there, host)) == {"0.1"}
    assert set(versions(there, host, path="/other", **HEADER)) == {"9.9"}, "a rule of somebody else's"
    platform.router.write(share(GREEN, 50), None)
    until(lambda: platform.router.in_force() == share(GREEN, 50))
    assert set(versions(there, host, **HEADER)) == {"0.2"}
    assert set(versions(there, host, 40)) == {"0.1", "0.2"}

    platform.router.write(whole(BLUE), None)
    platform.router.mark(None)
    after, annotations = rules(there)
    assert after == before
    assert "uno.dev/testers" not in annotations


def test_a_mirror_lasts_as_long_as_both_have_a_share(there, platform_with, until):
    platform = platform_with(mirror=20.0)
    before = begin(platform, until, there)
    mine, other = rules(there)[0]
    assert [one["type"] for one in mine["filters"]] == ["ResponseHeaderModifier", "RequestMirror"]
    mirror = mine["filters"][1]["requestMirror"]
    assert (mirror["backendRef"]["name"], mirror["percent"]) == ("shop-green", 20)
    assert "filters" not in other
    platform.router.write(whole(GREEN), None)
    assert len(rules(there)[0][0]["filters"]) == 1, "it has all of them"
    platform.router.write(whole(BLUE), None)
    platform.router.mark(None)
    assert rules(there)[0] == before


def test_another_driver_takes_away_what_one_left_that_died(there, platform_with, until):
    before = begin(platform_with(testers="x-release: next", mirror=100.0), until, there)
    assert len(rules(there)[0]) == 3
    platform_with().router.mark(None)
    assert rules(there)[0] == before


def test_the_plan_says_so(platform_with):
    said = "\n".join(platform_with(testers="x-release: next", mirror=5.0).remarks())
    assert "requests with the header x-release: next get the new release from the beginning" in said
    assert "5 % of the requests are sent to the new release once more" in said
    assert "the HTTPRoute shop will lead to shop-blue and shop-green in place of shop" in said


def test_it_needs_a_route(platform_with):
    with pytest.raises(ConfigError, match="need an HTTPRoute"):
        _ = platform_with(router="service", mirror=5.0).router


@pytest.mark.parametrize("text", ["x-release", "x-release:", ": next", "x release: next"])
def test_what_is_no_header_is_refused(text):
    with pytest.raises(ValueError, match="expected a header and its value"):
        KubernetesTraffic(testers=text)
