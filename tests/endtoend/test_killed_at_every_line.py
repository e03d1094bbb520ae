"""`kill -9` of uno at every write of its journal, under load: nobody notices, and it goes on or back.

The default takes a sample that is spread evenly; UNO_ALL_KILLS=1 takes them all.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from attrs import define, field, frozen
from shop import Shop, Wrk, dying, ended

pytestmark = [pytest.mark.component("envoy"), pytest.mark.component("wrk"), pytest.mark.alone]

SAMPLED = 16
ALL = bool(os.environ.get("UNO_ALL_KILLS"))
EVIDENCE = "metrics_threshold={error_rate: 1%}"
# The old slot stands by longer than one kill and what follows take.
STRATEGIES = {
    "canary": ("initial_percentage=20", "increments=[100]", "increment_interval=2s", "drain=0s"),
    "blue-green": ("verify_for=500ms", "drain=500ms"),
}


@frozen
class Kill:
    """Before or after the write of this number; and what a person does then."""

    number: int
    when: str
    then: str

    def __str__(self):
        return f"{self.when} write {self.number}, then {self.then}"


def kills(writes: int) -> list[Kill]:
    """Every write of a deployment, each second one (of intents, and of results) with the other way on."""
    every = [
        Kill(number, when, ("resume", "rollback")[(number // 2 + later) % 2])
        for number in range(1, writes + 1)
        for later, when in enumerate(("before", "after"))
    ]
    if ALL or len(every) <= SAMPLED:
        return every
    return [every[round(n * (len(every) - 1) / (SAMPLED - 1))] for n in range(SAMPLED)]


@define
class Bench:
    """One shop that is deployed to over and over, by a uno that dies."""

    shop: Shop
    strategy: str
    folder: Path
    serving: str = "v0"
    number: int = 0
    calls: list = field(factory=list)

    def environ(self, **more):
        self.counted.unlink(missing_ok=True)
        return dying(UNO_COUNTED=str(self.counted), **more)

    @property
    def counted(self):
        return self.folder / "counted"

    def next(self):
        self.number += 1
        version = f"v{self.number}"
        options = (*STRATEGIES[self.strategy], "keep_old_for=120s", EVIDENCE)
        return version, self.shop.asking(version, self.strategy, *options)

    def undisturbed(self) -> int:
        """Deploy once without a kill; what it called is what every other one has to call. The writes."""
        version, asking = self.next()
        with self.load():
            self.shop.uno(*asking, environ=self.environ())
        self.calls = calls(self.journal())
        self.serving = version
        return len(self.counted.read_text().splitlines())

    def load(self):
        return Wrk(self.shop.port, connections=8, paced=True)

    def record(self):
        return self.shop.store().list(limit=1)[0]

    def journal(self):
        return self.shop.store().entries(self.record().id)

    def survives(self, kill: Kill) -> None:
        before, pids = self.record(), self.shop.pids(self.serving)
        version, asking = self.next()
        with self.load() as load:
            died = self.shop.start(*asking, environ=self.environ(UNO_DIE_AT=f"{kill.number}:{kill.when}"))
            said = ended(died, code=-signal.SIGKILL)
            assert len(self.counted.read_text().splitlines()) == kill.number, said
            status, text = self.shop.ask()
            assert (status, text in (self.serving, version)) == (200, True)
            started = self.shop.pids(version)
            new = self.go_on(kill, asking, begun=self.record().id != before.id)
            expected = version if new else self.serving
            for _ in range(10):
                assert self.shop.ask() == (200, expected)
            seen = load.stop()
        assert seen.failed == 0
        assert seen.requests > 100
        self.check_end(expected)
        self.check_journal(whole=new)
        # Nothing was restarted: neither what carried the traffic, nor what was started already.
        assert self.shop.pids(self.serving) == pids
        assert len(pids) == 2
        if new:
            assert started.items() <= self.shop.pids(version).items()
        self.serving = expected

    def go_on(self, kill: Kill, asking, *, begun: bool) -> bool:
        """What a person does then; whether the new version is to serve after it."""
        if not begun:
            # No deployment was begun, so there is none to go on with; a new one begins as always.
            self.shop.uno(*asking)
            return True
        ended_well = self.record().status.final
        self.shop.tell(kill.then, code=2 if ended_well and kill.then == "resume" else 0)
        return kill.then == "resume"

    def check_end(self, version):
        status = self.shop.tell("status")
        assert status["serving"] == [version]
        assert status["settled"]
        assert not status["deployment"]["under_way"]
        assert set(status["snapshot"]["in_force"].values()) == {0.0, 100.0}

    def check_journal(self, *, whole: bool) -> None:
        """No step skipped, none done twice but the one that was in flight."""
        lines = self.journal()
        made = calls(lines)
        assert made == (self.calls if whole else self.calls[: len(made)])
        again = {line.seq for line in lines if line.run == "deploy" and line.attempt > 1}
        assert len(again) <= 1
        assert all(line.attempt <= 2 for line in lines)
        assert {line.attempt for line in lines if line.run != "deploy"} <= {1}
        results = [(line.run, line.seq) for line in lines if line.mark.value == "result"]
        assert len(results) == len(set(results))
        assert not any(line.error for line in lines)


def calls(lines):
    """What the strategy asked for, in order; the same for each of its deployments, whatever the slot."""
    begun = {line.seq: line for line in lines if line.run == "deploy" and line.mark.value == "intent"}
    return [(seq, begun[seq].op, _asked(begun[seq])) for seq in sorted(begun)]


def _asked(line):
    match line.op:
        case "set_traffic":
            return sorted(line.value["split"].values())
        case "converge":
            return [row["count"] for row in line.value["counts"]]
        case "wait":
            return line.value["seconds"], line.value["watch"]
    return None


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_killed_uno_loses_no_request_and_no_step(tmp_path, strategy, record_property):
    shop = Shop(tmp_path)
    try:
        shop.deploy("v0", "blue-green", "verify_for=0s", "drain=0s")
        bench = Bench(shop, strategy, tmp_path)
        chosen = kills(bench.undisturbed())
        for kill in chosen:
            try:
                bench.survives(kill)
            except Exception as problem:
                raise AssertionError(f"{strategy}, killed {kill}") from problem
        record_property("kills", len(chosen))
        print(f"{strategy}: survived {len(chosen)} kills")
    finally:
        shop.close()
