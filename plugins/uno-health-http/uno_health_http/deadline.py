"""A deadline for a whole request.

The timeouts of requests are for single reads: a server that sends a byte a second is never late,
and a name server that does not answer has no timeout at all. So the request runs in a thread, and
at the deadline its sockets are shut down under it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

T = TypeVar("T")


class Severable(HTTPAdapter):
    """An adapter whose connections can be cut off from another thread."""

    def __init__(self) -> None:
        self._open: list[HTTPConnection] = []
        self._severed = False
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._watch(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        self._watch(manager)
        return manager

    def _watch(self, manager: PoolManager) -> None:
        seen = self._remember

        class Plain(HTTPConnection):
            def connect(self) -> None:
                seen(self)
                super().connect()

        class Tls(HTTPSConnection):
            def connect(self) -> None:
                seen(self)
                super().connect()
                # urllib3 would warn at each attempt; the options say that verification is off on purpose.
                self.is_verified = True

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class TlsPool(HTTPSConnectionPool):
            ConnectionCls = Tls

        manager.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}

    def _remember(self, connection: HTTPConnection) -> None:
        if self._severed:
            raise TimeoutError("the deadline has passed")
        self._open.append(connection)

    def sever(self) -> None:
        """Shut every socket down: whoever reads from one is told that it ended."""
        self._severed = True
        for connection in self._open:
            if connection.sock is None:
                continue
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it was closed or not connected yet: nobody reads from it


def within(timeout: float, work: Callable[[], T], sever: Callable[[], None]) -> T:
    """The result of `work`, or TimeoutError at the deadline, after which nothing of it goes on for long."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread as it is
            errors.append(error)

    # A daemon: a thread that hangs in a name lookup must not keep the process from ending.
    thread = threading.Thread(target=run, name="uno-health-http", daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        sever()
        raise TimeoutError(f"not done after {timeout:g} s")
    if errors:
        raise errors[0]
    return results[0]
