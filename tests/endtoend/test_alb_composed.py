"""Two local platforms behind one load balancer: the core composes them, whatever routes."""

from __future__ import annotations

import pytest
from balanced import lost
from placed import Placed
from shop import until
from steady import Steady

from tests.aws.applications import Application, credentials

pytest_plugins = ["tests.aws.fixtures"]
pytestmark = pytest.mark.component("envoy")
PORT = 8080


@pytest.fixture
def there(aws):
    return Application.make(aws)


@pytest.fixture
def app(there, tmp_path):
    """Each place stands in the target group of its slot, for good; v1 ran in the blue one before."""
    made = Placed(tmp_path, ("", 0), environ=credentials(), port=PORT)
    made.configure()
    for slot, address in made.addresses.items():
        target = {"Id": f"10.{address.partition('.')[2]}", "Port": PORT}
        there.elb.register_targets(TargetGroupArn=there.groups[slot], Targets=[target])
        there.elb.modify_target_group(TargetGroupArn=there.groups[slot], HealthCheckPath="/health")
    both, slots = made.config["platform"], made.config["platform"].pop("slots")
    made.config["platform"] = {**both, **slots["blue"]}
    made.config.pop("traffic")
    made.write()
    made.deploy("blue-green", "v1")
    made.config["platform"] = {**both, "slots": slots}
    made.config["traffic"] = {
        "name": "aws-alb", "region": "eu-west-1", "endpoint_url": there.aws.url, "poll": "200ms",
        "rule": there.rule, "target_groups": there.groups, "grace": "1s",
    }  # fmt: skip
    made.write()
    until(lambda: there.aws.ask(there.host)[1].startswith("v1"))
    try:
        yield made
    finally:
        made.close()


def test_from_one_place_to_the_other_and_back_nothing_is_lost(app, there):
    plan = app.uno("plan", "--strategy", "blue-green", "--version", "v2").out
    assert "on: local, one for each slot; traffic by aws-alb" in plan
    with Steady(there.aws.data_plane.port, 40, host=there.host) as load:
        app.deploy("blue-green", "v2")
        assert there.weights() == {"blue": 0, "green": 999}
        app.deploy("canary", "v3")
        assert there.weights() == {"blue": 999, "green": 0}
    assert not lost(load), lost(load)
    assert load.of("v2")
    assert load.of("v3")


def test_what_the_load_balancer_thinks_sick_gets_no_weight(app, there):
    before = there.weights()
    there.elb.modify_target_group(TargetGroupArn=there.groups["green"], Matcher={"HttpCode": "299"})
    done = app.deploy("blue-green", "v2", "ready_timeout=15s", code=3)
    assert "no target of its group is healthy" in done.err
    assert there.weights() == before
