"""Task definitions of releases: which image, of which configuration, and how a revision is registered."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from uno_aws.session import Aws
from uno_core import ConfigError, Release
from uno_platform_aws_alb import tags

Definition = Mapping[str, Any]

IMAGE = re.compile(
    r"[a-z0-9]+(?:[._:/-]+[a-z0-9]+)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
"""What an image may be called, as the registries have it."""

GIVEN = (
    "taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt",
    "registeredBy", "deregisteredAt",
)  # fmt: skip
"""What ECS itself writes into a task definition."""


class Definitions:
    """Those of one application. A revision never changes, so each is asked for once."""

    def __init__(self, aws: Aws, container: str) -> None:
        self.aws, self._container = aws, container
        self._known: dict[str, tuple[Definition, Mapping[str, str]]] = {}
        self._made: dict[Release, str] = {}

    def get(self, arn: str) -> Definition:
        return self._get(arn)[0]

    def _get(self, arn: str) -> tuple[Definition, Mapping[str, str]]:
        if arn not in self._known:
            answer = self.aws.read("ecs", "describe_task_definition", taskDefinition=arn, include=["TAGS"])
            self._known[arn] = (answer["taskDefinition"], tags.of(answer.get("tags")))
        return self._known[arn]

    def container(self, definition: Definition) -> Mapping[str, Any]:
        """The one that is released. Raises ConfigError where that is not clear, naming those there are."""
        containers: Sequence[Mapping[str, Any]] = definition["containerDefinitions"]
        wanted = self._container
        found = [one for one in containers if one["name"] == wanted or (not wanted and len(containers) == 1)]
        if len(found) == 1:
            return found[0]
        raise ConfigError(
            f"there is no container {wanted}" if wanted else "the task has several containers",
            found=", ".join(str(one["name"]) for one in containers), expected="one of them",
            where=f"task definition {definition.get('family')}", remedy="platform.workload.container: NAME",
        )  # fmt: skip

    def release(self, arn: str) -> Release:
        """What a revision runs: of the version that uno wrote down, else by its image alone."""
        definition, has = self._get(arn)
        image = str(self.container(definition)["image"])
        last = image.rpartition("/")[2]
        tag = last.rpartition("@sha256:")[2][:12] if "@" in last else last.partition(":")[2]
        version = has.get(tags.VERSION) or tag or "latest"
        return Release(version, image, configuration_of(definition, str(self.container(definition)["name"])))

    def resolve(self, base: str, release: Release) -> Release:
        """Which image, and of which configuration. Raises ConfigError where that is not clear."""
        definition = self.get(base)
        container = self.container(definition)
        image = _image(str(container["image"]), release)
        if not IMAGE.fullmatch(image):
            raise ConfigError(
                f"no image can be called {image}", found=f"version {release.version}",
                expected="repository:tag or repository@sha256:…", where="--version, --image or release.image",
                remedy="correct the version, or name the image",
            )  # fmt: skip
        return Release(release.version, image, configuration_of(definition, str(container["name"])))

    def revision(self, release: Release, candidates: Sequence[str]) -> str:
        """The ARN of a revision that runs the release: one of these, or a new one made of the first alike.

        Raises ConfigError where none of them is configured as the release was.
        """
        if release in self._made:
            return self._made[release]
        for arn in candidates:
            if self.release(arn) == release:
                return arn
        for arn in candidates:
            definition = self.get(arn)
            name = str(self.container(definition)["name"])
            if release.config in ("", configuration_of(definition, name)):
                return self._register(arn, name, release)
        raise ConfigError(
            f"what {release} was to be made from has changed meanwhile",
            found="another task definition in both services", where=", ".join(candidates),
            expected="that of when the deployment began",
            remedy="deploy again: a new release takes what is there now",
        )  # fmt: skip

    def _register(self, base: str, container: str, release: Release) -> str:
        definition, has = self._get(base)
        made: dict[str, Any] = copy.deepcopy({k: v for k, v in definition.items() if k not in GIVEN})
        for one in made["containerDefinitions"]:
            if one["name"] == container:
                one["image"] = release.artifact or _image(str(one["image"]), release)
        kept = {key: value for key, value in has.items() if not key.startswith(("aws:", tags.PREFIX))}
        rows = [
            {"key": key, "value": value} for key, value in {**kept, tags.VERSION: release.version}.items()
        ]
        # Once more after a lost answer makes one more revision, which nobody uses and nothing costs.
        answer = self.aws.read("ecs", "register_task_definition", **made, tags=rows)
        arn = str(answer["taskDefinition"]["taskDefinitionArn"])
        self._made[release] = arn
        return arn


def configuration_of(definition: Definition, container: str) -> str:
    """A hash of everything in a task definition but the image that is released and what ECS wrote itself."""
    plain = copy.deepcopy({key: value for key, value in definition.items() if key not in GIVEN})
    for one in plain["containerDefinitions"]:
        if one["name"] == container:
            one.pop("image", None)
    text = json.dumps(plain, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _image(current: str, release: Release) -> str:
    """The whole image of a release: as it is named, or the current repository with the version as its tag."""
    named = release.artifact
    if named and ("@" in named or ":" in named.rpartition("/")[2]):
        return named
    head, slash, last = (named or current).partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}:{release.version}"
