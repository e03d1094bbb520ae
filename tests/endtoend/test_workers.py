"""Applications without traffic, and companions beside one that has some, as processes of this machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from shop import Shop, until

from uno_platform_local.files import read_json

pytestmark = pytest.mark.component("envoy")

WORKER = """\
import pathlib, sys, time
version, log = sys.argv[1], pathlib.Path(sys.argv[2])
with log.open("a") as file:
    file.write(f"{version}\\n")
if version == "crashes":
    time.sleep(4)
    sys.exit("the queue is not there")
if version == "broken":
    sys.exit("no such module")
time.sleep(3600)
"""


class Workers(Shop):
    """A worker without any traffic."""

    def __init__(self, folder: Path, *, instances: int = 2) -> None:
        super().__init__(folder, instances=instances)
        (folder / "worker.py").write_text(WORKER)
        command = [sys.executable, str(folder / "worker.py"), "{version}", str(folder / "worked.log")]
        self.file.write_text(
            "application: worker\nenvironment: testing\n"
            f"platform: {{name: local, root: {self.root}, instances: {instances},"
            f" command: {json.dumps(command)}, grace: 1s}}\ntraffic: none\n"
        )

    def runs(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for rows in read_json(self.root / "state" / "status.json")["slots"].values():
            for row in rows:
                counts[row["release"]["version"]] = counts.get(row["release"]["version"], 0) + 1
        return counts


@pytest.fixture
def shop(tmp_path):
    made = Workers(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("strategy", ["rolling", "recreate"])
def test_workers_are_replaced_and_no_proxy_is_started(shop, strategy):
    shop.deploy("v1", strategy)
    shop.deploy("v2", strategy)
    assert shop.runs() == {"v2": 2}
    assert not (shop.root / "state" / "envoy" / "boot.json").exists()
    assert "nothing to do" in shop.deploy("v2", strategy).document["message"]
    assert shop.tell("status")["serving"] == ["v2"]
    shop.tell("rollback")
    assert shop.runs() == {"v1": 2}


@pytest.mark.parametrize(
    ("version", "why"), [("broken", "no such module"), ("crashes", "crashes does not go on running")]
)
def test_one_that_does_not_go_on_running_is_taken_back(shop, version, why):
    shop.deploy("v1", "rolling")
    said = shop.deploy(version, "rolling", "batch_timeout=20s", code=3)
    assert why in said.document["message"]
    assert shop.runs() == {"v1": 2}


def test_the_default_is_rolling_and_a_split_is_refused(shop):
    where = ("--config-file", str(shop.file), "--version", "v1")
    assert "rolling" in shop.uno("plan", *where).out
    refused = shop.uno("deploy", *where, "--strategy", "canary", code=2)
    assert "an application without traffic does not have" in refused.err


class TestCompanions:
    @pytest.fixture
    def shop(self, tmp_path):
        (tmp_path / "worker.py").write_text(WORKER)
        command = json.dumps(
            [sys.executable, str(tmp_path / "worker.py"), "{version}", str(tmp_path / "worked.log")]
        )
        made = Shop(
            tmp_path,
            more="companions: [mailer]\n",
        )
        text = made.file.read_text().replace(
            "grace: 5s}", f"grace: 5s, companions: {{mailer: {{command: {command}, grace: 1s}}}}}}"
        )
        made.file.write_text(text)
        yield made
        made.close()

    def mailers(self, shop):
        status = read_json(shop.root / "companions" / "mailer" / "state" / "status.json") or {"slots": {}}
        return [row["release"]["version"] for rows in status["slots"].values() for row in rows]

    def test_they_get_the_release_after_promotion_and_are_put_back(self, shop):
        how = ("blue-green", "verify_for=1s", "drain=0s", "keep_old_for=1h")
        first = shop.deploy("v1", *how)
        assert "companion mailer: ready" in first.err
        assert self.mailers(shop) == ["v1"]
        shop.deploy("v2", *how)
        assert self.mailers(shop) == ["v2"]
        shop.tell("rollback")
        assert shop.ask() == (200, "v1")
        until(lambda: self.mailers(shop) == ["v1"])
        shop.tell("rollback", "--to", "v2")
        assert shop.ask() == (200, "v2")
        assert self.mailers(shop) == ["v2"]

    def test_one_that_fails_takes_nothing_back_and_is_told(self, shop):
        how = ("blue-green", "verify_for=1s", "drain=0s", "keep_old_for=1s")
        shop.deploy("v1", *how)
        text = shop.file.read_text()
        shop.file.write_text(text.replace(str(shop.folder / "worker.py"), "/nowhere/worker.py"))
        said = shop.deploy("v2", *how)
        assert "companion mailer: " in said.err
        assert "the companion mailer did not follow: it does not get ready" in said.document["message"]
        assert shop.ask() == (200, "v2")

    def test_one_that_nobody_described_is_found_before_anything_is_touched(self, shop):
        shop.file.write_text(shop.file.read_text().replace("[mailer]", "[mailer, printer]"))
        said = shop.deploy("v1", "blue-green", code=2)
        assert "there is no companion printer" in said.err
        assert not (shop.root / "state" / "status.json").exists()

    def test_they_go_down_and_come_up_with_the_application(self, shop):
        shop.deploy("v1", "blue-green", "verify_for=1s", "drain=0s")
        shop.uno("local", "down", "--root", str(shop.root))
        shop.uno("local", "up", "--root", str(shop.root))
        until(lambda: self.mailers(shop) == ["v1"])


def test_an_artifact_that_is_gone_is_found_before_anything_is_written(tmp_path):
    shop = Shop(tmp_path)
    shop.file.write_text(
        shop.file.read_text().replace("instances: 2", 'instances: 2, artifact: "releases/{version}"')
    )
    how = ("blue-green", "verify_for=1s", "drain=0s", "keep_old_for=1s")
    try:
        for version in ("v1", "v2", "v3"):
            (shop.root / "releases" / version).mkdir(parents=True)
            shop.deploy(version, *how)
        for version in ("v1", "v2"):
            (shop.root / "releases" / version).rmdir()
        wish = (shop.root / "state" / "desired.json").read_text()
        said = shop.tell("rollback", "--to", "v1", code=2)
        assert "version v1 cannot be started again" in said["error"]["message"]
        assert str(shop.root / "releases" / "v1") in said["error"]["found"]
        until(lambda: not shop.rows("v2"))
        wish = (shop.root / "state" / "desired.json").read_text()
        said = shop.tell("rollback", code=2)
        assert "version v2 cannot be started again" in said["error"]["message"]
        assert (shop.root / "state" / "desired.json").read_text() == wish
        assert shop.ask() == (200, "v3")
    finally:
        shop.close()
