"""An in-memory platform: instances take time to get ready, a split takes time to be in force.

It keeps its rules: an instance is drained before it is gone, a conditional write fails when the
object has changed, a slot holds two releases only where `mixed` is declared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attrs import define, field, frozen

from uno_core.contracts.platform import Capabilities, Platform, RouterState, WorkloadState
from uno_core.contracts.services import Services
from uno_core.errors import ConfigError, Drift, PlatformError, Unsupported
from uno_core.model import Counts, Instance, Json, Release, Slot, SlotState, Snapshot, Split
from uno_core.simulation.clock import VirtualClock
from uno_core.wire import counts_from_json, counts_to_json

T = TypeVar("T")


@frozen(kw_only=True)
class Rules:
    """How a simulated platform behaves. Times are seconds.

    start: from the request until an instance is ready. propagation: from the write of a split until
    it is in force. broken: releases whose instances never get ready, with the reason. hopeless: those
    of them that the platform gives up on.
    """

    capabilities: Capabilities = field(
        factory=lambda: Capabilities(mixed=True, granularity=0.01, unroute=True, cas=True)
    )
    size: int = 4
    start: float = 3.0
    propagation: float = 0.5
    broken: Mapping[str, str] = field(factory=dict)
    missing: frozenset[str] = frozenset()
    hopeless: frozenset[str] = frozenset()


@define(eq=False)
class _Copy:
    id: str
    release: Release
    ready_at: float
    reason: str = "starting"
    down: bool = False
    restarts: int = 0


@frozen
class Sent:
    """What is asked of a platform: counts of a slot, a split, or neither (a mark)."""

    what: str
    slot: Slot | None = None
    counts: Counts | None = None
    split: Split | None = None


class Api:
    """The way to a platform's control plane, on which nothing goes wrong; faults put another in its place."""

    def read(self, what: str, look: Callable[[], T]) -> T:  # noqa: ARG002 - the faults want to know
        """Answer a reading."""
        return look()

    def write(self, sent: Sent, apply: Callable[[], None], version: Callable[[], int]) -> None:  # noqa: ARG002 - the faults want to know
        """Take effect; `version` tells whether the object has moved on since."""
        apply()


