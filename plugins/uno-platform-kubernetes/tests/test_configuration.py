"""What releases are made from: a manifest, and copies of the ConfigMaps and Secrets that they name."""

from __future__ import annotations

import json

import pytest
from attrs import evolve
from configured import asked, bring, copies, paint

from uno_core import ConfigError, PlatformError, Release, Slot

pytest_plugins = ["clusters"]
pytestmark = pytest.mark.component("cluster")

BLUE, GREEN = Slot.BLUE, Slot.GREEN


@pytest.fixture
def contents(there):
    """Of the namespace, as somebody applied them."""
    there.core.create_namespaced_config_map(
        there.name, {"metadata": {"name": "paint"}, "data": {"colour": "red"}}
    )
    there.core.create_namespaced_secret(
        there.name,
        {"metadata": {"name": "door", "labels": {"app.kubernetes.io/instance": "shop"}},
         "stringData": {"key": "sesame"}},
    )  # fmt: skip


@pytest.fixture
def platform(there, contents, pod, objects, platform_with):
    there.make(objects.deployment("shop", pod, replicas=1), objects.service("shop"))
    there.rolled_out("shop", 1)
    made = platform_with(versioned=True)
    made.prepare()
    return made


def test_a_release_keeps_what_it_was_released_with(there, platform, until):
    workload = platform.workload
    first = workload.resolve(Release("0.2"))
    bring(platform, until, GREEN, first)
    paint(there, "blue")
    second = workload.resolve(Release("0.2"))
    assert (second.version, second.artifact) == (first.version, first.artifact)
    assert second.config != first.config, "the same image with other contents is another release"
    bring(platform, until, BLUE, second)
    assert (asked(there, "green", "COLOUR"), asked(there, "blue", "COLOUR")) == ("red", "blue")
    assert asked(there, "blue", "KEY") == "sesame"
    assert sorted(copies(there).values()) == ["blue", "red"]
    template = there.apps.read_namespaced_deployment("shop-blue", there.name).spec.template
    told = json.loads(template.metadata.annotations["uno.dev/copies"])
    assert set(told.values()) == {"paint", "door"}
    (volume, door) = template.spec.volumes
    assert {door.secret.secret_name, volume.projected.sources[1].secret.name} < {
        name.partition("/")[2] for name in told
    }

    # Back to what was there before, while the original holds something else by now.
    paint(there, "green")
    bring(platform, until, GREEN, first, 0)
    bring(platform, until, GREEN, first)
    assert asked(there, "green", "COLOUR") == "red"
    secret = there.core.read_namespaced_secret(door.secret.secret_name, there.name)
    assert secret.immutable
    assert "app.kubernetes.io/instance" not in secret.metadata.labels


def test_the_same_contents_are_the_same_release(there, platform, until):
    first = platform.workload.resolve(Release("0.2"))
    bring(platform, until, GREEN, first)
    paint(there, "red")
    assert platform.workload.resolve(Release("0.2")) == first


def test_copies_that_no_release_needs_are_removed_and_nobody_elses(there, platform, platform_with, until):
    bring(platform, until, GREEN, platform.workload.resolve(Release("0.2")))
    (kept,) = copies(there)
    for name, labels in (("left", {"uno.dev/application": "other"}), ("paint-0123456789", {})):
        body = {"metadata": {"name": name, "labels": labels}, "data": {"colour": "x"}}
        there.core.create_namespaced_config_map(there.name, body)
    gone = {
        "metadata": {
            "name": "paint-old",
            "labels": {"uno.dev/application": platform.cluster.application},
            "annotations": {"uno.dev/copy-of": "paint"},
        },
        "data": {"colour": "grey"},
    }
    there.core.create_namespaced_config_map(there.name, gone)
    platform_with(versioned=True).prepare()
    names = {one.metadata.name for one in there.core.list_namespaced_config_map(there.name).items}
    assert {kept, "left", "paint-0123456789", "paint"} <= names
    assert "paint-old" not in names


def test_what_changed_between_the_plan_and_the_deployment_is_no_part_of_it(there, platform, platform_with):
    planned = platform.workload.resolve(Release("0.2"))
    paint(there, "blue")
    with pytest.raises(ConfigError, match="has changed meanwhile"):
        platform_with(versioned=True).workload.converge(GREEN, {planned: 1})


