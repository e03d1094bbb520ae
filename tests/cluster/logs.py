"""The kubelet's HTTPS port: the apiserver asks here for `GET .../pods/NAME/log`."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from tests.cluster.kubelet import Kubelet


class Logs:
    """Answers only to who has a certificate of the cluster's authority."""

    def __init__(self, authority: Path, certificate: tuple[Path, Path]) -> None:
        self.kubelet: Kubelet | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, text = outer.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *arguments) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
        # Shaken hands with in the thread of each connection: one that stalls holds up nobody.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port: int = self._server.server_address[1]

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, url: str) -> tuple[int, bytes]:
        split = urlsplit(url)
        query = {name: values[-1] for name, values in parse_qs(split.query).items()}
        parts = split.path.strip("/").split("/")
        if len(parts) != 4 or parts[0] != "containerLogs" or self.kubelet is None:
            return 404, b"this kubelet has logs only"
        pod = self.kubelet.pod(parts[1], parts[2])
        container = pod.container(parts[3]) if pod else None
        if container is None:
            return 404, b"no such container"
        file = container.log_of(query.get("previous") == "true")
        if not file.exists():
            # A real kubelet's words.
            return 400, f'previous terminated container "{parts[3]}" in pod "{parts[2]}" not found'.encode()
        lines = file.read_bytes().splitlines(keepends=True)
        if "tailLines" in query:
            lines = lines[-int(query["tailLines"]) or len(lines) :]
        text = b"".join(lines)
        return 200, text[: int(query["limitBytes"])] if "limitBytes" in query else text
