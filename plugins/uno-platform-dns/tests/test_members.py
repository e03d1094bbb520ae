"""Given machines behind a name: who takes part, who is exchanged before it leaves, and how it drains."""

from __future__ import annotations

import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from attrs import evolve
from shelf import Shelf, options, platform_of

from uno_core import PlatformError, Release, Slot, same_split, share, whole
from uno_core.simulation.clock import VirtualClock

BLUE, GREEN = Slot.BLUE, Slot.GREEN
OLD, NEW = Release("1.0", "1.0"), Release("2.0", "2.0")
DRAINED = 60 + 30.0
"""The TTL, and what some resolvers keep an answer for beyond it."""


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def shelf():
    return Shelf()


class Machines:
    """Addresses of this machine, each of which says the version that stands in a file of its name."""

    def __init__(self, folder, each):
        self.folder = folder
        folder.mkdir()
        net = f"127.77.{os.getpid() % 250}"
        self.blue, self.green = ([f"{net}.{first + n}" for n in range(1, each + 1)] for first in (0, 100))
        self.server = ThreadingHTTPServer(("0.0.0.0", 0), self._handler())
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def _handler(machines):  # noqa: N805 - self is the handler, within
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                file = machines.folder / self.connection.getsockname()[0]
                self.send_response(200 if file.exists() else 503)
                self.end_headers()
                self.wfile.write(file.read_bytes() if file.exists() else b"")

            def log_message(self, *_):
                pass

        return Handler

    def run(self, version, *hosts):
        for host in hosts:
            (self.folder / host).write_text(version)

    def stop(self, host):
        (self.folder / host).unlink()

    def version(self, host):
        return (self.folder / host).read_text().strip()


@pytest.fixture
def machines(tmp_path):
    made = Machines(tmp_path / "machines", 3)
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def make(shelf, services, machines):
    """One more process with the platform; so many of the machines of each slot."""
    made = []

    def make(each=3, **more):
        chosen = evolve(
            options(addresses={"blue": machines.blue[:each], "green": machines.green[:each]}),
            command=["sh", "-c", 'echo "$2" > "$1"', "put", f"{machines.folder}/{{host}}", "{version}"],
            version_url=f"http://{{host}}:{machines.server.server_port}/",
            **more,
        )
        made.append(platform_of(shelf)(chosen, services))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def serving(shelf, machines):
    """Blue's first two are what the name leads to, and run the old version; so does all else that is blue."""
    machines.run("1.0", *machines.blue)
    shelf.put(shelf.record(*machines.blue[:2]))


def named(shelf):
    return sorted(value for one in shelf.held.values() if one.type == "A" for value in one.values)


def hosts(platform, slot):
    return [one.host for one in platform.workload.observe().slots[slot].instances]


def go_on(platform, slot, holds, deadline=20.0):
    """Step by step, until it holds."""
    end = time.monotonic() + deadline
    while not holds():
        assert time.monotonic() < end, platform.workload.observe().slots[slot]
        platform.workload.step(slot)
        time.sleep(0.02)


@pytest.mark.usefixtures("serving")
class TestAdoption:
    def test_those_take_part_that_the_name_leads_to(self, make, machines):
        state = make().workload.observe().slots
        assert state[BLUE].holds({OLD: 2})
        assert [one.host for one in state[BLUE].instances] == machines.blue[:2]
        assert not state[GREEN].instances

    def test_looking_writes_nothing(self, make, shelf):
        platform = make()
        platform.prepare()
        platform.workload.observe()
        assert shelf.changes == 0

    def test_once_another_joins_all_of_them_are_noted(self, make, machines, clock):
        platform = make()
        platform.workload.converge(BLUE, {OLD: 3})
        go_on(platform, BLUE, lambda: hosts(platform, BLUE) == machines.blue)
        assert hosts(make(), BLUE) == machines.blue, "another process sees it"
        platform.router.write(whole(GREEN), None)
        clock.sleep(200)
        assert hosts(make(), BLUE) == machines.blue, "though the name leads elsewhere by now"


