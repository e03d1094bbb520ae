import hashlib
import hmac
import json
import math
import re
import ssl
import subprocess
import threading
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from attrs import evolve

from uno_core import ConfigError, NoticeKind, Secret, Status, UnoError
from uno_core.testing import NotifierContract, PluginContract
from uno_core.testing.notifier import FINISHED
from uno_notify_webhook.options import WebhookOptions

pytest_plugins = ["uno_core.testing.fixtures"]

PATH = "/services/T000/B000/geheim"
OK = (200, {}, b"ok")
DOWN = (503, {}, b"")


class Contract(NotifierContract):
    format = "json"

    @pytest.fixture
    def notifier(self, webhook):
        kinds = [kind.value for kind in NoticeKind]
        return webhook(format=self.format, on=kinds, secret=Secret("TOKEN"))

    @pytest.fixture
    def delivered(self, receiver):
        return lambda: receiver.texts

    @pytest.fixture
    def unreachable(self, webhook):
        return webhook("CLOSED", format=self.format, secret=Secret("TOKEN"))

    @pytest.fixture
    def hanging(self, webhook, receiver):
        receiver.answers[:] = ["hang"] * 20
        return webhook(format=self.format)

    @pytest.fixture
    def secret(self):
        return "geheim"


class TestJson(Contract):
    pass


class TestSlack(Contract):
    format = "slack"


class TestPlugin(PluginContract):
    distribution = "uno-notify-webhook"
    sdks = ("requests", "urllib3")


def failing(notifier, timeout=10.0):
    with pytest.raises(UnoError) as caught:
        notifier.notify(FINISHED, timeout)
    text = str(caught.value)
    assert "geheim" not in text
    assert "open-sesame" not in text
    return text


def test_the_body_is_the_documented_one(webhook, receiver):
    webhook().notify(FINISHED, 10)
    ((path, headers, _),) = receiver.seen
    assert path == PATH
    assert headers["Content-Type"] == "application/json"
    document = receiver.documents[0]
    delivery = document.pop("delivery")
    assert headers["X-Uno-Delivery"] == delivery
    assert re.fullmatch("[0-9a-f]{32}", delivery)
    assert document == {
        "schema_version": 1,
        "kind": "finished",
        "at": "2026-01-31T12:00:00+00:00",
        "application": "shop",
        "environment": "testing",
        "deployment": "shop-testing-7",
        "version": "2.4.1",
        "previous": "2.4.0",
        "strategy": "canary",
        "status": "rolled_back",
        "exit_code": 3,
        "message": "2.4.0 serves again: error_rate: 7 % is above 1 %",
        "reason": "a new basket",
        "data": {"status": "rolled_back", "message": "2.4.0 serves again", "exit_code": 3},
    }


def test_what_is_no_json_and_what_is_too_long_is_cut(webhook, receiver):
    webhook().notify(evolve(FINISHED, message="x" * 50_000, data={"n": [math.nan, math.inf, 1.5]}), 10)
    webhook().notify(evolve(FINISHED, data={"log": "x" * 500_000}), 10)
    first, second = receiver.documents
    assert len(first["message"]) == 10_000
    assert first["data"] == {"n": [None, None, 1.5]}
    assert second["data"] is None


def test_only_the_chosen_kinds_are_posted(webhook, receiver):
    usual, chosen = webhook(), webhook(on=["step"])
    for kind in NoticeKind:
        usual.notify(evolve(FINISHED, kind=kind), 10)
        chosen.notify(evolve(FINISHED, kind=kind), 10)
    kinds = [document["kind"] for document in receiver.documents]
    assert kinds == ["started", "step", "paused", "warning", "rolling_back", "finished", "left"]


