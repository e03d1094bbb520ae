"""The whole test cluster: a real control plane, with a kubelet and a data plane of our own beside it."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from tests.cluster.api import Api, Object, Refused
from tests.cluster.audit import Audit
from tests.cluster.children import until
from tests.cluster.containers import Container
from tests.cluster.control import ADMINS, ControlPlane
from tests.cluster.dataplane import DataPlane
from tests.cluster.front import Front
from tests.cluster.given import Given
from tests.cluster.kubelet import Kubelet
from tests.cluster.logs import Logs
from tests.cluster.metrics import Metrics

CRDS = {
    *(f"{kind}.gateway.networking.k8s.io" for kind in ("gatewayclasses", "gateways", "httproutes")),
    *(f"{kind}.networking.istio.io" for kind in ("virtualservices", "destinationrules")),
}


class Cluster:
    """One cluster; `start` it, or use it as a context. What a test needs is public.

    assets: where its programs and CRDs are. kubeconfig: of a control plane that runs already; without
    assets it has the CRDs too.
    """

    def __init__(self, assets: Path | None, kubeconfig: Path | None = None) -> None:
        # A short path: the audit log and the pods' folders are in it.
        self.folder = Path(tempfile.mkdtemp(prefix="uno-cluster-"))
        self.assets = assets
        self.control = Given(self.folder, kubeconfig) if kubeconfig else ControlPlane(self.folder, assets)
        self.kubelet: Kubelet | None = None
        self._closing: list[Any] = []

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        control = self.control
        self._closing.append(control)
        control.start()
        self.kubeconfig = control.kubeconfig("admin", ADMINS)
        self.api = self._api("admin")
        self._install(sorted(self.assets.glob("crds/*.yaml")) if self.assets else [])
        if not control.has_kubelet(self.api):
            self._start_kubelet()
        self.data_plane = DataPlane(self._api("test-data-plane"), self.folder / "envoy")
        self.front = Front(control)
        self.metrics = Metrics(self._api("test-kubelet"), control.authority)
        self._closing += [self.data_plane, self.front]
        self.front.start()
        self.data_plane.start()

    def _start_kubelet(self) -> None:
        authority = self.control.authority
        logs = Logs(authority.certificate, authority.issue("kubelet", names=("127.0.0.1",)))
        self.kubelet = Kubelet(self._api("test-kubelet"), self.folder / "pods", logs.port)
        logs.kubelet = self.kubelet
        self._closing += [logs, self.kubelet]
        logs.start()
        self.kubelet.start()

    @cached_property
    def audit(self) -> Audit:
        return Audit(self.control.audit)

    def container(self, namespace: str, pod: str, name: str | None = None) -> Container:
        """The process of a pod's container, the first one's where none is named."""
        if self.kubelet is None:
            pytest.skip("somebody else's kubelet runs the pods")
        found = self.kubelet.pod(namespace, pod)
        assert found, f"no pod {pod} runs in {namespace}"
        return found.main[0].container if name is None else found.container(name)

    @property
    def port(self) -> int:
        """The data plane's, where every Service and every route is asked by its host."""
        return self.data_plane.port

    @property
    def failures(self) -> list[str]:
        """What went wrong with the cluster's own parts: there should be nothing."""
        return [*(self.kubelet.failures if self.kubelet else ()), *self.data_plane.failures]

    def hosts(self, *names: str) -> str:
        """What UNO_TEST_HOSTS has to be, for a command to whom these names are the data plane."""
        return ",".join(f"{name}=127.0.0.1:{self.port}" for name in names)

    def ask(self, host: str, path: str = "/", *, method: str = "GET", **headers: str) -> tuple[int, str]:
        """The status and the body of one request through the data plane."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, headers={"Host": host, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def stop(self) -> None:
        if not self.control.own and self.kubelet:
            self.kubelet.leave()
        for api in (part for part in self._closing if isinstance(part, Api)):
            api.close()
        for part in reversed(self._closing):
            if not isinstance(part, Api):
                part.stop()
        self._closing.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def restart_apiserver(self, *, hard: bool = False) -> None:
        """`hard`: killed, in the middle of whatever it does."""
        self.control.restart_apiserver(hard=hard)

    def kubeconfig_of(self, user: str, *groups: str) -> Path:
        """Somebody who has only the rights that a test gives to that user or those groups."""
        return self.control.kubeconfig(user, groups)

    def _api(self, user: str) -> Api:
        api = Api(self.control.kubeconfig(user, ADMINS), agent=f"uno-test/{user}")
        self._closing.append(api)
        return api

    def _install(self, files: list[Path]) -> None:
        """Custom resources, each served when this returns."""
        found = [row for file in files for row in yaml.load_all(file.read_text(), yaml.CSafeLoader) if row]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._define, [row for row in found if row["metadata"]["name"] in CRDS]))

    def _define(self, crd: Object) -> None:
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        with contextlib.suppress(Refused):  # it is there already
            self.api.post(path, crd)

        def established() -> bool:
            rows = self.api.get(f"{path}/{crd['metadata']['name']}").get("status", {}).get("conditions")
            return any(row["type"] == "Established" and row["status"] == "True" for row in rows or ())

        until(established)
        version = next(row["name"] for row in crd["spec"]["versions"] if row["storage"])
        served = f"/apis/{crd['spec']['group']}/{version}/{crd['spec']['names']['plural']}"
        until(lambda: self._answers(served))

    def _answers(self, path: str) -> bool:
        try:
            self.api.get(path, limit=1)
        except Refused:
            return False
        return True
