"""uno as people run it: in this process, or as processes of their own that share one world in a file."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attrs import define, field, frozen
from filed_platform import World

from uno_core import _log
from uno_core.cli import main
from uno_core.journal.origin import SERVICES

SUPPORT = Path(__file__).parents[1] / "support"
CONFIG = """\
application: shop
environment: test
platform: {{name: filed, root: {root}}}
strategy: swap
look_every: 200ms
"""


@pytest.fixture(autouse=True)
def no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    """No CI service, whichever runs these tests: what uno does on one is asked for where it matters."""
    for name in ("CI", *(service.mark for service in SERVICES)):
        monkeypatch.delenv(name, raising=False)


@frozen
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def events(self):
        return [json.loads(line) for line in self.out.splitlines()]


@define
class Shop:
    """An application in a directory of its own, with its configuration as `uno.yaml`."""

    root: Path
    capture: pytest.CaptureFixture[str]
    site: Path
    started: list[subprocess.Popen[str]] = field(factory=list)

    @property
    def world(self) -> World:
        return World(self.root / "world.json")

    def uno(self, *arguments: str) -> Said:
        """Run it in this process."""
        self.capture.readouterr()
        with pytest.raises(SystemExit) as end:
            main(arguments)
        said = self.capture.readouterr()
        return Said(int(end.value.code or 0), said.out, said.err)

    def environ(self) -> dict[str, str]:
        path = os.pathsep.join([str(self.site), str(SUPPORT)])
        return {**os.environ, "PYTHONPATH": path, "NO_COLOR": "1"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Run it as a process."""
        process = subprocess.Popen(
            [sys.executable, "-m", "uno_core", *arguments],
            env=self.environ(),
            cwd=self.root,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.started.append(process)
        return process

    def begun(self, *options: str) -> subprocess.Popen[str]:
        """A deployment of v2 over v1 in a process of its own, with half of the traffic."""
        self.world.live("v1")
        process = self.start("deploy", "--version", "v2", *options)
        self.until(lambda: self.world.split().get("green") == 50.0)
        return process

    def left(self, *options: str) -> None:
        """The same, left by a driver that was killed."""
        process = self.begun(*options)
        self.until(lambda: "last wait" in self.uno("status").out)
        process.kill()
        self.end(process)

    def stopped(self, process: subprocess.Popen[str]) -> None:
        """Have a process stand still, and wait until it does; not in the middle of a write to the journal."""
        while True:
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
            try:
                with closing(sqlite3.connect(self.root / "state" / "journal.db", timeout=0)) as journal:
                    journal.execute("begin immediate")
                    journal.rollback()
            except sqlite3.OperationalError:  # nobody else could leave it a word
                process.send_signal(signal.SIGCONT)
                time.sleep(0.01)
            else:
                return

    def python(self, source: str) -> Said:
        """Run a program of Python where uno and the plugins are, to its end."""
        done = subprocess.run(
            [sys.executable, "-c", source], env=self.environ(), text=True, capture_output=True, check=False
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def install(self, distribution: str, entry_points: str) -> None:
        """The metadata that pip would have written."""
        info = self.site / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entry_points)

    def end(self, process: subprocess.Popen[str]) -> Said:
        out, err = process.communicate(timeout=60)
        return Said(process.returncode, out, err)

    def until(self, holds) -> None:
        """Wait for what another process is to do."""
        end = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < end, "it never happened"
            time.sleep(0.05)

    def until_status(self, status: str) -> None:
        self.until(
            lambda: (
                ((self.uno("status", "--output", "json").json["deployment"]) or {}).get("status") == status
            )
        )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place on the path where a test installs distributions."""
    made = tmp_path / "site"
    made.mkdir()
    monkeypatch.syspath_prepend(str(made))
    return made


@pytest.fixture
def shop(
    tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shop]:
    root = tmp_path / "shop"
    root.mkdir()
    (root / "uno.yaml").write_text(CONFIG.format(root=root))
    monkeypatch.chdir(root)
    made = Shop(root, capsys, site)
    made.install("uno-platform-filed", "[uno]\nfiled = filed_platform\n")
    yield made
    _log.configure()
    for process in made.started:
        if process.poll() is None:
            process.kill()
        process.communicate()


ILL = """\
application: shop
environment: test
platform: {{name: ailing, root: {root}{platform}}}
strategy: swap
{more}
"""


@pytest.fixture
def ill(shop: Shop) -> Callable[..., Shop]:
    """Write a configuration with something wrong in it; nothing by default."""
    shop.install("ailing", "[uno]\nailing = ailing\n")

    def configure(platform: str = "", more: str = "") -> Shop:
        (shop.root / "uno.yaml").write_text(ILL.format(root=shop.root, platform=platform, more=more))
        return shop

    return configure
