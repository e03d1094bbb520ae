"""The embedded engine passes the contract of engines: on memory, on files, and killed for real."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from uno_core import Status
from uno_core.engine.port import EmbeddedEngine
from uno_core.journal.sqlite import FileStore
from uno_core.testing import EngineContract


class Embedded(EngineContract):
    @pytest.fixture
    def engine(self, services):
        return EmbeddedEngine(None, services)


class TestEmbedded(Embedded):
    pass


class TestEmbeddedOnFiles(Embedded):
    @pytest.fixture
    def store(self, tmp_path):
        store = FileStore(path=tmp_path / "state" / "journal.db")
        yield store
        store.close()

    @pytest.fixture
    def die(self):
        """The kernel frees the locks of a process that dies, and what is left of it knows nothing of that."""

        def die(store):
            for lock in store._locks.values():
                lock._file.close()

        return die


class Elsewhere:
    """A driving whose worker is another thread than the one that waits for its outcome."""

    def __init__(self, driving):
        self.driving = driving

    def __getattr__(self, name):
        def drive(*arguments, **named):
            with ThreadPoolExecutor(1) as worker:
                return worker.submit(getattr(self.driving, name), *arguments, **named).result()

        return drive


class TestEmbeddedElsewhere(Embedded):
    """Nothing of the contract rests on who drives, and where."""

    @pytest.fixture
    def engine(self, services):
        class Engine(EmbeddedEngine):
            def driving(self, *arguments):
                return Elsewhere(super().driving(*arguments))

        return Engine(None, services)


KILLS = 12
SUPPORT = Path(__file__).parents[1] / "support"

# Deploys v2 or goes on with it, and dies at a line of its journal; counts what it asks the platform for.
DRIVER = """
import json, os, signal, sys
from pathlib import Path

from attrs import evolve
from filed_platform import Filed, FiledOptions, Swap, SwapOptions
from uno_core import Application, Capabilities, Release, Services
from uno_core.clock import SystemClock
from uno_core.contracts.engine import Order, nobody
from uno_core.effects.world import World
from uno_core.engine.attention import Ears
from uno_core.engine.port import EmbeddedEngine
from uno_core.journal.sqlite import FileStore
from uno_core.simulation.stage import NoSecrets, Silent

root, dies_at = Path(sys.argv[1]), float(sys.argv[2])
shop = Application(name="shop", environment="test")
services = Services(
    application=shop, logger=Silent(), clock=SystemClock(), state_dir=root, secrets=NoSecrets()
)


class Counted:
    def __init__(self, half):
        self.half = half

    def __getattr__(self, name):
        return getattr(self.half, name)

    def converge(self, *what):
        self.count("converge")
        self.half.converge(*what)

    def write(self, *what):
        self.count("write")
        self.half.write(*what)

    def count(self, name):
        with (root / "asked").open("a") as file:
            file.write(name + chr(10))


class Dying(FileStore):
    lines = 0

    def append(self, id, entry, *, lease=None):
        self.meet()
        super().append(id, entry, lease=lease)
        self.meet()

    def meet(self):
        if self.lines == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.lines += 1


platform = Filed(FiledOptions(root=root), services)
world = World(
    application=shop,
    workload=Counted(platform.workload),
    router=Counted(platform.router),
    platforms=(platform,),
    capabilities=Capabilities(granularity=0.01, unroute=True, cas=True, write_horizon=0.2, bound=1.0),
    clock=services.clock,
    logger=services.logger,
    checks=lambda _: None,
    look=lambda *_: None,
)
store = Dying(path=root / "journal.db")
driving = EmbeddedEngine(None, services).driving(world, store, nobody, Ears.listening)
order = Order(
    application=shop,
    release=platform.workload.resolve(Release("v2")),
    strategy_name="swap",
    strategy=Swap(),
    options=SwapOptions(hold=0.1),
)
records = store.list()
outcome = driving.resume(order, records[0].id) if records else driving.deploy(order)
print(json.dumps([outcome.status, store.lines]))
"""


def drive(root, dies_at):
    """One process that drives; what it printed, or None where it was killed."""
    environ = {**os.environ, "PYTHONPATH": str(SUPPORT)}
    ran = subprocess.run(
        [sys.executable, "-c", DRIVER, str(root), str(dies_at)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if ran.returncode == -signal.SIGKILL:
        return None
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def begin(root):
    from filed_platform import World

    root.mkdir()
    World(root / "world.json").live("v1")
    return World(root / "world.json")


def test_processes_killed_at_lines_of_the_journal_are_gone_on_from(tmp_path):
    begin(tmp_path / "whole")
    status, points = drive(tmp_path / "whole", float("inf"))
    assert status == "successful"
    assert (tmp_path / "whole" / "asked").read_text().split() == ["converge", "write", "write"]
    for dies_at in sorted({round(n * (points - 1) / (KILLS - 1)) for n in range(KILLS)}):
        root = tmp_path / f"killed {dies_at}"
        world = begin(root)
        at = f"killed at point {dies_at} of {points}"
        assert drive(root, dies_at) is None, at
        store = FileStore(path=root / "journal.db")
        assert store.holder("shop-test") is None, f"{at}: the kernel frees its lock"
        status, _ = drive(root, float("inf"))
        assert status == "successful", at
        assert store.list()[0].status is Status.SUCCESSFUL, at
        assert world.split()["green"] == 100, at
        assert world.versions("green") == ["v2", "v2"], at
        asked = (root / "asked").read_text().split()
        assert asked[0] == "converge", at
        assert asked[-1] == "write", at
        assert 3 <= len(asked) <= 4, f"{at}: more was done again than what was in flight: {asked}"
        begun = [(e.run, e.seq) for e in store.entries(store.list()[0].id) if e.attempt > 1]
        assert len(set(begun)) <= 1, f"{at}: {begun}"
        store.close()
