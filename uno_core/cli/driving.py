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
from uno_core.model import Json, Snapshot
from uno_core.session import Session
from uno_core.wire import from_json

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """The first signal takes the traffic back, the second one stops at once.

    Before anything was touched the first one stops at once, too.
    """

    def __init__(self, session: Session, view: View) -> None:
        self._session = session
        self._view = view
        self._heard = 0
        self._returning = False
        self._promoted = False

    def hear(self, kind: str, _: Mapping[str, Json]) -> None:
        """From the way back nothing turns around any more, and nothing undoes a promotion."""
        self._returning = self._returning or kind == "rollback"
        self._promoted = self._promoted or kind == "promoted"

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        ears = self._session.ears
        self._heard += 1
        if self._heard > 1:
            self._view.notice(f"{name}: stopped at once; `uno rollback` takes the application back")
            raise _stop(number)
        if ears is None:
            self._view.notice(f"{name}: nothing was touched")
            raise _stop(number)
        if self._returning:
            self._view.notice(f"{name}: it is going back already; once more stops at once, halfway")
            return
        if self._promoted:
            self._view.notice(f"{name}: the release serves; what is left is done without waiting")
        else:
            self._view.notice(f"{name}: the traffic goes back; once more stops at once, halfway")
        ears.interrupt(f"interrupted by {name}")


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


def drive(session: Session, view: View, work: Callable[[], Outcome]) -> Outcome:
    """Do the work, show what it tells, and take the traffic back when it is interrupted."""
    interruption = Interruption(session, view)
    broken: list[str] = []

    def listen(kind: str, data: Mapping[str, Json]) -> None:
        interruption.hear(kind, data)
        try:
            view.hear(kind, data)
            if kind == "started" and (record := session.store.get(str(data["id"]))):
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
