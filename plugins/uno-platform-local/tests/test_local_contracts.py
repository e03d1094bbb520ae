"""The contracts that every platform, router, workload, provider and plugin keeps."""

import json
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from attrs import evolve

from uno_core import Query, Release, Slot, whole
from uno_core.testing import MetricProviderContract, PluginContract, RouterContract, WorkloadContract
from uno_platform_local.files import read_json
from uno_platform_local.layout import Layout
from uno_platform_local.metrics import LocalMetrics, NoOptions
from uno_platform_local.plugin import uno_register_metric_providers, uno_register_platforms


class TestPlugin(PluginContract):
    distribution = "uno-platform-local"
    sdks = ("supervisor", "envoy", "psutil")


@pytest.fixture
def options(options):
    return evolve(options, readiness="/health", grace=1.0)


@pytest.fixture
def services(platform):
    return platform.services


@pytest.fixture
def capabilities():
    return uno_register_platforms()[0].capabilities


@pytest.mark.component("envoy")
class TestWorkload(WorkloadContract):
    @pytest.fixture
    def platform(self, platform):
        return platform

    @pytest.fixture
    def capabilities(self, capabilities):
        return capabilities

    @pytest.fixture
    def unstartable(self):
        return Release("9.0.0")

    @pytest.fixture
    def spoil(self, platform):
        def stop(instance):
            rows = read_json(platform.layout.status)["slots"]["blue"]
            os.kill(next(row["pid"] for row in rows if row["id"] == instance.id), signal.SIGSTOP)

        return stop


@pytest.mark.component("envoy")
class TestRouter(RouterContract):
    @pytest.fixture
    def platform(self, platform):
        return platform

    @pytest.fixture
    def capabilities(self, capabilities):
        return capabilities


ILL = {
    "nan": "cluster.blue.external.upstream_rq_completed: nan\n",
    "infinite": "cluster.blue.external.upstream_rq_completed: inf\n",
    "wrong_shape": "<html>Sign in</html>",
    "error": "oops",
}
"""What Envoy says when it is not well, or somebody else in its place."""


@pytest.mark.component("envoy")
class TestMetrics(MetricProviderContract):
    @pytest.fixture
    def provider(self, platform, tools, options):
        platform.prepare()
        tools.bring(platform, Slot.BLUE, {tools.resolve(platform): 1})
        tools.route(platform, whole(Slot.BLUE))
        tools.ask(options)
        provider = LocalMetrics(NoOptions(), platform.services)
        tools.until(lambda: timed(provider))
        return provider

    @pytest.fixture
    def info(self):
        return uno_register_metric_providers()[0]

    @pytest.fixture
    def ailing(self, options, services, tmp_path):
        """What stands in place of Envoy, and nothing runs of which the agent could tell."""
        threads, held = [], []

        def make(ailment):
            class Ill(BaseHTTPRequestHandler):
                def do_GET(self):
                    over.wait(30 if ailment == "slow" else 0)
                    self.send_response(500 if ailment == "error" else 200)
                    self.end_headers()
                    self.wfile.write(ILL.get(ailment, "").encode())

                def log_message(self, *arguments):
                    pass

            server = ThreadingHTTPServer(("127.0.0.1", 0), Ill, bind_and_activate=False)
            server.server_bind()
            if ailment != "refused":  # bound and not listening is refused
                server.server_activate()
                threads.append(threading.Thread(target=server.serve_forever, args=(0.02,)))
                threads[-1].start()
            held.append((server, ailment))
            layout = Layout.of(tmp_path / "ill")
            layout.state.mkdir(parents=True)
            layout.run.write_text(json.dumps({"admin": server.server_port}))
            layout.status.write_text(json.dumps({"envoy": [1, 2], "slots": {"blue": []}}))
            return LocalMetrics(
                NoOptions(), evolve(services, platform_options=evolve(options, root=layout.root))
            )

        over = threading.Event()
        yield make
        over.set()
        for server, ailment in held:
            if ailment != "refused":
                server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()

    @pytest.fixture
    def traffic(self, options, tools):
        def make():
            for _ in range(10):
                tools.ask(options)
            time.sleep(1)

        return make


def timed(provider):
    figures = provider.sample(Query(application="shop", environment="testing", slot=Slot.BLUE)).figures
    return sum(figures.latency.values()) >= 1
