import socketserver
import subprocess
import sys
import threading
import time

import pytest

from uno_core import ConfigError, Secret
from uno_core.testing import HealthCheckContract, PluginContract
from uno_health_http.check import HttpCheck
from uno_health_http.options import HttpOptions

pytest_plugins = ["uno_core.testing.fixtures"]


class TestContract(HealthCheckContract):
    @pytest.fixture
    def check(self, services):
        return HttpCheck(HttpOptions(body='"version": "{version}"'), services)

    @pytest.fixture
    def healthy(self, target):
        return target

    @pytest.fixture
    def unhealthy(self, server, at):
        return at(server.server_port, version="2.0.0")

    @pytest.fixture
    def unreachable(self, closed):
        return closed

    @pytest.fixture
    def hanging(self, hung):
        return hung


class TestPlugin(PluginContract):
    distribution = "uno-health-http"
    sdks = ("requests", "urllib3")


def test_a_2xx_is_healthy_by_default(ask):
    assert ask().healthy
    probe = ask("/down")
    assert not probe.healthy
    assert probe.answer.endswith("/down: 503 Service Unavailable, expected 2xx")
    assert probe.answer.startswith("GET http://127.0.0.1:")


@pytest.mark.parametrize(("status", "healthy"), [(503, True), (200, False), ([200, 503], True), ((), False)])
def test_the_status_can_be_chosen(ask, status, healthy):
    assert ask("/down", status=status).healthy is healthy


def test_a_redirect_is_the_answer_unless_it_is_followed(ask):
    probe = ask("/moved")
    assert not probe.healthy
    assert "302 Found to /health, expected 2xx" in probe.answer
    assert ask("/moved", redirects=True).healthy
    assert ask("/moved", status=302).healthy
    assert "redirected more than 5 times" in ask("/loop", redirects=True).answer


@pytest.mark.parametrize(
    ("body", "healthy"),
    [
        ('"status": "ok"', True),
        (r'"status":\s*"(ok|fine)"', True),
        ('"version": "{version}"', True),
        (r'version": "{version}"\}$', True),
        ("broken", False),
        ("ok (really", False),
    ],
)
def test_the_body_must_match(ask, body, healthy):
    probe = ask(body=body)
    assert probe.healthy is healthy
    assert ("does not match" in probe.answer) is not healthy


def test_a_version_is_a_text_and_not_a_pattern(ask, server, at):
    assert (
        ask(body=r'version":\s"{version}', target=at(server.server_port, version="1.2.")).healthy is not False
    )
    assert not ask(body=r'version":\s"{version}"', target=at(server.server_port, version="1..*")).healthy


def test_placeholders_are_filled_in(ask, server):
    ask("/{env}/{slot}/{version}/{app}?x={port}", headers={"X-Slot": "{slot}"})
    path, headers = server.seen[-1]
    assert path == f"/green/green/1.2.0/shop?x={server.server_port}"
    assert headers["X-Slot"] == "green"


def test_the_method_is_asked_with(ask):
    assert ask(method="HEAD").healthy
    assert ask("/down", method="POST").answer.startswith("POST ")


def test_a_secret_is_sent_and_never_shown(ask, server):
    probe = ask("/echo", headers={"Authorization": Secret("TOKEN")}, body="something else")
    assert server.seen[-1][1]["Authorization"] == "open-sesame"
    assert not probe.healthy
    assert "open-sesame" not in probe.answer
    assert "***" in probe.answer


def test_a_secret_does_not_follow_a_redirect_to_another_host(ask, server):
    ask("/away", redirects=True, headers={"X-Key": Secret("TOKEN"), "X-Slot": "{slot}"})
    (first, then) = server.seen
    assert first[1]["X-Key"] == "open-sesame"
    assert then[0] == "/health"
    assert "X-Key" not in then[1]
    assert then[1]["X-Slot"] == "green"


def test_a_secret_that_is_missing_is_an_error_and_not_bad_health(ask):
    with pytest.raises(ConfigError):
        ask(headers={"Authorization": Secret("NOBODY")})