def test_a_request_is_signed_with_its_time(webhook, receiver):
    before = int(datetime.now(UTC).timestamp())
    webhook(secret=Secret("TOKEN")).notify(FINISHED, 10)
    _, headers, body = receiver.seen[0]
    stamp = headers["X-Uno-Timestamp"]
    assert before <= int(stamp) <= before + 60
    wanted = hmac.new(b"open-sesame", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["X-Uno-Signature"] == f"sha256={wanted}"
    webhook().notify(FINISHED, 10)
    assert "X-Uno-Signature" not in receiver.seen[1][1]


def test_headers_are_sent_secrets_too(webhook, receiver):
    webhook(headers={"Authorization": Secret("TOKEN"), "X-Team": "shop"}).notify(FINISHED, 10)
    headers = receiver.seen[0][1]
    assert (headers["Authorization"], headers["X-Team"]) == ("open-sesame", "shop")


@pytest.mark.parametrize("first", [DOWN, (500, {}, b""), (429, {}, b""), (408, {}, b""), "mute"], ids=str)
def test_what_may_help_is_tried_again(webhook, receiver, clock, first):
    receiver.answers[:] = [first, DOWN, OK]
    webhook().notify(FINISHED, 10)
    assert len(receiver.seen) == 3
    assert clock.waits == [0.5, 1.0]
    deliveries = {document["delivery"] for document in receiver.documents}
    assert len(deliveries) == 1, "a receiver knows a repetition by it"


def test_an_attempt_that_hangs_is_tried_again(webhook, receiver):
    receiver.answers[:] = ["hang", OK]
    webhook(timeout=0.3).notify(FINISHED, 20)
    assert len(receiver.seen) == 2


def test_an_answer_without_end_does_not_hold_an_attempt(webhook, receiver):
    receiver.answers[:] = ["drip"]
    assert "no answer within 0.3 s" in failing(webhook(timeout=0.3, tries=1))


def test_after_the_last_try_it_is_said(webhook, receiver):
    receiver.answers[:] = [DOWN] * 5
    text = failing(webhook(tries=3))
    assert len(receiver.seen) == 3
    assert "503 Service Unavailable (3 attempts)" in text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413])
def test_what_cannot_help_is_not_tried_again(webhook, receiver, clock, status):
    receiver.answers[:] = [(status, {}, b"")]
    assert f"{status} " in failing(webhook())
    assert len(receiver.seen) == 1
    assert not clock.waits


def test_the_receiver_says_when_to_come_again(webhook, receiver, clock):
    receiver.answers[:] = [(429, {"Retry-After": "3"}, b""), OK]
    webhook().notify(FINISHED, 10)
    assert clock.waits == [3.0]


def test_it_may_say_so_by_a_date(webhook, receiver, clock):
    at = format_datetime(datetime.fromtimestamp(clock.now().timestamp() + 5, UTC), usegmt=True)
    receiver.answers[:] = [(503, {"Retry-After": at}, b""), OK]
    webhook().notify(FINISHED, 20)
    (wait,) = clock.waits
    assert 0 < wait <= 5


@pytest.mark.parametrize("text", ["soon", "-5", "Fri, 99 Foo 2026", "1e9"])
def test_what_it_says_may_be_nonsense(webhook, receiver, clock, text):
    receiver.answers[:] = [(503, {"Retry-After": text}, b""), OK]
    webhook().notify(FINISHED, 10)
    assert clock.waits == [0.5]


def test_who_wants_longer_than_there_is_time_is_not_waited_for(webhook, receiver, clock):
    receiver.answers[:] = [(429, {"Retry-After": "60"}, b""), OK]
    text = failing(webhook())
    assert "it wants 60 s of rest" in text
    assert len(receiver.seen) == 1
    assert not clock.waits


def test_no_attempt_begins_when_the_time_is_over(webhook, receiver, clock):
    receiver.answers[:] = [DOWN] * 10
    failing(webhook(tries=10), timeout=4.0)
    assert clock.waits == [0.5, 1.0, 2.0]


def test_nobody_there_is_tried_again_and_then_said_in_words(webhook, clock):
    assert "connection refused (4 attempts)" in failing(webhook("CLOSED"))
    assert clock.waits == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_no_secret_along(webhook, receiver, status):
    receiver.answers[:] = [(status, {"Location": f"http://localhost:{receiver.server_port}/other"}, b"")]
    text = failing(webhook(headers={"Authorization": Secret("TOKEN")}, secret=Secret("TOKEN")))
    assert "redirects are not followed" in text
    assert [path for path, _, _ in receiver.seen] == [PATH]


def test_a_header_with_a_line_break_is_an_error_that_does_not_show_it(webhook, receiver):
    text = failing(webhook(headers={"X-Key": Secret("BREAK")}))
    assert "sesame" not in text
    assert not receiver.seen


