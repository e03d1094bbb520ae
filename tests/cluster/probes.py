"""Probes of a container, each due at its period."""

from __future__ import annotations

import http.client
import socket
import time

from attrs import define, field

from tests.cluster.api import Object
from tests.cluster.containers import Container

BEGINNING = 0.15


@define
class Probe:
    """One probe: `failed` and `passed` say what its thresholds have made of the results."""

    container: Container
    spec: Object
    due: float = field(init=False)
    passes: int = field(init=False, default=0)
    failures: int = field(init=False, default=0)
    said: str = field(init=False, default="")

    def __attrs_post_init__(self) -> None:
        # Not at once: a process that has only been started cannot listen yet.
        self.due = time.monotonic() + self.spec.get("initialDelaySeconds", 0) + BEGINNING

    @property
    def passed(self) -> bool:
        return self.passes >= self.spec.get("successThreshold", 1)

    @property
    def failed(self) -> bool:
        return self.failures >= self.spec.get("failureThreshold", 3)

    def look(self, *, soon: bool = False) -> None:
        """Probe once. `soon`: what starts is looked at more often than its period says."""
        good, self.said = self._ask()
        self.passes, self.failures = (self.passes + 1, 0) if good else (0, self.failures + 1)
        period = self.spec.get("periodSeconds", 10)
        self.due = time.monotonic() + (min(period, 0.25) if soon and not good else period)

    def _ask(self) -> tuple[bool, str]:
        timeout = self.spec.get("timeoutSeconds", 1)
        if "exec" in self.spec:
            return self.container.run(self.spec["exec"]["command"], timeout)
        try:
            if "tcpSocket" in self.spec:
                where = (self.container.address, self._port(self.spec["tcpSocket"]["port"]))
                socket.create_connection(where, timeout).close()
                return True, ""
            if "httpGet" in self.spec:
                return self._http(self.spec["httpGet"], timeout)
        except (OSError, http.client.HTTPException) as error:
            return False, str(error) or type(error).__name__
        return False, "this kubelet has no such probe"

    def _http(self, how: Object, timeout: float) -> tuple[bool, str]:
        port = self._port(how["port"])
        connection = http.client.HTTPConnection(self.container.address, port, timeout=timeout)
        headers = {row["name"]: row["value"] for row in how.get("httpHeaders") or ()}
        try:
            connection.request("GET", how.get("path", "/"), headers={"User-Agent": "kube-probe/1", **headers})
            status = connection.getresponse().status
        finally:
            connection.close()
        return 200 <= status < 400, f"HTTP probe failed with statuscode: {status}"

    def _port(self, port: int | str) -> int:
        if isinstance(port, int):
            return port
        for row in self.container.spec.get("ports") or ():
            if row.get("name") == port:
                return row["containerPort"]
        return int(port)
