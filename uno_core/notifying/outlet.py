"""One notifier, behind a thread and a short queue: whatever it does, who tells it something goes on."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

from attrs import define, evolve, field

from uno_core import _log
from uno_core.contracts.notifier import Notice, Notifier
from uno_core.contracts.services import Logger

ROOM = 100
"""Notices that wait at the most; the oldest gives way, since the last one says how it ended."""

LONGEST = 5.0
"""Seconds that a notifier has for one notice: half of what is left to it at the end."""


def hidden(notice: Notice) -> Notice:
    """The notice without any secret that was revealed in this process so far."""
    return evolve(
        notice,
        message=_log.hide(notice.message),
        reason=_log.hide(notice.reason),
        version=_log.hide(notice.version),
        previous=_log.hide(notice.previous),
        data=_log.hide(notice.data),
    )


@define(slots=False)
class Outlet:
    """Hands notices to a notifier, in their order, in a thread of its own.

    room and longest: see ROOM and LONGEST. Nothing here raises but for `KeyboardInterrupt`.
    """

    name: str
    notifier: Notifier
    logger: Logger
    room: int = ROOM
    longest: float = LONGEST
    _waiting: deque[Notice] = field(init=False, factory=deque)
    _changed: threading.Condition = field(init=False, factory=threading.Condition)
    _thread: threading.Thread | None = field(init=False, default=None)
    _end: float | None = field(init=False, default=None)
    _given_up: bool = field(init=False, default=False)
    _lost: int = field(init=False, default=0)
    _complained: bool = field(init=False, default=False)

    def put(self, notice: Notice) -> None:
        """Have it told soon. Returns at once; what comes after the end is told to nobody."""
        with self._changed:
            if self._end is not None:
                return
            if len(self._waiting) >= self.room:
                self._waiting.popleft()
                self._lost += 1
            self._waiting.append(notice)
            self._changed.notify()
            if self._thread is None:
                # A daemon: a notifier that hangs keeps nobody from ending.
                name = f"uno-notify-{self.name}"
                self._thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._thread.start()

    def ending(self, seconds: float) -> None:
        """Nothing more comes: what waits is told within these seconds, and the notifier closed."""
        with self._changed:
            self._end = time.monotonic() + seconds
            self._changed.notify()

    def ended(self) -> None:
        """Wait until it is done, no longer than `ending` said; then let go of it and say what was lost."""
        left = self._end - time.monotonic() if self._end is not None else 0.0
        if self._thread is None:
            self._close()
        else:
            self._thread.join(max(0.0, left))
        with self._changed:
            self._given_up = True
            hangs = self._thread is not None and self._thread.is_alive()
            lost = self._lost + len(self._waiting)
            self._waiting.clear()
        if hangs or lost:
            found = "it has not come back from the last one" if hangs else "it was too slow"
            self.logger.warning(
                "a notifier was not told everything", notifier=self.name, found=found, lost=lost
            )

    def _work(self) -> None:
        while (given := self._next()) is not None:
            notice, timeout = given
            try:
                self.notifier.notify(hidden(notice), timeout)
            except (Exception, SystemExit) as problem:  # noqa: BLE001 - a notifier ends no deployment
                self._complain("a notifier failed; the deployment goes on", problem)
        self._close()

    def _next(self) -> tuple[Notice, float] | None:
        """The next notice and the seconds for it; None at the end."""
        with self._changed:
            while not self._waiting:
                if self._end is not None:
                    return None
                self._changed.wait()
            if self._given_up:
                return None
            timeout = self.longest
            if self._end is not None:
                # What waits shares what is left, so that the last one, which says how it ended, has its part.
                timeout = min(timeout, (self._end - time.monotonic()) / len(self._waiting))
            return self._waiting.popleft(), max(timeout, 0.1)

    def _close(self) -> None:
        try:
            self.notifier.close()
        except (Exception, SystemExit) as problem:  # noqa: BLE001 - likewise
            self._complain("a notifier could not be closed", problem)

    def _complain(self, event: str, problem: BaseException) -> None:
        """Once: who is away for a minute is away for every notice of it."""
        if not self._complained:
            self._complained = True
            self.logger.warning(event, notifier=self.name, problem=f"{type(problem).__name__}: {problem}")


def end(outlets: Sequence[Outlet], seconds: float) -> None:
    """End all of them within these seconds together."""
    for outlet in outlets:
        outlet.ending(seconds)
    for outlet in outlets:
        outlet.ended()
