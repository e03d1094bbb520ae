"""The health check `dns`: who still answers with what, as a real server does."""

from __future__ import annotations

import socket

import dns.resolver
import pytest
from attrs import evolve
from bind import BLUE, GREEN, KEY, NAME, SECRET
from shelf import options

from uno_core import ConfigError, Release, Slot, Target
from uno_core.testing import HealthCheckContract
from uno_platform_dns.options import ResolvingOptions
from uno_platform_dns.resolving import ResolvingCheck

pytest_plugins = ["zones"]
pytestmark = pytest.mark.component("bind")

EXPECT = {"blue": BLUE[:2], "green": GREEN[:2]}


def target(slot=Slot.BLUE):
    return Target(application="shop", slot=slot, release=Release("1.0"))


@pytest.fixture
def answers(bind):
    """Have the server answer with these values."""

    def answers(*values, kind="A"):
        def change(update):
            update.delete("shop", kind)
            for value in values:
                update.add("shop", 60, kind, value)

        assert bind.update(KEY, SECRET, change) == 0

    return answers


@pytest.fixture
def make(bind, services):
    def make(**more):
        usual = {"url": f"dns://{NAME}", "resolvers": [f"{bind.address}:{bind.port}"], "expect": EXPECT}
        return ResolvingCheck(ResolvingOptions(**{**usual, **more}), services)

    return make


@pytest.fixture
def silent():
    """The address of somebody who takes questions and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{listening.getsockname()[1]}"


class TestOnly(HealthCheckContract):
    @pytest.fixture
    def check(self, make, answers):
        answers(*BLUE[:2])
        return make(only=True)

    @pytest.fixture
    def healthy(self):
        return target()

    @pytest.fixture
    def unhealthy(self):
        return target(Slot.GREEN)


class TestWhoAnswers:
    def test_both_slots_are_right_unless_only_one_is_wanted(self, make, answers):
        answers(BLUE[0], GREEN[1], BLUE[1])
        for slot in Slot:
            probe = make().check(target(slot), 5)
            assert probe.healthy
            assert "blue (2 of 3)" in probe.answer
            assert "green (1 of 3)" in probe.answer
            assert probe.answer.endswith("for 60 s more")
            assert not make(only=True).check(target(slot), 5).healthy

    @pytest.mark.parametrize("only", [True, False])
    def test_strangers_are_not_healthy_and_named(self, make, answers, only):
        answers(BLUE[0], "203.0.113.7")
        probe = make(only=only).check(target(), 5)
        assert not probe.healthy
        assert "1 of no slot" in probe.answer
        assert "203.0.113.7" in probe.answer

    @pytest.mark.parametrize("only", [True, False])
    def test_nor_is_a_name_that_leads_nowhere(self, make, only):
        probe = make(only=only).check(target(), 5)
        assert not probe.healthy
        assert "answers nothing (NXDOMAIN)" in probe.answer

    def test_nor_is_what_one_of_them_does_not_say(self, make, answers, silent, bind):
        answers(*BLUE[:2])
        probe = make(resolvers=[f"{bind.address}:{bind.port}", silent]).check(target(), 1)
        assert not probe.healthy
        assert "answers blue (2 of 2)" in probe.answer
        assert f"{silent} answers nothing (LifetimeTimeout)" in probe.answer

    def test_one_that_follows_later_keeps_the_switch_from_being_confirmed(self, make, answers):
        answers(*GREEN[:2])
        assert make(only=True).check(target(Slot.GREEN), 5).healthy
        answers(*GREEN[:2], BLUE[0])
        assert not make(only=True).check(target(Slot.GREEN), 5).healthy

    def test_names_and_addresses_are_the_same_however_they_are_written(self, make, answers):
        answers("Blue.Example.", kind="CNAME")
        names = make(expect={"blue": ["blue.example"], "green": ["green.example"]})
        assert names.check(target(), 5).healthy
        answers(kind="CNAME")
        answers("2001:db8::1", kind="AAAA")
        assert make(expect={"blue": ["2001:DB8:0::1"], "green": ["2001:db8::2"]}).check(target(), 5).healthy


class TestWhatIsAsked:
    def test_the_options_of_the_platform_serve_too(self, bind, services, configured, answers):
        answers(*BLUE[:2])
        here = evolve(services, platform_options=configured())
        check = ResolvingCheck(ResolvingOptions(resolvers=[f"{bind.address}:{bind.port}"]), here)
        assert (check.name, check.type) == (NAME, "A")
        assert check.check(target(), 5).healthy

    def test_its_own_come_first(self, bind, services, answers):
        answers(*BLUE[:2])
        here = evolve(services, platform_options=options())
        given = ResolvingOptions(
            url=f"dns://{NAME}", resolvers=[f"{bind.address}:{bind.port}"], expect=EXPECT, only=True
        )
        assert ResolvingCheck(given, here).check(target(), 5).healthy

    @pytest.mark.parametrize("given", [{}, {"url": "dns://shop.example.com"}, {"expect": EXPECT}])
    def test_without_either_it_is_told_what_is_missing(self, services, given):
        with pytest.raises(ConfigError, match="does not know what to ask for") as raised:
            ResolvingCheck(ResolvingOptions(**given), services)
        assert "url: dns://NAME" in raised.value.expected

    def test_a_machine_without_resolvers_is_not_healthy(self, make, monkeypatch):
        def none(*_):
            raise dns.resolver.NoResolverConfiguration

        monkeypatch.setattr(dns.resolver, "Resolver", none)
        probe = make(resolvers=[]).check(target(), 5)
        assert (probe.healthy, probe.answer) == (False, "this machine has no resolvers")
