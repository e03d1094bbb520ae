"""Who, from where, which commit and why: beside every deployment, and every word about one."""

import subprocess

import pytest

from uno_core.journal.origin import SERVICES, origin

SHORT = ("--option", "strategy.hold=1s")


def test_a_deployment_keeps_who_made_it_from_where_and_why(shop, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "prod-deployer")
    shop.world.live("v1")
    assert shop.uno("deploy", "--version", "v2", *SHORT, "--reason", "ticket 7").code == 0
    row = shop.uno("history", "--output", "json").json["deployments"][0]
    assert row["reason"] == "ticket 7"
    assert row["origin"]["by"] == f"{row['origin']['user']}@{row['origin']['host']}"
    assert row["origin"]["cloud"] == "AWS_PROFILE=prod-deployer"
    told = shop.uno("show").out
    assert f"by: {row['origin']['by']}" in told
    assert "reason: ticket 7" in told
    assert row["origin"]["by"] in shop.uno("history").out


def test_the_commit_is_that_of_the_configuration(shop):
    def git(*arguments):
        told = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            cwd=shop.root, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return told.stdout.strip()

    git("init", "-q")
    git("add", "uno.yaml")
    git("commit", "-qm", "begin")
    shop.world.live("v1")
    shop.uno("deploy", "--version", "v2", *SHORT)
    assert f"commit: {git('rev-parse', 'HEAD')}" in shop.uno("show").out


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_job_is_told_by_the_variables_of_its_service(service):
    environ = {name: f"the {name}" for name in (service.mark, service.actor, service.commit, service.ref)}
    found = origin(None, environ)
    assert found["service"] == service.name
    assert found["by"] == f"the {service.actor} by {service.name}"
    assert (found["commit"], found["ref"]) == (f"the {service.commit}", f"the {service.ref}")


def test_the_address_of_a_job_of_github_is_put_together():
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_REPOSITORY": "a/b",
        "GITHUB_RUN_ID": "7",
    }
    assert origin(None, environ)["job"] == "https://github.example/a/b/actions/runs/7"


def test_nothing_that_is_a_secret_is_taken_along():
    environ = {"AWS_SECRET_ACCESS_KEY": "hush", "GITHUB_TOKEN": "hush", "GITHUB_ACTIONS": "true", "CI": "1"}
    assert "hush" not in str(origin(None, environ))


def test_whoever_goes_on_takes_back_or_takes_over_stands_in_the_history(shop):
    shop.left("--option", "strategy.hold=1h")
    assert shop.uno("rollback", "--reason", "it is late").code == 0
    told = shop.uno("show").out
    assert "rolled back by " in told
    assert "it is late" in told


def test_who_resumed_stands_in_the_history(shop):
    shop.left(*SHORT)
    assert shop.uno("resume").code == 0
    signals = shop.uno("show", "--output", "json").json["signals"]
    assert [signal["kind"] for signal in signals] == ["resumed"]
    assert signals[0]["payload"]["host"]
