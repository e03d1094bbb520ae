"""What both halves of a platform are tested with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from uno_core.contracts.platform import Capabilities, Platform
from uno_core.contracts.services import Services
from uno_core.model import Json, Release, Slot
from uno_core.testing.waiting import at_once


class PlatformContract:
    """What every platform must do, whichever halves it has. The base of the contracts of the halves.

    Override `platform`; `capabilities` where more than the least is declared (hand over what the
    PlatformInfo declares); `releases` where `1.0.0` and `2.0.0` are no versions that exist. A real
    platform is slow: `deadline` is how long, in seconds, a test waits for what it has asked for.
    """

    deadline: float = 60.0
    """Seconds in which what was asked for must be there."""

    prompt: float = 5.0
    """Seconds in which a write must have returned."""

    instances: int = 2
    """As many instances are started in a slot where one is not enough to show something."""

    @pytest.fixture
    def platform(self, services: Services) -> Platform[Any]:
        """The platform, with nothing running on it. Clean up after a yield."""
        raise NotImplementedError("override the fixture `platform`: return your platform, made of `services`")

    @pytest.fixture
    def capabilities(self) -> Capabilities:
        """What the platform declares."""
        return Capabilities()

    @pytest.fixture
    def releases(self) -> tuple[Release, Release]:
        """Two releases that exist and start."""
        return Release("1.0.0"), Release("2.0.0")

    @pytest.fixture(autouse=True)
    def _declared(self, capabilities: Capabilities) -> None:
        self._steps = capabilities.steps

    def go_on(self, platform: Platform[Any], slot: Slot) -> None:
        """A step of the slot, where `steps` is declared: to be called between two looks, as uno does."""
        if self._steps:
            workload: Any = platform.workload
            workload.step(slot)

    def test_preparing_twice_is_preparing_once(self, platform: Platform[Any]) -> None:
        platform.prepare()
        platform.prepare()

    def test_waiting_for_a_change_ends(self, platform: Platform[Any]) -> None:
        with at_once(platform.services.clock, 0.1 + self.prompt, "wait_for_change(0.1)"):
            platform.wait_for_change(0.1)

    def test_closing_twice_is_closing_once(self, platform: Platform[Any]) -> None:
        platform.close()
        platform.close()


def through_json(value: Json, what: str) -> Json:
    """The value as the journal gives it back."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        pytest.fail(f"{what} is no JSON, so that no journal can hold it: {error}")
    back: Json = json.loads(text)
    return back
