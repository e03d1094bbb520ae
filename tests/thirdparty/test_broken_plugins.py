"""Plugins that are broken in every way, all installed at once: uno works, and says what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from packages import broken

STRATEGY = """
from uno_core import DeploymentStrategy, StrategyInfo, hookimpl

@hookimpl
def uno_register_strategies():
    return [StrategyInfo(name="twice", summary="One of two", load=lambda: DeploymentStrategy)]
"""
HOOK = """
from uno_core import hookimpl

@hookimpl
def uno_register_strategies():
    raise KeyError("oops")
"""
PLUGINS = {
    "raises-at-import": ("raise RuntimeError('no such library')", "uno-core>=0.1"),
    "exits-at-import": ("import sys; sys.exit(3)", "uno-core>=0.1"),
    "raises-in-its-hook": (
        HOOK,
        "uno-core>=0.1",
    ),
    "of-the-future": ("raise AssertionError('imported')", "uno-core>=99"),
    "one-twin": (STRATEGY, "uno-core>=0.1"),
    "other-twin": (STRATEGY, "uno-core>=0.1"),
}
CONFIG = """
application: shop
environment: development
release: {version: v1}
platform: {name: local, root: ROOT, command: [sleep, "1", "{port}"]}
"""
COMMANDS = [
    "--help",
    "--version",
    "plugins",
    "plugins --metadata-only",
    "strategies",
    "strategies show canary",
    "completion bash",
    "plan",
    "status",
    "history",
    "local --help",
    "demo --help",
]


@pytest.fixture
def uno(tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    for name, (code, requires) in PLUGINS.items():
        broken(site, name, code, requires=requires)
    root = tmp_path / "shop"
    root.mkdir()
    (tmp_path / "uno.yaml").write_text(CONFIG.replace("ROOT", str(root)))

    def run(line, code=0):
        words = line.replace("ROOT", str(root)).split()
        environ = {**os.environ, "PYTHONPATH": str(site)}
        done = subprocess.run(
            [sys.executable, "-m", "uno_core", *words],
            cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{line}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_works(uno, line):
    uno(line)


@pytest.mark.parametrize(
    ("name", "status", "why"),
    [
        ("raises-at-import", "broken", "no such library"),
        ("exits-at-import", "broken", "SystemExit"),
        ("raises-in-its-hook", "broken", "oops"),
        ("of-the-future", "incompatible", "uno-core>=99"),
    ],
)
def test_what_is_wrong_with_each_is_said(uno, name, status, why):
    plugins = json.loads(uno("plugins --output json").stdout)["plugins"]
    (seen,) = [plugin for plugin in plugins if plugin["distribution"] == name]
    assert seen["status"] == status
    assert why in seen["reason"]
    assert seen["remedy"]


def test_two_that_claim_one_name_are_an_error_only_where_it_is_used(uno):
    assert "ambiguous" in uno("plugins").stdout
    done = uno("plan --strategy twice", code=1)
    assert "one-twin" in done.stderr
    assert "other-twin" in done.stderr


def test_a_broken_plugin_that_is_named_is_a_loud_error(uno):
    done = uno("plan --strategy raises-at-import", code=1)
    assert "no such library" in done.stderr
