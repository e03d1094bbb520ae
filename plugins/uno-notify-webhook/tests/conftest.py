"""A receiver that answers as a test wants, and a clock on which no test waits."""

import json
import socket
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from uno_core import Secret, SystemClock
from uno_core.testing import TableOfSecrets
from uno_notify_webhook.options import WebhookOptions
from uno_notify_webhook.webhook import Webhook

PATH = "/services/T000/B000/geheim"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        server.seen.append((self.path, dict(self.headers), body))
        answer = server.answers.pop(0) if server.answers else (200, {}, b"ok")
        if answer == "hang":
            server.over.wait(60)
            return
        if answer == "drip":
            try:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not server.over.wait(0.02):
                    self.wfile.write(b"a")
                    self.wfile.flush()
            except OSError:
                pass
            return
        if answer == "mute":
            return
        status, headers, text = answer
        self.send_response(status, "as " + PATH)  # a receiver may say anything
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST  # noqa: N815 - the name that http.server calls

    def log_message(self, *arguments):
        pass


class Receiver(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen, self.answers, self.over = [], [], threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}{PATH}"

    @property
    def texts(self):
        return [body.decode() for _, _, body in self.seen]

    @property
    def documents(self):
        return [json.loads(text) for text in self.texts]

    def handle_error(self, request, client_address):
        pass


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield receiver
        receiver.over.set()
        receiver.shutdown()
        thread.join()


class Skipping(SystemClock):
    """The machine's time, with every wait skipped and remembered."""

    def __init__(self):
        self.waits = []

    def monotonic(self):
        return super().monotonic() + sum(self.waits)

    def now(self):
        return super().now() + timedelta(seconds=sum(self.waits))

    def sleep(self, seconds, wake=None):
        self.waits.append(seconds)


@pytest.fixture
def clock():
    return Skipping()


@pytest.fixture
def closed():
    """A URL at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else can take it
        yield f"http://127.0.0.1:{held.getsockname()[1]}{PATH}"


@pytest.fixture
def table(receiver, closed):
    return {"URL": receiver.url, "CLOSED": closed, "TOKEN": "open-sesame", "BREAK": "open\nsesame"}


@pytest.fixture
def secrets(table):
    return TableOfSecrets(table)


@pytest.fixture
def webhook(services):
    def webhook(url="URL", **options):
        return Webhook(WebhookOptions(url=Secret(url), **options), services)

    return webhook
