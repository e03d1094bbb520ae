"""A control plane that somebody else runs, named by UNO_TEST_KUBECONFIG: its user must be an administrator.

The data plane of the tests runs beside it, and their kubelet where it has none, as that of `nox -s cluster`
has. What only its owner can do, as restarting it, skips the test that asks for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest
import yaml

from tests.cluster.api import Api
from tests.cluster.certificates import Authority
from tests.cluster.control import ADMINS
from tests.cluster.kubelet import VERSION


class Given:
    """Stands for the control plane of a cluster."""

    own = False

    def __init__(self, folder: Path, kubeconfig: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder / "certificates")
        self._kubeconfig = kubeconfig

    def start(self) -> None:
        """It runs."""

    def check(self) -> None:
        """Its owner sees to it."""

    def stop(self) -> None:
        """It runs on."""

    def kubeconfig(self, user: str, groups: tuple[str, ...] = (), *, url: str | None = None) -> Path:
        if url or groups != ADMINS:
            self._lacking("another user")
        return self._kubeconfig

    def restart_apiserver(self, *, hard: bool = False) -> NoReturn:
        self._lacking("a restart")

    def compact(self) -> NoReturn:
        self._lacking("a compaction")

    @property
    def audit(self) -> NoReturn:
        self._lacking("the audit log")

    @property
    def port(self) -> int:
        config = yaml.safe_load(self._kubeconfig.read_text())
        return int(config["clusters"][0]["cluster"]["server"].rpartition(":")[2])

    def has_kubelet(self, api: Api) -> bool:
        nodes = api.get("/api/v1/nodes")["items"]
        return any(row["status"]["nodeInfo"]["kubeletVersion"] == VERSION for row in nodes)

    def _lacking(self, what: str) -> NoReturn:
        pytest.skip(f"{what} is not to be had of the cluster of UNO_TEST_KUBECONFIG")
