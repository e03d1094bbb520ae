"""A real application on the local platform, deployed through the command line, under a real load."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from attrs import frozen

from uno_core.journal.sqlite import FileStore

DYING = Path(__file__).with_name("dying")
PACED = Path(__file__).with_name("paced.lua")
SAMPLE = [sys.executable, "-m", "uno_platform_local.demo.launch", "{port}", "{version}", "bad", "faulty"]


def until(holds: Callable[[], Any]) -> Any:
    """Wait for what other processes are to do, and return it."""
    end = time.monotonic() + 60
    while not (seen := holds()):
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)
    return seen


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@frozen
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)


def ended(process: subprocess.Popen[str], *, code: int | None = 0) -> Ended:
    """Wait until it has ended; `code` is what it has to end with, None for anything."""
    try:
        out, err = process.communicate(timeout=300)
    except BaseException:
        process.kill()
        process.communicate()  # what is left of it is waited for, and its pipes are closed
        raise
    assert code in (None, process.returncode), f"{process.args}: {process.returncode}\n{out}\n{err}"
    return Ended(process.returncode, out, err)


def dying(**more: str) -> dict[str, str]:
    """An environment in which uno does as `dying/sitecustomize.py` says."""
    path = [str(DYING), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, path)), **more}


class Shop:
    """One application under one directory. `close` stops all that it started."""

    def __init__(
        self,
        folder: Path,
        *,
        instances: int = 2,
        command=SAMPLE,
        more: str = "",
        kind="development",
        look_every="1s",
    ):
        self.folder = folder
        self.environ: dict[str, str] = {}
        self.root = folder / "shop"
        self.port = free_port()
        self.file = folder / "uno.yaml"
        self.file.write_text(
            f"application: shop\nenvironment: {kind}\n"
            f"platform: {{name: local, root: {self.root}, instances: {instances},"
            f" command: {json.dumps(command)}, grace: 5s}}\n"
            f'traffic: {{listen: "127.0.0.1:{self.port}"}}\n'
            'health: {name: http, url: "http://{host}:{port}/health"}\n'
            f"look_every: {look_every}\n{more}"
        )

    def elsewhere(self, folder: Path) -> Shop:
        """The same application with the same configuration, as another machine's user has it."""
        other = copy.copy(self)
        (folder / "home").mkdir(parents=True)
        other.folder, other.file = folder, folder / "uno.yaml"
        other.file.write_text(self.file.read_text())
        # Nothing of the user's own tells where the state might lie.
        other.environ = {**self.environ, "HOME": str(folder / "home"), "XDG_STATE_HOME": ""}
        return other

    def start(self, *arguments: str, environ=None) -> subprocess.Popen[str]:
        """Start uno; `ended` waits for its end."""
        return subprocess.Popen(
            [sys.executable, "-m", "uno_core", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.environ, **(environ or {})},
            cwd=self.folder,
        )

    def uno(self, *arguments: str, code: int | None = 0, environ=None) -> Ended:
        """Run uno; `code` is what it has to end with, None for anything."""
        return ended(self.start(*arguments, environ=environ), code=code)

    def asking(self, version: str, strategy: str, *options: str) -> list[str]:
        """The command that deploys a version; options are `key=value` of the strategy."""
        pairs = [part for option in options for part in ("--option", f"strategy.{option}")]
        arguments = ["deploy", "--config-file", str(self.file), "--version", version, "--strategy", strategy]
        return [*arguments, *pairs, "--output", "json"]

    def deploy(self, version: str, strategy: str, *options: str, code: int | None = 0) -> Ended:
        """Deploy a version; options are `key=value` of the strategy."""
        return self.uno(*self.asking(version, strategy, *options), code=code)

    def tell(self, verb: str, *arguments: str, code: int | None = 0, environ=None) -> Any:
        """Another verb on the same configuration, and the document that it answers with."""
        given = [verb, *arguments, "--config-file", str(self.file), "--output", "json"]
        return self.uno(*given, code=code, environ=environ).document

    def journal(self, id: str = "") -> list[dict[str, Any]]:
        """The lines of a deployment, of the last one where none is named."""
        return self.tell("show", *([id] if id else []))["journal"]

    def pids(self, version: str) -> dict[str, int]:
        """The processes of a version's instances, those that are leaving left out."""
        return {row["id"]: row["pid"] for row in self.rows(version) if row["pid"]}

    def rows(self, version: str) -> list[dict[str, Any]]:
        """What the platform's own agent says of a version's instances."""
        status = json.loads((self.root / "state" / "status.json").read_text())
        rows = [row for rows in status["slots"].values() for row in rows]
        return [row for row in rows if row["release"]["version"] == version]

    def store(self) -> FileStore:
        """The journal, where the state lies in a file."""
        return FileStore(path=self.root / "state" / "journal.db")

    def ask(self) -> tuple[int, str]:
        """Status and text of one request through the proxy."""
        import requests

        answer = requests.get(f"http://127.0.0.1:{self.port}/", timeout=5)
        return answer.status_code, answer.text.strip()

    def close(self) -> None:
        self.uno("local", "down", "--root", str(self.root), code=None)
        shutil.rmtree(self.root, ignore_errors=True)


@frozen
class Measured:
    """What wrk saw. Latencies are milliseconds."""

    requests: int
    failed: int
    per_second: float
    p50: float
    p99: float


class Wrk:
    """A steady keep-alive load by wrk, until it is stopped.

    paced: each connection rests between two requests, so that others get something of this machine.
    """

    def __init__(self, port: int, *, connections: int = 32, threads: int = 1, paced: bool = False) -> None:
        self._process = subprocess.Popen(
            ["wrk", "--latency", "-t", str(threads), "-c", str(connections), "-d", "3600s",
             "--timeout", "20s", *(["-s", str(PACED)] if paced else []),
             f"http://127.0.0.1:{port}/"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing goes on asking where a test has failed."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def stop(self) -> Measured:
        self._process.send_signal(signal.SIGINT)
        out, _ = self._process.communicate(timeout=60)
        return measured(out)


def measured(out: str) -> Measured:
    """Read what wrk prints: requests, those that failed in any way, percentiles."""
    failed = 0
    if found := re.search(r"Non-2xx or 3xx responses: (\d+)", out):
        failed += int(found[1])
    if found := re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out):
        failed += sum(map(int, found.groups()))
    requests = re.search(r"(\d+) requests in", out)
    per_second = re.search(r"Requests/sec:\s+([\d.]+)", out)
    assert requests, out
    assert per_second, out
    return Measured(int(requests[1]), failed, float(per_second[1]), _latency(out, 50), _latency(out, 99))


def _latency(out: str, percentile: int) -> float:
    found = re.search(rf"\s{percentile}%\s+([\d.]+)(us|ms|s)", out)
    assert found, out
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]
