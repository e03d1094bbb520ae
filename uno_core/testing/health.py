"""What a health check must do."""

from __future__ import annotations

import time

import pytest

from uno_core.contracts.health import HealthCheck, Target
from uno_core.contracts.services import Services
from uno_core.model import Probe


class HealthCheckContract:
    """What every health check must do::

        class TestCheck(HealthCheckContract):
            @pytest.fixture
            def check(self, services):
                return MyCheck(MyOptions(), services)

            @pytest.fixture
            def healthy(self): ...    # a Target that is healthy

            @pytest.fixture
            def unhealthy(self): ...  # one that is not

    May override: `unreachable` (a target that nobody answers at), `hanging` (one that accepts and
    then says nothing for longer than a minute).
    """

    timeout: float = 10.0
    """What a check that is expected to answer is given, in seconds."""

    short: float = 0.5
    """The timeout that a target which hangs is given, in seconds."""

    grace: float = 5.0
    """Seconds beyond a timeout before a check that has not ended fails a test: machines are busy."""

    @pytest.fixture
    def check(self, services: Services) -> HealthCheck:
        """The health check."""
        raise NotImplementedError("override the fixture `check`: return your check, made of `services`")

    @pytest.fixture
    def healthy(self) -> Target:
        """A target that is healthy."""
        raise NotImplementedError("override the fixture `healthy`: return a Target that is healthy")

    @pytest.fixture
    def unhealthy(self) -> Target:
        """A target that answers, and is not healthy."""
        raise NotImplementedError("override the fixture `unhealthy`: return a Target that is not healthy")

    @pytest.fixture
    def unreachable(self) -> Target | None:
        """A target that nobody answers at."""
        return None

    @pytest.fixture
    def hanging(self) -> Target | None:
        """A target that does not answer for longer than a minute."""
        return None

    def test_what_is_healthy_passes(self, check: HealthCheck, healthy: Target) -> None:
        probe = check.check(healthy, self.timeout)
        assert isinstance(probe, Probe)
        assert probe.healthy is True, probe.answer

    def test_what_is_unhealthy_fails(self, check: HealthCheck, unhealthy: Target) -> None:
        probe = check.check(unhealthy, self.timeout)
        assert isinstance(probe, Probe)
        assert probe.healthy is False

    def test_the_answer_is_in_words(self, check: HealthCheck, unhealthy: Target) -> None:
        answer = check.check(unhealthy, self.timeout).answer
        assert answer.strip(), "a person who reads this has to know why"
        assert "\n" not in answer, "an answer is one line"
        assert len(answer) <= 500, "an answer is short"
        assert "Traceback" not in answer
        assert "object at 0x" not in answer, "an object's repr is no words"

    def test_the_probe_names_its_target(self, check: HealthCheck, healthy: Target, unhealthy: Target) -> None:
        for target in (healthy, unhealthy):
            assert check.check(target, self.timeout).target == str(target)

    def test_a_check_changes_nothing(self, check: HealthCheck, healthy: Target, unhealthy: Target) -> None:
        for _ in range(3):
            assert check.check(healthy, self.timeout).healthy is True
            assert check.check(unhealthy, self.timeout).healthy is False

    def test_what_cannot_be_reached_is_unhealthy(
        self, check: HealthCheck, unreachable: Target | None
    ) -> None:
        if unreachable is None:
            pytest.skip("the fixture `unreachable` is not given")
        probe = check.check(unreachable, self.timeout)
        assert probe.healthy is False
        assert probe.answer.strip()

    def test_a_check_ends_at_its_timeout(self, check: HealthCheck, hanging: Target | None) -> None:
        if hanging is None:
            pytest.skip("the fixture `hanging` is not given")
        begun = time.monotonic()
        probe = check.check(hanging, self.short)
        took = time.monotonic() - begun
        assert probe.healthy is False, "no answer is no good answer"
        assert probe.answer.strip()
        assert took < self.short + self.grace, f"it took {took:.1f} s of {self.short:g} s"

    def test_what_is_a_target_is_told(self, check: HealthCheck) -> None:
        assert isinstance(check.per_instance, bool), "True: each instance is a target; False: the slot is"
