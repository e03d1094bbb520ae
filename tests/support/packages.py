"""Packages of third parties: written outside the repository, built into wheels, installed beside uno."""

from __future__ import annotations

import subprocess
import textwrap
from pathlib import Path

import uv

UV = uv.find_uv_bin()


def build(folder: Path, name: str, module: str, code: str, *, requires: str = "uno-core>=0.1,<0.2") -> Path:
    """The wheel of a package with one module that is its own entry point."""
    source = folder / name
    source.mkdir(parents=True)
    (source / f"{module}.py").write_text(textwrap.dedent(code))
    (source / "pyproject.toml").write_text(
        textwrap.dedent(
            f"""
            [build-system]
            requires = ["setuptools>=77"]
            build-backend = "setuptools.build_meta"

            [project]
            name = "{name}"
            version = "1.0"
            dependencies = ["{requires}"]

            [project.entry-points.uno]
            {name} = "{module}"

            [tool.setuptools]
            py-modules = ["{module}"]
            """
        )
    )
    command = [UV, "build", "-q", "--wheel", "--out-dir", str(folder / "wheels"), str(source)]
    subprocess.run(command, check=True)
    (wheel,) = (folder / "wheels").glob(f"{name.replace('-', '_')}-*.whl")
    return wheel


def install(wheel: Path, site: Path) -> Path:
    """Install a wheel into a folder that the tests put on PYTHONPATH."""
    command = [UV, "pip", "install", "-q", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run(command, check=True)
    return site


def broken(site: Path, name: str, code: str, *, requires: str = "uno-core>=0.1") -> None:
    """An installed distribution, made by hand: what is in it could not be built otherwise."""
    module = name.replace("-", "_")
    (site / f"{module}.py").write_text(textwrap.dedent(code))
    info = site / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: {requires}\n"
    )
    (info / "entry_points.txt").write_text(f"[uno]\n{name} = {module}\n")
