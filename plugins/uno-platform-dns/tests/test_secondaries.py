"""Copies of a zone: a switch counts once all of them answer by it."""

from __future__ import annotations

import time

import pytest
from bind import GREEN, NAME, Bind
from dns.serial import Serial
from shop import free_port

from uno_core import Condition, Slot, whole
from uno_platform_dns.zone import RecordSet

pytest_plugins = ["zones"]
pytestmark = pytest.mark.component("bind")

TO_BLUE, TO_GREEN = whole(Slot.BLUE), whole(Slot.GREEN)


class TestSecondaries:
    def test_those_that_are_not_named_are_waited_for_by_time(self, make_updating, bind):
        router = make_updating(propagation=3.0).router
        router.write(TO_BLUE, None)
        time.sleep(1.5)
        assert not router.in_force(), "the TTL of a second is over, but who knows which server has it"
        bind.until(lambda: router.in_force() == TO_BLUE)

    def test_whether_there_are_others_the_zone_says_itself(self, make_updating, bind, tmp_path):
        assert make_updating().zone.slowest == 0, "there is one"
        records = "@ NS second\nsecond A 192.0.2.53"
        running = Bind(tmp_path / "two", "127.0.0.1", free_port(), records=records)
        running.start()
        try:
            platform = make_updating(server={"port": running.port})
            assert platform.router.propagation == 60
            assert any("up to 60 s" in told for told in platform.remarks())
            told = [one for one in platform.diagnose() if one.condition is Condition.WARNING]
            assert "second" in told[0].found
            assert "traffic.rfc2136.secondaries" in told[0].remedy
            chosen = make_updating(server={"port": running.port}, propagation=3.0)
            assert chosen.router.propagation == 3
        finally:
            running.stop(kill=True)

    @pytest.fixture
    def pair(self, bind, tmp_path):
        """The primary, which tells its copy of changes at once, and the copy."""
        copy = Bind(tmp_path / "copy", "127.0.0.1", free_port(), primary=bind)
        copy.start()
        yield copy
        copy.stop(kill=True)

    def test_one_that_lags_or_is_silent_keeps_a_switch_from_counting(self, bind, pair, make_updating, logger):
        platform = make_updating(server={"secondaries": [f"{pair.address}:{pair.port}"]})
        platform.router.write(TO_BLUE, None)
        bind.until(lambda: platform.router.in_force() == TO_BLUE)
        assert [one.condition for one in platform.diagnose()] == [Condition.OK] * 3
        pair.pause()
        platform.router.write(TO_GREEN, None)
        time.sleep(1.2)
        assert platform.router.in_force() == TO_BLUE, "it is silent"
        pair.stop(kill=True)
        assert platform.router.in_force() == TO_BLUE, "it is gone"
        assert Condition.ERROR in [one.condition for one in platform.diagnose()]
        pair.start()
        bind.until(lambda: platform.router.in_force() == TO_GREEN)
        assert sorted(pair.values("shop")) == sorted(GREEN[:2])
        assert "a secondary tells no serial" in [event for _, event, _ in logger.lines]

    def test_what_others_write_meanwhile_does_not_put_it_off(self, make_updating, bind, monkeypatch):
        zone = make_updating(server={"secondaries": ["127.0.0.1:9"]}).zone
        primary, copy = [10], [9]

        def serial(host, port):
            if port == 9:
                return Serial(copy[0])
            primary[0] += 1  # others write all the time
            return Serial(primary[0])

        monkeypatch.setattr(zone, "_serial", serial)
        change = zone.change([], [RecordSet(name=f"_uno.{NAME}", type="TXT", ttl=1, values=['"a"'])])
        assert zone.spread(change) is False
        copy[0] = 11
        assert zone.spread(change) is True, "it has all that was written until then"
        assert zone.spread("") is False, "of what somebody else has changed nobody knows the serial"

    def test_one_that_refuses_to_say_is_waited_for_too(self, forwarder, make_updating, bind):
        forwarder.change = _refused
        platform = make_updating(server={"secondaries": [f"127.0.0.1:{forwarder.own_port}"]})
        platform.router.write(TO_BLUE, None)
        time.sleep(1.2)
        assert not platform.router.in_force()
        forwarder.change = None
        bind.until(lambda: platform.router.in_force() == TO_BLUE)


def _refused(answer):
    return answer[:3] + bytes([answer[3] & 0xF0 | 5]) + answer[4:]
