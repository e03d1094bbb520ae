"""A real Prometheus for tests, which scrapes every second. Opt in by `pytest_plugins = ["prometheus"]`.

What it scrapes are small real exporters, all of them known to it from the beginning: a target that is
added later is found after five seconds only. A test has those that it asks for to itself.
"""

import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

DEADLINE = 60.0
TARGETS = 4
UNBORN = 2


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def until(look, wanted=bool, *, deadline=DEADLINE):
    """Poll until it is as wanted; at the deadline the test fails with what was seen last."""
    end = time.monotonic() + deadline
    while True:
        seen = look()
        if wanted(seen):
            return seen
        assert time.monotonic() < end, f"not within {deadline:g} s; last seen: {seen}"
        time.sleep(0.02)


class Exporter:
    """A process that counts, and tells it on a port of its own; `scrapes` is what it told, and when."""

    def __init__(self):
        self.scrapes = []
        self.started = time.time()
        self.counts = {}
        self.extra = ""
        self._lock = threading.Lock()
        self._server = None
        self.port = free_port()

    @property
    def instance(self):
        return f"127.0.0.1:{self.port}"

    def count(self, name, by=1, **labels):
        with self._lock:
            key = (name, tuple(sorted(labels.items())))
            self.counts[key] = self.counts.get(key, 0) + by

    def request(self, app, code="200", seconds=0.05, slot="blue"):
        """One request that was answered."""
        who = {"app": app, "slot": slot}
        self.count("http_requests_total", code=code, **who)
        for edge in (0.1, 0.5, float("inf")):
            self.count(
                "http_seconds_bucket", int(seconds <= edge), le=str(edge).replace("inf", "+Inf"), **who
            )

    def total(self, name, counts=None, **labels):
        counts = self.counts if counts is None else counts
        wanted = set(labels.items())
        return sum(v for (found, has), v in counts.items() if found == name and wanted <= set(has))

    def start(self):
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                with exporter._lock:
                    told = dict(exporter.counts)
                    exporter.scrapes.append((time.time(), told))
                body = exporter.page(told).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def page(self, told):
        lines = [f"process_start_time_seconds {self.started}"] if self.started else []
        for (name, labels), value in told.items():
            inside = ",".join(f'{k}="{escaped(v)}"' for k, v in labels)
            lines.append(f"{name}{{{inside}}} {value}")
        return "\n".join([*lines, self.extra, ""])

    def stop(self):
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def restart(self):
        """A new process: all that it counted is gone."""
        self.stop()
        with self._lock:
            self.counts, self.started, self.extra = {}, time.time(), ""
        self.start()

    def scraped(self):
        """When what has been counted until now was scraped, once it is stored: when the next one begins."""
        seen = len(self.scrapes)
        until(lambda: len(self.scrapes) - seen, lambda new: new >= 2)
        return self.scrapes[seen][0]


def escaped(text):
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Server:
    """One Prometheus; it can be killed and started again, and keeps what it has."""

    def __init__(self, targets=(), web="", path="/metrics"):
        self.folder = Path(tempfile.mkdtemp(prefix="uno-prometheus-"))
        self.port = free_port()
        self.scheme = "https" if web else "http"
        self.process = None
        jobs = "".join(
            f"- {{job_name: job{number}, metrics_path: {path},"
            f" static_configs: [{{targets: ['{one.instance}']}}]}}\n"
            for number, one in enumerate(targets)
        )
        timing = "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        (self.folder / "prometheus.yml").write_text(f"{timing}scrape_configs:\n{jobs}" if jobs else timing)
        (self.folder / "web.yml").write_text(web)

    @property
    def url(self):
        return f"{self.scheme}://{'localhost' if self.scheme == 'https' else '127.0.0.1'}:{self.port}"

    @property
    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def start(self):
        command = [
            "prometheus", "--config.file=prometheus.yml", "--web.config.file=web.yml",
            f"--storage.tsdb.path={self.folder}/data", f"--web.listen-address=127.0.0.1:{self.port}",
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        until(self._listens)
        return self

    def kill(self):
        self.process.kill()
        self.process.wait(DEADLINE)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(DEADLINE)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _listens(self):
        assert self.process.poll() is None, self.log
        if self.scheme == "https":
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False


@pytest.fixture(scope="session")
def start_prometheus():
    """A function that starts one more server; all end with the tests."""
    if shutil.which("prometheus") is None:
        pytest.skip("Prometheus is not installed")
    started = []

    def start(*arguments, **more):
        started.append(Server(*arguments, **more))
        return started[-1].start()

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def scraping(start_prometheus):
    """A server, the exporters that it scrapes, and those that it has only tried to."""
    exporters = [Exporter().start() for _ in range(TARGETS)]
    unborn = [Exporter() for _ in range(UNBORN)]
    server = start_prometheus([*exporters, *unborn])
    until(lambda: [one for one in exporters if len(one.scrapes) < 2], lambda late: not late)
    yield server, exporters, unborn
    for exporter in (*exporters, *unborn):
        exporter.stop()


@pytest.fixture(scope="session")
def prometheus(scraping):
    return scraping[0]


@pytest.fixture
def exporters(scraping):
    """Those that are scraped, as new as if each had just been started."""
    yield scraping[1]
    for exporter in scraping[1]:
        exporter.restart()


@pytest.fixture
def exporter(exporters):
    return exporters[0]


@pytest.fixture
def another(exporters):
    return exporters[1]


@pytest.fixture
def unborn(scraping):
    """One that Prometheus has never reached. Each can be had once."""
    born = scraping[2].pop()
    yield born
    born.stop()


@pytest.fixture
def apart(start_prometheus):
    """A server that may be killed, and the exporter that it scrapes."""
    exporter = Exporter().start()
    server = start_prometheus([exporter])
    until(lambda: exporter.scrapes)
    yield server, exporter
    exporter.stop()
