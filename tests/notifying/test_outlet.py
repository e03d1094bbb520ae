"""The thread and the queue behind which a notifier stands: whatever it does, nobody waits for it."""

import threading
from datetime import UTC, datetime

import pytest

from uno_core import Notice, NoticeKind, Notifier, _log
from uno_core.notifying.outlet import Outlet, end
from uno_core.testing import RecordingLogger


class Told(Notifier):
    """Keeps what it is told; `door` is closed where it is to hang."""

    def __init__(self, *, open=True, raises=None):
        super().__init__(None, None)
        self.seen, self.timeouts, self.closed = [], [], 0
        self.raises, self.came, self.door = raises, threading.Event(), threading.Event()
        if open:
            self.door.set()

    def notify(self, notice, timeout):
        self.came.set()
        self.door.wait()
        self.seen.append(notice)
        self.timeouts.append(timeout)
        if self.raises:
            raise self.raises

    def close(self):
        self.closed += 1


def notice(message="", kind=NoticeKind.STEP, **more):
    return Notice(
        kind=kind, at=datetime.now(UTC), application="shop", environment="test", message=message, **more
    )


@pytest.fixture
def logger():
    return RecordingLogger()


@pytest.fixture
def outlet(logger):
    return lambda notifier, **more: Outlet("told", notifier, logger, **more)


def test_everything_is_told_in_order_and_the_notifier_closed(outlet, logger):
    notifier = Told()
    one = outlet(notifier)
    for number in range(50):
        one.put(notice(str(number)))
    end([one], 10)
    assert [n.message for n in notifier.seen] == [str(number) for number in range(50)]
    assert notifier.closed == 1
    assert not logger.lines


def test_a_notifier_that_was_told_nothing_is_closed_too(outlet):
    notifier = Told()
    end([outlet(notifier)], 10)
    assert notifier.closed == 1


def test_who_hangs_is_left_and_said_so_once(outlet, logger):
    notifier = Told(open=False)
    one = outlet(notifier)
    for number in range(3):
        one.put(notice(str(number)))
    assert notifier.came.wait(10)
    end([one], 0.05)
    ((level, event, values),) = logger.lines
    assert (level, event) == ("warning", "a notifier was not told everything")
    assert values["notifier"] == "told"
    assert values["lost"] == 2
    assert "has not come back" in values["found"]
    one.put(notice("late"))  # told to nobody, and raises nothing
    notifier.door.set()


def test_one_that_hangs_does_not_keep_another_from_being_told(outlet, logger):
    bad, good = Told(open=False), Told()
    outlets = [outlet(bad), outlet(good)]
    for one in outlets:
        one.put(notice("x"))
    assert bad.came.wait(10)
    end(outlets, 0.05)
    assert [n.message for n in good.seen] == ["x"]
    assert len(logger.lines) == 1
    bad.door.set()


def test_when_there_is_no_room_the_oldest_gives_way(outlet, logger):
    notifier = Told(open=False)
    one = outlet(notifier, room=2)
    one.put(notice("first"))
    assert notifier.came.wait(10)
    for number in range(5):
        one.put(notice(str(number)))
    notifier.door.set()
    end([one], 10)
    assert [n.message for n in notifier.seen] == ["first", "3", "4"]
    assert logger.lines[0][2]["lost"] == 3


@pytest.mark.parametrize("problem", [RuntimeError("boom"), SystemExit(3)], ids=repr)
def test_who_raises_is_told_the_rest_and_complained_of_once(outlet, logger, problem):
    notifier = Told(raises=problem)
    one = outlet(notifier)
    for number in range(3):
        one.put(notice(str(number)))
    end([one], 10)
    assert len(notifier.seen) == 3
    ((level, event, values),) = logger.lines
    assert (level, event) == ("warning", "a notifier failed; the deployment goes on")
    assert values["problem"].startswith(type(problem).__name__)


def test_each_notice_has_its_share_of_what_is_left(outlet):
    notifier = Told(open=False)
    one = outlet(notifier, longest=5.0)
    one.put(notice("under way"))
    assert notifier.came.wait(10)
    for number in range(4):
        one.put(notice(str(number)))
    one.ending(10.0)
    notifier.door.set()
    one.ended()
    first, *shares = notifier.timeouts
    assert first == 5.0
    assert shares[0] <= 10.0 / 4
    assert shares == sorted(shares)  # what one does not use the others have


def test_no_secret_gets_out(outlet):
    _log.redact("geheim-2000")
    notifier = Told()
    one = outlet(notifier)
    one.put(notice("boom: geheim-2000", reason="geheim-2000", data={"why": ["geheim-2000"]}))
    end([one], 10)
    assert "geheim-2000" not in repr(notifier.seen)
    assert "***" in notifier.seen[0].message
