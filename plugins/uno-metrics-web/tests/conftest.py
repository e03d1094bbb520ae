"""A server that answers in every way that a provider has to cope with."""

import json
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from uno_core import Query, Slot
from uno_metrics_web.options import WebOptions
from uno_metrics_web.provider import WebMetrics


class Answering(BaseHTTPRequestHandler):
    """Answers as the server's `how` says, which is handed the request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, dict(self.headers), sent.decode()))
        self.server.how(self)

    do_POST = do_GET  # noqa: N815 - the name that http.server calls

    def say(self, status, body=b"", **headers):
        """A body as it is, or a document as JSON."""
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Served(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, how, tls=None):
        super().__init__(("127.0.0.1", 0), Answering)
        self.how = how
        self.over = threading.Event()
        self.seen = []
        self.url = f"http{'s' if tls else ''}://{'localhost' if tls else '127.0.0.1'}:{self.server_port}"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def end(self):
        self.over.set()
        self.shutdown()
        self.thread.join()
        self.server_close()

    def handle_error(self, request, client_address):
        pass


@pytest.fixture
def source():
    """`source(how)` starts a server; all end with the test."""
    started = []

    def start(how, **more):
        started.append(Served(how, **more))
        return started[-1]

    yield start
    for server in started:
        server.end()


@pytest.fixture
def closed():
    """A URL at which nobody listens, and nobody else can begin to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/"


@pytest.fixture
def asking(services):
    return lambda url, **options: WebMetrics(WebOptions(url=url, **options), services)


@pytest.fixture
def blue():
    return Query(application="shop", environment="testing", slot=Slot.BLUE, version="1.2.0")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key", "-out", folder / "cert"],
        check=False, capture_output=True,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert", certificate / "key")
    return context
