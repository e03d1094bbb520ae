"""An application on the test cluster, deployed through the command line, under load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from attrs import define
from shop import Ended, ended
from steady import Steady

from tests.cluster.manifests import container, deployment, gateway, http_route, pod_spec, service
from tests.cluster.namespaced import Namespaced

HOSTS = Path(__file__).with_name("hosts")


@define
class Clustered:
    """`my-app`, as somebody deployed it who never heard of uno."""

    there: Namespaced
    folder: Path
    name: str = "my-app"
    kubeconfig: str = ""

    def plain(self, tag: str = "v1.0.0", replicas: int = 3, **more: Any) -> None:
        """A Deployment and a Service, with a host name for each slot to come, and wait until they serve.

        `more` is of the container.
        """
        spec = pod_spec(container(tag, **more))
        self.there.make(deployment(self.name, spec, replicas=replicas), service(self.name), gateway())
        for slot in ("blue", "green"):
            rule = {"backendRefs": [{"name": f"{self.name}-{slot}", "port": 80}]}
            self.there.make(http_route(f"{self.name}-{slot}", f"{self.name}-{slot}.example.com", rule))
        self.there.rolled_out(self.name, replicas)
        self.there.serves(self.there.host(self.name), tag)

    def configure(self, text: str) -> None:
        (self.folder / "uno.yaml").write_text(text)

    def start(self, *command: str) -> subprocess.Popen[str]:
        """A module of Python with its arguments, as a process."""
        hosts = self.there.cluster.hosts(*(f"{self.name}-{slot}.example.com" for slot in ("blue", "green")))
        environ = {
            **os.environ,
            "KUBECONFIG": self.kubeconfig or str(self.there.cluster.kubeconfig),
            "HOME": str(self.folder),
            "UNO_TEST_HOSTS": hosts,
            "PYTHONPATH": os.pathsep.join([str(HOSTS), os.environ.get("PYTHONPATH", "")]),
        }
        environ.pop("CI", None)
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environ,
            cwd=self.folder,
        )

    def run(self, *command: str, code: int | None = 0) -> Ended:
        return ended(self.start(*command), code=code)

    def uno(self, *arguments: str, code: int | None = 0) -> Ended:
        return self.run("uno_core", *arguments, code=code)

    def load(self, rate: float = 60.0, host: str = "") -> Steady:
        """Requests through the Service, or through a route's host."""
        return Steady(self.there.cluster.port, rate, host=host or self.there.host(self.name))


def lost(load: Steady) -> list[object]:
    """The requests that were not answered as they should have been."""
    return [answer for answer in load.answers if answer.status != 200]
