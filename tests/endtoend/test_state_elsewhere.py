"""State in PostgreSQL: a deployment outlives its driver, its driver's machine, and the server's death."""

from __future__ import annotations

import itertools
import shutil
import signal

import psycopg
import pytest
from shop import Shop, Wrk, dying, ended, until

pytest_plugins = ["postgresql"]
pytestmark = [
    pytest.mark.component("envoy"),
    pytest.mark.component("postgresql"),
    pytest.mark.component("wrk"),
]

CANARY = ("initial_percentage=20", "increments=[100]", "drain=0s", "metrics_threshold={error_rate: 1%}")
BRISK, ENDLESS = "increment_interval=2s", "increment_interval=600s"
GATE = "gates=[100]"
STEPS = "step converge check_health set_traffic wait"
WHOLE = f"{STEPS} {STEPS} promoted step wait retire verify".split()
_numbers = itertools.count(1)


class Machines:
    """The first has deployed v1; whatever it keeps of its own can be taken away."""

    def __init__(self, folder, url):
        self.here = Shop(folder / "platform", more=f'state: "{url}"\n')
        self.first = self.here.elsewhere(folder / "first")
        self.second = self.here.elsewhere(folder / "second")
        self.first.deploy("v1", "blue-green", "verify_for=0s", "drain=0s")
        self.started = []

    def begin(self, *options, flags=(), **environ):
        """Deploy v2 from the first machine."""
        asking = self.first.asking("v2", "canary", *CANARY, *options)
        self.started.append(self.first.start(*asking, *flags, environ=environ))
        return self.started[-1]

    def ops(self):
        """What was called on the way forward, as the second machine sees it."""
        return [
            line["op"]
            for line in self.second.journal()
            if line["run"] == "deploy" and line["mark"] == "intent" and line["attempt"] == 1
        ]

    def until_called(self, op):
        until(lambda: self.second.tell("status")["deployment"]["version"] == "v2" and op in self.ops())

    def lose_the_first(self, driver):
        """Its power fails, and its disk is gone. Its lease ends by the server's clock."""
        driver.send_signal(signal.SIGKILL)
        ended(driver, code=-signal.SIGKILL)
        shutil.rmtree(self.first.folder)
        assert not list(self.here.root.rglob("*.db")), "no state lies beside what the platform keeps"
        until(lambda: not self.second.tell("status")["deployment"]["driver_alive"])

    def check_end(self, version, status):
        seen = self.second.tell("status")
        assert (seen["serving"], seen["settled"]) == ([version], True)
        assert seen["deployment"]["status"] == status
        for _ in range(10):
            assert self.second.ask() == (200, version)

    def close(self):
        for driver in self.started:
            driver.kill()
            driver.communicate()
        self.here.close()


def database(server):
    """A database of its own for each test."""
    name = f"endtoend{next(_numbers)}"
    with psycopg.connect(server.url(), autocommit=True) as db:
        db.execute(f"create database {name}")
    return server.url(database=name)


@pytest.fixture
def machines(tmp_path, postgresql):
    (tmp_path / "platform").mkdir()
    made = Machines(tmp_path, database(postgresql))
    yield made
    made.close()


@pytest.fixture
def load(machines):
    with Wrk(machines.here.port, connections=8, paced=True) as load:
        yield load


SHORT = dying(UNO_TTL="5")


@pytest.mark.parametrize("verb", ["resume", "rollback"])
def test_another_machine_goes_on_or_back(machines, load, verb):
    driver = machines.begin(BRISK, **SHORT)
    machines.until_called("wait")
    machines.lose_the_first(driver)
    machines.second.tell(verb)
    if verb == "resume":
        machines.check_end("v2", "successful")
        assert machines.ops() == WHOLE
    else:
        machines.check_end("v1", "rolled_back")
    assert load.stop().failed == 0


@pytest.mark.parametrize("left", ["killed", "no-wait"])
def test_another_machine_promotes(machines, load, left):
    if left == "killed":
        driver = machines.begin(BRISK, GATE, **SHORT)
        machines.until_called("pause")
        machines.lose_the_first(driver)
    else:
        ended(machines.begin(BRISK, GATE, flags=["--no-wait"]), code=6)
        shutil.rmtree(machines.first.folder)
    machines.second.tell("promote")
    machines.check_end("v2", "successful")
    assert machines.ops() == f"{STEPS} pause {' '.join(WHOLE[5:])}".split()
    assert load.stop().failed == 0


def test_a_deployment_survives_the_death_of_the_server(tmp_path, start_postgresql):
    server = start_postgresql()
    (tmp_path / "platform").mkdir()
    machines = Machines(tmp_path, database(server))
    try:
        with Wrk(machines.here.port, connections=8, paced=True) as load:
            driver = machines.begin("increment_interval=5s")
            machines.until_called("wait")
            for _ in range(3):
                server.kill()
                assert driver.poll() is None
                server.start()
            ended(driver)
            assert load.stop().failed == 0
        machines.check_end("v2", "successful")
        assert machines.ops() == WHOLE
    finally:
        machines.close()


@pytest.mark.parametrize("how", ["expired", "expired, and resumed", "taken over"])
def test_who_has_lost_the_lease_writes_nothing_more(machines, load, how):
    driver = machines.begin(BRISK if how == "expired" else ENDLESS, **({} if how == "taken over" else SHORT))
    machines.until_called("wait")
    driver.send_signal(signal.SIGSTOP)
    if how == "taken over":
        machines.second.tell("rollback", "--take-over")
    else:
        until(lambda: not machines.second.tell("status")["deployment"]["driver_alive"])
        if how != "expired":
            machines.second.tell("rollback")
    before = machines.second.tell("show"), machines.second.tell("status")["snapshot"]
    driver.send_signal(signal.SIGCONT)
    said = ended(driver, code=5)
    assert said.document["status"] == "lost"
    after = machines.second.tell("show"), machines.second.tell("status")["snapshot"]
    assert after[0]["journal"] == before[0]["journal"]
    assert after[0]["deployment"] == before[0]["deployment"]
    assert after[1] == before[1]
    if how == "expired":
        machines.second.tell("resume")
        machines.check_end("v2", "successful")
    else:
        machines.check_end("v1", "rolled_back")
    assert load.stop().failed == 0
