"""What goes wrong: a control plane as nasty as real ones, and a process that dies in the middle.

Every call to the platform and every line of the journal is a point, counted from the beginning. A
schedule names the points at which something happens; the same schedule always does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar

from attrs import define, evolve, field, frozen

from uno_core.contracts.platform import WorkloadState
from uno_core.contracts.state import Entry, Lease
from uno_core.errors import PlatformError, Throttled, Unanswered
from uno_core.journal.memory import MemoryStore
from uno_core.simulation.clock import VirtualClock
from uno_core.simulation.platform import Api, Sent

T = TypeVar("T")


class Fault(StrEnum):
    """Something that happens at a point."""

    # To a write
    FAILS = "fails"
    FAILS_LATE = "fails-late"
    LOST = "lost"
    APPLIED = "applied"
    LATE = "late"
    SLOW = "slow"
    THROTTLED = "throttled"
    CONFLICT = "conflict"
    # To a reading
    BLIND = "blind"
    STALE = "stale"
    # To everything for a while
    AWAY = "away"
    # In the world
    NEW_CRASHES = "new-crashes"
    OLD_CRASHES = "old-crashes"
    FOREIGN = "foreign"
    STOLEN = "stolen"
    BAD = "bad"
    # To the process
    CRASH = "crash"
    CRASH_AFTER = "crash-after"
    CRASH_BACK = "crash-back"
    CRASH_BAD = "crash-bad"
    ABORT = "abort"


UNANSWERED = (Fault.LOST, Fault.APPLIED, Fault.LATE, Fault.SLOW)
"""A write whose answer never comes: not done, done, done 20 s later, done while 30 s pass."""

WRITES = (Fault.FAILS, Fault.FAILS_LATE, *UNANSWERED, Fault.THROTTLED, Fault.CONFLICT)
READS = (Fault.BLIND, Fault.STALE, Fault.THROTTLED)
ANYWHERE = (
    Fault.AWAY, Fault.NEW_CRASHES, Fault.OLD_CRASHES, Fault.FOREIGN, Fault.STOLEN, Fault.BAD,
    Fault.CRASH, Fault.CRASH_AFTER, Fault.CRASH_BACK, Fault.CRASH_BAD, Fault.ABORT,
)  # fmt: skip

LANDS_AFTER = 20.0
"""Seconds after which a late write lands."""

NO_ANSWER = 30.0
"""Seconds that a slow write takes not to be answered."""

AWAY_FOR = 60.0
"""Seconds for which the control plane cannot be reached."""


class Crash(KeyboardInterrupt):
    """The process is gone: nothing of it runs any more."""


@frozen
class Point:
    """One point of a run: its number, and what was to happen there."""

    number: int
    kind: str
    what: str


@define
class Trouble:
    """Counts the points, and lets happen what the schedule has for them.

    landed: told when a late write lands. happens: what a fault of the world or of the process means;
    the explorer knows. `dead` is set by a crash: whatever the dying code tries, nothing more is done.
    """

    clock: VirtualClock
    schedule: Mapping[int, Fault] = field(factory=dict)
    happens: Callable[[Fault], None] = lambda _: None
    sent: Callable[[Sent], None] = lambda _: None
    landed: Callable[[Sent], None] = lambda _: None
    points: list[Point] = field(init=False, factory=list)
    dead: bool = field(init=False, default=False)
    away_until: float = field(init=False, default=-1.0)

    def meet(self, kind: str, what: str) -> Fault | None:
        """Count a point; what happens there and not by `happens` alone is returned. Raises Crash."""
        if self.dead:
            raise Crash
        number = len(self.points)
        self.points.append(Point(number, kind, what))
        fault = self.schedule.get(number)
        if fault is None:
            return None
        if fault in (Fault.CRASH, Fault.CRASH_BACK, Fault.CRASH_BAD):
            self.happens(fault)
            self.dead = True
            raise Crash
        if fault is Fault.AWAY:
            self.away_until = self.clock.monotonic() + AWAY_FOR
        elif fault in ANYWHERE and fault is not Fault.CRASH_AFTER:
            self.happens(fault)
        return fault

    def done(self, fault: Fault | None) -> None:
        """The call took effect; its process may die before it hears of it."""
        if fault is Fault.CRASH_AFTER:
            self.happens(fault)
            self.dead = True
            raise Crash


class TroubledApi(Api):
    """The way to a control plane on which things go wrong."""

    def __init__(self, trouble: Trouble, *, conditional: bool) -> None:
        self._trouble = trouble
        self._conditional = conditional
        self._last: dict[str, object] = {}

    def read(self, what: str, look: Callable[[], T]) -> T:
        fault = self._trouble.meet("read", what)
        self._refuse_away()
        if fault is Fault.BLIND:
            raise PlatformError("internal error of the platform", found=what)
        if fault is Fault.THROTTLED:
            raise Throttled("too many requests", found=what)
        seen = look()
        # What the control plane holds is consistent; what runs, and what traffic follows, may be old.
        if fault is Fault.STALE and what != "router" and what in self._last:
            seen = _older(self._last[what], seen)  # type: ignore[assignment]  # of the same kind
        self._last[what] = seen
        self._trouble.done(fault)
        return seen

    def write(self, sent: Sent, apply: Callable[[], None], version: Callable[[], int]) -> None:
        what = sent.what
        fault = self._trouble.meet("write", what)
        self._refuse_away()
        self._trouble.sent(sent)
        match fault:
            case Fault.FAILS:
                raise PlatformError("internal error of the platform", found=what)
            case Fault.THROTTLED:
                raise Throttled("too many requests", found=what)
            case Fault.LOST:
                raise Unanswered("the connection broke", found=what)
            case Fault.LATE:
                self._later(LANDS_AFTER, sent, apply, version)
                raise Unanswered("the connection broke", found=what)
            case Fault.SLOW:
                self._later(NO_ANSWER / 2, sent, apply, version)
                self._trouble.clock.sleep(NO_ANSWER)
                raise Unanswered("no answer came in time", found=what)
            case Fault.CONFLICT:
                self._trouble.happens(fault)
        apply()
        if fault is Fault.APPLIED:
            raise Unanswered("the connection broke", found=what)
        if fault is Fault.FAILS_LATE:
            raise PlatformError("internal error of the platform", found=what)
        self._trouble.done(fault)

    def _later(
        self, seconds: float, sent: Sent, apply: Callable[[], None], version: Callable[[], int]
    ) -> None:
        """Let a write land; one that is conditional fails where the object has moved on meanwhile."""
        sent_at = version()

        def land() -> None:
            if not self._conditional or version() == sent_at:
                apply()
                self._trouble.landed(sent)

        self._trouble.clock.later(seconds, land)

    def _refuse_away(self) -> None:
        if self._trouble.clock.monotonic() < self._trouble.away_until:
            raise Unanswered("the control plane cannot be reached")


def _older(last: object, now: object) -> object:
    """An old reading: what is wanted is held by the control plane and never old."""
    if isinstance(last, WorkloadState) and isinstance(now, WorkloadState):
        slots = {
            slot: evolve(last.slots[slot], wanted=now.slots[slot].wanted) if slot in last.slots else state
            for slot, state in now.slots.items()
        }
        return evolve(now, slots=slots)
    return last


class TroubledStore(MemoryStore):
    """A journal whose driver may die before or after each line."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self._trouble = trouble

    def append(self, id: str, entry: Entry, *, lease: Lease | None = None) -> None:
        fault = self._trouble.meet("journal", f"{entry.mark} {entry.op}")
        super().append(id, entry, lease=lease)
        self._trouble.done(fault)
