"""The double as a whole: an endpoint for boto3, and ports where load balancers and name servers answer."""

from __future__ import annotations

import http.client
import socket
import threading
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from moto.moto_api._internal import moto_api_backend
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tests.aws import balancing, metrics, naming
from tests.aws.buckets import Buckets
from tests.aws.dataplane import DataPlane
from tests.aws.front import Front
from tests.aws.health import Health
from tests.aws.tasks import Tasks

REGION = "eu-west-1"


class Handler(WSGIRequestHandler):
    """Says nothing, and closes the connection of an answer that is lost."""

    def connection_dropped(self, *_: Any) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def log(self, *_: Any) -> None:
        pass


class Aws:
    """`failures` are what went wrong with the double itself: there should be none."""

    def __init__(self, folder: Path) -> None:
        self.front = Front(Buckets(DomainDispatcherApplication(create_backend_app)))
        self.health = Health()
        self.metrics = metrics.Metrics()
        self.naming = naming.Naming()
        self.data_plane = DataPlane(folder / "envoy", self.health)
        self.tasks = Tasks(folder / "tasks", self.health)
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", 0, self.front, threaded=True, request_handler=Handler
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def failures(self) -> list[str]:
        parts = (self.health, self.data_plane, self.tasks, self.naming)
        return [failure for part in parts for failure in part.failures]

    def start(self) -> None:
        balancing.install(self.health)
        metrics.install(self.metrics)
        naming.install(self.naming)
        threading.Thread(target=self._server.serve_forever, name="aws", daemon=True).start()
        self.health.start()
        self.data_plane.start()
        self.tasks.start()
        self.naming.start()

    def stop(self) -> None:
        self.naming.stop()
        self.tasks.stop()
        self.data_plane.stop()
        self.health.stop()
        self._server.shutdown()
        self._server.server_close()
        balancing.uninstall()
        metrics.uninstall()
        naming.uninstall()

    def reset(self) -> None:
        """An account in which nothing is."""
        self.front.heal()
        self.front.calls.clear()
        self.metrics.reset()
        moto_api_backend.reset()
        self.naming.reset()
        self.tasks.reset()

    def client(self, service: str, key: str = "AKIAADMIN", **config: Any) -> Any:
        """boto3's, with one try unless it is told otherwise."""
        return boto3.client(
            service, region_name=REGION, endpoint_url=self.url,
            aws_access_key_id=key, aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}, **config),
        )  # fmt: skip

    def ask(self, host: str, path: str = "/", **headers: str) -> tuple[int, str]:
        """The status and the body of one request through a load balancer."""
        status, body, _ = self.visit(host, path, **headers)
        return status, body

    def visit(self, host: str, path: str = "/", **headers: str) -> tuple[int, str, str]:
        """The same, and the cookie that came with it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.data_plane.port, timeout=20)
        try:
            connection.request("GET", path, headers={"Host": host, **headers})
            answer = connection.getresponse()
            cookie = (answer.getheader("set-cookie") or "").partition(";")[0]
            return answer.status, answer.read().decode(), cookie
        finally:
            connection.close()
