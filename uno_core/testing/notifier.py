"""What a notifier must do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from uno_core.contracts.notifier import Notice, NoticeKind, Notifier
from uno_core.contracts.services import Secrets, Services
from uno_core.errors import UnoError
from uno_core.model import Json, Status

FINISHED = Notice(
    kind=NoticeKind.FINISHED,
    at=datetime(2026, 1, 31, 12, 0, tzinfo=UTC),
    application="shop",
    environment="testing",
    deployment="shop-testing-7",
    version="2.4.1",
    previous="2.4.0",
    strategy="canary",
    status=Status.ROLLED_BACK,
    exit_code=3,
    message="2.4.0 serves again: error_rate: 7 % is above 1 %",
    reason="a new basket",
    data={"status": "rolled_back", "message": "2.4.0 serves again", "exit_code": 3},
)
"""A notice that every notifier tells."""

HOSTILE = (
    "first line\nsecond\r\x1b[2J\x00 \N{SNOWMAN} ::error::boo ##[error]boo <!channel> \ud800 "
    + "long " * 30_000
)
"""What a platform may put into a message."""


class NotifierContract:
    """What every notifier must do::

        class TestNotifier(NotifierContract):
            @pytest.fixture
            def notifier(self, services, receiver):
                return MyNotifier(MyOptions(url=...), services)

            @pytest.fixture
            def delivered(self, receiver):
                return lambda: receiver.texts  # all that got through so far, as text

    May override: `unreachable` (one whose receiver is not there), `hanging` (one whose receiver takes
    longer than a minute), `secret` (a text that stands in its options, for those that reveal one).
    """

    timeout: float = 10.0
    """What a notifier whose receiver is there is given, in seconds."""

    short: float = 0.5
    """The timeout that one is given whose receiver hangs, in seconds."""

    grace: float = 5.0
    """Seconds beyond a timeout before a notifier that has not come back fails a test: machines are busy."""

    @pytest.fixture
    def notifier(self, services: Services) -> Notifier:
        """The notifier, with a receiver that takes what it tells."""
        raise NotImplementedError("override the fixture `notifier`: return your notifier, made of `services`")

    @pytest.fixture
    def delivered(self) -> Callable[[], Sequence[str]]:
        """What got through so far."""
        raise NotImplementedError("override the fixture `delivered`: return a function that returns texts")

    @pytest.fixture
    def unreachable(self) -> Notifier | None:
        """A notifier whose receiver is not there."""
        return None

    @pytest.fixture
    def hanging(self) -> Notifier | None:
        """A notifier whose receiver does not answer for longer than a minute."""
        return None

    @pytest.fixture
    def secret(self, secrets: Secrets) -> str:
        """The secret that the tests look for; by default the one of the fixture `secrets`."""
        table: Any = getattr(secrets, "table", {})
        return next(iter(table.values()), "open-sesame")

    def test_making_one_tells_nobody(
        self, notifier: Notifier, delivered: Callable[[], Sequence[str]]
    ) -> None:
        assert isinstance(notifier, Notifier)
        assert not delivered(), "uno makes it before anything is begun"

    def test_how_it_ended_gets_through(
        self, notifier: Notifier, delivered: Callable[[], Sequence[str]]
    ) -> None:
        notifier.notify(FINISHED, self.timeout)
        text = "\n".join(delivered())
        for part in ("shop", "2.4.1", "rolled"):
            assert part in text, f"nobody can tell what happened to what: {part}"

    def test_each_notice_is_told_by_itself(
        self, notifier: Notifier, delivered: Callable[[], Sequence[str]]
    ) -> None:
        notifier.notify(FINISHED, self.timeout)
        before = len(delivered())
        notifier.notify(evolve(FINISHED, version="9.9.9", deployment="shop-testing-8"), self.timeout)
        assert any("9.9.9" in text for text in delivered()[before:]), "the second one was not told"

    def test_every_kind_is_taken(self, notifier: Notifier) -> None:
        for kind in NoticeKind:
            bare = Notice(kind=kind, at=FINISHED.at, application="shop", environment="testing")
            notifier.notify(bare, self.timeout)
            notifier.notify(evolve(FINISHED, kind=kind), self.timeout)

    def test_any_text_is_taken(self, notifier: Notifier, delivered: Callable[[], Sequence[str]]) -> None:
        notifier.notify(evolve(FINISHED, message=HOSTILE, version=HOSTILE, reason=HOSTILE), self.timeout)
        assert delivered(), "a message that is long or strange is told too, if need be not all of it"

    def test_stdout_is_left_alone(self, notifier: Notifier, capfd: pytest.CaptureFixture[str]) -> None:
        for kind in NoticeKind:
            notifier.notify(evolve(FINISHED, kind=kind), self.timeout)
        notifier.close()
        assert not capfd.readouterr().out, "stdout is the command's: `--output json` has to stay JSON"

    def test_a_notice_is_not_changed(self, notifier: Notifier) -> None:
        data: dict[str, Json] = {"status": "rolled_back", "message": "2.4.0 serves again", "exit_code": 3}
        notifier.notify(evolve(FINISHED, data=data), self.timeout)
        assert data == FINISHED.data, "other notifiers are told the same notice"

    def test_what_did_not_get_through_is_raised(self, unreachable: Notifier | None) -> None:
        if unreachable is None:
            pytest.skip("the fixture `unreachable` is not given")
        with pytest.raises(UnoError) as caught:
            unreachable.notify(FINISHED, self.short)
        assert caught.value.message.strip()

    def test_an_error_holds_no_secret(
        self, unreachable: Notifier | None, secret: str, logger: Any, capfd: pytest.CaptureFixture[str]
    ) -> None:
        if unreachable is None:
            pytest.skip("the fixture `unreachable` is not given")
        try:
            unreachable.notify(FINISHED, self.short)
        except Exception as problem:  # noqa: BLE001 - whatever it is, it gets into the log
            seen = f"{problem!r} {problem} {getattr(logger, 'lines', '')} {capfd.readouterr()}"
            assert secret not in seen
            return
        pytest.fail("nothing was raised")

    def test_it_comes_back_in_time(self, hanging: Notifier | None) -> None:
        if hanging is None:
            pytest.skip("the fixture `hanging` is not given")
        begun = time.monotonic()
        with pytest.raises(UnoError):
            hanging.notify(FINISHED, self.short)
        took = time.monotonic() - begun
        assert took < self.short + self.grace, f"it took {took:.1f} s of {self.short:g} s"

    def test_closing_twice_is_closing_once(self, notifier: Notifier) -> None:
        notifier.notify(FINISHED, self.timeout)
        notifier.close()
        notifier.close()
