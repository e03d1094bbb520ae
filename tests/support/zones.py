"""A real BIND for each test, and options of the platform dns for it: `pytest_plugins = ["zones"]`."""

from __future__ import annotations

import pytest
from attrs import evolve
from bind import BLUE, GREEN, KEY, NAME, OTHERS, SECRET, ZONE, Bind
from forwarding import Forwarder
from shop import free_port

from uno_core import Secret
from uno_platform_dns.options import DnsOptions, DnsTraffic, Rfc2136Options
from uno_platform_dns.platform import DnsPlatform


@pytest.fixture
def bind(tmp_path):
    running = Bind(tmp_path / "bind", "127.0.0.1", free_port())
    running.start()
    yield running
    running.stop(kill=True)


@pytest.fixture
def configured(bind, secrets):
    """Options for it: as few addresses as are told, answers kept for a second."""
    # Into the table that all tests of plugins have: a fixture of that name here would be every module's.
    secrets.table.update({"${UNO_TEST_TSIG}": SECRET, "${UNO_TEST_OTHERS}": OTHERS})

    def configured(blue=BLUE[:2], green=GREEN[:2], **more):
        server = Rfc2136Options(
            server=bind.address, port=bind.port, zone=ZONE, key=KEY, secret=Secret("${UNO_TEST_TSIG}"),
            **more.pop("server", {}),
        )  # fmt: skip
        traffic = {"record": NAME, "ttl": 1, "overstay": 0.0, "addresses": {"blue": blue, "green": green}}
        return DnsOptions(traffic=DnsTraffic(rfc2136=server, **{**traffic, **more}))

    return configured


@pytest.fixture
def make_updating(configured, services):
    """The platform; options of the server in `server`, of traffic as keywords."""
    made = []

    def make(*addresses, server=None, **traffic):
        chosen = configured(*addresses, **traffic)
        at = evolve(chosen.traffic.rfc2136, **(server or {}))
        chosen = evolve(chosen, traffic=evolve(chosen.traffic, rfc2136=at))
        made.append(DnsPlatform(chosen, services))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def forwarder(bind):
    """Loses answers of the server, on request."""
    made = Forwarder(bind.address, bind.port)
    yield made
    made.close()


@pytest.fixture
def forwarded(make_updating, forwarder):
    """The platform behind it."""
    return make_updating(server={"server": "127.0.0.1", "port": forwarder.own_port})


@pytest.fixture
def given(configured, services, tmp_path):
    """The platform with so many given machines for each slot, nothing on them yet."""
    hosts = pytest.importorskip("tests.aws.hosts")
    made = []

    def given(each=3):
        machines = hosts.Hosts(tmp_path, each)
        chosen = evolve(
            configured(machines.targets["blue"], machines.targets["green"]),
            command=machines.command, version_url=hosts.VERSION,
        )  # fmt: skip
        made.append((DnsPlatform(chosen, services), machines))
        return made[-1][0]

    yield given
    for platform, machines in made:
        platform.close()
        machines.close()
