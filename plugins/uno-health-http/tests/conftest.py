"""A server that answers in every way that a check has to cope with."""

import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from uno_core import Release, Slot, Target
from uno_health_http.check import HttpCheck
from uno_health_http.options import HttpOptions


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        path = self.path.partition("?")[0]
        getattr(self, "get" + path.replace("/", "_").replace("-", "_"), self.get_missing)()

    do_POST = do_GET  # noqa: N815 - the name that http.server calls
    do_HEAD = do_GET  # noqa: N815 - likewise

    def say(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def get_missing(self):
        self.say(404)

    def get_health(self):
        self.say(200, b'{"status": "ok", "version": "1.2.0"}')

    def get_down(self):
        self.say(503, b"down")

    def get_moved(self):
        self.say(302, Location="/health")

    def get_away(self):
        self.say(302, Location=f"http://localhost:{self.server.server_port}/health")

    def get_loop(self):
        self.say(302, Location="/loop")

    def get_echo(self):
        self.say(200, b"you said " + self.headers.get("Authorization", "").encode())

    def get_hang(self):
        self.server.over.wait(60)

    def get_drip_body(self):
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.drip()

    def get_drip_head(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self.drip()

    def drip(self):
        try:
            while not self.server.over.wait(0.05):
                self.wfile.write(b"a")
                self.wfile.flush()
        except OSError:
            pass
        self.close_connection = True

    def get_short(self):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True

    def get_mute(self):
        self.close_connection = True

    def get_huge(self):
        self.send_response(200)
        self.end_headers()
        try:
            while not self.server.over.is_set():
                self.wfile.write(b"x" * 65536)
        except OSError:
            self.server.broke_off.set()
        self.close_connection = True

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address=("127.0.0.1", 0)):
        super().__init__(address, Handler)
        self.seen = []
        self.over = threading.Event()
        self.broke_off = threading.Event()

    def handle_error(self, request, client_address):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def _at(port, version="1.2.0", host="127.0.0.1", slot=Slot.GREEN):
    return Target(
        application="shop", slot=slot, release=Release(version), instance="i-1", host=host, port=port
    )


@pytest.fixture
def at():
    return _at


@pytest.fixture
def target(server):
    return _at(server.server_port)


@pytest.fixture
def closed():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else can take it
        yield _at(held.getsockname()[1])


@pytest.fixture
def hung():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield _at(held.getsockname()[1])


@pytest.fixture
def ask(services, target):
    def ask(path="/health", timeout=10.0, target=target, **options):
        url = options.pop("url", "http://{host}:{port}" + path)
        return HttpCheck(HttpOptions(url=url, **options), services).check(target, timeout)

    return ask


@pytest.fixture(scope="module")
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
    with Server() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_port
        server.over.set()
        server.shutdown()
        thread.join()
