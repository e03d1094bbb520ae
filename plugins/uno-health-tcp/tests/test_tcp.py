import socket
import socketserver
import threading
import time

import pytest

from uno_core import ConfigError, Release, Slot, Target
from uno_core.testing import HealthCheckContract, PluginContract
from uno_health_tcp import check as module
from uno_health_tcp.check import TcpCheck
from uno_health_tcp.options import TcpOptions

pytest_plugins = ["uno_core.testing.fixtures"]


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            self.wfile.write(b"220 ready\r\n")
            while line := self.rfile.readline():
                match line.strip():
                    case b"PING":
                        self.wfile.write(b"+PO")
                        self.wfile.flush()
                        time.sleep(0.05)
                        self.wfile.write(b"NG 1.2.0\r\n")
                    case b"DRIP":
                        while not self.server.over.wait(0.05):
                            self.wfile.write(b".")
                    case b"QUIT":
                        return
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@pytest.fixture
def server():
    with Server(("127.0.0.1", 0), Handler) as server:
        server.over = threading.Event()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def at(port, host="127.0.0.1", version="1.2.0"):
    return Target(
        application="shop", slot=Slot.BLUE, release=Release(version), instance="i-1", host=host, port=port
    )


@pytest.fixture
def target(server):
    return at(server.server_address[1])


@pytest.fixture
def closed():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else can take it
        yield at(held.getsockname()[1])


@pytest.fixture
def hung():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield at(held.getsockname()[1])


@pytest.fixture
def ask(services, target):
    def ask(timeout=10.0, target=target, **options):
        return TcpCheck(TcpOptions(**options), services).check(target, timeout)

    return ask


class TestContract(HealthCheckContract):
    @pytest.fixture
    def check(self, services):
        return TcpCheck(TcpOptions(send="PING\r\nQUIT\r\n", expect="+PONG {version}"), services)

    @pytest.fixture
    def healthy(self, target):
        return target

    @pytest.fixture
    def unhealthy(self, server):
        return at(server.server_address[1], version="2.0.0")

    @pytest.fixture
    def unreachable(self, closed):
        return closed

    @pytest.fixture
    def hanging(self, hung):
        return hung


class TestPlugin(PluginContract):
    distribution = "uno-health-tcp"
    sdks = ("requests",)


def test_a_connection_is_enough(ask, target):
    probe = ask()
    assert probe.healthy
    assert probe.answer == f"127.0.0.1:{target.port}: connected"


def test_refused_is_said_in_words(ask, closed):
    assert ask(target=closed).answer == f"127.0.0.1:{closed.port}: connection refused"


def test_a_name_that_nobody_has(ask):
    assert "name was not found" in ask(host="nobody.invalid").answer
    assert "name was not found" in ask(host="x" * 70 + ".example").answer


@pytest.mark.parametrize(
    ("expect", "healthy"),
    [("220 ready", True), (r"^2\d\d ", True), ("+PONG", True), (r"\+PONG {version}", True), ("530", False)],
)
def test_what_comes_back_must_match(ask, expect, healthy):
    probe = ask(send="PING\r\nQUIT\r\n", expect=expect)
    assert probe.healthy is healthy
    if not healthy:
        assert "answered '220 ready +PONG 1.2.0', expected '530'" in probe.answer


def test_the_timeout_is_for_the_whole_attempt(ask):
    begun = time.monotonic()
    probe = ask(timeout=0.5, send="DRIP\r\n", expect="never")
    assert time.monotonic() - begun < 3
    assert not probe.healthy
    assert "expected 'never'" in probe.answer


def test_silence_times_out(ask, hung):
    assert ask(timeout=0.3, target=hung, expect="x").answer.endswith("timed out after 0.3 s")


def test_a_name_server_that_hangs_times_out(ask, monkeypatch):
    over = threading.Event()

    def lookup(*_, **__):
        over.wait(20)
        return []

    monkeypatch.setattr(module.socket, "getaddrinfo", lookup)
    begun = time.monotonic()
    assert "timed out" in ask(timeout=0.2).answer
    assert time.monotonic() - begun < 5
    over.set()


@pytest.mark.parametrize(
    ("url", "healthy"),
    [("tcp://{host}:{port}", True), ("tcp://127.0.0.1:{port}/", True), ("tcp://[::1]:1", False)],
)
def test_an_address_as_a_url(ask, url, healthy):
    assert ask(url=url).healthy is healthy


@pytest.mark.parametrize("url", ["http://x:1", "tcp://x", "tcp://:80", "tcp://x:1/path", "x:1"])
def test_a_url_that_is_none(services, url):
    with pytest.raises(ConfigError, match="cannot connect"):
        TcpCheck(TcpOptions(url=url), services)


@pytest.mark.parametrize(
    ("host", "port"), [("{host}", "0"), ("{host}", "http"), ("{host}", "70000"), ("", "1")]
)
def test_an_address_that_is_none_is_an_error(ask, host, port):
    with pytest.raises(ConfigError, match="no address"):
        ask(host=host, port=port)


def test_the_slot_as_a_whole(services):
    assert TcpCheck(TcpOptions(), services).per_instance
    assert TcpCheck(TcpOptions(host="10.0.0.1"), services).per_instance
    assert not TcpCheck(TcpOptions(url="tcp://shop-{env}.example:80"), services).per_instance
