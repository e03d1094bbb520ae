"""A hosted zone on the double of AWS, and the platform dns for it: `pytest_plugins = ["hosted"]`."""

from __future__ import annotations

import pytest

from uno_platform_dns.options import DnsOptions, DnsTraffic, Route53Options
from uno_platform_dns.platform import DnsPlatform

pytest_plugins = ["clouds"]


@pytest.fixture
def hosted(zone, monkeypatch):
    """The zone example.com as it is in the double, with credentials for it."""
    applications = pytest.importorskip("tests.aws.applications")
    for name, value in applications.credentials().items():
        monkeypatch.setenv(name, value)
    return zone


@pytest.fixture
def make_hosted(hosted, services):
    """The platform for `shop.example.com`; options of Route 53 in `route53`, of traffic as keywords."""
    made = []

    def make(route53=None, **traffic):
        asked = {"region": "eu-west-1", "endpoint_url": hosted.aws.url, "rate": 1000.0, **(route53 or {})}
        usual = {
            "record": "shop.example.com", "ttl": 1, "overstay": 0.0, "propagation": 5.0,
            "addresses": {"blue": ["192.0.2.1"], "green": ["192.0.2.2"]},
            "route53": Route53Options(zone=hosted.id, **asked),
        }  # fmt: skip
        made.append(DnsPlatform(DnsOptions(traffic=DnsTraffic(**{**usual, **traffic})), services))
        return made[-1]

    yield make
    for one in made:
        one.close()
