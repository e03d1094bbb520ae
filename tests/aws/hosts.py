"""Machines that are given: addresses on which a command starts whatever version it is told to.

Their addresses are those at which they really listen, since uno asks them itself.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SERVE = Path(__file__).parents[1] / "cluster" / "serve.py"
VERSION = "http://{host}:8080/"
_numbers = itertools.count(1)


class Hosts:
    """Three for each slot. `close` stops all that the command has started."""

    def __init__(self, folder: Path, each: int = 3) -> None:
        self.folder = folder / "hosts"
        self.folder.mkdir()
        self.targets: Mapping[str, Sequence[str]] = {
            slot: [f"127.78.{os.getpid() % 250}.{next(_numbers) % 250 + 1}" for _ in range(each)]
            for slot in ("blue", "green")
        }
        self.command: Sequence[str] = [
            sys.executable, str(Path(__file__)), str(self.folder), "{host}", "{version}"
        ]  # fmt: skip

    def close(self) -> None:
        for file in self.folder.glob("*.pid"):
            stop(file)


def stop(file: Path) -> None:
    """End what was started there."""
    try:
        os.kill(int(file.read_text()), signal.SIGKILL)
    except (OSError, ValueError):
        pass  # it has ended already


def place(folder: Path, host: str, version: str) -> int:
    """The command: have this version on that address, in place of what was there."""
    if version.endswith("broken"):
        print(f"there is no artifact of {version}")
        return 3
    file = folder / f"{host}.pid"
    if file.exists():
        stop(file)
    environ = {
        **os.environ, "UNO_TEST_ADDRESS": host, "PORT": "8080", "HOSTNAME": host,
        "UNO_TEST_IMAGE": f"example.com/shop:{version}",
    }  # fmt: skip
    with (folder / f"{host}.log").open("ab") as log:
        started = subprocess.Popen(
            [sys.executable, str(SERVE)], env=environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    file.write_text(str(started.pid))
    return 0


if __name__ == "__main__":
    sys.exit(place(Path(sys.argv[1]), *sys.argv[2:]))
