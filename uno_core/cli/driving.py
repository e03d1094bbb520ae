"""Driving a deployment from the terminal: what is shown meanwhile, and what Ctrl-C does."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from uno_core._log import get_logger
from uno_core.cli.failing import Terminated
from uno_core.cli.lines import Events, Lines, View
from uno_core.contracts.engine import Outcome
from uno_core.engine.attention import Ears
from uno_core.model import Json, Snapshot
from uno_core.session import Session
from uno_core.wire import from_json

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
UNTOUCHED = "nothing was touched"
ASKED = "what was asked for goes on without this command; `uno status` shows it"
GO_ON = "`uno resume` goes on from there, `uno rollback` takes the application back"


class Interruption:
    """What signals do: the first one is heard by whoever drives.

    `watched`: somebody sits at a terminal. Then the second one stops at once; elsewhere it is a
    runner that sends several before it kills, and the way back is not given up for that. `holds`: the
    first one leaves the deployment before its next effect, to be resumed; otherwise the traffic goes
    back, since nobody may ever come back to it. `begun`: what is said of one that comes before this
    process drives anything.
    """

    def __init__(
        self,
        session: Session,
        view: View,
        *,
        watched: bool = False,
        holds: bool = False,
        begun: str = UNTOUCHED,
    ) -> None:
        self._session = session
        self._view = view
        self._watched = watched
        self._holds = holds
        self._begun = begun
        self._number = 0
        self._due = 0
        self._returning = False
        self._promoted = False
        self._ended = False

    def hear(self, kind: str, _: Mapping[str, Json]) -> None:
        """From the way back nothing turns around any more, and nothing undoes a promotion."""
        if kind in ("started", "resumed"):
            # One command may drive two, where one supersedes the other.
            self._returning = self._promoted = self._ended = False
            if self._number and (ears := self._session.ears) is not None:
                self._leave(ears, self._number)
        self._returning = self._returning or kind == "rollback"
        self._promoted = self._promoted or kind == "promoted"
        self._ended = self._ended or kind == "finished"

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        ears = self._session.ears
        again, self._number = self._number > 0, number
        if self._session.following and not again:
            self._view.notice(f"{name}: the deployment goes on without this command; `uno status` shows it")
            self._session.stop_following()
        elif ears is None or (again and self._watched):
            self._view.notice(f"{name}: " + (f"stopped at once; {GO_ON}" if again else self._begun))
            raise _stop(number)
        else:
            due = self._due
            self._view.notice(f"{name}: {self._answer(ears, number, again=again)}")
            if self._due != due:
                self._leave(ears, number)  # last, since it may raise: that ends a look at once

    def _answer(self, ears: Ears, number: int, *, again: bool) -> str:
        """What comes of it, where this process drives."""
        more = "; once more stops at once" if self._watched else ""
        if self._ended:
            return "it has ended already"
        if self._returning:
            return f"it is going back already{more and more + ', halfway'}"
        if self._promoted:
            ears.interrupt(f"interrupted by {signal.Signals(number).name}")
            return "the release serves; what is left is done without waiting"
        if again:
            return "heard already"
        self._due = number
        return f"{'it stops before its next effect' if self._holds else 'the traffic goes back'}{more}"

    def _leave(self, ears: Ears, number: int) -> None:
        why = f"interrupted by {signal.Signals(number).name}"
        if self._holds:
            ears.suspend(why, 130 if number == signal.SIGINT else 143)
        else:
            ears.interrupt(why)


def _stop(number: int) -> KeyboardInterrupt:
    return KeyboardInterrupt() if number == signal.SIGINT else Terminated()


def view_for(output: str) -> View:
    """Events where they are asked for, a live picture on a terminal, lines everywhere else."""
    if output == "jsonl":
        return Events()
    if output == "text" and sys.stderr.isatty():
        from rich.console import Console

        if not Console(stderr=True).is_dumb_terminal:
            from uno_core.cli.live import Live

            return Live()
    return Lines()


@contextmanager
def _handling(handler: Interruption) -> Iterator[None]:
    try:
        before = {number: signal.signal(number, handler) for number in SIGNALS}
    except ValueError:  # not the main thread: somebody else's process, who handles signals
        yield
        return
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)


def drive(session: Session, view: View, work: Callable[[], Outcome], *, begun: str = UNTOUCHED) -> Outcome:
    """Do the work, show what it tells, and leave it or take the traffic back when it is interrupted."""
    watched = sys.stderr.isatty()
    holds = watched or session.config.settings.on_interrupt == "hold"
    interruption = Interruption(session, view, watched=watched, holds=holds, begun=begun)
    broken: list[str] = []

    def listen(kind: str, data: Mapping[str, Json]) -> None:
        interruption.hear(kind, data)
        try:
            view.hear(kind, data)
            if kind in ("started", "resumed") and (record := session.store.get(str(data["id"]))):
                seen = session.last_seen(record) if kind == "resumed" else None
                if isinstance(seen, Mapping):
                    view.left(seen)
                else:
                    view.before(from_json(record.params["initial"], Snapshot))
        except Exception as problem:  # noqa: BLE001 - what cannot be shown must not stop what is done
            if not broken:
                broken.append(kind)
                get_logger().warning("an event could not be shown", kind=kind, problem=str(problem))

    session.listener = listen
    with _handling(interruption):
        try:
            return work()
        finally:
            view.close()
