"""Drivers that can die, wherever they write.

A driver reaches the platform and the store through `Mortal` objects. Its process dies at one of its
steps or at a moment: a Crash comes out of the call, and out of every call that it makes from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from attrs import define, field

from uno_core.simulation.clock import VirtualClock
from uno_core.simulation.faults import Crash

STEPS = {
    "workload": frozenset({"converge", "restore", "retire", "step"}),
    "router": frozenset({"write", "restore", "mark"}),
    "store": frozenset({"create", "update", "append", "answer"}),
}
"""What writes: a driver that dies between two readings has done the same as at the write before."""

PARTING = frozenset({"release", "close"})
"""What the end of a process does for it: the kernel frees its locks and closes its connections."""


@define(eq=False, repr=False)
class Life:
    """The life of one driver.

    dies_at: the point of its death, counted from 0; each step is two points, before it is done and
    after. points: what it met so far. changed: its writes to the platform that were done, in order.
    """

    clock: VirtualClock
    dies_at: int | None = None
    dead: bool = field(init=False, default=False)
    points: list[str] = field(init=False, factory=list)
    changed: list[str] = field(init=False, factory=list)
    _happens: list[tuple[float, Callable[[], None]]] = field(init=False, factory=list)

    def later(self, seconds: float, happens: Callable[[], None]) -> None:
        """Let something happen when the driver asks the platform, so many seconds from now at the earliest.

        Within its call, so that nothing else of it goes on meanwhile.
        """
        self._happens.append((self.clock.monotonic() + seconds, happens))

    def die(self) -> NoReturn:
        """The process is gone."""
        self.dead = True
        raise Crash

    def call(self, half: str, name: str, found: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """One call of the driver, which may be its last."""
        if self.dead and name in PARTING:
            return found(*args, **named)
        if self.dead:
            raise Crash
        if half != "store":
            self._let_happen()
        step = name in STEPS[half]
        if step:
            self._meet(f"before {name}")
        answer = found(*args, **named)
        if step:
            if half != "store":
                self.changed.append(name)
            self._meet(f"after {name}")
        return answer

    def _let_happen(self) -> None:
        now = self.clock.monotonic()
        for due in [one for one in self._happens if one[0] <= now]:
            self._happens.remove(due)
            due[1]()

    def _meet(self, point: str) -> None:
        self.points.append(point)
        if len(self.points) - 1 == self.dies_at:
            self.die()


class Mortal:
    """The store, or one half of the platform, as one driver reaches it."""

    def __init__(self, half: str, real: object, life: Life) -> None:
        self._half = half
        self._real = real
        self._life = life

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        return partial(self._life.call, self._half, name, found) if callable(found) else found
