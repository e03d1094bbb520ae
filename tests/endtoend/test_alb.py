"""Releases behind an Application Load Balancer, with every request counted."""

from __future__ import annotations

import pytest
from balanced import Balanced, lost
from shop import ended, until

from tests.aws.applications import Application, forward

pytest_plugins = ["tests.aws.fixtures"]
pytestmark = pytest.mark.component("envoy")


@pytest.fixture
def app(aws, tmp_path):
    made = Balanced(Application.make(aws), tmp_path)
    made.configure()
    return made


@pytest.fixture
def served(app):
    app.serving()
    return app


def tidied(app):
    """Without the order, which is told or not."""
    return [{k: v for k, v in one.items() if k != "Order"} for one in app.there.actions()]


def test_the_first_release_of_all(app):
    app.deploy("blue-green", "v1.0.0")
    assert app.there.weights()["blue"] > 0
    assert app.there.aws.ask(app.there.host)[1].startswith("v1.0.0")


def test_blue_green_there_and_back_again_loses_nothing(served):
    app = served
    with app.load() as load:
        app.deploy("blue-green", "v1.1.0")
        assert app.there.weights() == {"blue": 0, "green": 999}
        app.uno("tend")
        app.deploy("blue-green", "v1.2.0")
        assert app.there.weights() == {"blue": 999, "green": 0}
    assert not lost(load), lost(load)
    assert load.of("v1.1.0")
    assert load.of("v1.2.0")


def test_rolling_by_two_loses_nothing(app):
    app.serving(count=6)
    with app.load() as load:
        app.deploy("rolling", "v1.1.0")
    assert not lost(load), lost(load)
    assert app.there.weights() == {"blue": 0, "green": 999}
    assert app.there.healthy("green") == 6


def test_a_canary_is_split_as_it_is_asked_for(served):
    app = served
    with app.load(100) as load:
        process = app.start("deploy", "--strategy", "canary", "--version", "v1.1.0")
        until(lambda: app.there.weights() == {"blue": 900, "green": 100})
        app.there.aws.front.calls.clear()
        began = len(load.answers)
        until(lambda: app.there.weights() == {"blue": 500, "green": 500})
        tenth = load.answers[began:]
        ended(process)
    assert not lost(load), lost(load)
    share = sum(one.version == "v1.1.0" for one in tenth) / len(tenth)
    # Five standard errors of a tenth, of about 1,000 requests.
    assert abs(share - 0.1) < 5 * (0.1 * 0.9 / len(tenth)) ** 0.5, (share, len(tenth))


@pytest.mark.parametrize(
    ("tag", "told"),
    [
        ("v1.1.0-unready", "Health checks failed with these codes: [503]"),
        ("v1.1.0-crash", "Essential container in task exited"),
        ("v1.1.0-missing", "CannotPullContainerError"),
    ],
)
def test_what_never_gets_ready_is_told_in_words_and_routed_to_never(served, tag, told):
    app = served
    before = tidied(app)
    with app.load() as load:
        done = app.deploy("canary", tag, "--option", "strategy.ready_timeout=20s", code=3)
    assert told in done.err, done.err[-900:]
    assert not lost(load), lost(load)
    assert tidied(app) == before, "to the letter"
    assert not load.of(tag)
    until(lambda: app.there.service("green")["desiredCount"] == 0)


def test_a_bad_release_is_taken_back_and_the_rule_is_as_it_was_to_the_letter(served):
    app = served
    app.there.elb.modify_rule(RuleArn=app.there.rule, Actions=[forward(app.there.groups, 7, 0, sticky=2)])
    before = tidied(app)
    process = app.start("deploy", "--strategy", "canary", "--version", "v1.1.0")
    until(lambda: app.there.weights() == {"blue": 900, "green": 100})
    app.uno("abort", code=None)
    assert ended(process, code=None).code == 3
    assert tidied(app) == before
    assert app.there.service("blue")["desiredCount"] == 2


