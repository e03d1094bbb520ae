"""`uno unlock`: whose the lease is, and what becomes of its owner."""

from __future__ import annotations

import os
import signal

import pytest

BLUE = {"blue": 100.0, "green": 0.0}
HALF = {"blue": 50.0, "green": 50.0}
LONG = ("--option", "strategy.hold=1h")


@pytest.fixture
def leased(shop):
    """A state store whose leases expire."""
    with (shop.root / "uno.yaml").open("a") as file:
        file.write("state: leased\n")
    return shop


def test_nobody_holds_it(shop):
    said = shop.uno("unlock")
    assert (said.code, said.out) == (0, "nobody holds the lease of shop in test\n")
    shop.left(*LONG)
    said = shop.uno("unlock", "--force")
    assert said.code == 0
    assert "nobody holds the lease" in said.out
    assert "shop-test-1 (v2) is in_progress, and nobody drives it: `uno resume` goes on with it" in said.out


def test_there_is_nothing_to_force_where_the_kernel_frees_it(shop):
    process = shop.begun(*LONG)
    for force in ((), ("--force",)):
        said = shop.uno("unlock", *force)
        assert said.code == 5
        for words in (
            "the lease of shop in test is held",
            f"process {process.pid} on {os.uname().nodename}, of ",
            "the kernel frees it when its owner ends",
            "process  alive",
            "shop-test-1 (v2), in_progress",
            "`uno abort`",
            "`uno rollback --take-over`",
        ):
            assert words in said.out
    assert process.poll() is None
    assert shop.uno("abort").code == 0
    assert shop.end(process).code == 3


def test_a_lease_that_expires_is_taken_and_its_owner_writes_nothing_more(leased):
    process = leased.begun(*LONG)
    leased.stopped(process)
    asked = leased.uno("unlock")
    assert asked.code == 5
    for words in (
        f"process {process.pid} on ",
        "expires ",
        "`uno unlock --force` takes it over and frees it",
    ):
        assert words in asked.out
    document = leased.uno("unlock", "--output", "json").json
    assert document["leases"][0]["owner"]["pid"] == process.pid
    assert (document["can_be_forced"], document["freed"]) == (True, False)
    forced = leased.uno("unlock", "--force")
    assert forced.code == 0
    assert f"freed: process {process.pid} on " in forced.out
    assert "`uno resume` goes on with it" in forced.out
    assert leased.uno("rollback").code == 0
    assert leased.world.split() == BLUE
    before = leased.world.read()
    process.send_signal(signal.SIGCONT)
    ended = leased.end(process)
    assert ended.code == 5
    assert "lost: " in ended.out
    assert "`uno status` shows who drives it now" in ended.err
    assert leased.world.read() == before
    assert leased.uno("status", "--output", "json").json["deployment"]["status"] == "rolled_back"


def test_a_lease_that_expires_is_taken_over_by_a_rollback(leased):
    process = leased.begun(*LONG)
    leased.stopped(process)
    assert leased.uno("rollback").code == 5
    assert leased.uno("rollback", "--take-over").code == 0
    before = leased.world.read()
    assert before["split"] == BLUE
    process.send_signal(signal.SIGCONT)
    assert leased.end(process).code == 5
    assert leased.world.read() == before


def test_the_lease_of_a_driver_that_died_is_freed_before_it_expires(leased):
    process = leased.begun(*LONG)
    process.kill()
    leased.end(process)
    refused = leased.uno("resume", "--output", "json")
    assert refused.code == 8  # on another machine nobody could know that it died
    assert "its lease expires at " in refused.err
    said = leased.uno("unlock")
    assert said.code == 5
    assert "gone: nobody renews the lease any more" in said.out
    assert leased.uno("unlock", "--force").code == 0
    assert leased.uno("rollback").code == 0
    assert leased.world.split() == BLUE


def test_a_reservation_of_the_next_turn_is_freed_too(leased):
    process = leased.begun(*LONG)
    leased.stopped(process)
    other = leased.start("deploy", "--version", "v3", "--supersede")
    leased.until(lambda: "the reservation of shop in test is held" in leased.uno("unlock").out)
    other.kill()
    leased.end(other)
    assert "waits to supersede what is under way" in leased.uno("unlock").out
    assert leased.uno("unlock", "--force").code == 0
    assert leased.uno("unlock").code == 0
    assert leased.world.split() == HALF
    assert leased.uno("rollback").code == 0
