"""A real application on the local platform, deployed through the command line, under a real load."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

from attrs import frozen

SAMPLE = [sys.executable, "-m", "uno_platform_local.demo.launch", "{port}", "{version}", "bad", "faulty"]


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


class Shop:
    """One application under one directory. `close` stops all that it started."""

    def __init__(
        self, folder: Path, *, instances: int = 2, command=SAMPLE, more: str = "", kind="development"
    ):
        self.folder = folder
        self.root = folder / "shop"
        self.port = free_port()
        self.file = folder / "uno.yaml"
        self.file.write_text(
            f"application: shop\nenvironment: {kind}\n"
            f"platform: {{name: local, root: {self.root}, instances: {instances},"
            f" command: {json.dumps(command)}, grace: 5s}}\n"
            f'traffic: {{listen: "127.0.0.1:{self.port}"}}\n'
            'health: {name: http, url: "http://{host}:{port}/health"}\n'
            f"look_every: 1s\n{more}"
        )

    def uno(self, *arguments: str, code: int | None = 0, environ=None) -> Ended:
        """Run uno; `code` is what it has to end with, None for anything."""
        done = subprocess.run(
            [sys.executable, "-m", "uno_core", *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, **(environ or {})},
            cwd=self.folder,
            check=False,
        )
        assert code in (None, done.returncode), (
            f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def deploy(self, version: str, strategy: str, *options: str, code: int | None = 0) -> Ended:
        """Deploy a version; options are `key=value` of the strategy."""
        pairs = [part for option in options for part in ("--option", f"strategy.{option}")]
        arguments = ["deploy", "--config-file", str(self.file), "--version", version, "--strategy", strategy]
        return self.uno(*arguments, *pairs, "--output", "json", code=code)

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
    """A steady keep-alive load by wrk, until it is stopped."""

    def __init__(self, port: int, *, connections: int = 32, threads: int = 1) -> None:
        self._process = subprocess.Popen(
            ["wrk", "--latency", "-t", str(threads), "-c", str(connections), "-d", "3600s",
             "--timeout", "20s",
             f"http://127.0.0.1:{port}/"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

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
