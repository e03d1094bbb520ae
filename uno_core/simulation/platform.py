"""An in-memory platform: instances take time to get ready, a split takes time to be in force.

It keeps its rules: an instance is drained before it is gone, a conditional write fails when the
object has changed, a slot holds two releases only where `mixed` is declared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field, frozen

from uno_core.contracts.platform import Capabilities, Platform, RouterState, WorkloadState
from uno_core.contracts.services import Services
from uno_core.errors import ConfigError, Drift, PlatformError, Unsupported
from uno_core.model import Counts, Instance, Json, Release, Slot, SlotState, Snapshot, Split
from uno_core.simulation.clock import VirtualClock
from uno_core.wire import counts_from_json, counts_to_json


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


class SimulatedWorkload:
    """Instances as rows in a list."""

    def __init__(self, clock: VirtualClock, rules: Rules) -> None:
        self.rules = rules
        self._clock = clock
        self._wanted: dict[Slot, dict[Release, int]] = {slot: {} for slot in Slot}
        self._copies: dict[Slot, list[_Copy]] = {slot: [] for slot in Slot}
        self._number = 0
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
        slots = {
            slot: SlotState(
                wanted=dict(self._wanted[slot]),
                instances=tuple(
                    Instance(
                        id=c.id,
                        release=c.release,
                        ready=self._ready(c),
                        reason="" if self._ready(c) else c.reason,
                        given_up=c.release.version in self.rules.hopeless,
                        host="127.0.0.1",
                        port=1,
                    )
                    for c in self._copies[slot]
                ),
            )
            for slot in Slot
        }
        captured: Json = {slot.value: counts_to_json(self._wanted[slot]) for slot in Slot}
        return WorkloadState(slots=slots, size=self.rules.size, captured=captured)

    def restore(self, captured: Json, slot: Slot) -> None:
        if not isinstance(captured, Mapping):
            raise PlatformError("nothing was captured", found=repr(captured))
        self.converge(slot, counts_from_json(captured[slot.value]))

    def crash(self, slot: Slot, n: int = 1, *, reason: str = "exited with code 1") -> None:
        """Take instances down, as a bug of theirs would; they stay down."""
        for copy in [c for c in self._copies[slot] if not c.down][:n]:
            copy.down, copy.reason = True, reason

    def place(self, slot: Slot, slot_state: SlotState) -> None:
        """Put instances there as they were observed elsewhere."""
        self._wanted[slot] = dict(slot_state.wanted)
        now = self._clock.monotonic()
        self._copies[slot] = [
            _Copy(i.id, i.release, now if i.ready else float("inf"), i.reason) for i in slot_state.instances
        ]


class SimulatedRouter:
    """A split with a version, in force a little later."""

    def __init__(self, clock: VirtualClock, rules: Rules) -> None:
        self.rules = rules
        self._clock = clock
        self._split: dict[Slot, float] = {}
        self._in_force: dict[Slot, float] = {}
        self._version = 0
        self.writes: list[tuple[float, Split]] = []
        self.on_write: Callable[[Split], None] | None = None

    def write(self, split: Split, expect: Json) -> None:
        if expect is not None and expect != self._version:
            raise Drift(
                "the split was changed", found=f"version {self._version}", expected=f"version {expect}"
            )
        finest = self.rules.capabilities.granularity
        if any(abs(p / finest - round(p / finest)) > 1e-6 for p in split.values()):
            raise Unsupported(
                f"shares of this platform are multiples of {finest:g} %", found=str(dict(split))
            )
        self._version += 1
        self._split = dict(split)
        self.writes.append((self._clock.monotonic(), dict(split)))
        version = self._version
        self._clock.later(self.rules.propagation, lambda: self._land(version, dict(split)))
        if self.on_write:
            self.on_write(split)

    def _land(self, version: int, split: dict[Slot, float]) -> None:
        if version == self._version:
            self._in_force = split

    def observe(self) -> RouterState:
        captured: Json = {slot.value: percent for slot, percent in self._split.items()}
        return RouterState(split=dict(self._split), token=self._version, captured=captured)

    def in_force(self) -> Split:
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


def _nothing() -> None:
    """Only the time matters."""
