"""Dynamic updates of a real BIND: what is written, what never is, and what is told where it cannot be."""

from __future__ import annotations

import json
import time

import dns.message
import dns.query
import dns.update
import pytest
from attrs import evolve
from bind import BLUE, GREEN, NAME, OTHER, SECRET, ZONE, Bind
from forwarding import Forwarder
from shop import free_port

from uno_core import (
    Condition,
    ConfigError,
    Drift,
    Driver,
    Forbidden,
    PlatformError,
    Secret,
    Slot,
    Unanswered,
    share,
    whole,
)
from uno_platform_dns.platform import DnsPlatform

pytest_plugins = ["zones"]
pytestmark = pytest.mark.component("bind")

TO_BLUE, TO_GREEN = whole(Slot.BLUE), whole(Slot.GREEN)
MINE = ("shop.", "_uno.shop.", "shop-testing._uno.shop.")


@pytest.fixture
def make(configured, services):
    """The platform; options of the server in `server`, of traffic as keywords."""
    made = []

    def make(*addresses, server=None, **traffic):
        chosen = configured(*addresses, **traffic)
        at = evolve(chosen.traffic.rfc2136, **(server or {}))
        chosen = evolve(chosen, traffic=evolve(chosen.traffic, rfc2136=at))
        made.append(DnsPlatform(chosen, services))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def forwarder(bind):
    made = Forwarder(bind.address, bind.port)
    yield made
    made.close()


@pytest.fixture
def forwarded(make, forwarder):
    return make(server={"server": "127.0.0.1", "port": forwarder.own_port})


def by_hand(bind, *records):
    """Replace the sets of the name by somebody with the right to."""

    def change(update):
        for kind in {kind for kind, _, _ in records}:
            update.delete("shop", kind)
        for kind, ttl, value in records:
            update.add("shop", ttl, kind, value)

    assert bind.update("uno", SECRET, change) == 0


def until(holds, deadline=20.0):
    end = time.monotonic() + deadline
    while not holds():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.1)


class TestOthers:
    def test_a_stale_swap_is_drift_and_nothing_is_written(self, make, bind):
        router = make().router
        router.write(TO_BLUE, None)
        token = router.observe().token
        by_hand(bind, ("A", 1, BLUE[0]), ("A", 1, GREEN[0]))
        before = bind.everything()
        with pytest.raises(Drift) as raised:
            router.write(TO_GREEN, token)
        assert f"{NAME}. 1 A {BLUE[0]} {GREEN[0]}" in raised.value.found
        assert f"{NAME}. 1 A {BLUE[0]} {BLUE[1]}" in raised.value.expected
        assert bind.everything() == before

    def test_one_that_comes_between_the_read_and_the_write(self, forwarded, forwarder, bind):
        router = forwarded.router
        router.write(TO_BLUE, None)
        token = router.observe().token
        forwarder.before = lambda: by_hand(bind, ("A", 1, GREEN[1]))
        with pytest.raises(Drift) as raised:
            router.write(TO_GREEN, token)
        assert GREEN[1] in raised.value.found
        assert bind.values("shop") == [GREEN[1]]
        forwarder.before = lambda: by_hand(bind, ("A", 1, BLUE[1]))
        router.write(TO_GREEN, None)
        assert sorted(bind.values("shop")) == sorted(GREEN[:2])

    def test_nothing_but_its_own_three_names_is_touched(self, make, bind):
        platform, before = make(), bind.everything()
        lease = platform.lock.acquire("shop-testing", _owner(), ttl=60)
        for split in (TO_BLUE, share(Slot.GREEN, 50), TO_GREEN):
            platform.router.write(split, platform.router.observe().token)
        platform.router.mark({"deployment": "7"})
        platform.lock.release(lease)
        new = bind.everything() - before
        assert before <= bind.everything()
        assert {line.split()[0] for line in new} == {f"{name}{ZONE}." for name in MINE}
        platform.router.write({}, None)
        left = {line.split()[0] for line in bind.everything() - before}
        assert left == {f"{name}{ZONE}." for name in MINE[1:]}

    def test_addresses_of_strangers_are_refused(self, make, bind):
        by_hand(bind, ("A", 60, BLUE[0]), ("A", 60, "203.0.113.7"))
        for call in (make().router.observe, lambda: make().router.write(TO_GREEN, None)):
            with pytest.raises(ConfigError, match="belongs to no slot") as raised:
                call()
            assert raised.value.found == "203.0.113.7"
        *_, last = make().diagnose()
        assert (last.about, last.condition) == ("record", Condition.ERROR)

    @pytest.mark.parametrize(("kind", "value"), [("AAAA", "2001:db8::1"), ("CNAME", "elsewhere.example.")])
    def test_another_type_is_refused(self, make, bind, kind, value):
        by_hand(bind, (kind, 60, value))
        with pytest.raises(ConfigError, match="another type than A") as raised:
            make().router.write(TO_GREEN, None)
        assert value in raised.value.found
        assert bind.values("shop", kind) == [value]

    def test_a_cname_beside_anything_is_no_silent_success(self, tmp_path, make):
        running = Bind(tmp_path / "texts", "127.0.0.1", free_port(), records='shop TXT "ours"')
        running.start()
        try:
            router = make(["a.example."], ["b.example."], server={"port": running.port}).router
            with pytest.raises(Drift, match="somebody else changed") as raised:
                router.write(TO_BLUE, None)
            assert "where a CNAME stands alone" in raised.value.expected
            assert not router.observe().split
        finally:
            running.stop(kill=True)

    def test_addresses_are_the_same_however_they_are_written(self, make, bind):
        router = make(["2001:DB8:0::1"], ["2001:db8::2"]).router
        router.write(TO_BLUE, None)
        router.write(TO_GREEN, router.observe().token)
        assert router.observe().split == TO_GREEN
        assert bind.values("shop", "AAAA") == ["2001:db8::2"]


