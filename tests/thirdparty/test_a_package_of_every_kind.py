"""Somebody else's package, built outside the repository, installed from its wheel, used by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packages import build, install

CONFIG = """
application: essay
environment: development
platform: {name: paper, file: FILE}
health: {name: ink, word: dry}
metrics: tally
judge: kind
strategy: halves
look_every: 0.1s
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("acme")
    code = (Path(__file__).parent / "acme.py").read_text()
    return install(build(folder, "acme-uno", "acme_uno", code), folder / "site")


@pytest.fixture
def uno(site, tmp_path):
    (tmp_path / "uno.yaml").write_text(CONFIG.replace("FILE", str(tmp_path / "world.json")))

    def run(*words, code=0):
        environ = {**os.environ, "PYTHONPATH": str(site)}
        done = subprocess.run(
            [sys.executable, "-m", "uno_core", *words],
            cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


def test_every_kind_is_registered(uno):
    (acme,) = [
        p for p in json.loads(uno("plugins", "--output", "json").stdout)["plugins"] if "acme" in str(p)
    ]
    assert acme["status"] == "active"
    for name in ("halves", "paper", "ink", "tally", "kind"):
        assert name in json.dumps(acme)


def test_they_deploy_together(uno, tmp_path):
    uno("deploy", "--version", "v1")
    done = uno("deploy", "--version", "v2", "--output", "json")
    assert json.loads(done.stdout)["status"] == "successful"
    world = json.loads((tmp_path / "world.json").read_text())
    assert world["split"] == {"green": 100.0, "blue": 0.0}
    assert world["slots"]["green"] == [["v2", 2]]
    uno("rollback")
    assert json.loads((tmp_path / "world.json").read_text())["split"] == {"blue": 100.0, "green": 0.0}


def test_shares_that_the_platform_cannot_give_are_refused_before_anything_is_touched(uno, tmp_path):
    uno("deploy", "--version", "v1")
    before = (tmp_path / "world.json").read_text()
    for verb in ("plan", "deploy"):
        done = uno(verb, "--version", "v2", "--strategy", "canary", code=2)
        assert "a multiple of 50 %" in done.stderr
    assert (tmp_path / "world.json").read_text() == before
