"""Dynamic updates of a real BIND: what is written, what never is, and what is told where it cannot be."""

from __future__ import annotations

import json
import time

import dns.message
import dns.query
import dns.update
import pytest
from attrs import evolve
from bind import BLUE, GREEN, KEY, NAME, OTHER, SECRET, ZONE, Bind
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


class TestOthers:
    def test_a_stale_swap_is_drift_and_nothing_is_written(self, make_updating, bind):
        router = make_updating().router
        router.write(TO_BLUE, None)
        token = router.observe().token
        bind.replace(("A", 1, BLUE[0]), ("A", 1, GREEN[0]))
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
        forwarder.before = lambda: bind.replace(("A", 1, GREEN[1]))
        with pytest.raises(Drift) as raised:
            router.write(TO_GREEN, token)
        assert GREEN[1] in raised.value.found
        assert bind.values("shop") == [GREEN[1]]
        forwarder.before = lambda: bind.replace(("A", 1, BLUE[1]))
        router.write(TO_GREEN, None)
        assert sorted(bind.values("shop")) == sorted(GREEN[:2])

    def test_one_that_comes_while_what_is_there_is_written_again(self, forwarded, forwarder, bind):
        router = forwarded.router
        router.write(TO_BLUE, None)
        token = router.observe().token
        forwarder.before = lambda: bind.replace(("A", 1, GREEN[1]))
        with pytest.raises(Drift):
            router.write(TO_BLUE, token)
        assert bind.values("shop") == [GREEN[1]]

    def test_a_text_beside_its_note_is_not_thrown_away(self, make_updating, bind):
        router = make_updating().router
        router.write(TO_BLUE, None)
        assert bind.update("uno", SECRET, lambda update: update.add("_uno.shop", 5, "TXT", '"theirs"')) == 0
        with pytest.raises(PlatformError, match="noted in the zone cannot be read"):
            router.write(TO_GREEN, None)
        assert '"theirs"' in bind.values("_uno.shop", "TXT")

    def test_nothing_but_its_own_three_names_is_touched(self, make_updating, bind):
        platform, before = make_updating(), bind.everything()
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

    def test_addresses_of_strangers_are_refused(self, make_updating, bind):
        bind.replace(("A", 60, BLUE[0]), ("A", 60, "203.0.113.7"))
        for call in (make_updating().prepare, lambda: make_updating().router.write(TO_GREEN, None)):
            with pytest.raises(ConfigError, match="belongs to no slot") as raised:
                call()
            assert raised.value.found == "203.0.113.7"
        *_, last = make_updating().diagnose()
        assert (last.about, last.condition) == ("record", Condition.ERROR)

    @pytest.mark.parametrize("added", [("A", 2, "203.0.113.7"), ("AAAA", 60, "2001:db8::1")])
    def test_what_somebody_adds_is_drift_on_the_way_and_no_hindrance_to_go_back(
        self, make_updating, bind, logger, added
    ):
        bind.replace(*(("A", 2, one) for one in BLUE[:2]))
        router = make_updating().router
        captured = router.observe().captured
        router.write(TO_GREEN, router.observe().token)
        kind, ttl, value = added
        bind.update(KEY, SECRET, lambda update: update.add("shop", ttl, kind, value))
        make_updating().prepare()
        state = router.observe()
        assert kind != "A" or sum(state.split.values()) < 99, "somebody else has a part of it"
        with pytest.raises(Drift, match="somebody else changed") as raised:
            router.write(TO_GREEN, state.token)
        assert value in raised.value.found
        router.write(TO_BLUE, None)
        assert sorted(bind.values("shop", "A")) == BLUE[:2]
        assert bind.values("shop", "AAAA") == ([value] if kind == "AAAA" else []), "not uno's to write"
        assert value in str(logger.lines)
        router.restore(captured)
        assert router.observe().split == TO_BLUE

    @pytest.mark.parametrize("call", ["prepare", "acquire", "mark", "write"])
    def test_a_name_that_a_wildcard_covers_is_not_taken_away_from_it(self, tmp_path, make_updating, call):
        running = Bind(tmp_path / "wild", "127.0.0.1", free_port(), records="* A 192.0.2.1")
        running.start()
        try:
            platform = make_updating(server={"port": running.port})
            calls = {
                "prepare": platform.prepare,
                "acquire": lambda: platform.lock.acquire("shop-prod", _owner(), ttl=30),
                "mark": lambda: platform.router.mark({"deployment": "7"}),
                "write": lambda: platform.router.write(TO_GREEN, None),
            }
            with pytest.raises(ConfigError, match="is covered by a wildcard") as raised:
                calls[call]()
            assert NAME in raised.value.message
            assert running.values("shop") == ["192.0.2.1"], "clients are answered as before"
        finally:
            running.stop(kill=True)

    def test_whoever_may_only_read_sees_what_is_there(self, make_updating, bind, monkeypatch):
        bind.replace(("A", 60, BLUE[0]))
        real = dns.query.tcp

        def tcp(message, *arguments, **more):
            if not isinstance(message, dns.update.UpdateMessage):
                return real(message, *arguments, **more)
            refused = dns.message.Message()
            refused.set_rcode(dns.rcode.REFUSED)
            return refused

        monkeypatch.setattr(dns.query, "tcp", tcp)
        assert make_updating().router.observe().split == TO_BLUE

    def test_a_wildcard_beside_it_is_none_of_its_records(self, tmp_path, make_updating):
        records = f'shop A {BLUE[0]}\n* TXT "v=spf1"\n* A 192.0.2.99'
        running = Bind(tmp_path / "wild", "127.0.0.1", free_port(), records=records)
        running.start()
        try:
            platform = make_updating(server={"port": running.port})
            lease = platform.lock.acquire("shop-prod", _owner(), ttl=30)
            platform.router.write(TO_GREEN, platform.router.observe().token)
            platform.lock.renew(lease, ttl=30)
            assert platform.router.observe().split == TO_GREEN
            assert running.values("anything") == ["192.0.2.99"]
        finally:
            running.stop(kill=True)

    @pytest.mark.parametrize(("kind", "value"), [("AAAA", "2001:db8::1"), ("CNAME", "elsewhere.example.")])
    def test_another_type_is_refused(self, make_updating, bind, kind, value):
        bind.replace((kind, 60, value))
        with pytest.raises(ConfigError, match="another type than A") as raised:
            make_updating().router.write(TO_GREEN, None)
        assert value in raised.value.found
        assert bind.values("shop", kind) == [value]

    def test_a_cname_beside_anything_is_no_silent_success(self, tmp_path, make_updating):
        running = Bind(tmp_path / "texts", "127.0.0.1", free_port(), records='shop TXT "ours"')
        running.start()
        try:
            router = make_updating(["a.example."], ["b.example."], server={"port": running.port}).router
            with pytest.raises(Drift, match="somebody else changed") as raised:
                router.write(TO_BLUE, None)
            assert "where a CNAME stands alone" in raised.value.expected
            assert not router.observe().split
        finally:
            running.stop(kill=True)

    def test_addresses_are_the_same_however_they_are_written(self, make_updating, bind):
        router = make_updating(["2001:DB8:0::1"], ["2001:db8::2"]).router
        router.write(TO_BLUE, None)
        router.write(TO_GREEN, router.observe().token)
        assert router.observe().split == TO_GREEN
        assert bind.values("shop", "AAAA") == ["2001:db8::2"]


