"""What is under way is marked at the routing: another journal, that knows nothing of it, finds that."""

from __future__ import annotations

import shutil
import signal

import pytest
from shop import Shop, ended, until

pytestmark = [pytest.mark.component("envoy")]

CANARY = ("initial_percentage=20", "increments=[100]", "increment_interval=600s")
QUICK = ("verify_for=0s", "drain=0s")


@pytest.fixture
def shop(tmp_path):
    """Each machine keeps a journal of its own."""
    (tmp_path / "platform").mkdir()
    made = Shop(tmp_path / "platform", more="state: {name: file, directory: journal}\n")
    yield made
    made.close()


@pytest.fixture
def first(shop, tmp_path):
    machine = shop.elsewhere(tmp_path / "first")
    machine.deploy("v1", "blue-green", *QUICK)
    return machine


@pytest.fixture
def second(shop, tmp_path):
    return shop.elsewhere(tmp_path / "second")


@pytest.fixture
def driver(first, second):
    driver = first.start(*first.asking("v2", "canary", *CANARY))
    until(lambda: 20.0 in second.tell("status")["snapshot"]["in_force"].values())
    yield driver
    driver.kill()
    driver.communicate()


def refused(machine):
    """It may not deploy: what it is told."""
    before = machine.tell("status")["snapshot"]
    error = machine.deploy("v3", "blue-green", *QUICK, code=7).document["error"]
    assert error["code"] == "unsettled"
    assert machine.tell("status")["snapshot"] == before
    return error


def test_nobody_else_begins_beside_a_deployment(first, second, driver):
    mark = second.tell("status")["snapshot"]["mark"]
    (began,) = first.tell("history")["deployments"][:1]
    assert mark["deployment"] == began["id"]
    assert f"the mark of {began['id']}" in refused(second)["found"]
    first.tell("abort", code=None)
    ended(driver, code=3)
    assert second.tell("status")["snapshot"]["mark"] is None
    second.deploy("v3", "blue-green", *QUICK)
    assert second.ask() == (200, "v3")


def test_what_a_lost_journal_left_under_way_is_told_and_a_person_may_say_what_is_stable(
    first, second, driver
):
    (stable,) = (s for s, share in second.tell("status")["snapshot"]["in_force"].items() if share == 80)
    driver.send_signal(signal.SIGKILL)
    ended(driver, code=-signal.SIGKILL)
    shutil.rmtree(first.folder)
    assert "--stable" in refused(second)["remedy"]
    asking = second.asking("v3", "blue-green", *QUICK)
    second.uno(*asking, "--stable", stable)
    assert second.ask() == (200, "v3")
    assert second.tell("status")["settled"]
