"""The world of one deployment: a workload and a router, from one platform or two, and what looks at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import wraps
from typing import Any, Protocol

from attrs import evolve, field, frozen

from uno_core.analysis.before import Before
from uno_core.analysis.evidence import Evidence
from uno_core.clock import Clock
from uno_core.contracts.health import HealthCheck
from uno_core.contracts.platform import Capabilities, Companions, Platform, Router, Workload
from uno_core.contracts.services import Logger
from uno_core.effects.commands import Commands, Nowhere
from uno_core.effects.ledger import Ledger
from uno_core.errors import LockLost, PluginError, Throttled, Unanswered, UnoError
from uno_core.model import (
    EMPTY,
    Application,
    Bounds,
    Decision,
    Json,
    Release,
    Slot,
    SlotState,
    Snapshot,
    Split,
)


@frozen(kw_only=True)
class Policy:
    """The limits that a deployment runs under, in seconds.

    evidence: without evidence for this long a watched wait ends in a rollback, or, where it `asks`, holds
    for a person. rollback: how long a
    rollback keeps trying. look_every: between two looks of a watched wait. health_failures: looks in
    a row at bad health that end a watched wait.
    """

    evidence: float = 1800.0
    asks: bool = False
    rollback: float = 900.0
    look_every: float = 5.0
    health_timeout: float = 5.0
    health_failures: int = 3


@frozen(kw_only=True)
class Watched:
    """What evidence is asked for.

    stable: the slot to compare with, where there is one. share: the percent of the traffic that the
    slot has, as the router confirmed it; None without traffic. versions: what runs where.
    """

    slot: Slot
    stable: Slot | None = None
    share: float | None = None
    thresholds: Mapping[str, Bounds] | None = None
    versions: Mapping[Slot, str] = field(factory=dict)


class Looker(Protocol):
    """Begins to gather evidence on a slot; None where no metric is configured."""

    def __call__(self, watched: Watched) -> Evidence | None: ...


class Attention(Protocol):
    """What other people want of a deployment while it runs."""

    def check(self, *, gate: bool = False) -> None:
        """Raises Aborted, Stopped, Suspend or LockLost where there is reason to; `gate`: one is waited at."""

    def looking(self) -> AbstractContextManager[None]:
        """While it lasts nothing is written: an interruption may end it at once."""

    def waiting(self, *, gate: bool = False) -> bool:
        """Whether there is a word that ends a wait, or a gate; cheap."""

    def rest(self, clock: Clock, seconds: float, *, gate: bool = False) -> None:
        """Wait; a word ends it. May raise Suspend, where somebody else wakes the deployment then."""

    def held(self) -> datetime | None:
        """Until when a person wants it to hold before its next effect; None where nobody does."""

    def promoted(self) -> None:
        """Success is recorded: from now on a word only shortens what is left to wait for."""

    def decision(self, since: datetime | None = None) -> Decision | None:
        """A promotion, where one was asked for, and not before `since`; taken once."""

    def recorded(self) -> None:
        """What was decided stands in the journal."""

    def passed(self, at: datetime) -> None:
        """A gate was passed then: promotions of before meant that one, and no later gate."""


def _nothing_before(_slot: Slot, _version: str) -> Before | None:
    """Nothing is compared with what was before."""
    return None


STILL = 10.0
"""Seconds after which a platform is looked at again although it says that nothing has changed."""

PATIENCE = 120.0
"""Seconds of a single reading, where the platform asks for fewer calls, or cannot be reached."""

BRIEF = 5.0
"""Seconds that the way back waits for what it only would like to know."""

CONDITIONAL = 60.0
"""Seconds for which a conditional write whose answer was lost is kept in mind, unless the object moves on."""

SPLIT = "split"
"""The place of the split, among the places that writes go to; the others are the slots."""

Tell = Callable[[str, Mapping[str, Json]], None]
"""Says what is going on: a kind of event and its data."""


@contextmanager
def only_unos(plugin: object, doing: str) -> Iterator[None]:
    """Let UnoErrors pass, and wrap whatever else comes out of a plugin in a PluginError that names it."""
    try:
        yield
    except UnoError:
        raise
    except (Exception, SystemExit) as problem:
        raise _wrapped(plugin, doing, problem) from problem


def _wrapped(plugin: object, doing: str, problem: BaseException) -> PluginError:
    return PluginError(
        f"{type(plugin).__name__}.{doing} failed with an error that is not uno's",
        found=f"{type(problem).__name__}: {problem}",
        where=type(plugin).__module__,
        remedy="tell the plugin's author; --debug shows the traceback",
    )


class Guarded:
    """One half of a platform, out of which only UnoErrors come: a way back tries again after those."""

    def __init__(self, half: object) -> None:
        self._half = half

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._half, name)
        if not callable(found):
            return found

        @wraps(found)
        def guarded(*arguments: Any, **named: Any) -> Any:
            try:
                return getattr(self._half, name)(*arguments, **named)
            except UnoError:
                raise
            except (Exception, SystemExit) as problem:
                raise _wrapped(self._half, name, problem) from problem

        # Wrapped once: this is on the way of every call to a platform.
        setattr(self, name, guarded)
        return guarded


def _guarded(half: Any) -> Any:
    return half if isinstance(half, Guarded) else Guarded(half)


def _unfenced() -> None:
    """Nobody else can be there."""


def _plain(split: Split) -> Mapping[Slot, float]:
    """A split without its zeros, so that two that mean the same are the same."""
    return {slot: percent for slot, percent in split.items() if percent}


@frozen(kw_only=True)
class World:
    """Everything that effects need, composed once.

    before: begins to see what the stable slot does, for whatever compares with it after a switch.
    dry: a rehearsal, in which methods of the strategy's own are named but not called. fence: called
    before every write, raises LockLost. ledger: the writes of this driver that may still land.
    """

    application: Application
    workload: Workload = field(converter=_guarded)
    router: Router = field(converter=_guarded)
    platforms: Sequence[Platform]
    capabilities: Capabilities
    clock: Clock
    logger: Logger
    checks: Callable[[str | None], HealthCheck | None]
    look: Looker
    before: Callable[[Slot, str], Before | None] = _nothing_before
    policy: Policy = field(factory=Policy)
    companions: Companions | None = None
    commands: Commands = field(factory=Nowhere)
    dry: bool = False
    fence: Callable[[], None] = _unfenced
    ledger: Ledger = field(factory=Ledger)

    # Writing: nothing else writes

    def ask(self, slot: Slot, counts: Mapping[Release, int]) -> None:
        """Ask the workload for these counts. Raises LockLost, and what the workload raises."""
        with self._sending(slot.value, dict(counts)):
            self.workload.converge(slot, counts)

    def step(self, slot: Slot, counts: Mapping[Release, int]) -> None:
        """Have the workload go on with what it was asked for: these counts (capability `steps`).

        Raises LockLost, and what the workload raises.
        """
        if not self.capabilities.steps:
            return
        self.fence()
        try:
            self.workload.step(slot)  # type: ignore[attr-defined]  # declared: Stepping
        except Unanswered:
            self._lost(slot.value, dict(counts))
            raise

    def route(self, split: Split, expect: Json) -> None:
        """Ask the router for this split. Raises LockLost, and what the router raises."""
        with self._sending(SPLIT, _plain(split)):
            self.router.write(split, expect)

    def retire(self, slot: Slot, after: float) -> None:
        """Have the platform empty the slot by itself, later (capability `retires`)."""
        self.fence()
        self.workload.retire(slot, after)  # type: ignore[attr-defined]  # declared: Retiring

    def mark(self, value: Json) -> None:
        """Keep a mark beside the routing, where the router can."""
        if self.capabilities.marks:
            self.fence()
            self.router.mark(value)  # type: ignore[attr-defined]  # declared: Marking

    def begin(self, mark: Json, initial: Snapshot) -> None:
        """Mark what is under way, and keep an autoscaler from taking the capacity to go back to."""
        self.mark(mark)
        if self.capabilities.elastic:
            for slot in initial.serving:
                self.fence()
                self.workload.hold(slot, sum(initial.slot(slot).wanted.values()))  # type: ignore[attr-defined]  # declared: Elastic

    def settle(self) -> None:
        """What is under way has ended: the mark goes, and the autoscaler of what serves decides again."""
        self.mark(None)
        if self.capabilities.elastic:
            for slot, percent in self.router.observe().split.items():
                if percent:
                    self.fence()
                    self.workload.let_go(slot)  # type: ignore[attr-defined]  # declared: Elastic

    def accompany(self, name: str, release: Release) -> None:
        """Ask a companion for the release."""
        self.fence()
        self.companions.update(name, release)  # type: ignore[union-attr]  # noted before, or refused

    def unaccompany(self, name: str, captured: Json) -> None:
        """Put a companion back."""
        self.fence()
        self.companions.restore(name, captured)  # type: ignore[union-attr]  # noted before, or refused

    def put_routing_back(self, captured: Json) -> None:
        """Have the routing as it was captured, in whatever more there is to it than the split."""
        self.fence()
        self.router.restore(captured)

    @contextmanager
    def _sending(self, place: str, value: Any) -> Iterator[None]:
        self.fence()
        try:
            yield
        except Unanswered:
            self._lost(place, value)
            raise
        if self.capabilities.cas:
            self.ledger.settled(place)

    def _lost(self, place: str, value: Any) -> None:
        self.ledger.lost(place, value, self.clock.monotonic() + self.horizon)

    @property
    def horizon(self) -> float:
        """How long an unanswered write may still land, unless the object moves on before."""
        return self.capabilities.write_horizon or (CONDITIONAL if self.capabilities.cas else 0.0)

    def others(self, place: str, value: Any) -> float:
        """Seconds until no other write than this one can still land at the place."""
        now = _plain(value) if place == SPLIT else dict(value)
        return self.ledger.others(place, now, self.clock.monotonic())

    # Reading

    def prepare(self, *, going_back: bool = False) -> None:
        """Make every platform ready for writing.

        Going back, of several platforms one that cannot be made ready is a warning: it may be the place that
        has to be left.
        """
        for platform in self.platforms:
            self.fence()
            try:
                with only_unos(platform, "prepare"):
                    platform.prepare()
            except LockLost:
                raise
            except UnoError as problem:
                if not going_back or len(self.platforms) == 1:
                    raise
                self.logger.warning("one of the platforms could not be made ready", problem=str(problem))

    def observe(self) -> Snapshot:
        """Both halves at this moment."""
        instances = self.workload.observe()
        held = self.router.observe()
        return Snapshot(
            slots=instances.slots,
            split=held.split,
            in_force=self.router.in_force(),
            size=instances.size,
            captured={"workload": instances.captured, "router": held.captured},
            mark=held.mark,
        )

    def running(self, slot: Slot) -> SlotState:
        """What runs in a slot. Whoever only waits asks the router for nothing."""
        return self.workload.observe().slots.get(slot, EMPTY)

    def wait(self, timeout: float) -> bool:
        """Until something may have changed; where a watch breaks, the clock serves as well.

        False where surely nothing has changed.
        """
        if len(self.platforms) == 1:
            try:
                with only_unos(self.platforms[0], "wait_for_change"):
                    return self.platforms[0].wait_for_change(timeout) is not False
            except UnoError as problem:
                self.logger.warning("the platform could not be watched", problem=str(problem))
        # Or two halves, each with a watch of its own: a short wait on the clock serves both.
        self.clock.sleep(min(timeout, 1.0))
        return True

    def wait_for_news(self, left: float, listen: Callable[[], None]) -> None:
        """The same for up to `left` seconds, people listened to every second; what is still is let be.

        A watch may lose something all the same: it is looked again after `STILL` seconds.
        """
        end = self.clock.monotonic() + min(left, STILL)
        while (rest := end - self.clock.monotonic()) > 0:
            if self.wait(min(1.0, rest)):
                return
            listen()

    def observe_patiently(
        self,
        end: float | None = None,
        listen: Callable[[], None] | None = None,
        *,
        before: Snapshot | None = None,
    ) -> Snapshot:
        """Observe; where the platform asks for patience, again until `end` on the monotonic clock.

        `listen` is called between two tries, and raises where somebody wants an end of it. before: the
        routing is not read again, but taken from there, by somebody who waits and writes nothing.
        """
        if end is None:
            end = self.clock.monotonic() + PATIENCE
        while True:
            try:
                return evolve(before, slots=self.workload.observe().slots) if before else self.observe()
            except (Throttled, Unanswered):
                if self.clock.monotonic() >= end:
                    raise
                if listen:
                    listen()
                self.wait(min(5.0, max(0.1, end - self.clock.monotonic())))


def cleaned(counts: Mapping[Release, int]) -> Mapping[Release, int]:
    """Counts without the zeros."""
    return {release: n for release, n in counts.items() if n > 0}
