"""Real little distributions on the path: a module, and the metadata that pip would have written."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

_numbers = itertools.count()
HEAD = """\
from attrs import frozen
import uno_core
from uno_core import DeploymentStrategy, HealthCheckInfo, JudgeInfo, PlatformInfo, StrategyInfo


def strategy(name, **fields):
    return StrategyInfo(name=name, summary="for a test", load=lambda: DeploymentStrategy, **fields)


"""

Install = Callable[..., str]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution whose module has this source; gives the module's name."""

    def make(
        distribution: str,
        source: str = "",
        *,
        entry: str = "main",
        version: str = "1.0",
        requires: Sequence[str] = (),
        entry_points: str | None = None,
        editable: bool = False,
        head: str = HEAD,
    ) -> str:
        number = next(_numbers)
        module = f"made_for_a_test_{number}"
        site = tmp_path / f"site{number}"
        code = tmp_path / f"checkout{number}" if editable else site
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        code.mkdir(exist_ok=True)
        (code / f"{module}.py").write_text(head + source)
        lines = ["Metadata-Version: 2.1", f"Name: {distribution}", f"Version: {version}"]
        lines += [f"Requires-Dist: {requirement}" for requirement in requires]
        (info / "METADATA").write_text("\n".join([*lines, "", "Name: not-this-one"]))
        (info / "entry_points.txt").write_text(entry_points or f"[uno]\n{entry} = {module}\n")
        # An editable install is a path beside the metadata, which is what a .pth file comes to.
        monkeypatch.syspath_prepend(str(site))
        if editable:
            monkeypatch.syspath_prepend(str(code))
        return module

    return make
