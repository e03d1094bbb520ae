"""Events made into notices: what is told, what is passed over, and that nothing of it raises."""

from datetime import UTC, datetime

import pytest

from uno_core import Application, Notifier, StateError, Status
from uno_core.contracts.engine import Outcome
from uno_core.errors import Locked, Nondeterminism
from uno_core.notifying.announcer import Announcer
from uno_core.notifying.outlet import Outlet
from uno_core.testing import RecordingLogger

STARTED = {"id": "shop-test-1", "version": "v2", "strategy": "swap"}


class Told(Notifier):
    def __init__(self):
        super().__init__(None, None)
        self.seen = []

    def notify(self, notice, timeout):
        self.seen.append(notice)


class Noon:
    def now(self):
        return datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def logger():
    return RecordingLogger()


@pytest.fixture
def told(logger):
    """Says what came of events, and of how the command ended."""

    def told(*events, known=lambda _: None, end=None, raised=None, back=False):
        notifier = Told()
        announcer = Announcer(
            outlets=[Outlet("told", notifier, logger)],
            application=Application(name="shop", environment="test"),
            clock=Noon(),
            logger=logger,
            known=known,
            back=back,
        )
        announcer.about(version="v2", strategy="swap", reason="because")
        for kind, data in events:
            announcer.hear(kind, data)
        if raised is not None:
            announcer.failed(raised)
        else:
            announcer.came(end)
        announcer.close()
        return notifier.seen

    return told


def analysis(verdict, reason="7 % is above 1 %"):
    return {"analysis": {"verdict": verdict, "findings": [{"verdict": verdict, "reason": reason}]}}


def outcome(status, code):
    return Outcome(deployment="shop-test-1", status=status, message="so it is", exit_code=code)


def test_a_verdict_is_told_when_it_changes_and_again_in_the_next_step(told):
    events = [("started", STARTED), *[("evidence", analysis("inconclusive"))] * 3,
              ("evidence", analysis("pass")), ("step", {"title": "more"}), ("evidence", analysis("pass")),
              ("evidence", analysis("fail")), ("verdict", analysis("fail"))]  # fmt: skip
    seen = told(*events)
    assert [n.message.partition(":")[0] for n in seen if n.kind == "verdict"] == [
        "inconclusive", "pass", "pass", "fail",
    ]  # fmt: skip


def test_what_says_nothing_new_is_not_told(told):
    looks = [
        ("instances", {"slot": "green", "ready": 1, "wanted": 2, "counts": []}),
        ("health", {"slot": "green", "healthy": True, "reason": ""}),
        ("split_written", {"split": {"green": 50.0}}),
        ("waiting", {"until": "2026-01-31T12:00:00+00:00", "watched": True}),
        ("hook", {"phase": "before_deploy", "id": "1", "state": "done", "said": ""}),
        ("what nobody knows yet", {}),
    ]
    assert not told(*looks)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (("hook", {"phase": "on_rollback", "state": "failed", "problem": "exit code 3"}), "on_rollback"),
        (("companion", {"name": "worker", "state": "failed", "problem": "away"}), "worker"),
    ],
)  # fmt: skip
def test_what_fails_beside_a_deployment_is_a_warning(told, event, words):
    (notice,) = told(event)
    assert notice.kind == "warning"
    assert words in notice.message


def test_a_store_that_is_away_makes_less_known_and_nothing_worse(told, logger):
    def away(_):
        raise StateError("the store is away")

    started, finished = told(
        ("started", STARTED),
        ("finished", {"status": "successful", "message": "v2 serves", "exit_code": 0}),
        known=away,
    )
    assert (started.deployment, started.version, started.previous) == ("shop-test-1", "v2", "")
    assert finished.status is Status.SUCCESSFUL
    assert not logger.lines


def test_an_event_of_another_form_is_a_warning_once(told, logger):
    seen = told(("split", {}), ("step", {}), ("step", {"title": "it goes on"}))
    assert [n.message for n in seen] == ["it goes on"]
    assert [event for _, event, _ in logger.lines] == ["an event could not be told"]


def test_what_was_asked_for_is_known_of_what_is_refused(told):
    (notice,) = told(raised=Locked("another one is under way"))
    assert (notice.kind, notice.version, notice.reason) == ("refused", "v2", "because")
    assert (notice.status, notice.exit_code) == (None, 5)


def test_what_stops_in_the_middle_is_left(told):
    _, notice = told(("started", STARTED), raised=Nondeterminism("it asks for something else"))
    assert (notice.kind, notice.status, notice.exit_code) == ("left", Status.IN_PROGRESS, 1)


def test_a_bug_is_told_as_one(told):
    _, notice = told(("started", STARTED), raised=ZeroDivisionError("division by zero"))
    assert (notice.message, notice.exit_code) == ("ZeroDivisionError: division by zero", 1)


def test_an_end_is_told_once(told):
    finished = ("finished", {"status": "rolled_back", "message": "v1 serves again", "exit_code": 3})
    seen = told(("started", STARTED), finished, end=outcome(Status.ROLLED_BACK, 3))
    assert [n.kind for n in seen] == ["started", "finished"]
    assert not told(end=None)


@pytest.mark.parametrize(
    ("status", "code", "as_asked"),
    [
        (Status.ROLLED_BACK, 3, 0),
        (Status.FAILED, 1, 0),
        (Status.ROLLBACK_FAILED, 4, 4),
        (Status.LOST, 5, 5),
        (Status.HALTED, 7, 4),
    ],
)
def test_who_asked_for_the_way_back_has_what_was_wanted(told, status, code, as_asked):
    finished = ("finished", {"status": status.value, "message": "", "exit_code": code})
    assert told(("rollback", {"why": "bad"}), finished, back=True)[-1].exit_code == as_asked
    assert told(("rollback", {"why": "bad"}), finished)[-1].exit_code == code