class TestLostAnswers:
    def test_the_next_reading_tells_that_it_took_effect(self, forwarded, forwarder, bind):
        router = forwarded.router
        router.write(TO_BLUE, None)
        token = router.observe().token
        forwarder.lose = 1
        with pytest.raises(Unanswered):
            router.write(TO_GREEN, token)
        assert router.observe().split == TO_GREEN
        bind.until(lambda: router.in_force() == TO_GREEN)

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

    def test_a_server_that_takes_and_says_nothing(self, make_updating, bind):
        platform = make_updating()
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

        bind.until(landed)

    def test_a_server_that_is_stopped(self, make_updating, bind):
        platform = make_updating()
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
    def test_one_that_the_server_does_not_take(self, make_updating, server, found):
        platform = make_updating(server=server)
        for call in (platform.router.observe, lambda: platform.router.write(TO_BLUE, None)):
            with pytest.raises(Forbidden, match="does not take the TSIG key") as raised:
                call()
            assert found in raised.value.found
        (only,) = platform.diagnose()
        assert only.forbidden

    def test_a_secret_that_is_none_is_not_shown(self, make_updating, services):
        platform = make_updating(server={"secret": Secret("${UNO_TEST_TSIG}")})
        secrets = type("Odd", (), {"reveal": lambda self, _: "geheim!"})()
        platform.zone.services = evolve(services, secrets=secrets)
        with pytest.raises(ConfigError, match="no secret of a TSIG key") as raised:
            platform.router.observe()
        assert "geheim" not in str(raised.value)

    def test_one_without_the_right_names_the_key_and_the_names(self, make_updating, bind):
        platform = make_updating(server={"key": OTHER, "secret": Secret("${UNO_TEST_OTHERS}")})
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

    def test_a_zone_that_the_server_does_not_hold(self, make_updating):
        platform = make_updating(record=f"shop.other.{ZONE}", server={"zone": f"other.{ZONE}"})
        with pytest.raises(Forbidden, match="the server refuses the update") as raised:
            platform.router.write(TO_BLUE, None)
        assert raised.value.found == "NOTAUTH"
        (only,) = platform.diagnose()
        assert only.condition == Condition.ERROR

    def test_a_server_that_is_not_authoritative(self, bind, make_updating, tmp_path):
        resolver = Resolver(tmp_path / "resolver", "127.0.0.1", free_port(), primary=bind)
        resolver.start()
        try:
            with pytest.raises(ConfigError, match="does not hold the zone itself") as raised:
                make_updating(server={"port": resolver.port}).router.observe()
            assert "not authoritative" in raised.value.found
        finally:
            resolver.stop(kill=True)