class TestLostAnswers:
    def test_the_next_reading_tells_that_it_took_effect(self, forwarded, forwarder):
        router = forwarded.router
        router.write(TO_BLUE, None)
        token = router.observe().token
        forwarder.lose = 1
        with pytest.raises(Unanswered):
            router.write(TO_GREEN, token)
        assert router.observe().split == TO_GREEN
        until(lambda: router.in_force() == TO_GREEN)

    def test_what_was_sent_before_can_not_land_after_the_same_was_written(self, forwarded, forwarder, bind):
        """A mark moves the note on, so that an update from before has nothing to fit to."""
        router = forwarded.router
        router.write(TO_BLUE, None)
        token = router.observe().token
        forwarder.before = lambda: DnsPlatform(forwarded.options, forwarded.services).router.write(
            TO_BLUE, None
        )
        router.write(TO_GREEN, token)
        assert "turn" in bind.values("_uno.shop", "TXT")[0]

    def test_a_server_that_takes_and_says_nothing(self, make, bind):
        platform = make()
        platform.router.write(TO_BLUE, None)
        bind.pause()
        try:
            began = time.monotonic()
            with pytest.raises(Unanswered, match="no answer to the A records"):
                platform.router.observe()
            assert time.monotonic() - began < 8
        finally:
            bind.go_on()
        assert platform.router.observe().split == TO_BLUE

    def test_a_server_that_is_paused_before_the_update(self, forwarded, forwarder, bind):
        router = forwarded.router
        router.write(TO_BLUE, None)
        forwarder.before = bind.pause
        try:
            with pytest.raises(Unanswered, match="no answer to the update"):
                router.write(TO_GREEN, None)
        finally:
            bind.go_on()

        def landed():
            return router.observe().split == TO_GREEN

        until(landed)

    def test_a_server_that_is_stopped(self, make, bind):
        platform = make()
        bind.stop(kill=True)
        for call in (platform.router.observe, lambda: platform.router.write(TO_GREEN, None)):
            with pytest.raises(Unanswered) as raised:
                call()
            assert f"zone {ZONE} at {bind.address}:{bind.port}" in raised.value.where
        (only,) = platform.diagnose()
        assert (only.about, only.condition) == ("zone", Condition.ERROR)

    def test_an_answer_that_is_not_signed_is_none(self, forwarded, forwarder):
        forwarder.change = _unsigned
        with pytest.raises(Unanswered, match="requires a TSIG"):
            forwarded.router.observe()


class TestKeys:
    @pytest.mark.parametrize(
        ("server", "found"),
        [
            ({"secret": Secret("${UNO_TEST_OTHERS}")}, "BadSignature"),
            ({"key": "stranger"}, "BadKey"),
            ({"algorithm": "hmac-sha512"}, "BadKey"),
        ],
    )
    def test_one_that_the_server_does_not_take(self, make, server, found):
        platform = make(server=server)
        for call in (platform.router.observe, lambda: platform.router.write(TO_BLUE, None)):
            with pytest.raises(Forbidden, match="does not take the TSIG key") as raised:
                call()
            assert found in raised.value.found
        (only,) = platform.diagnose()
        assert only.forbidden

    def test_a_secret_that_is_none_is_not_shown(self, make, services):
        platform = make(server={"secret": Secret("${UNO_TEST_TSIG}")})
        secrets = type("Odd", (), {"reveal": lambda self, _: "geheim!"})()
        platform.zone.services = evolve(services, secrets=secrets)
        with pytest.raises(ConfigError, match="no secret of a TSIG key") as raised:
            platform.router.observe()
        assert "geheim" not in str(raised.value)

    def test_one_without_the_right_names_the_key_and_the_names(self, make, bind):
        platform = make(server={"key": OTHER, "secret": Secret("${UNO_TEST_OTHERS}")})
        assert not platform.router.observe().split, "it may read"
        with pytest.raises(Forbidden) as raised:
            platform.router.write(TO_BLUE, None)
        for part in (f"the key {OTHER}", f"{NAME}.", f"_uno.{NAME}."):
            assert part in raised.value.expected
        assert bind.values("shop") == []

    def test_without_any_nothing_is_taken(self, bind):
        update = dns.update.UpdateMessage(f"{ZONE}.")
        update.add("shop", 60, "A", BLUE[0])
        assert dns.query.tcp(update, bind.address, port=bind.port, timeout=5).rcode() == 5
        assert bind.values("shop") == []

    def test_a_zone_that_the_server_does_not_hold(self, make):
        platform = make(record=f"shop.other.{ZONE}", server={"zone": f"other.{ZONE}"})
        with pytest.raises(Forbidden, match="the server refuses the update") as raised:
            platform.router.write(TO_BLUE, None)
        assert raised.value.found == "NOTAUTH"
        (only,) = platform.diagnose()
        assert only.condition == Condition.ERROR

    def test_a_server_that_is_not_authoritative(self, bind, make, tmp_path):
        resolver = Resolver(tmp_path / "resolver", "127.0.0.1", free_port(), primary=bind)
        resolver.start()
        try:
            with pytest.raises(ConfigError, match="does not hold the zone itself") as raised:
                make(server={"port": resolver.port}).router.observe()
            assert "not authoritative" in raised.value.found
        finally:
            resolver.stop(kill=True)


