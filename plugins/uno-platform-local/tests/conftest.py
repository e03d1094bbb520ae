"""A root of its own for each test, and nothing left running after it."""

import http.client
import socket
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from attrs import evolve

from uno_core import Application, Kind, Release, Services, SystemClock
from uno_platform_local import daemon, orphans
from uno_platform_local.layout import Layout
from uno_platform_local.options import LocalOptions, LocalTraffic
from uno_platform_local.platform import LocalPlatform

APP = Path(__file__).with_name("sample_app.py")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(look, wanted=bool, *, deadline=30.0):
    """Poll until it is as wanted; at the deadline the test fails with what was seen last."""
    end = time.monotonic() + deadline
    while True:
        seen = look()
        if wanted(seen):
            return seen
        assert time.monotonic() < end, f"not within {deadline:g} s; last seen: {seen}"
        time.sleep(0.02)


@pytest.fixture
def root(tmp_path):
    path = tmp_path / "root"
    for version in ("1.0.0", "2.0.0", "9.0.0"):
        (path / "releases" / version).mkdir(parents=True)
    yield path
    layout = Layout.of(path)
    supervisor = daemon.supervisor_of(layout)
    if supervisor is not None and daemon.running(layout):
        supervisor.shutdown()
    orphans.sweep(layout, patience=3)
    assert orphans.recorded(layout) == []


@pytest.fixture
def options(root):
    return LocalOptions(
        root=root,
        artifact="releases/{version}",
        instances=2,
        command=(sys.executable, str(APP), "{port}", "ok"),
        grace=5.0,
        drain=0.1,
        drain_timeout=5.0,
        traffic=LocalTraffic(listen=f"127.0.0.1:{free_port()}"),
    )


@pytest.fixture
def make(root, logger, secrets):
    """A platform with these options, as another run of uno would have it."""

    def build(options):
        services = Services(
            application=Application(name="shop", environment="testing", kind=Kind.TESTING),
            logger=logger,
            clock=SystemClock(),
            state_dir=root / "state",
            secrets=secrets,
            platform_options=options,
        )
        return LocalPlatform(options, services)

    return build


@pytest.fixture
def platform(make, options):
    return make(options)


@pytest.fixture
def with_mode(options):
    """The same options, the application in another mode."""

    def change(mode, **changes):
        return evolve(options, command=(*options.command[:3], mode), **changes)

    return change


def bring(platform, slot, counts):
    """Converge and wait until it is so."""
    platform.workload.converge(slot, counts)
    return arrive(platform, slot, counts)


def arrive(platform, slot, counts):
    return until(lambda: platform.workload.observe().slots[slot], lambda state: state.holds(counts))


def route(platform, split):
    platform.router.write(split, platform.router.observe().token)
    until(platform.router.in_force, lambda seen: seen == split)


def resolve(platform, version="1.0.0"):
    return platform.workload.resolve(Release(version))


def ask(options, path="/", host=None):
    """One request to the proxy: its status and body."""
    address, _, port = options.traffic.listen.rpartition(":")
    connection = http.client.HTTPConnection(address, int(port), timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host} if host else {})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


class Load:
    """Keep-alive clients that ask without pause, and count what they get."""

    def __init__(self, options, clients=4):
        self.host, _, port = options.traffic.listen.rpartition(":")
        self.port = int(port)
        self.good, self.bad = [0] * clients, [[] for _ in range(clients)]
        self._halt = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(clients)]

    def _run(self, number):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        while not self._halt.is_set():
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                response.read()
                if response.status == 200:
                    self.good[number] += 1
                else:
                    self.bad[number].append(response.status)
            except (OSError, http.client.HTTPException) as error:
                self.bad[number].append(repr(error))
                connection.close()
        connection.close()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        until(lambda: sum(self.good), lambda n: n > 20)
        return self

    def __exit__(self, *_):
        self._halt.set()
        for thread in self._threads:
            thread.join(30)

    @property
    def errors(self):
        return [error for errors in self.bad for error in errors]


@pytest.fixture
def tools():
    """What tests are told with."""
    return SimpleNamespace(
        until=until,
        bring=bring,
        arrive=arrive,
        route=route,
        resolve=resolve,
        ask=ask,
        Load=Load,
        free_port=free_port,
    )