def test_an_action_that_somebody_added_meanwhile_stays(served):
    app = served
    process = app.start("deploy", "--strategy", "canary", "--version", "v1.1.0")
    until(lambda: app.there.weights() == {"blue": 900, "green": 100})
    header = {
        "Type": "authenticate-oidc", "Order": 1,
        "AuthenticateOidcConfig": {
            "Issuer": "https://id.example.com", "AuthorizationEndpoint": "https://id.example.com/a",
            "TokenEndpoint": "https://id.example.com/t", "UserInfoEndpoint": "https://id.example.com/u",
            "ClientId": "shop", "ClientSecret": "secret",
        },
    }  # fmt: skip
    app.there.elb.modify_rule(
        RuleArn=app.there.rule, Actions=[header, {**forward(app.there.groups, 900, 100), "Order": 2}]
    )
    app.uno("abort", code=None)
    done = ended(process, code=None)
    assert done.code == 3
    assert [one["Type"] for one in app.there.actions()] == ["authenticate-oidc", "forward"]
    assert app.there.weights() == {"blue": 1, "green": 0}
    assert "only the weights are put back" in done.out + done.err


def test_weights_that_somebody_resets_stop_it(served):
    app = served
    with app.load() as load:
        process = app.start("deploy", "--strategy", "canary", "--version", "v1.1.0")
        until(lambda: app.there.weights() == {"blue": 900, "green": 100})
        app.there.weigh(1, 0)
        done = ended(process, code=None)
    assert done.code == 7, done.err
    assert "somebody else changed the split" in done.err
    assert app.there.weights() == {"blue": 1, "green": 0}, "no jump"
    assert not lost(load), lost(load)


def test_a_client_that_sticks_to_the_old_slot_is_served_by_it_as_long_as_it_may_come(served):
    app = served
    place, visit = app.there.host, app.there.aws.visit
    app.there.elb.modify_rule(RuleArn=app.there.rule, Actions=[forward(app.there.groups, 1, 0, sticky=60)])
    cookie = until(lambda: visit(place)[2])
    app.deploy("blue-green", "v1.1.0")
    app.uno("tend", code=None)
    assert app.there.service("blue")["desiredCount"] == 2, "keep_old_for is 1 s, and it may come for 60 s"
    assert visit(place, cookie=cookie)[1].startswith("v1.0.0")
    assert visit(place)[1].startswith("v1.1.0")


def test_a_client_that_sticks_to_what_is_taken_back_is_answered_until_it_may_leave(served):
    app = served
    place, visit = app.there.host, app.there.aws.visit
    app.there.elb.modify_rule(RuleArn=app.there.rule, Actions=[forward(app.there.groups, 1, 0, sticky=60)])
    process = app.start("deploy", "--strategy", "canary", "--version", "v1.1.0")
    cookie = until(lambda: next((c for _, said, c in [visit(place)] if said.startswith("v1.1.0")), None))
    app.uno("abort", code=None)
    done = ended(process, code=None)
    assert done.code == 3
    assert "green is emptied at" in done.out + done.err
    status, said, _ = visit(place, cookie=cookie)
    assert (status, said.split()[0]) == (200, "v1.1.0"), "an empty group would answer with 503"
    assert visit(place)[1].startswith("v1.0.0")
    app.uno("tend", code=None)
    assert app.there.service("green")["desiredCount"] > 0, "not yet"


def test_the_plan_tells_how_it_would_be_done_and_touches_nothing(served):
    app = served
    app.there.elb.modify_rule(RuleArn=app.there.rule, Actions=[forward(app.there.groups, 1, 0, sticky=60)])
    before = tidied(app)
    told = app.uno("plan", "--strategy", "canary", "--version", "v1.1.0").out
    assert "sticky for 60 s" in told
    assert "empty blue 80 s later" in told, "its draining included"
    assert tidied(app) == before
    assert app.there.service("green")["desiredCount"] == 0
