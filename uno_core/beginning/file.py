"""Writing a configuration: whole or not at all, and never over one that is there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from uno_core.errors import ConfigError


def write(path: Path, text: str, *, force: bool = False) -> None:
    """Write a new file in one step. Raises ConfigError where there is one already, or where it cannot be.

    force: put it in the place of an old one.
    """
    try:
        handle, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
    except OSError as problem:
        raise _not_written(path, problem) from problem
    temporary = Path(made)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o666 & ~_umask())
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if force:
            temporary.replace(path)
        else:
            # Unlike a rename, a link is refused where somebody wrote the file meanwhile.
            path.hardlink_to(temporary)
    except FileExistsError as problem:
        raise there(path) from problem
    except OSError as problem:
        raise _not_written(path, problem) from problem
    finally:
        temporary.unlink(missing_ok=True)


def check(path: Path, *, force: bool = False) -> None:
    """Raises what `write` would raise, before anybody is asked anything."""
    if not force and (path.exists() or path.is_symlink()):
        raise there(path)
    folder = path.absolute().parent
    if not folder.is_dir():
        raise _not_written(path, FileNotFoundError(2, f"there is no folder {folder}"))


def there(path: Path) -> ConfigError:
    """That it would have been overwritten."""
    return ConfigError(
        f"{path} is there already, and was left as it is",
        found="a file" if path.is_file() else "something else than a file",
        expected="no such file",
        where=str(path.absolute()),
        remedy="--output - shows what would be written; --output FILE writes elsewhere; --force replaces it",
    )


def _not_written(path: Path, problem: OSError) -> ConfigError:
    return ConfigError(
        f"{path} could not be written",
        found=problem.strerror or str(problem),
        where=str(path.absolute()),
        remedy="choose a folder that you may write to: uno init --output FILE; `--output -` only shows it",
    )


def _umask() -> int:
    """What a new file of this user's may not be; it can only be read by setting it."""
    before = os.umask(0o022)
    os.umask(before)
    return before