def test_shares_are_those_of_as_many_as_run(make, machines):
    platform = make(instances=2)
    assert platform.capable().granularity == 50
    assert make().capable().granularity == pytest.approx(100 / 3)


@pytest.mark.usefixtures("serving")
class TestLeaving:
    def test_one_that_is_named_is_exchanged_first_and_drains(self, make, machines, shelf, clock):
        platform = make()
        platform.workload.converge(BLUE, {OLD: 3})
        go_on(platform, BLUE, lambda: hosts(platform, BLUE) == machines.blue)
        before = share(GREEN, 100 / 3)
        machines.run("1.0", *machines.green)
        platform.workload.converge(GREEN, {OLD: 3})
        go_on(platform, GREEN, lambda: len(hosts(platform, GREEN)) == 3)
        platform.router.write(before, None)
        clock.sleep(200)
        first = machines.green[0]
        assert named(shelf) == sorted([*machines.blue[:2], first])
        machines.run("0.9", first)
        platform.workload.converge(GREEN, {OLD: 3})
        assert named(shelf) == sorted([*machines.blue[:2], machines.green[1]])
        assert same_split(platform.router.observe().split, before), "no share has changed"
        assert same_split(platform.router.in_force(), before)
        for process in (platform, make()):
            process.workload.converge(GREEN, {OLD: 3})
            for _ in range(3):
                process.workload.step(GREEN)
                time.sleep(0.05)
            assert machines.version(first) == "0.9", "clients are still led to it: nothing is put there"
        waiting = platform.workload.observe().slots[GREEN].instances
        assert [one.reason for one in waiting if not one.ready] == [
            "it drains before it is given the release"
        ]
        clock.sleep(DRAINED)
        go_on(platform, GREEN, lambda: machines.version(first) == "1.0")
        go_on(platform, GREEN, lambda: hosts(platform, GREEN) == machines.green)

    def test_where_all_is_the_slots_there_may_be_fewer(self, make, machines, shelf, clock):
        platform = make()
        platform.workload.converge(BLUE, {OLD: 1})
        assert named(shelf) == machines.blue[:1]
        assert platform.router.observe().split == whole(BLUE)
        assert platform.router.in_force() == whole(BLUE)

    def test_with_nothing_to_exchange_it_for_it_is_refused(self, make, machines, shelf):
        platform = make(each=2)
        machines.run("1.0", *machines.green)
        platform.router.write(share(GREEN, 50), None)
        machines.run("2.0", machines.blue[1])
        before = dict(shelf.held)
        with pytest.raises(PlatformError, match="nothing could be named instead") as raised:
            platform.workload.converge(BLUE, {NEW: 2})
        assert machines.blue[0] in str(raised.value)
        assert shelf.held == before

    def test_all_of_them_leave_for_an_outage_that_was_asked_for(self, make, machines, shelf):
        platform = make(each=2)
        platform.workload.converge(BLUE, {})
        assert not hosts(platform, BLUE)
        assert named(shelf) == machines.blue[:2], "it has to lead somewhere"
        platform.workload.converge(BLUE, {NEW: 2})
        go_on(platform, BLUE, lambda: hosts(platform, BLUE) == machines.blue[:2])
        assert [machines.version(one) for one in machines.blue[:2]] == ["2.0", "2.0"]

    def test_who_comes_back_where_everything_is_the_slots_is_named_again(self, make, machines, shelf, clock):
        platform = make()
        platform.workload.converge(BLUE, {OLD: 3})
        go_on(platform, BLUE, lambda: named(shelf) == machines.blue)
        platform.workload.converge(BLUE, {OLD: 2})
        assert len(named(shelf)) == 2
        clock.sleep(DRAINED)
        platform.workload.converge(BLUE, {OLD: 3})
        go_on(platform, BLUE, lambda: named(shelf) == machines.blue)
        assert platform.router.observe().split == whole(BLUE)

    def test_without_a_share_they_just_leave(self, make, machines, shelf, clock):
        platform = make()
        machines.run("1.0", *machines.green)
        platform.router.write(whole(GREEN), None)
        clock.sleep(200)
        machines.run("1.0", *machines.blue)
        platform.workload.converge(BLUE, {OLD: 2})
        go_on(platform, BLUE, lambda: len(hosts(platform, BLUE)) == 2)
        platform.workload.converge(BLUE, {})
        assert hosts(platform, BLUE) == []
        assert named(shelf) == machines.green

    def test_somebody_who_writes_meanwhile_is_read_again(self, make, machines, shelf, monkeypatch):
        platform = make()
        change = platform.zone.change

        def late(removed, added):
            monkeypatch.setattr(platform.zone, "change", change)
            make().router.mark({"deployment": "7"})
            return change(removed, added)

        monkeypatch.setattr(platform.zone, "change", late)
        platform.workload.converge(BLUE, {OLD: 1})
        assert named(shelf) == machines.blue[:1]
        assert platform.router.observe().mark == {"deployment": "7"}


