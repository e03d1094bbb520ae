"""The way back while instances break down: the traffic comes first, and nothing is waited for before."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest
from shop import Shop, Wrk, ended, until

pytestmark = [pytest.mark.component("envoy"), pytest.mark.component("wrk"), pytest.mark.alone]

FRAGILE = [sys.executable, str(Path(__file__).parents[1] / "support" / "fragile.py"), "{port}", "{version}"]
# Neither the clock nor a look at its health ends the canary before a person does.
SLOW = ("initial_percentage=40", "increments=[100]", "increment_interval=600s")


class Trouble:
    """Three instances of v1 in use, and a canary of v2 that has 40 % of the traffic."""

    def __init__(self, folder: Path) -> None:
        self.words = folder / "words"
        self.words.mkdir()
        self.shop = Shop(folder, instances=3, command=[*FRAGILE, str(self.words)], look_every="600s")
        self.shop.deploy("v1", "blue-green", "verify_for=0s", "drain=0s")
        asking = [*self.shop.asking("v2", "canary", *SLOW)[:-1], "jsonl"]
        self.driver = self.shop.start(*asking)
        until(lambda: any(entry.op == "wait" for entry in self.journal("deploy")))

    def journal(self, run):
        store = self.shop.store()
        return store.entries(store.list(limit=1)[0].id, run)

    def break_down(self, name):
        """A version or an instance of it; returns when nothing of it is in the traffic."""
        (self.words / name).touch()
        rows = self.shop.rows("v1") + self.shop.rows("v2")
        ids = {row["id"] for row in rows if name in (row["id"], row["release"]["version"])}
        assert ids
        until(
            lambda: (
                not any(
                    row["ready"] for row in self.shop.rows("v1") + self.shop.rows("v2") if row["id"] in ids
                )
            )
        )

    def mend(self):
        for word in self.words.iterdir():
            word.unlink()

    def traffic_is_back(self):
        """Wait until that is recorded; returns what was written, which nothing else came before."""
        lines = until(lambda: [e for e in self.journal("rollback 1") if e.mark.value == "result"])
        first, second = self.journal("rollback 1")[:2]
        assert [first.op, first.mark.value] == ["put_traffic_back", "intent"]
        assert [second.op, second.mark.value] == ["put_traffic_back", "result"]
        assert second == lines[0]
        assert second.error is None
        return second.value

    def in_force(self):
        return self.shop.tell("status")["snapshot"]["in_force"]

    def check_events(self, out, split):
        """Of whoever drove it back: right after it began, the split was written."""
        kinds = [(event["kind"], event) for event in map(json.loads, out.splitlines())]
        names = [kind for kind, _ in kinds]
        here = names.index("rollback")
        assert names[here + 1] == "split_written", names[here:]
        assert kinds[here + 1][1]["split"] == split


@pytest.fixture
def trouble(tmp_path):
    made = Trouble(tmp_path)
    yield made
    made.mend()
    made.driver.kill()
    made.driver.communicate()
    made.shop.close()


@pytest.mark.parametrize("verb", ["abort", "rollback"])
@pytest.mark.parametrize("driver", ["alive", "killed"])
def test_the_traffic_leaves_what_breaks_down_at_once(trouble, verb, driver):
    shop = trouble.shop
    shares = trouble.in_force()
    (live,) = (slot for slot, share in shares.items() if share == 60)
    trouble.break_down("v2")
    trouble.break_down(shop.rows("v1")[0]["id"])
    if driver == "killed":
        trouble.driver.send_signal(signal.SIGKILL)
        ended(trouble.driver, code=-signal.SIGKILL)
    form = "jsonl" if verb == "rollback" else "json"
    asked = shop.start(verb, "--config-file", str(shop.file), "--output", form)
    # Two of three instances are fine, and nothing else is: all of the traffic, and not two thirds.
    whole = {slot: 100.0 if slot == live else 0.0 for slot in shares}
    assert trouble.traffic_is_back() == whole
    until(lambda: trouble.in_force() == whole)
    with Wrk(shop.port, connections=8, paced=True) as load:
        for _ in range(20):
            assert shop.ask() == (200, "v1")
        trouble.mend()
        said = ended(asked, code=None)
        drove = said if driver == "killed" else ended(trouble.driver, code=3)
        seen = load.stop()
    # Somebody who aborts waits for a while only, and is told that it is still going back.
    assert said.code in ((0, 8) if verb == "abort" else (0,))
    assert seen.failed == 0
    if drove is not said or form == "jsonl":
        trouble.check_events(drove.out, whole)
    status = shop.tell("status")
    assert (status["serving"], status["settled"]) == (["v1"], True)
    assert status["deployment"]["status"] == "rolled_back"


def test_as_much_traffic_goes_back_at_once_as_can_be_carried(trouble):
    shop = trouble.shop
    (live,) = (slot for slot, share in trouble.in_force().items() if share == 60)
    down = shop.rows("v1")[0]["id"]
    trouble.break_down(down)
    with Wrk(shop.port, connections=8, paced=True) as load:
        asked = shop.start("rollback", "--config-file", str(shop.file), "--output", "json")
        written = trouble.traffic_is_back()
        # Two of three instances carry two thirds; the canary is fine, and keeps the rest until then.
        assert written[live] == pytest.approx(66.66)
        until(lambda: trouble.in_force()[live] == pytest.approx(66.66))
        trouble.mend()
        ended(asked)
        drove = ended(trouble.driver, code=3)
        seen = load.stop()
    assert seen.failed == 0
    trouble.check_events(drove.out, written)
    assert shop.ask() == (200, "v1")
