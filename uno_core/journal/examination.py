"""How a folder and its files are: writable, private, with room on their disk. Looks only."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from uno_core.contracts.diagnosis import Diagnosis

SCARCE, NONE_LEFT = 500_000_000, 20_000_000
"""Bytes of free space below which a disk is worth a warning, and below which a journal may fail."""


def folder(about: str, path: Path) -> Iterator[Diagnosis]:
    """The folder itself and its disk; where it is not there yet, the nearest one above it that is."""
    near = next(one for one in (path, *path.absolute().parents) if one.exists())
    if not near.is_dir():
        yield Diagnosis.error(about, f"{near} is no folder", f"move it away: {path} has to be a folder")
        return
    if not os.access(near, os.W_OK | os.X_OK):
        yield Diagnosis.error(
            about,
            f"{near} is not writable for this user",
            f"run uno as its owner, {_owner(near)}, or give it to this user: chown",
        )
    elif near != path:
        yield Diagnosis.ok(about, f"{path} is not there yet: the first deployment makes it")
    else:
        yield _private(about, path)
    yield _room(near)


def file(about: str, path: Path) -> Iterator[Diagnosis]:
    """A file that has to be written to; nothing where it is not there."""
    if not path.exists():
        return
    if not os.access(path, os.R_OK | os.W_OK):
        yield Diagnosis.error(
            about,
            f"{path} cannot be read and written by this user",
            f"run uno as its owner, {_owner(path)}, or give it to this user: chown",
        )


def private(path: Path) -> bool:
    """Whether nobody but its owner can use it."""
    return not stat.S_IMODE(path.stat().st_mode) & 0o077


def _private(about: str, path: Path) -> Diagnosis:
    if private(path):
        return Diagnosis.ok(about, f"{path} is writable, and private")
    mode = stat.S_IMODE(path.stat().st_mode)
    return Diagnosis.warning(
        about,
        f"others of this machine can look into {path} (mode {mode:03o})",
        f"chmod 700 {path}",
    )


def _room(path: Path) -> Diagnosis:
    free = shutil.disk_usage(path).free
    told = f"{free / 1e9:.1f} GB free at {path}"
    if free < NONE_LEFT:
        return Diagnosis.error("disk", told, "free space on it: without it no deployment begins")
    if free < SCARCE:
        return Diagnosis.warning("disk", told, "free space on it before logs and releases fill it")
    return Diagnosis.ok("disk", told)


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except (KeyError, OSError):
        return str(path.stat().st_uid)
