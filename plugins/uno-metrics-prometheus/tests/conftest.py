"""A real exporter, and a source that answers in every bad way that a provider has to cope with."""

import json
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from uno_core import Query, Slot
from uno_metrics_prometheus.options import PrometheusOptions
from uno_metrics_prometheus.provider import PrometheusMetrics

SHOP = 'app="{app}", slot="{slot}"'
OWN = {
    "requests": f"http_requests_total{{{SHOP}}}",
    "errors": f'http_requests_total{{{SHOP}, code=~"5.."}}',
    "latency": f"http_seconds_bucket{{{SHOP}}}",
}


class Served(ThreadingHTTPServer):
    """A server in threads of its own, until the end of the test."""

    daemon_threads = True

    def __init__(self, handler, tls=None, **known):
        super().__init__(("127.0.0.1", 0), handler)
        self.over = threading.Event()
        self.seen = []
        self.__dict__.update(known)
        self.port = self.server_port
        self.url = f"http{'s' if tls else ''}://{'localhost' if tls else '127.0.0.1'}:{self.port}"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.shutdown()
        self.thread.join()
        self.server_close()

    def handle_error(self, request, client_address):
        pass


class Answering(BaseHTTPRequestHandler):
    """Answers as Prometheus would, or as the server's `how` says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        self.server.seen.append((self.path, dict(self.headers), self.asked.get("query", "")))
        self.server.how(self)

    def say(self, status, body=b"", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def result(self, kind, result, **more):
        self.say(200, {"status": "success", "data": {"resultType": kind, "result": result}, **more})

    def log_message(self, *arguments):
        pass


@pytest.fixture
def source():
    """`source(how)` starts a server that answers as `how` does, which is handed the request."""
    started = []

    def start(how, **more):
        started.append(Served(Answering, how=how, **more).__enter__())
        return started[-1]

    yield start
    for server in started:
        server.__exit__()


@pytest.fixture
def closed():
    """A URL at which nobody listens, and nobody else can begin to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def asking(services):
    """A provider at a URL."""

    def asking(url, **options):
        if not {"requests", "preset", "queries"} & set(options):
            options = {**OWN, **options}
        given = {"interval": 1.0, "timeout": 10.0, **options}
        return PrometheusMetrics(PrometheusOptions(url=url, **given), services)

    return asking


@pytest.fixture
def blue():
    return Query(application="shop", environment="testing", slot=Slot.BLUE, version="1.2.0")


def until(look, wanted=bool, *, deadline=60.0):
    """Poll until it is as wanted; at the deadline the test fails with what was seen last."""
    end = time.monotonic() + deadline
    while True:
        seen = look()
        if wanted(seen):
            return seen
        assert time.monotonic() < end, f"not within {deadline:g} s; last seen: {seen}"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """An authority, and a certificate of it for the server and one for a client."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments):
        made = subprocess.run(["openssl", *arguments], check=False, capture_output=True, cwd=folder)
        assert made.returncode == 0, made.stderr

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=uno tests",
            "-keyout", "ca.key", "-out", "ca.pem")  # fmt: skip
    for name, more in (
        ("server", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ("client", "extendedKeyUsage=clientAuth"),
    ):
        (folder / f"{name}.ext").write_text(more)
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr")  # fmt: skip
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")  # fmt: skip
    return folder


@pytest.fixture
def tls(certificates):
    """Wants a certificate of the client's."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / "ca.pem")
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    return context
