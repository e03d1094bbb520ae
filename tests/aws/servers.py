"""What load balancers send requests to: processes at addresses of their own."""

from __future__ import annotations

import itertools
import os
import socket
import sys
from pathlib import Path
from typing import Any

from tests.cluster.children import begin, end, kill, until

SERVE = Path(__file__).parents[1] / "cluster" / "serve.py"
_numbers = itertools.count(1)


class Servers:
    """Processes that answer with their version, each at an address of its own in 10.0.0.0/8."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, Any] = {}

    def start(self, version: str) -> str:
        """Start one, and return its address in the VPC as soon as it listens."""
        target = self.begin(version)
        until(lambda: listens(target), every=0.02)
        return target

    def begin(self, version: str) -> str:
        """The same, and wait for nothing."""
        number = next(_numbers)
        address = f"77.{os.getpid() % 250}.{number // 250}.{number % 250 + 1}"
        environ = {
            **os.environ, "UNO_TEST_ADDRESS": f"127.{address.partition('.')[2]}", "PORT": "8080",
            "UNO_TEST_IMAGE": f"example.com/shop:{version}", "HOSTNAME": f"server-{number}",
        }  # fmt: skip
        target = f"10.{address.partition('.')[2]}"
        log = self.folder / f"{number}.log"
        self.processes[target] = begin([sys.executable, str(SERVE)], log, env=environ)
        return target

    def stop(self, target: str) -> None:
        end(self.processes.pop(target))

    def close(self) -> None:
        for process in self.processes.values():
            kill(process)


def listens(target: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127." + target.partition(".")[2], 8080)) == 0
