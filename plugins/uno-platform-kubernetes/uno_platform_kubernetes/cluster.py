"""What both halves look at: the mirrors of one application, and where its objects lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from uno_core import ConfigError, PlatformError, Services, Slot
from uno_platform_kubernetes.api import Api
from uno_platform_kubernetes.manifest import Manifest, read
from uno_platform_kubernetes.mirror import Changes, Mirror
from uno_platform_kubernetes.objects import APPLICATION, SLOT, labels_of
from uno_platform_kubernetes.options import KubernetesOptions

Object = Mapping[str, Any]


class Cluster:
    """One application in its namespace. Looking at a mirror asks nothing after the first time."""

    def __init__(self, options: KubernetesOptions, services: Services) -> None:
        self.options, self.services = options, services
        self.api = Api(options, services.clock)
        self.changes = Changes()
        self._mirrors: dict[tuple[str, str], Mirror] = {}

    @classmethod
    def beside(cls, services: Services, what: str, *, where: str = "", remedy: str) -> Cluster:
        """That of the configured platform, for who looks beside it. Raises ConfigError: it is another one."""
        if not isinstance(services.platform_options, KubernetesOptions):
            raise ConfigError(
                what, found="another platform", expected="platform: kubernetes", where=where, remedy=remedy
            )
        return cls(services.platform_options, services)

    @property
    def application(self) -> str:
        return self.services.application.key

    @cached_property
    def namespace(self) -> str:
        return self.options.namespace or self.api.namespace

    @property
    def deployment(self) -> str:
        """The name that the Deployments of the slots begin with."""
        return self.options.deployment or self.services.application.name

    @property
    def service(self) -> str:
        return self.options.service or self.services.application.name

    @cached_property
    def manifest(self) -> Manifest | None:
        """What releases are made from, where that is a file. Raises ConfigError where it is none."""
        path = self.options.manifest
        return read(path, self.deployment, self.service, self.namespace) if path is not None else None

    # Where things lie

    def core(self, kind: str, name: str = "") -> str:
        return f"/api/v1/namespaces/{self.namespace}/{kind}{'/' if name else ''}{name}"

    def apps(self, kind: str, name: str = "") -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/{kind}{'/' if name else ''}{name}"

    def group(self, group: str, kind: str, name: str = "") -> str:
        """An object of a group and version, such as `policy/v1`."""
        return f"/apis/{group}/namespaces/{self.namespace}/{kind}{'/' if name else ''}{name}"

    # What is there

    def mirror(self, path: str, *, label: str = "", name: str = "") -> Mirror:
        """The mirror of a kind, of objects with these labels, or of one name."""
        query = (
            {"labelSelector": label} if label else {"fieldSelector": f"metadata.name={name}"} if name else {}
        )
        key = (path, label or name)
        if key not in self._mirrors:
            self._mirrors[key] = Mirror(self.api, path, self.changes, self.services.clock, **query)
        return self._mirrors[key]

    @cached_property
    def original(self) -> Mirror:
        """The Deployment that was there before uno, if any: slot blue until that is uno's own."""
        return self.mirror(self.apps("deployments"), name=self.deployment)

    @cached_property
    def made(self) -> Mirror:
        """The Deployments that uno made of this application."""
        return self.mirror(self.apps("deployments"), label=f"{APPLICATION}={self.application}")

    def deployments(self) -> Mapping[Slot, Object]:
        """The Deployment of each slot, where there is one.

        What was there before uno is blue, until blue gets a release of uno's own.
        """
        found: dict[Slot, Object] = {}
        if (original := self.original.get(self.deployment)) is not None:
            found[Slot.BLUE] = original
        for one in self.made.objects():
            slot = labels_of(one).get(SLOT)
            if slot in (Slot.BLUE, Slot.GREEN):
                found[Slot(slot)] = one
        return found

    @cached_property
    def before(self) -> Mirror:
        """The Service before the application."""
        return self.mirror(self.core("services"), name=self.service)

    def slot_name(self, slot: Slot) -> str:
        """What the Deployment is called that uno makes for a slot."""
        return f"{self.deployment}-{slot.value}"

    def base_labels(self) -> Mapping[str, str]:
        """What the pods of both slots have in common. Raises PlatformError without any Deployment."""
        for one in self.deployments().values():
            labels = one["spec"]["selector"].get("matchLabels") or {}
            return {k: v for k, v in labels.items() if k != SLOT}
        if self.manifest is not None:
            return dict(self.manifest.deployment["spec"]["selector"]["matchLabels"])
        raise PlatformError(
            f"there is no Deployment {self.deployment} in the namespace {self.namespace}",
            expected="the Deployment of the application, from whose pod template releases are made",
            where=f"context {self.options.context or 'of now'}",
            remedy="kubectl apply it first, or name its file (platform.manifest); or set platform.deployment"
            " and platform.namespace",
        )

    def endpoints(self, service: str) -> Sequence[str]:
        """The uids of the pods that get what is sent to a Service."""
        slices = self.mirror(
            self.group("discovery.k8s.io/v1", "endpointslices"), label=f"kubernetes.io/service-name={service}"
        ).objects()
        return [
            str((endpoint.get("targetRef") or {}).get("uid", ""))
            for one in slices
            for endpoint in one.get("endpoints") or ()
            if (endpoint.get("conditions") or {}).get("ready", True)
        ]

    def pods(self) -> Sequence[Object]:
        return self._labelled(self.core("pods"))

    def replica_sets(self) -> Sequence[Object]:
        return self._labelled(self.apps("replicasets"))

    def _labelled(self, path: str) -> Sequence[Object]:
        labels = self.base_labels()
        return self.mirror(path, label=",".join(f"{k}={v}" for k, v in sorted(labels.items()))).objects()

    def close(self) -> None:
        for mirror in self._mirrors.values():
            mirror.close()
        self.api.close()