class TestRestoring:
    def test_it_is_exact(self, make, bind):
        by_hand(bind, ("A", 77, BLUE[1]))
        before = bind.everything()
        router = make().router
        captured = json.loads(json.dumps(router.observe().captured))
        router.write(share(Slot.GREEN, 50), None)
        router.write(TO_GREEN, None)
        router.restore(captured)
        assert {line for line in bind.everything() if "_uno" not in line} == before

    def test_only_the_shares_where_somebody_changed_the_records(self, make, bind, logger):
        by_hand(bind, ("A", 77, BLUE[1]))
        router = make(ttl=0).router
        captured = router.observe().captured
        router.write(TO_GREEN, None)
        by_hand(bind, ("A", 5, GREEN[0]))
        router.restore(captured)
        assert router.observe().split == TO_BLUE
        assert f"{NAME}. 5 IN A {BLUE[1]}" in bind.everything()
        (told,) = [values for level, _, values in logger.lines if level == "warning"]
        assert GREEN[0] in told["now"]

    @pytest.mark.parametrize("captured", [None, [], {}, {"weights": 1}, "text"])
    def test_what_was_captured_elsewhere_is_refused(self, make, captured):
        with pytest.raises(PlatformError, match="not captured by this platform"):
            make().router.restore(captured)


class TestSecondaries:
    @pytest.fixture
    def pair(self, bind, tmp_path):
        """The primary, which tells its copy of changes at once, and the copy."""
        copy = Bind(tmp_path / "copy", "127.0.0.1", free_port(), primary=bind)
        copy.start()
        yield copy
        copy.stop(kill=True)

    def test_one_that_lags_or_is_silent_keeps_a_switch_from_counting(self, bind, pair, make, logger):
        platform = make(server={"secondaries": [f"{pair.address}:{pair.port}"]})
        platform.router.write(TO_BLUE, None)
        until(lambda: platform.router.in_force() == TO_BLUE)
        assert [one.condition for one in platform.diagnose()] == [Condition.OK] * 3
        pair.pause()
        platform.router.write(TO_GREEN, None)
        time.sleep(1.2)
        assert platform.router.in_force() == TO_BLUE, "it is silent"
        pair.stop(kill=True)
        assert platform.router.in_force() == TO_BLUE, "it is gone"
        assert Condition.ERROR in [one.condition for one in platform.diagnose()]
        pair.start()
        until(lambda: platform.router.in_force() == TO_GREEN)
        assert sorted(pair.values("shop")) == sorted(GREEN[:2])
        assert "a secondary tells no serial" in [event for _, event, _ in logger.lines]

    def test_one_that_refuses_to_say_is_waited_for_too(self, forwarder, make):
        forwarder.change = _refused
        platform = make(server={"secondaries": [f"127.0.0.1:{forwarder.own_port}"]})
        platform.router.write(TO_BLUE, None)
        time.sleep(1.2)
        assert not platform.router.in_force()
        forwarder.change = None
        until(lambda: platform.router.in_force() == TO_BLUE)


def _owner():
    return Driver(host="here", pid=1, started="2026-01-01", user="ann", born="1")


def _unsigned(answer):
    """The same without its TSIG record, which is the last one."""
    found = dns.message.from_wire(answer, keyring=False, ignore_trailing=True)
    made = dns.message.Message(id=found.id)
    made.flags, made.question, made.answer = found.flags, found.question, found.answer
    return made.to_wire()


def _refused(answer):
    return answer[:3] + bytes([answer[3] & 0xF0 | 5]) + answer[4:]


class Resolver(Bind):
    """It holds no zone, and asks the primary for what it is asked."""

    def _configuration(self):
        asks = (
            f"recursion yes; forward only; forwarders {{ {self.primary.address} port {self.primary.port}; }};"
        )
        text = super()._configuration().replace("recursion no;", asks)
        return text[: text.index(f'zone "{ZONE}"')]
