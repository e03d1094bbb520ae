"""The commands of hooks: whether they are there, as a deployment would look for them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from uno_core.assembly import config_folder
from uno_core.config.document import Hook
from uno_core.contracts.diagnosis import Diagnosis
from uno_core.session import Session


def commands(session: Session) -> Iterator[Diagnosis]:
    """A finding for each hook."""
    folder = config_folder(session.config) or Path.cwd()
    declared: Mapping[str, Hook | None] = attrs.asdict(session.config.settings.hooks, recurse=False)
    for moment, hook in declared.items():
        if hook is not None:
            yield _command(f"hook {moment}", hook.run[0], folder)


def _command(about: str, program: str, folder: Path) -> Diagnosis:
    if "/" not in program:
        found = shutil.which(program)
        if found:
            return Diagnosis.ok(about, found)
        return Diagnosis.error(about, f"{program} is not on the PATH", "install it, or name it by its path")
    path = folder / program
    if not path.is_file():
        return Diagnosis.error(
            about, f"there is no file {path}", "a path is relative to the configuration's folder: correct it"
        )
    if not os.access(path, os.X_OK):
        return Diagnosis.error(about, f"{path} is not executable", f"chmod +x {path}")
    return Diagnosis.ok(about, str(path))