class SimulatedWorkload:
    """Instances as rows in a list."""

    def __init__(self, clock: VirtualClock, rules: Rules) -> None:
        self.rules = rules
        self.api = Api()
        self._clock = clock
        self._versions = dict.fromkeys(Slot, 0)
        self._wanted: dict[Slot, dict[Release, int]] = {slot: {} for slot in Slot}
        self._elastic = dict.fromkeys(Slot, False)
        self._copies: dict[Slot, list[_Copy]] = {slot: [] for slot in Slot}
        self._number = 0
        self._seen: dict[Slot, tuple[float, float, SlotState, Json]] = {}
        self.writes: list[tuple[float, Slot, Counts]] = []

    def resolve(self, release: Release) -> Release:
        if release.version in self.rules.missing:
            raise ConfigError(
                f"there is no artifact of {release.version}",
                found="nothing",
                expected="an artifact",
                remedy="build it first",
            )
        return Release(
            release.version, release.artifact or f"artifact:{release.version}", release.config or "0"
        )

    def converge(self, slot: Slot, counts: Counts) -> None:
        counts = {release: n for release, n in counts.items() if n > 0}
        if len(counts) > 1 and not self.rules.capabilities.mixed:
            raise PlatformError("a slot of this platform holds one release", found=str(len(counts)))
        self.api.write(
            Sent(f"converge {slot}", slot=slot, counts=counts),
            lambda: self._converge(slot, counts),
            lambda: self._versions[slot],
        )

    def _converge(self, slot: Slot, counts: Counts) -> None:
        self._versions[slot] += 1
        self.writes.append((self._clock.monotonic(), slot, counts))
        self._wanted[slot] = dict(counts)
        kept: list[_Copy] = []
        for release, n in counts.items():
            have = sorted(
                (c for c in self._copies[slot] if c.release == release), key=lambda c: not self._ready(c)
            )
            kept += have[:n]
            kept += [self._start(slot, release) for _ in range(n - len(have))]
        self._copies[slot] = kept
        self._seen.pop(slot, None)

    def _start(self, slot: Slot, release: Release) -> _Copy:
        self._number += 1
        ready_at = self._clock.monotonic() + self.rules.start
        if release.version in self.rules.broken:
            return _Copy(f"{slot}-{self._number}", release, float("inf"), self.rules.broken[release.version])
        # The moment of readiness is an event, so that a watch on the world wakes at it.
        self._clock.at(ready_at, _nothing)
        return _Copy(f"{slot}-{self._number}", release, ready_at)

    def _ready(self, copy: _Copy) -> bool:
        return not copy.down and self._clock.monotonic() >= copy.ready_at

    def observe(self) -> WorkloadState:
        return self.api.read("workload", self.state)

    def state(self) -> WorkloadState:
        """What is really there now."""
        now = self._clock.monotonic()
        for slot in Slot:
            if slot not in self._seen or not self._seen[slot][0] <= now < self._seen[slot][1]:
                self._seen[slot] = self._look(slot, now)
        return WorkloadState(
            slots={slot: self._seen[slot][2] for slot in Slot},
            size=self.rules.size,
            captured={slot.value: self._seen[slot][3] for slot in Slot},
        )

    def _look(self, slot: Slot, now: float) -> tuple[float, float, SlotState, Json]:
        """A slot, from when until when it looks so, and how it is captured."""
        copies = self._copies[slot]
        instances = tuple(
            Instance(
                id=c.id,
                release=c.release,
                ready=self._ready(c),
                reason="" if self._ready(c) else c.reason,
                given_up=c.release.version in self.rules.hopeless,
                host="127.0.0.1",
                port=1,
                restarts=c.restarts,
                coming=not self._ready(c) and not c.down and not c.restarts,
            )
            for c in copies
        )
        changes = min((c.ready_at for c in copies if c.ready_at > now), default=float("inf"))
        wanted = dict(self._wanted[slot])
        return (
            now,
            changes,
            SlotState(wanted=wanted, instances=instances, elastic=self._elastic[slot]),
            counts_to_json(wanted),
        )

    def restore(self, captured: Json, slot: Slot) -> None:
        if not isinstance(captured, Mapping):
            raise PlatformError("nothing was captured", found=repr(captured))
        self.converge(slot, counts_from_json(captured[slot.value]))

    def hold(self, slot: Slot, count: int) -> None:
        """Nothing shrinks a slot here but who converges it; what an autoscaler took before comes back."""
        wanted = self._wanted[slot]
        if len(wanted) == 1 and sum(wanted.values()) < count:
            self.converge(slot, dict.fromkeys(wanted, count))

    def let_go(self, slot: Slot) -> None:
        """Nobody was kept from anything."""

    def grow(self, slot: Slot, n: int, *, seconds: float) -> None:
        """Start more than is wanted, as an autoscaler does; they get ready after some seconds."""
        self._elastic[slot] = True
        self._seen.pop(slot, None)
        for release in self._wanted[slot]:
            for copy in [self._start(slot, release) for _ in range(n)]:
                copy.ready_at = self._clock.monotonic() + seconds
                self._clock.at(copy.ready_at, _nothing)
                self._copies[slot].append(copy)

    def crash(
        self, slot: Slot, n: int = 1, *, reason: str = "exited with code 1", back_after: float | None = None
    ) -> None:
        """Take instances down, as a bug of theirs would; they stay down, or come back after some seconds."""
        for copy in [c for c in self._copies[slot] if not c.down][:n]:
            copy.reason = reason
            if back_after is None:
                copy.down = True
            else:
                copy.restarts += 1
                copy.ready_at = self._clock.monotonic() + back_after
                self._clock.at(copy.ready_at, _nothing)
        self._seen.pop(slot, None)

    def place(self, slot: Slot, slot_state: SlotState) -> None:
        """Put instances there as they were observed elsewhere."""
        self._wanted[slot] = dict(slot_state.wanted)
        self._elastic[slot] = slot_state.elastic
        self._seen.pop(slot, None)
        now = self._clock.monotonic()
        self._copies[slot] = [
            _Copy(i.id, i.release, now if i.ready else float("inf"), i.reason) for i in slot_state.instances
        ]