class TestRestoring:
    def test_it_is_exact(self, make_updating, bind):
        bind.replace(("A", 77, BLUE[1]))
        before = bind.everything()
        router = make_updating().router
        captured = json.loads(json.dumps(router.observe().captured))
        router.write(share(Slot.GREEN, 50), None)
        router.write(TO_GREEN, None)
        router.restore(captured)
        assert {line for line in bind.everything() if "_uno" not in line} == before

    def test_only_the_shares_where_somebody_changed_the_records(self, make_updating, bind, logger):
        bind.replace(("A", 77, BLUE[1]))
        router = make_updating(ttl=0).router
        captured = router.observe().captured
        router.write(TO_GREEN, None)
        bind.replace(("A", 5, GREEN[0]))
        router.restore(captured)
        assert router.observe().split == TO_BLUE
        assert f"{NAME}. 5 IN A {BLUE[1]}" in bind.everything()
        (told,) = [values for level, _, values in logger.lines if level == "warning"]
        assert GREEN[0] in told["now"]

    @pytest.mark.parametrize("captured", [None, [], {}, {"weights": 1}, "text"])
    def test_what_was_captured_elsewhere_is_refused(self, make_updating, captured):
        with pytest.raises(PlatformError, match="not captured by this platform"):
            make_updating().router.restore(captured)


def _owner():
    return Driver(host="here", pid=1, started="2026-01-01", user="ann", born="1")


def _unsigned(answer):
    """The same without its TSIG record, which is the last one."""
    found = dns.message.from_wire(answer, keyring=False, ignore_trailing=True)
    made = dns.message.Message(id=found.id)
    made.flags, made.question, made.answer = found.flags, found.question, found.answer
    return made.to_wire()


class Resolver(Bind):
    """It holds no zone, and asks the primary for what it is asked."""

    def _configuration(self):
        asks = (
            f"recursion yes; forward only; forwarders {{ {self.primary.address} port {self.primary.port}; }};"
        )
        text = super()._configuration().replace("recursion no;", asks)
        return text[: text.index(f'zone "{ZONE}"')]
