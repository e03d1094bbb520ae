"""What stands between uno and a real Prometheus, and answers for it as badly as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen


class Veil:
    """`answers` is `well`, or one of nan, empty, failing, slow: the same real answer, spoilt."""

    def __init__(self, behind: str) -> None:
        self.behind, self.answers = behind, "well"
        self.leave = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        veil = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def do_GET(self) -> None:
                self.answer(None)

            def answer(self, body: bytes | None) -> None:
                if veil.answers == "slow":
                    veil.leave.wait(60)
                if veil.answers == "failing":
                    status, text = 500, b"it is not well"
                else:
                    status, text = veil.asked(self.path, body, self.headers.get("Content-Type", ""))
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                except ConnectionError:
                    pass  # whoever asked has given up

            def log_message(self, *arguments: Any) -> None:
                pass

        return Handler

    def asked(self, path: str, body: bytes | None, kind: str) -> tuple[int, bytes]:
        request = Request(self.behind + path, data=body, headers={"Content-Type": kind} if body else {})
        try:
            with urlopen(request, timeout=10) as answer:
                return answer.status, self.spoilt(answer.read())
        except HTTPError as refused:
            return refused.code, refused.read()

    def spoilt(self, text: bytes) -> bytes:
        if self.answers not in ("nan", "empty"):
            return text
        document = json.loads(text)
        rows = document["data"]["result"]
        if self.answers == "empty":
            rows.clear()
        for row in rows:
            for sample in [row["value"]] if "value" in row else row.get("values", []):
                sample[1] = "NaN"
        return json.dumps(document).encode()


@contextmanager
def veiled(behind: str) -> Iterator[Veil]:
    """Serve until the test is over."""
    veil = Veil(behind)
    thread = threading.Thread(target=veil.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield veil
    finally:
        veil.leave.set()
        veil.server.shutdown()
        veil.server.server_close()
        thread.join()