@pytest.mark.usefixtures("serving")
class TestWhoIsNamed:
    def test_those_that_run(self, make, machines, shelf):
        platform = make()
        machines.run("1.0", *machines.green[1:])
        platform.workload.converge(GREEN, {OLD: 2})
        go_on(platform, GREEN, lambda: hosts(platform, GREEN) == machines.green[1:])
        platform.router.write(whole(GREEN), None)
        assert named(shelf) == machines.green[1:]

    def test_all_where_none_does(self, make, machines, shelf):
        make().router.write(whole(GREEN), None)
        assert named(shelf) == machines.green

    def test_a_way_back_names_those_that_were_named(self, make, machines, shelf, clock, logger):
        platform = make()
        captured = platform.router.observe().captured
        machines.run("1.0", *machines.green)
        platform.router.write(whole(GREEN), None)
        clock.sleep(200)
        platform.router.write(share(BLUE, 200 / 3), None)
        back = platform.router.observe().captured
        machines.stop(machines.blue[0])
        platform.router.write(whole(GREEN), None)
        platform.router.restore(back)
        assert named(shelf) == sorted([*machines.blue[:2], machines.green[0]])
        platform.router.restore(captured)
        assert named(shelf) == machines.blue[:2]
        assert not [told for level, told, _ in logger.lines if level == "warning"], "nobody else has written"

    def test_a_share_takes_as_many_as_it_needs(self, make, machines):
        platform = make()
        machines.run("1.0", machines.green[0])
        platform.workload.converge(GREEN, {OLD: 1})
        go_on(platform, GREEN, lambda: hosts(platform, GREEN) == machines.green[:1])
        with pytest.raises(PlatformError, match="too few addresses of green") as raised:
            platform.router.write(share(GREEN, 200 / 3), None)
        assert (raised.value.found, raised.value.expected) == ("1", "2 of 3")


class TestTheNote:
    def test_one_too_long_is_told_and_nothing_is_written(self, make, shelf):
        platform = make()
        with pytest.raises(PlatformError, match="notes in the zone is too long") as raised:
            platform.router.mark({"deployment": "x" * 4000})
        assert "4000 of a TXT record" in raised.value.found
        assert shelf.changes == 0

    @pytest.mark.parametrize("text", ['"v=spf1"', '"[]"', '"5"', '""', None])
    def test_one_that_is_none_is_told(self, make, shelf, text):
        note = evolve(shelf.record(), name="_uno.shop.example.com", type="TXT", values=[text] if text else [])
        shelf.put(note)
        with pytest.raises(PlatformError, match="noted in the zone cannot be read"):
            make().router.observe()
        with pytest.raises(PlatformError, match="noted in the zone cannot be read"):
            make().router.write(whole(BLUE), None)
        assert shelf.changes == 0