def test_whoever_edits_the_original_while_a_hook_runs_changes_nothing_of_the_release(there, platform, until):
    release = platform.workload.resolve(Release("0.2"))
    paint(there, "blue")
    bring(platform, until, GREEN, release)
    assert asked(there, "green", "COLOUR") == "red"


def test_a_way_back_needs_no_original(there, platform, platform_with, until):
    release = platform.workload.resolve(Release("0.2"))
    bring(platform, until, GREEN, release)
    bring(platform, until, GREEN, release, 0)
    there.core.delete_namespaced_config_map("paint", there.name)
    later = platform_with(versioned=True)
    later.workload.recall(release)
    bring(later, until, GREEN, release)
    assert asked(there, "green", "COLOUR") == "red"


def test_a_copy_that_somebody_deleted_is_made_again_of_the_same_contents_or_told(
    there, platform, platform_with, until
):
    release = platform.workload.resolve(Release("0.2"))
    bring(platform, until, GREEN, release)
    bring(platform, until, GREEN, release, 0)
    (name,) = copies(there)
    there.core.delete_namespaced_config_map(name, there.name)
    later = platform_with()
    later.workload.recall(release)
    bring(later, until, GREEN, release)
    assert asked(there, "green", "COLOUR") == "red"
    bring(later, until, GREEN, release, 0)
    there.core.delete_namespaced_config_map(name, there.name)
    paint(there, "blue")
    with pytest.raises(ConfigError, match="cannot be started again") as raised:
        platform_with().workload.recall(release)
    assert name in raised.value.found
    with pytest.raises(ConfigError, match="no longer what this release began with"):
        platform_with().workload.converge(GREEN, {release: 1})


def test_two_applications_share_no_copy(there, platform, platform_with, services, until):
    bring(platform, until, GREEN, platform.workload.resolve(Release("0.2")))
    other = platform_with(
        application=evolve(services.application, environment="staging"), versioned=True, deployment="shop"
    )
    template = other.workload.templates.configuration.versioned(
        other.cluster.original.get("shop")["spec"]["template"]
    )
    other.workload.templates.configuration.provide(template)
    assert len(copies(there)) == 2
    other.workload.templates.configuration.tidy()
    assert len(copies(there)) == 1, "each removes its own"


def test_nothing_is_removed_while_a_deployment_is_under_way(there, platform, platform_with):
    release = platform.workload.resolve(Release("0.2"))
    configuration = platform.workload.templates.configuration
    configuration.provide(platform.workload.templates.of(release, GREEN))
    platform.router.mark({"deployment": "shop-prod-1"})
    platform_with(versioned=True).prepare()
    assert copies(there)
    platform.router.mark(None)
    platform_with(versioned=True).prepare()
    assert not copies(there)


def test_what_cannot_be_removed_stops_no_deployment(there, platform, platform_with, services):
    front = there.cluster.front
    kubeconfig = str(front.kubeconfig("tidy", "system:masters"))
    try:
        front.inject(status=403, method="GET", part="/secrets", times=None)
        platform_with(kubeconfig=kubeconfig, versioned=True).prepare()
    finally:
        front.heal()
    assert [v["kind"] for _, event, v in services.logger.lines if "not removed" in event] == ["Secret"]


@pytest.mark.parametrize(
    "annotation",
    [{"uno.dev/versioned": "false"}, {"cert-manager.io/certificate-name": "door"}],
    ids=["as somebody says", "what the cluster renews"],
)
def test_what_is_to_change_under_the_pods_is_not_copied(there, platform, annotation):
    there.core.patch_namespaced_secret("door", there.name, {"metadata": {"annotations": annotation}})
    template = platform.workload.templates.of(platform.workload.resolve(Release("0.2")), GREEN)
    assert template["spec"]["volumes"][1]["secret"]["secretName"] == "door"
    assert list(json.loads(template["metadata"]["annotations"]["uno.dev/copies"]).values()) == ["paint"]


def test_what_is_named_and_not_there_is_told(there, platform, objects):
    there.core.delete_namespaced_config_map("paint", there.name)
    with pytest.raises(ConfigError, match="no ConfigMap paint"):
        platform.workload.resolve(Release("0.2"))


def test_without_deployment_and_manifest_it_says_what_is_missing(there, platform_with):
    with pytest.raises(PlatformError, match="no Deployment shop") as raised:
        platform_with().workload.resolve(Release("0.2"))
    assert "platform.manifest" in raised.value.remedy