def test_a_header_with_a_line_break_is_an_error_that_does_not_show_it(ask):
    with pytest.raises(ConfigError) as caught:
        ask(headers={"Authorization": "Bearer\n geheim"})
    assert "geheim" not in str(caught.value)


def test_a_password_in_the_url_is_not_shown(ask):
    assert "geheim" not in ask(url="http://me:geheim@{host}:{port}/down").answer


@pytest.mark.parametrize("path", ["/hang", "/drip-body", "/drip-head"])
def test_the_timeout_is_for_the_whole_attempt(ask, path):
    begun = time.monotonic()
    probe = ask(path, timeout=0.5)
    assert time.monotonic() - begun < 3
    assert not probe.healthy
    assert probe.answer.endswith("no answer within 0.5 s")
    ended = time.monotonic() + 5
    while any(t.name == "uno-health-http" for t in threading.enumerate()):
        assert time.monotonic() < ended, "the attempt goes on behind our back"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("path", "words"), [("/short", "closed in the middle"), ("/mute", "closed without an answer")]
)
def test_half_an_answer_is_none(ask, path, words):
    probe = ask(path)
    assert not probe.healthy
    assert words in probe.answer


def test_a_body_without_end_is_read_to_a_limit(ask, server):
    assert ask("/huge").healthy
    assert server.broke_off.wait(5)


def test_nobody_there_is_said_in_words(ask, closed):
    assert ask(target=closed).answer.endswith(": connection refused")
    assert "name was not found" in ask(url="http://nobody.invalid/").answer


def test_something_else_than_http_is_unhealthy(ask, at):
    class Rude(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(1000)
            self.request.sendall(b"220 mail.example ESMTP\r\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Rude) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        probe = ask(target=at(server.server_address[1]))
        thread.join()
    assert not probe.healthy
    assert "object at" not in probe.answer


def test_proxies_of_the_environment_are_not_for_loopback(ask, closed, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed.port}")
    assert ask().healthy
    assert "the proxy: connection refused" in ask(url="http://shop.example/").answer


def test_the_slot_as_a_whole(services):
    def whole(url):
        return not HttpCheck(HttpOptions(url=url), services).per_instance

    assert whole("http://my-app-{env}.example.com/health")
    assert not whole("http://{host}:80/")
    assert not whole("http://localhost:{port}/")


def test_an_instance_without_an_address_is_an_error(ask, at):
    with pytest.raises(ConfigError, match="i-1 has no address"):
        ask(target=at(80, host=""))


@pytest.mark.parametrize("url", ["ftp://x/", "shop.example/health", ""])
def test_only_http_is_asked(services, url):
    with pytest.raises(ConfigError, match="cannot ask this URL"):
        HttpCheck(HttpOptions(url=url), services)


def test_options_are_checked():
    with pytest.raises(ValueError, match="at least 100"):
        HttpOptions(status=7)
    with pytest.raises(ValueError, match="one of GET"):
        HttpOptions(method="FETCH")


def test_certificates_are_verified(ask, tls, certificate):
    url = f"https://localhost:{tls}/health"
    probe = ask(url=url)
    assert not probe.healthy
    assert "certificate verify failed: self" in probe.answer
    assert ask(url=url, ca=str(certificate / "cert")).healthy
    assert ask(url=url, verify=False).healthy
    assert "TLS failed" in ask(url="https://{host}:{port}/").answer


def test_certificates_that_are_not_there_are_an_error(ask):
    with pytest.raises(ConfigError, match="do not exist"):
        ask(ca="/nowhere/ca.pem")


def test_a_pending_attempt_does_not_keep_the_process():
    program = """
import threading
from uno_health_http.deadline import within
try:
    within(0.1, threading.Event().wait, lambda: None)
except TimeoutError:
    print("timed out")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.stdout == "timed out\n", done.stderr


@pytest.mark.parametrize("url", ["http://{host}:{prot}/health", "http://my-app-{slto}.example.com/"])
def test_a_placeholder_that_is_none_is_told_with_those_there_are(url):
    with pytest.raises(ValueError, match=r"is no placeholder; expected \{host\}, \{port\}"):
        HttpOptions(url=url)
