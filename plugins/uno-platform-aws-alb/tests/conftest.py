"""An application on the double of AWS: a rule, a target group and an ECS service for each slot."""

from __future__ import annotations

import pytest
from attrs import evolve

from uno_platform_aws_alb.options import AlbOptions, AlbTraffic, AlbWorkload
from uno_platform_aws_alb.platform import AlbPlatform


@pytest.fixture
def there(aws, monkeypatch):
    """The application, nothing of it running; as `tests.aws.applications` makes it."""
    applications = pytest.importorskip("tests.aws.applications")
    for name, value in applications.credentials().items():
        monkeypatch.setenv(name, value)
    return applications.Application.make(aws)


@pytest.fixture
def make(there, services):
    """The platform; traffic options as keywords, others in `options`."""
    made = []

    def make(options=None, **traffic):
        usual = {"rule": there.rule, "target_groups": there.groups, "grace": 0.3}
        if set(traffic) & {"listener", "tags"}:
            del usual["rule"]
        most = {
            "region": "eu-west-1", "endpoint_url": there.aws.url, "rate": 1000.0, "poll": 0.1,
            "workload": AlbWorkload(cluster="prod", services=there.services),
            "traffic": AlbTraffic(**{**usual, **traffic}),
        }  # fmt: skip
        chosen = AlbOptions(**{**most, **(options or {})})
        made.append(AlbPlatform(chosen, evolve(services, platform_options=chosen)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def given(make, there, tmp_path):
    """The same with three given instances for each slot, nothing on them yet."""
    hosts = pytest.importorskip("tests.aws.hosts")
    machines = hosts.Hosts(tmp_path)

    def given(**traffic):
        workload = AlbWorkload(
            type="instances", targets=machines.targets, command=machines.command, version_url=hosts.VERSION
        )
        return make(options={"workload": workload}, **traffic)

    yield given
    machines.close()
