"""A front before the apiserver that can be told to fail: a proxy that ends TLS and says who the client is."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from attrs import define, field

from tests.cluster.control import ADMINS, ALIASES, FRONT, ControlPlane

HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@define
class Fault:
    """What happens to requests that match: `status` in place of an answer, or a `delay` before it.

    times: how many of them, all where it is None. lost: the request is carried out, the answer is not told.
    """

    method: str = ""
    part: str = ""
    """Of the path and its query, such as `/deployments/`."""
    status: int = 0
    retry_after: int | None = None
    delay: float = 0.0
    lost: bool = False
    times: int | None = 1
    hits: int = field(init=False, default=0)

    def takes(self, method: str, path: str) -> bool:
        wanted = self.method in ("", method) and self.part in path
        return wanted and (self.times is None or self.hits < self.times)


class Front:
    """Passes everything on, as who the client's certificate says, until a fault is told to it."""

    def __init__(self, control: ControlPlane) -> None:
        self.control = control
        self.faults: list[Fault] = []
        self._lock = threading.Lock()
        self._watching: set[ssl.SSLSocket] = set()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        issue = control.authority.issue
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*issue("front", names=ALIASES))
        context.load_verify_locations(control.authority.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._upstream = ssl.create_default_context(cafile=str(control.authority.certificate))
        self._upstream.load_cert_chain(*issue(FRONT))

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def kubeconfig(self, user: str = "admin", *groups: str) -> Path:
        """As one at the apiserver itself, but by way of this front."""
        return self.control.kubeconfig(user, groups or (ADMINS if user == "admin" else ()), url=self.url)

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.cut_watches()
        self._server.shutdown()
        self._server.server_close()

    def inject(self, **fault: Any) -> Fault:
        """The fault that requests meet from now on; its `hits` say how many did."""
        self.faults.append(Fault(**fault))
        return self.faults[-1]

    def heal(self) -> None:
        self.faults.clear()

    def cut_watches(self) -> int:
        """End every open watch in the middle, as a load balancer does; how many there were."""
        with self._lock:
            cut = list(self._watching)
        for connection in cut:
            try:
                connection.shutdown(2)
            except OSError:
                pass  # the client had left
        return len(cut)

    def fault_for(self, method: str, path: str) -> Fault | None:
        with self._lock:
            found = next((one for one in self.faults if one.takes(method, path)), None)
            if found:
                found.hits += 1
            return found

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self) -> None:
                front.handle(self)

            def log_message(self, *arguments) -> None:
                pass

        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.pass_on)
        return Handler

    def handle(self, client: BaseHTTPRequestHandler) -> None:
        body = client.rfile.read(int(client.headers.get("Content-Length") or 0))
        fault = self.fault_for(client.command, client.path)
        if fault and fault.delay:
            time.sleep(fault.delay)
        if fault and fault.status and not fault.lost:
            return _refuse(client, fault)
        upstream = http.client.HTTPSConnection("127.0.0.1", self.control.port, context=self._upstream)
        try:
            upstream.putrequest(client.command, client.path, skip_host=True, skip_accept_encoding=True)
            for name, value in [*_headers(client), ("Content-Length", str(len(body)))]:
                upstream.putheader(name, value)
            upstream.endheaders(body or None)
            answer = upstream.getresponse()
            if fault and fault.lost:
                answer.read()
                client.close_connection = True
                return None
            if "watch=" in client.path:
                return self._stream(client, answer)
            return _answer(client, answer.status, answer.read(), answer.getheaders())
        except (OSError, http.client.HTTPException):
            # As if the apiserver itself had been asked, and was away.
            client.close_connection = True
        finally:
            upstream.close()

    def _stream(self, client: BaseHTTPRequestHandler, answer: http.client.HTTPResponse) -> None:
        client.close_connection = True
        client.send_response(answer.status)
        client.send_header("Content-Type", answer.getheader("Content-Type", "application/json"))
        client.send_header("Connection", "close")
        client.end_headers()
        with self._lock:
            self._watching.add(client.connection)
        try:
            while chunk := answer.read1(65536):
                client.wfile.write(chunk)
                client.wfile.flush()
        finally:
            with self._lock:
                self._watching.discard(client.connection)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A client that goes away is no news.
    handle_error: Callable[..., None] = lambda *_: None  # type: ignore[assignment]


def _headers(client: BaseHTTPRequestHandler) -> list[tuple[str, str]]:
    subject = [pair for row in client.connection.getpeercert()["subject"] for pair in row]
    said = {"commonName": "X-Remote-User", "organizationName": "X-Remote-Group"}
    kept = [
        (name, value)
        for name, value in client.headers.items()
        if name.lower() not in HOP and not name.lower().startswith("x-remote-")
    ]
    return kept + [(said[name], value) for name, value in subject if name in said]


def _answer(client, status: int, body: bytes, headers: list[tuple[str, str]]) -> None:
    client.send_response_only(status)
    for name, value in headers:
        if name.lower() not in HOP:
            client.send_header(name, value)
    client.send_header("Content-Length", str(len(body)))
    client.end_headers()
    client.wfile.write(body)


def _refuse(client, fault: Fault) -> None:
    import json

    reason = {429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable"}.get(fault.status, "")
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "message": "injected by a test",
        "code": fault.status,
    }
    headers = [("Content-Type", "application/json")]
    if fault.retry_after is not None:
        headers.append(("Retry-After", str(fault.retry_after)))
    _answer(client, fault.status, json.dumps(body).encode(), headers)
