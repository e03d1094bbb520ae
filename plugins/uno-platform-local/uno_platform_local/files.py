"""Files that are whole or absent, whenever the writer dies, and a lock that dies with its holder."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from uno_core import PlatformError


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace a file in one step. Raises PlatformError: the old file is untouched.

    `durable` also survives a power cut; without it a crash of the machine may bring the old file back.
    """
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        Path(temporary).rename(path)
        if durable:
            _sync_directory(path.parent)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise PlatformError(
            f"{path.name} could not be written; what it said before still stands",
            found=str(error),
            where=str(path),
            remedy="free space on the disk, or make the directory writable for this user",
        ) from error


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    write_text(path, json.dumps(value, sort_keys=True), durable=durable)


def read_json(path: Path) -> Any:
    """The value in a file, or None where there is none. Raises PlatformError where it is no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise PlatformError(
            f"{path.name} cannot be read",
            found=str(error),
            where=str(path),
            remedy="mend the file or put it aside; uno writes it anew",
        ) from error


def write_if_changed(path: Path, value: Any) -> bool:
    """Write only a new value, so that nobody who watches the file is woken for nothing."""
    if path.exists() and read_json(path) == value:
        return False
    write_json(path, value)
    return True


def stamp(path: Path) -> tuple[int, int]:
    """Changes whenever the file is replaced."""
    try:
        stat = path.stat()
    except OSError:
        return (0, 0)
    return (stat.st_mtime_ns, stat.st_ino)


@contextmanager
def locked(path: Path, *, timeout: float = 5.0) -> Iterator[None]:
    """Hold the lock of a file; the kernel lets go of it when this process dies.

    Raises PlatformError after `timeout` seconds: nothing was written.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PlatformError(
            "the state directory cannot be written",
            found=str(error),
            where=str(path.parent),
            remedy="let uno prepare it (`uno local up`), or make it writable for this user",
        ) from error
    try:
        end = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise PlatformError(
                        f"another process has held {path.name} for {timeout:g} s",
                        where=str(path),
                        remedy="see which one: `fuser -v` on that file",
                    ) from None
                time.sleep(0.005)
        yield
    finally:
        os.close(handle)
