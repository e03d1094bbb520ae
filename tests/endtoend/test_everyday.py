"""Each way of deploying again, and each interruption, on real processes under a load that loses nothing."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys

import pytest
from shop import Shop, Wrk, ended, until

pytestmark = [pytest.mark.component("envoy"), pytest.mark.component("wrk")]

QUICK = ("blue-green", "verify_for=1s", "drain=0s", "keep_old_for=1s")
LONG = ("blue-green", "verify_for=1h", "drain=0s", "keep_old_for=1h")
SOON = ("blue-green", "verify_for=8s", "drain=0s", "keep_old_for=1s")


@pytest.fixture
def shop(tmp_path):
    """v1 serves, and is asked all the time; nothing that a test does may lose a request."""
    made = Shop(tmp_path, instances=2)
    try:
        made.deploy("v1", *QUICK)
        with Wrk(made.port, connections=4, paced=True) as load:
            yield made
            seen = load.stop()
        assert seen.failed == 0
        assert seen.requests > 100
    finally:
        made.close()


def serves(shop, version):
    """Whether every answer comes from this version."""
    return {shop.ask() for _ in range(5)} == {(200, version)}


def begun(shop, version="v2", how=LONG):
    """A deployment in a process of its own, which has all the traffic and goes on."""
    process = shop.start(*shop.asking(version, *how))
    until(lambda: serves(shop, version))
    return process


def ids(shop):
    return [d["id"] for d in shop.tell("history")["deployments"]]


def test_the_same_release_again(shop):
    """Live: verified. In flight: followed. In flight and nobody drives it: gone on with."""
    assert "nothing to do" in shop.deploy("v1", *QUICK).document["message"]
    process = begun(shop, how=SOON)
    followed = shop.deploy("v2", *SOON)
    assert followed.document["deployment"] == "shop-development-2"
    assert "following process" in followed.err
    ended(process, code=0)
    process = begun(shop, "v3", SOON)
    process.kill()
    process.communicate()
    gone_on_with = shop.deploy("v3", *SOON)
    assert gone_on_with.document["deployment"] == "shop-development-3"
    assert serves(shop, "v3")
    assert len(ids(shop)) == 3


def test_a_change_of_the_configuration_alone_is_a_new_release(shop):
    """The same version, another environment variable: deployed, and taken back to the old one."""
    other = ("--option", "platform.env={GREETING: hello}")
    changed = shop.uno(*shop.asking("v1", *QUICK), *other).document
    assert changed["deployment"] == "shop-development-2"
    assert "nothing to do" in shop.uno(*shop.asking("v1", *QUICK), *other).document["message"]
    shop.tell("rollback")
    assert "nothing to do" in shop.deploy("v1", *QUICK).document["message"]


def test_what_was_rolled_back_is_tried_anew(shop):
    process = begun(shop)
    process.send_signal(signal.SIGTERM)
    ended(process, code=3)
    assert serves(shop, "v1")
    assert shop.deploy("v2", *QUICK).document["deployment"] == "shop-development-3"
    assert serves(shop, "v2")


def test_another_version_while_one_is_under_way(shop):
    """Refused at once; waited for; superseding what is under way."""
    process = begun(shop)
    assert shop.deploy("v3", *QUICK, code=5).document["error"]["code"] == "locked"
    assert serves(shop, "v2")
    shop.uno(*shop.asking("v3", *QUICK), "--supersede")
    assert serves(shop, "v3")
    ended(process, code=3)
    process = begun(shop, "v4", ("blue-green", "verify_for=20s", *SOON[2:]))  # until the next one asks
    waited = shop.uno(*shop.asking("v5", *QUICK), "--lock-timeout", "1m")
    assert "is under way: waiting 1m for it" in waited.err
    ended(process, code=0)
    assert serves(shop, "v5")


def test_another_version_than_was_expected(shop):
    late = shop.uno(*shop.asking("v0", *QUICK), "--expect-live", "v0.9", code=7)
    assert late.document["error"]["found"] == "v1"
    assert serves(shop, "v1")
    shop.uno(*shop.asking("v2", *QUICK), "--expect-live", "v1")
    assert serves(shop, "v2")


def test_back_to_a_version_of_before(shop):
    for version in ("v2", "v3"):
        shop.deploy(version, *QUICK)
    back = shop.tell("rollback", "--to", "v1")
    assert (back["status"], back["exit_code"]) == ("successful", 0)
    assert serves(shop, "v1")


@pytest.mark.parametrize(
    "numbers",
    [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGHUP,), (signal.SIGINT, signal.SIGTERM)],
    ids=["SIGINT", "SIGTERM", "SIGHUP", "SIGINT, then SIGTERM"],
)
def test_a_cancelled_job_takes_the_traffic_back(shop, numbers):
    process = begun(shop)
    for number in numbers:
        process.send_signal(number)
    said = ended(process, code=3)
    assert said.document["status"] == "rolled_back"
    assert serves(shop, "v1")


def test_a_cancelled_job_holds_where_that_is_configured(shop):
    with shop.file.open("a") as file:
        file.write("on_interrupt: hold\n")
    process = begun(shop, how=SOON)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    ended(process, code=143)
    assert serves(shop, "v2")
    shop.tell("resume")
    assert serves(shop, "v2")


def test_a_closed_terminal_leaves_it_to_be_gone_on_with(shop):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "uno_core", *shop.asking("v2", *SOON)],
        env={**os.environ, "TERM": "xterm"},
        cwd=shop.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_adopt_terminal,  # noqa: PLW1509 - one thread, and nothing else makes it the terminal
    )
    os.close(theirs)
    until(lambda: serves(shop, "v2"))
    os.close(ours)  # the window is closed: SIGHUP, and every write fails from now on
    assert process.wait(60) == 143
    assert serves(shop, "v2")
    assert shop.tell("resume")["status"] == "successful"
    assert serves(shop, "v2")


def _adopt_terminal():
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize("output", ["json", "jsonl", "text"])
def test_a_reader_that_goes_away_changes_neither_the_deployment_nor_its_exit_code(shop, output):
    """`uno deploy … | head -0`: stdout and stderr both break."""
    command = [*shop.asking("v2", *QUICK)[:-1], output]
    process = subprocess.Popen(
        [sys.executable, "-m", "uno_core", *command],
        cwd=shop.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    process.stderr.close()
    assert process.wait(120) == 0
    assert serves(shop, "v2")
    bad = subprocess.Popen(
        [sys.executable, "-m", "uno_core", *shop.asking("v3", *LONG)[:-1], output],
        cwd=shop.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    bad.stdout.close()
    bad.stderr.close()
    until(lambda: serves(shop, "v3"))
    bad.terminate()
    assert bad.wait(120) == 3
    assert serves(shop, "v2")