@pytest.mark.parametrize(
    "url", ["ftp://x/", "hooks.example/x", "http://?geheim", "http://[", "http://a b/", "http://x:99999/"]
)
def test_only_http_is_posted_to(webhook, table, url):
    table["ODD"] = url
    with pytest.raises(ConfigError) as caught:
        webhook("ODD")
    assert url not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [{"url": "NOBODY"}, {"secret": Secret("NOBODY")}, {"headers": {"X": Secret("NOBODY")}}],
    ids=str,
)
def test_a_secret_that_is_missing_is_said_when_it_is_made(webhook, options):
    with pytest.raises(ConfigError):
        webhook(**options)


def test_options_are_checked(webhook):
    with pytest.raises(ValueError, match="one of json, slack"):
        WebhookOptions(url=Secret("URL"), format="xml")
    with pytest.raises(ValueError, match="one of started"):
        WebhookOptions(url=Secret("URL"), on=["begun"])
    with pytest.raises(ConfigError, match="certificates"):
        webhook(ca="/nowhere/at/all")


def test_the_url_is_not_shown_by_the_options():
    assert "geheim" not in f"{WebhookOptions(url=Secret('URL'))}"


def test_slack_is_told_with_blocks(webhook, receiver):
    webhook(format="slack").notify(FINISHED, 10)
    (message,) = receiver.documents
    assert message["text"] == "\N{WARNING SIGN} shop in testing: 2.4.1 rolled back"
    header, section, context = message["blocks"]
    assert header["text"]["text"] == message["text"]
    assert section["text"]["text"].startswith("2.4.0 serves again")
    words = [element["text"] for element in context["elements"]]
    assert words == [
        "deployment: shop-testing-7", "version: 2.4.1", "before: 2.4.0", "strategy: canary", "exit code: 3",
        "reason: a new basket",
    ]  # fmt: skip


def test_nobody_is_mentioned_in_slack_by_a_message(webhook, receiver):
    webhook(format="slack").notify(evolve(FINISHED, version="<!channel>", message="<!here> <@U1> *x*"), 10)
    (message,) = receiver.documents
    assert "<!" not in message["text"]
    assert "&lt;!channel&gt;" in message["text"]
    texts = [message["blocks"][0]["text"], message["blocks"][1]["text"], *message["blocks"][2]["elements"]]
    assert {text["type"] for text in texts} == {"plain_text"}


def test_slack_takes_only_so_much(webhook, receiver):
    long = "x" * 20_000
    webhook(format="slack").notify(evolve(FINISHED, version=long, message=long, reason=long), 10)
    header, section, context = receiver.documents[0]["blocks"]
    assert len(header["text"]["text"]) <= 150
    assert len(section["text"]["text"]) <= 3000
    assert all(len(element["text"]) <= 2000 for element in context["elements"])


def test_what_slack_does_not_like_is_told_in_its_word(webhook, receiver):
    receiver.answers[:] = [(404, {}, b"no_service")]
    assert "404 Not Found, no_service" in failing(webhook(format="slack"))
    receiver.answers[:] = [(400, {}, ("look at " + PATH).encode())]
    failing(webhook(format="slack"))


@pytest.mark.parametrize(
    ("status", "mark"),
    [(Status.SUCCESSFUL, "\N{WHITE HEAVY CHECK MARK}"), (Status.ROLLBACK_FAILED, "\N{CROSS MARK}")],
)
def test_slack_sees_at_once_how_it_ended(webhook, receiver, status, mark):
    webhook(format="slack").notify(evolve(FINISHED, status=status), 10)
    assert receiver.documents[0]["text"].startswith(mark)


def test_certificates_are_verified(webhook, receiver, table, tmp_path):
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", tmp_path / "key", "-out", tmp_path / "cert"],
        check=False, capture_output=True,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with type(receiver)() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        table["TLS"] = f"https://localhost:{server.server_port}{PATH}"
        assert "certificate verify failed" in failing(webhook("TLS", tries=1))
        assert not server.seen
        webhook("TLS", ca=str(tmp_path / "cert")).notify(FINISHED, 10)
        assert json.loads(server.texts[0])["version"] == "2.4.1"
        server.over.set()
        server.shutdown()
        thread.join()


def test_proxies_of_the_environment_are_not_for_loopback(webhook, receiver, closed, monkeypatch, table):
    monkeypatch.setenv("http_proxy", closed.removesuffix(PATH))
    webhook().notify(FINISHED, 10)
    assert len(receiver.seen) == 1
    table["FAR"] = "http://hooks.example/geheim"
    assert "the proxy: connection refused" in failing(webhook("FAR", tries=1))
