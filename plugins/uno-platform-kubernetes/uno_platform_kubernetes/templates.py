"""Pod templates of releases: what they are made from, what they run, and those of before."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from uno_core import ConfigError, Forbidden, Release, Slot
from uno_platform_kubernetes.api import Invalid
from uno_platform_kubernetes.cluster import Cluster
from uno_platform_kubernetes.configuration import Configuration
from uno_platform_kubernetes.objects import (
    IMAGE,
    annotations_of,
    configuration_of,
    container_of,
    image_for,
    labels_of,
    name_of,
    release_of,
    template_for,
)

Object = Mapping[str, Any]


class Templates:
    """Those of one application."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.configuration = Configuration(cluster)
        self._resolved: dict[str, Object] = {}

    def resolve(self, release: Release) -> Release:
        """Which image, and of which configuration. Raises ConfigError where that is not clear."""
        base = self.base()
        container = self.container(base)
        image = image_for(str(container["image"]), release)
        if not IMAGE.fullmatch(image):
            raise ConfigError(
                f"no image can be called {image}", found=f"version {release.version}",
                expected="repository:tag or repository@sha256:…", where="--version, --image or release.image",
                remedy="correct the version, or name the image",
            )  # fmt: skip
        template = self.configuration.versioned(base["spec"]["template"])
        configuration = configuration_of(template, container["name"])
        # Whoever edits what it is made from while a hook runs changes nothing of this release.
        self._resolved[configuration] = template
        resolved = Release(release.version, image, configuration)
        if self.cluster.manifest is not None:
            self._rehearse(base, template, resolved, str(container["name"]))
        return resolved

    def _rehearse(self, base: Object, template: Object, release: Release, container: str) -> None:
        """What is wrong with a manifest is told before anything is touched, by who would refuse it."""
        made = template_for(template, release, container, Slot.GREEN, self.cluster.application)
        name = f"{self.cluster.deployment}-rehearsed"
        selector = {"matchLabels": dict(made["metadata"]["labels"])}
        deployment = {
            **_named(base, name),
            "spec": {**base["spec"], "selector": selector, "template": made},
        }
        try:
            self.configuration.rehearse(template)
            self.cluster.api.rehearse(self.cluster.apps("deployments"), deployment)
            service = self.cluster.manifest.service if self.cluster.manifest else None
            if service is not None and self.cluster.before.get(name_of(service)) is None:
                body = {**_named(service, name_of(service)), "spec": service["spec"]}
                self.cluster.api.rehearse(self.cluster.core("services"), body)
        except (Invalid, Forbidden) as problem:
            raise ConfigError(
                "the cluster would refuse what the manifest says", found=problem.found,
                expected="objects that it takes", where=str(self.cluster.options.manifest),
                remedy="correct the manifest",
            ) from problem  # fmt: skip

    def recall(self, release: Release) -> None:
        """From the ReplicaSets, which keep the pod templates of before."""
        template = self._of_before(release) or self._present(release.config)
        lacking = self.configuration.lacks(template) if template is not None else ""
        if template is not None and not lacking:
            return
        raise ConfigError(
            f"version {release.version} cannot be started again as it was",
            found=f"its {lacking} is gone" if lacking
            else "its pod template is gone, and the present one is configured in another way",
            expected="what its pods were made from", where="--to",
            remedy="name another version; a greater revisionHistoryLimit keeps more of them",
        )  # fmt: skip

    def of(self, release: Release, slot: Slot) -> Object:
        """The pod template of a release in a slot."""
        if not release.artifact:
            release = self.resolve(release)
        # Deployed before, it is made as it was then, whatever there is of what it was made from.
        template = (
            self._resolved.get(release.config) or self._of_before(release) or self._present(release.config)
        )
        if template is None:
            raise ConfigError(
                f"what {release} was to be made from has changed meanwhile",
                found="another pod template, or other contents of what it names",
                expected="what there was when the deployment began", where=name_of(self.base()),
                remedy="deploy again: a new release takes what is there now",
            )  # fmt: skip
        container = self.container(self.base())["name"]
        return template_for(template, release, container, slot, self.cluster.application)

    def _present(self, configuration: str) -> Object | None:
        """What a new release would be made from now, where that is of this configuration."""
        base = self.base()
        template = self.configuration.versioned(base["spec"]["template"])
        same = configuration_of(template, self.container(base)["name"]) == configuration
        return template if same else None

    def labelled(self, template: Object, slot: Slot) -> Object:
        """A template that was captured, for a slot."""
        container = container_of(template, self.cluster.options.container, slot.value)["name"]
        return template_for(
            template, release_of(template, container), container, slot, self.cluster.application
        )

    def base(self) -> Object:
        """The Deployment that new ones are made from: the manifest's, else the greatest that there is.

        Raises PlatformError without any.
        """
        found = self.cluster.deployments()
        manifest = self.cluster.manifest
        if manifest is None:
            if not found:
                self.cluster.base_labels()  # says what is missing
            return max(found.values(), key=_replicas)
        made: Any = copy.deepcopy(dict(manifest.deployment))
        if not found:
            return dict(made)
        wanted = self.cluster.base_labels()
        labels = made["spec"]["template"]["metadata"]["labels"]
        if not wanted.items() <= labels.items():
            raise ConfigError(
                "the manifest's pods are not those of the application", where=str(manifest.path),
                found=f"labels {labels}", expected=f"among them {dict(wanted)}, which Deployment and Service"
                " select by", remedy="keep these labels: a Deployment's selector cannot be changed",
            )  # fmt: skip
        made["spec"]["selector"] = {"matchLabels": dict(wanted)}
        return dict(made)

    def container(self, deployment: Object) -> Mapping[str, Any]:
        """The one that is released."""
        where = f"Deployment {name_of(deployment)}"
        return container_of(deployment["spec"]["template"], self.cluster.options.container, where)

    def release(self, deployment: Object) -> Release:
        """What it runs."""
        return release_of(deployment["spec"]["template"], self.container(deployment)["name"])

    def _of_before(self, release: Release) -> Object | None:
        """The pod template of a release that was deployed before, without what the slot had in it."""
        for one in (*self.cluster.deployments().values(), *self.cluster.replica_sets()):
            template = one["spec"]["template"]
            names = [container["name"] for container in template["spec"]["containers"]]
            wanted = self.cluster.options.container or (names[0] if len(names) == 1 else "")
            if wanted in names and release_of(template, wanted) == release:
                return dict(template)
        return None


def _replicas(deployment: Object) -> int:
    return int(deployment["spec"].get("replicas", 1))


def _named(thing: Object, name: str) -> dict[str, Any]:
    """The same kind of thing, without what the cluster itself writes into its metadata."""
    metadata = {"name": name, "labels": dict(labels_of(thing)), "annotations": dict(annotations_of(thing))}
    return {"apiVersion": thing["apiVersion"], "kind": thing["kind"], "metadata": metadata}
