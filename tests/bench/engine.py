"""What uno itself costs: start-up, a step, ten thousand deployments that wait, going on after a kill.

Ratios within one run: the machine's own speed cancels out. Prints a table, and JSON on stderr.
"""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from attrs import define, field

from uno_core import Application, DeploymentResult, DeploymentStrategy, whole
from uno_core.contracts.engine import Order
from uno_core.engine.embedded import Embedded
from uno_core.engine.fleet import Dozing, Fleet
from uno_core.journal.sqlite import FileStore
from uno_core.simulation.clock import VirtualClock
from uno_core.simulation.stage import NOBODY, Silent, Stage


@define
class Table:
    """Rows of a table: what, how much, and the budget that stands in the design."""

    rows: dict[str, tuple[str, str]] = field(factory=dict)
    numbers: dict[str, float] = field(factory=dict)

    def add(self, name: str, value: float, unit: str, budget: str = "") -> None:
        self.rows[name] = (f"{value:,.4g} {unit}", budget)
        self.numbers[name] = value
        print(f"{name:58} {value:>12,.4g} {unit:24} {budget}", flush=True)


def median(times: int, run: Callable[[], object]) -> float:
    """The median of so many runs, in seconds."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def python(*arguments: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def starting(table: Table, times: int) -> None:
    """Start-up, against the import of click alone."""
    click = median(times, python("-c", "import click"))
    table.add("uno --version / import click", median(times, python("-m", "uno_core", "--version")) / click,
              "x", "at most 1.5")  # fmt: skip
    table.add("uno --help / import click", median(times, python("-m", "uno_core", "--help")) / click,
              "x", "at most 2")  # fmt: skip


class Steps(DeploymentStrategy):
    """Observes again and again: calls that cost a platform next to nothing."""

    def __init__(self, name="steps", logger=None, calls=1000, **options):
        super().__init__(name, logger, **options)
        self.calls = calls

    def deploy(self, context):
        for _ in range(self.calls):
            context.now()
        idle = context.initial.idle
        context.deploy(idle, context.release, context.initial.size)
        context.set_traffic(whole(idle))
        context.promoted()
        return DeploymentResult(True)


def stepping(table: Table, folder: Path, calls: int) -> None:
    """A step's journal, against bare commits of the same durability on the same disk."""
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)
    db.execute("pragma journal_mode=wal")
    db.execute("pragma synchronous=full")
    db.execute("create table line(text text)")

    def commits() -> None:
        for _ in range(calls):
            db.execute("begin immediate")
            db.execute("insert into line values(?)", ("x" * 200,))
            db.execute("commit")

    bare = median(3, commits) / calls
    stage = Stage(store=FileStore(path=folder / "steps.db"))
    stage.live("v1")
    began = time.perf_counter()
    stage.deploy(Steps(calls=calls), "v2")
    step = (time.perf_counter() - began) / calls
    table.add("a bare commit", bare * 1000, "ms")
    table.add("a step (intent and result) / a bare commit", step / bare, "x", "at most 3")


class Waits(DeploymentStrategy):
    """Comes up in the idle slot, and waits an hour."""

    def deploy(self, context):
        idle = context.initial.idle
        context.deploy(idle, context.release, context.initial.size)
        context.wait(3600, watch=False)
        context.set_traffic(whole(idle))
        context.promoted()
        return DeploymentResult(True)


def memory() -> float:
    """The resident memory of this process now, in kB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return float(line.split()[1])
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def waiting(table: Table, folder: Path, many: int) -> None:
    """So many deployments that wait in one process; their simulated platforms are not counted."""
    clock, store = VirtualClock(), FileStore(path=folder / "many.db")
    store._database.connection.execute(
        "pragma synchronous=off"
    )  # what is measured here is memory and time, not the disk
    stages: dict[str, Stage] = {}

    def engine(stage: Stage) -> Embedded:
        return Embedded(store=store, world=stage.world, owner=NOBODY, hearing=Dozing.listening)

    def materials(deployment: str) -> tuple[Embedded, Order]:
        stage = stages[deployment]
        return engine(stage), stage.order(Waits(), "v2")

    fleet = Fleet(store, clock, Silent(), materials, workers=1)
    made = [
        Stage(application=Application(name=f"shop{n}", environment="bench"), clock=clock, store=store)
        for n in range(many)
    ]
    for stage in made:
        stage.live("v1")
    before, began = memory(), time.perf_counter()
    for stage in made:
        outcome = engine(stage).deploy(stage.order(Waits(), "v2"))
        stages[outcome.deployment] = stage
        fleet.add(outcome.deployment, outcome.until)
    table.add(f"{many:,} deployments brought to their wait", time.perf_counter() - began, "s")
    table.add(f"memory of each of {many:,} that wait", (memory() - before) / many, "kB", "at most 20")
    began = time.perf_counter()
    fleet.run()
    ended = len(fleet.ended)
    table.add(f"{ended:,} of them resumed and ended", time.perf_counter() - began, "s")


class Quick(DeploymentStrategy):
    """A switch."""

    def deploy(self, context):
        idle = context.initial.idle
        context.deploy(idle, context.release, context.initial.size)
        context.set_traffic(whole(idle))
        context.promoted()
        return DeploymentResult(True)


def active(table: Table, folder: Path, many: int) -> None:
    """So many deployments under way at once in one process, eight effects at a time."""
    store = FileStore(path=folder / "active.db")
    stages = {}
    for n in range(many):
        stage = Stage(application=Application(name=f"shop{n}", environment="bench"), store=store)
        stage.live("v1")
        stages[f"shop{n}-bench-1"] = stage
    from concurrent.futures import ThreadPoolExecutor

    began = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda s: s.engine().deploy(s.order(Quick(), "v2")), stages.values()))
    good = sum(outcome.exit_code == 0 for outcome in outcomes)
    table.add(f"{good:,} active deployments, every line on the disk", time.perf_counter() - began, "s")


def main(short: bool) -> None:
    table = Table()
    times, calls, many, busy = (5, 200, 1000, 100) if short else (15, 1000, 10_000, 1000)
    where = os.environ.get("UNO_BENCH_DIR")
    with tempfile.TemporaryDirectory(prefix="uno-bench-", dir=where) as name:
        folder = Path(name)
        starting(table, times)
        stepping(table, folder, calls)
        waiting(table, folder, many)
        active(table, folder, busy)
    print(json.dumps(table.numbers), file=sys.stderr)


if __name__ == "__main__":
    main("--short" in sys.argv)
