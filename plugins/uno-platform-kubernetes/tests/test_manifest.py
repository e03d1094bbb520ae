"""Releases that are made from a manifest, and what is wrong with one."""

from __future__ import annotations

import re

import pytest
import yaml
from configured import asked, bring, copies

from uno_core import ConfigError, Release, Slot

pytest_plugins = ["clusters"]
pytestmark = pytest.mark.component("cluster")

BLUE, GREEN = Slot.BLUE, Slot.GREEN


class TestManifest:
    @pytest.fixture
    def folder(self, tmp_path, objects, pod):
        things = [
            objects.deployment("shop", pod, replicas=2),
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "paint"},
                "data": {"colour": "red"},
            },
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "door"},
                "stringData": {"key": "open"},
            },
            objects.service("shop"),
        ]
        (tmp_path / "shop.yaml").write_text(yaml.safe_dump_all(things))
        return tmp_path

    def test_the_first_one_is_made_of_it_with_what_it_holds(
        self, there, folder, objects, platform_with, until
    ):
        there.make(objects.service("shop"))
        platform = platform_with(manifest=folder)
        assert platform.workload.observe().size == 2
        platform.prepare()
        bring(platform, until, BLUE, platform.workload.resolve(Release("0.2")), 2)
        assert (asked(there, "blue", "COLOUR"), asked(there, "blue", "KEY")) == ("red", "open")
        text = (folder / "shop.yaml").read_text().replace("colour: red", "colour: blue")
        (folder / "shop.yaml").write_text(text)
        again = platform_with(manifest=folder)
        bring(again, until, GREEN, again.workload.resolve(Release("0.3")), 2)
        assert (asked(there, "blue", "COLOUR"), asked(there, "green", "COLOUR")) == ("red", "blue")
        names = {one.metadata.name for one in there.core.list_namespaced_config_map(there.name).items}
        assert "paint" not in names, "the manifest's own are applied as copies only"

    def test_a_service_that_is_not_there_is_made_too_and_leads_to_nobody_until_it_is_routed(
        self, there, folder, platform_with, until
    ):
        platform = platform_with(manifest=folder)
        release = platform.workload.resolve(Release("0.2"))
        assert not platform.router.observe().split
        assert not there.core.list_namespaced_service(there.name).items, "looking makes nothing"
        platform.prepare()
        platform.prepare()
        bring(platform, until, BLUE, release, 2)
        assert not there.ready("shop")
        platform.router.write({BLUE: 100.0}, platform.router.observe().token)
        until(lambda: len(there.ready("shop")) == 2)
        there.serves(there.host("shop"), "0.2")

    def test_the_doctor_knows_it_or_says_what_is_wrong_with_it(self, folder, platform_with):
        said = {one.about: one for one in platform_with(manifest=folder).diagnose()}
        assert "none yet: it is made of" in said["deployment"].found
        (folder / "shop.yaml").write_text("kind: [")
        said = {one.about: one for one in platform_with(manifest=folder).diagnose()}
        assert "cannot be read" in said["manifest"].found

    def test_another_tag_or_another_image(self, folder, platform_with):
        workload = platform_with(manifest=folder).workload
        assert workload.resolve(Release("0.2")).artifact == "example.com/shop:0.2"
        assert workload.resolve(Release("0.2", "example.com/fork")).artifact == "example.com/fork:0.2"

    @pytest.mark.parametrize(
        "case",
        [
            ("kind: Deployment", "kind: Job", "has no Deployment shop.*no Deployment, but Job"),
            ("name: shop\nspec:\n  replicas", "name: other\nspec:\n  replicas", "no Deployment shop.*other"),
            ("kind: Deployment", "kind: [", "cannot be read.*line "),
            ("  replicas: 2\n", "  replicas: 2\n  replicas: 3\n", "replicas stands there twice.*line "),
            ("kind: Secret", "kind: ''", "no object of Kubernetes"),
            ("kind: Secret\nmetadata:\n  name: door", "kind: ConfigMap\nmetadata:\n  name: paint",
             "two of the ConfigMap paint.*shop.yaml"),
            ("  name: door\n", "  name: door\n  namespace: elsewhere\n", "is of another namespace"),
            ("apiVersion: apps/v1", "apiVersion: extensions/v1beta1", "version that is not read"),
            ("containers:", "others:", "is not complete"),
            ("  ports:\n  - port: 80", "  gates:\n  - port: 80", "Service shop does not lead.*no spec.ports"),
            ("  selector:\n    app: shop\n", "  selector:\n    app: x\n", "Service shop does not lead.*'x'"),
            ("colour: red", "colour: 8080", "no text.*data.colour: 8080"),
            ("key: open", "key: 12345", "no text.*stringData.key: something else"),
            # What only the cluster knows, asked without writing.
            ("  replicas: 2", "  replica: 2", "would refuse.*unknown field .*replica"),
            ("containerPort: 8080", "containerPort: 70000", "would refuse.*containerPort"),
            ("stringData:\n  key: open", "data:\n  key: '?'", "would refuse.*base64"),
            ("targetPort: 8080", "targetPort: -1", "would refuse.*targetPort"),
        ],
    )  # fmt: skip
    def test_a_bad_one_is_told(self, there, folder, platform_with, case):
        before, after, words = case
        text = (folder / "shop.yaml").read_text()
        assert before in text
        (folder / "shop.yaml").write_text(after.join(text.rsplit(before, 1)))
        with pytest.raises(ConfigError) as raised:
            platform_with(manifest=folder).workload.resolve(Release("0.2"))
        assert re.search(words, f"{raised.value.message}: {raised.value.found}", re.DOTALL), raised.value
        assert "12345" not in str(raised.value)
        assert not there.apps.list_namespaced_deployment(there.name).items

    def test_a_date_is_text_and_what_kubectl_wrote_into_an_export_is_left(self, there, folder, platform_with):
        text = (folder / "shop.yaml").read_text().replace("colour: red", "colour: 2024-02-01")
        exported = "  name: shop\n  resourceVersion: '1'\n  uid: x\nspec:\n  replicas"
        text = text.replace("  name: shop\nspec:\n  replicas", exported)
        (folder / "shop.yaml").write_text(text)
        platform = platform_with(manifest=folder)
        template = platform.workload.templates.of(platform.workload.resolve(Release("0.2")), BLUE)
        platform.workload.templates.configuration.provide(template)
        assert list(copies(there).values()) == ["2024-02-01"]

    def test_several_containers_are_listed(self, folder, objects, platform_with):
        pod = objects.pod_spec(objects.container("0.1"), {"name": "proxy", "image": "example.com/proxy:7"})
        (folder / "shop.yaml").write_text(yaml.safe_dump(objects.deployment("shop", pod)))
        with pytest.raises(ConfigError, match="which of the containers") as raised:
            platform_with(manifest=folder).workload.resolve(Release("0.2"))
        assert raised.value.found == "app, proxy"
        release = platform_with(manifest=folder, container="proxy").workload.resolve(Release("8"))
        assert release.artifact == "example.com/proxy:8"

    def test_who_may_not_create_is_told_later_and_who_is_denied_at_once(self, there, folder, platform_with):
        front = there.cluster.front
        kubeconfig = str(front.kubeconfig("reader", "system:masters"))
        try:
            front.inject(status=403, method="POST", times=None)
            assert platform_with(kubeconfig=kubeconfig, manifest=folder).workload.resolve(Release("0.2"))
        finally:
            front.heal()

    @pytest.mark.parametrize("name", ["nowhere", "empty"])
    def test_none_is_told(self, tmp_path, platform_with, name):
        (tmp_path / "empty").mkdir()
        with pytest.raises(ConfigError, match="there is no manifest"):
            platform_with(manifest=tmp_path / name).workload.resolve(Release("0.2"))

    def test_one_whose_pods_the_service_would_not_find_is_refused(
        self, there, folder, objects, platform_with
    ):
        there.make(objects.deployment("shop", replicas=0, app="elsewhere"))
        with pytest.raises(ConfigError, match="not those of the application"):
            platform_with(manifest=folder).workload.resolve(Release("0.2"))