class SimulatedRouter:
    """A split with a version, in force a little later."""

    def __init__(self, clock: VirtualClock, rules: Rules) -> None:
        self.rules = rules
        self.api = Api()
        self._clock = clock
        self._mark: Json = None
        self._split: dict[Slot, float] = {}
        self._in_force: dict[Slot, float] = {}
        self._version = 0
        self._written = 0
        self.writes: list[tuple[float, Split]] = []
        self.on_write: Callable[[Split], None] | None = None

    def write(self, split: Split, expect: Json) -> None:
        if any(not self.rules.capabilities.gives(percent) for percent in split.values()):
            raise Unsupported("this platform cannot give such a share", found=str(dict(split)))
        self.api.write(
            Sent(f"write {_percents(split)}", split=split),
            lambda: self._write(split, expect),
            lambda: self._version,
        )

    def _write(self, split: Split, expect: Json) -> None:
        if self.rules.capabilities.cas and expect is not None and expect != self._version:
            raise Drift(
                "the split was changed", found=f"version {self._version}", expected=f"version {expect}"
            )
        self._version += 1
        self._split = dict(split)
        self.writes.append((self._clock.monotonic(), dict(split)))
        self._written += 1
        number = self._written
        self._clock.later(self.rules.propagation, lambda: self._land(number, dict(split)))
        if self.on_write:
            self.on_write(split)

    def _land(self, number: int, split: dict[Slot, float]) -> None:
        if number == self._written:
            self._in_force = split

    def mark(self, value: Json) -> None:
        self.api.write(Sent("mark"), lambda: self._keep(value), lambda: self._version)

    def _keep(self, value: Json) -> None:
        self._version += 1
        self._mark = value

    def touch(self) -> None:
        """Change the object, not its split, as somebody's annotation does."""
        self._version += 1

    def impose(self, split: Split) -> None:
        """Write a split past everybody, as somebody at the control plane does."""
        self._write(split, None)

    def observe(self) -> RouterState:
        return self.api.read("router", self.state)

    def state(self) -> RouterState:
        """What the control plane really holds."""
        captured: Json = {slot.value: percent for slot, percent in self._split.items()}
        return RouterState(split=dict(self._split), token=self._version, captured=captured, mark=self._mark)

    def in_force(self) -> Split:
        return self.api.read("in force", self.followed)

    def followed(self) -> Split:
        """What the traffic really follows."""
        return dict(self._in_force)

    def restore(self, captured: Json) -> None:
        if not isinstance(captured, Mapping):
            raise PlatformError("nothing was captured", found=repr(captured))
        self.write({Slot(s): float(str(percent)) for s, percent in captured.items()}, None)

    def place(self, split: Split) -> None:
        """Put a split there as it was observed elsewhere."""
        self._split, self._in_force = dict(split), dict(split)


class SimulatedPlatform(Platform[Any]):
    """Both halves on one virtual clock."""

    workload: SimulatedWorkload
    router: SimulatedRouter

    def __init__(self, options: Rules, services: Services) -> None:
        super().__init__(options, services)
        clock = services.clock
        if not isinstance(clock, VirtualClock):
            raise ConfigError("the simulated platform needs a virtual clock", found=type(clock).__name__)
        self.clock = clock
        self.workload = SimulatedWorkload(clock, options)
        self.router = SimulatedRouter(clock, options)

    def wait_for_change(self, timeout: float) -> None:
        self.clock.sleep_until_event(timeout)

    def start_from(self, snapshot: Snapshot) -> None:
        """Begin with what was observed on a real platform."""
        for slot in Slot:
            self.workload.place(slot, snapshot.slot(slot))
        self.router.place(snapshot.split)


def _percents(split: Split) -> str:
    return "/".join(f"{split.get(slot, 0.0):g}" for slot in Slot)


def _nothing() -> None:
    """Only the time matters."""
