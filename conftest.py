"""What holds for the tests of the whole tree; pytest takes a list of plugins at the root only.

A test marked `component("envoy")` runs against that real component. On a developer's machine it is
skipped where the component is missing; in CI that is a failure, and the summary counts what ran.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest_plugins = ["pytester", "uno_core.testing.fixtures"]

COMPONENTS = {
    "bind": lambda: shutil.which("named", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is not None,
    "chromium": lambda: shutil.which("chromium") is not None,
    # Built from Go modules, or given by one of the two.
    "cluster": lambda: (
        shutil.which("go") is not None
        or bool({"KUBEBUILDER_ASSETS", "UNO_TEST_KUBECONFIG"} & set(os.environ))
    ),
    "envoy": lambda: find_spec("envoy") is not None,
    # Debian keeps what only a server needs off the PATH.
    "postgresql": lambda: (
        shutil.which("initdb") is not None or any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    ),
    "prometheus": lambda: shutil.which("prometheus") is not None,
    "supervisor": lambda: find_spec("supervisor") is not None,
    "wrk": lambda: shutil.which("wrk") is not None,
}
RAN = pytest.StashKey[Counter]()


def components(item):
    # Once each, though a class and its module may both say so.
    return sorted({marker.args[0] for marker in item.iter_markers("component")})


def by_contract(call):
    """A contract skips what a plugin does not declare; that is no missing component."""
    return any({"uno_core", "testing"} <= set(entry.path.parts) for entry in call.excinfo.traceback)


def pytest_configure(config):
    config.stash[RAN] = Counter()


def pytest_runtest_setup(item):
    for name in components(item):
        if not COMPONENTS[name]():
            pytest.skip(f"{name} is not installed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and components(item) and os.environ.get("CI") and not by_contract(call):
        report.outcome = "failed"
        report.longrepr = f"in CI a test of a real component may not be skipped: {report.longrepr}"
    if report.when == "call" and report.passed:
        item.config.stash[RAN].update(components(item))
    return report


def pytest_terminal_summary(terminalreporter, config):
    for name, count in sorted(config.stash[RAN].items()):
        terminalreporter.write_line(f"{count} tests ran against the real {name}")
