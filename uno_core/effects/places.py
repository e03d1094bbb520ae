"""One platform for each slot: two clusters, two regions, two machines, another platform's router before them.

Each place keeps its own names and runs its slot as it would run any; where it has a router of its own, that
one leads everything to what runs there. Between the places the other platform's router shares out traffic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import define, evolve, field

from uno_core.contracts.health import HealthCheck, Target
from uno_core.contracts.platform import Capabilities, Platform, Router, Workload, WorkloadState
from uno_core.effects.drift import show
from uno_core.effects.world import CONDITIONAL
from uno_core.errors import ConfigError, Drift, PlatformError, UnoError, Unsupported
from uno_core.model import Counts, Instance, Json, Probe, Release, Slot, SlotState, same_split, whole

UNKNOWN = Release("unknown", "unknown")
"""What runs in a place that nobody could read yet."""


@define
class Places:
    """The workload that the platforms of both slots are together.

    A release is known by its version alone: what else makes one in a place (a directory, a template of pods)
    is that place's own. capable: what the platform of each can do.
    """

    platforms: Mapping[Slot, Platform[Any]]
    capable: Mapping[Slot, Capabilities]
    _asked: set[Slot] = field(init=False, factory=set)
    _led: dict[Slot, Slot] = field(init=False, factory=dict)
    _seen: dict[Slot, SlotState] = field(init=False, factory=dict)

    def resolve(self, release: Release) -> Release:
        """Raises ConfigError where a place does not have it, or needs more than its version to know it."""
        asked = Release(release.version) if release == _known_as(release) else release
        for slot in Slot:
            full = self._workload(slot).resolve(asked)
            if full != self._workload(slot).resolve(Release(full.version)):
                raise ConfigError(
                    f"{slot} would need more than the version to know this release again",
                    found=full.artifact, expected="what the version alone stands for there",
                    where=f"platform.slots.{slot}",
                    remedy="give the version alone, from the place's own repository",
                )  # fmt: skip
        return _known_as(full)

    def converge(self, slot: Slot, counts: Counts) -> None:
        """Ask the place of the slot, and have its own router lead there."""
        inner = self._inner(slot)
        own = {self._own(slot, release): n for release, n in counts.items()}
        if own and (router := self.platforms[slot].router) is not None:
            self._leads(slot, router, inner)
        self._workload(slot).converge(inner, own)
        if own:
            self._asked.add(slot)
        else:
            self._asked.discard(slot)
            self._led.pop(slot, None)
        self._lead(slot, inner)

    def observe(self) -> WorkloadState:
        """Each slot as its own place has it.

        A place that cannot be read, while the other can, has nothing ready: so it can be left. Raises what
        was raised where neither can be read.
        """
        slots: dict[Slot, SlotState] = {}
        captured: dict[str, Json] = {}
        sizes: list[int] = []
        problems: list[UnoError] = []
        for slot in Slot:
            try:
                state = self._workload(slot).observe()
                self._seen[slot] = state.slots.get(self._inner(slot), SlotState())
                slots[slot] = self._told(slot, self._seen[slot])
            except Unsupported:
                raise
            except UnoError as problem:
                problems.append(problem)
                slots[slot] = self._unread(slot, problem)
                continue
            captured[slot.value] = state.captured
            sizes.append(state.size)
        if not sizes:
            raise problems[0]
        return WorkloadState(slots=slots, size=max(sizes), captured=captured)

    def _unread(self, slot: Slot, problem: UnoError) -> SlotState:
        """What was seen there last, none of it ready; never as if nothing were there."""
        reason = f"the place of {slot} cannot be read: {problem.message}"
        last = self._seen.get(slot, SlotState())
        wanted = {_known_as(release): n for release, n in last.wanted.items()} or {UNKNOWN: 1}
        instances = [
            evolve(one, release=_known_as(one.release), ready=False, reason=reason) for one in last.instances
        ] or [Instance(id=f"{slot}", release=UNKNOWN, ready=False, reason=reason)]
        return SlotState(wanted=wanted, instances=tuple(instances))

    def restore(self, captured: Json, slot: Slot) -> None:
        """Ask the place of the slot for what it had."""
        if not isinstance(captured, Mapping) or slot.value not in captured:
            raise PlatformError(
                "that was not captured of two places", found=str(captured)[:200], expected=f"the key {slot}"
            )
        self._workload(slot).restore(captured[slot.value], self._inner(slot))

    def step(self, slot: Slot) -> None:
        """Go on in the place, and have its router lead there, if that could not be before."""
        inner = self._inner(slot)
        if self.capable[slot].steps:
            self._workload(slot).step(inner)  # type: ignore[attr-defined]  # declared: Stepping
        self._lead(slot, inner)

    def hold(self, slot: Slot, count: int) -> None:
        """Keep the autoscaler of the place from going lower, where it may have one."""
        if self.capable[slot].elastic:
            self._workload(slot).hold(self._inner(slot), count)  # type: ignore[attr-defined]  # declared: Elastic

    def let_go(self, slot: Slot) -> None:
        """Have it decide again."""
        if self.capable[slot].elastic:
            self._workload(slot).let_go(self._inner(slot))  # type: ignore[attr-defined]  # declared: Elastic

    def _lead(self, slot: Slot, inner: Slot) -> None:
        """Have the place's own router lead there, where it leads nowhere yet."""
        router = self.platforms[slot].router
        if slot not in self._asked or router is None:
            return
        if self._leads(slot, router, inner):
            self._led[slot] = inner
        else:
            router.write(whole(inner), None)

    def _leads(self, slot: Slot, router: Router, inner: Slot) -> bool:
        """Whether all of the place leads there. Raises Drift where somebody leads it elsewhere."""
        held = router.observe().split
        if not any(held.values()) or same_split(held, whole(inner)):
            return any(held.values())
        raise Drift(
            f"somebody else writes what the place of {slot} leads to by itself",
            found=show(held), expected=show(whole(inner)), where=f"platform.slots.{slot}",
            remedy="find out who did; then `uno resume` goes on, or `uno rollback` goes back",
        )  # fmt: skip

    # Each place

    def _workload(self, slot: Slot) -> Workload:
        workload = self.platforms[slot].workload
        if workload is None:
            raise Unsupported(
                f"the platform of {slot} runs no releases", where=f"platform.slots.{slot}",
                remedy="name a platform that has a workload",
            )  # fmt: skip
        return workload

    def _inner(self, slot: Slot) -> Slot:
        """The slot of the place itself: the one that serves there, if there was one before uno."""
        if slot in self._led:
            return self._led[slot]
        router = self.platforms[slot].router
        split = router.observe().split if router is not None else {}
        return next((one for one in Slot if split.get(one, 0.0) > 99.9), slot)

    def _own(self, slot: Slot, release: Release) -> Release:
        """As the place calls it: what runs there is left as it is, though configured otherwise since."""
        if slot not in self._seen:
            self.observe()
        running = [one for one in self._seen[slot].releases if _known_as(one) == release]
        return running[0] if running else self._workload(slot).resolve(Release(release.version))

    def _told(self, slot: Slot, state: SlotState) -> SlotState:
        """The same, each release by its version; nothing is ready that the place itself does not lead to."""
        router = self.platforms[slot].router
        leads = router is None or _leads(router, self._inner(slot))
        wanted: dict[Release, int] = {}
        for release, count in state.wanted.items():
            wanted[_known_as(release)] = wanted.get(_known_as(release), 0) + count
        instances = []
        for one in state.instances:
            ready = one.ready and leads
            reason = (
                one.reason if ready or not one.ready else "the place's own router does not lead to it yet"
            )
            instances.append(evolve(one, release=_known_as(one.release), ready=ready, reason=reason))
        return evolve(state, wanted=wanted, instances=tuple(instances))


def _known_as(release: Release) -> Release:
    return Release(release.version, release.version)


def _leads(router: Router, slot: Slot) -> bool:
    held = router.observe().split
    return same_split(held, whole(slot)) and same_split(router.in_force(), whole(slot))


def of_places(blue: Capabilities, green: Capabilities) -> Capabilities:
    """What two places can do together: what both can, and as slowly as the slower one.

    No retiring: a place cannot know whether its slot carries traffic. Steps, since a router may be able to
    lead somewhere only once something is there.
    """
    cas, horizon = _conditional(blue, green)
    return evolve(
        blue,
        mixed=blue.mixed and green.mixed,
        retires=False,
        elastic=blue.elastic or green.elastic,
        recalls=False,
        steps=True,
        cas=cas,
        write_horizon=horizon,
        least_ready=min(blue.least_ready, green.least_ready),
    )


def _conditional(one: Capabilities, other: Capabilities) -> tuple[bool, float]:
    """Whether all writes to both are conditional; else how late any of them may land."""
    if one.cas and other.cas:
        return True, 0.0
    alone = CONDITIONAL if one.cas != other.cas else 0.0
    return False, max(one.write_horizon, other.write_horizon, alone)


class Vouched:
    """A workload of one platform behind a router of another that checks by itself who can take requests."""

    def __init__(self, workload: Workload, router: Router) -> None:
        self._workload, self._router = workload, router

    def __getattr__(self, name: str) -> Any:
        return getattr(self._workload, name)

    def observe(self) -> WorkloadState:
        """What runs, ready where the router says so too."""
        state = self._workload.observe()
        return evolve(state, slots={slot: self._told(slot, found) for slot, found in state.slots.items()})

    def _told(self, slot: Slot, state: SlotState) -> SlotState:
        if not state.ready():
            return state
        why = self._router.unfit(slot)  # type: ignore[attr-defined]  # declared: Vouching
        if not why:
            return state
        told = [evolve(one, ready=False, reason=why) if one.ready else one for one in state.instances]
        return evolve(state, instances=tuple(told))


def composed(workload: Capabilities, router: Capabilities) -> Capabilities:
    """What one platform's workload and another one's router can do together.

    Writes are conditional only where those of both are; otherwise each may land as late as the later of them.
    """
    cas, horizon = _conditional(workload, router)
    return evolve(
        router,
        mixed=workload.mixed,
        retires=workload.retires,
        steps=workload.steps,
        least_ready=workload.least_ready,
        recalls=workload.recalls,
        elastic=workload.elastic,
        cas=cas,
        write_horizon=horizon,
    )


@define
class CheckInPlaces:
    """One health check for the platform of each slot, where they are two, each for its own slot."""

    checks: Mapping[Slot, HealthCheck]

    @property
    def per_instance(self) -> bool:
        """As the check itself has it: they are made of the same options."""
        return self.checks[Slot.BLUE].per_instance

    def check(self, target: Target, timeout: float) -> Probe:
        """One attempt, in the place of the slot; there the release is known by its version."""
        here = evolve(target, release=Release(target.release.version))
        return self.checks[target.slot].check(here, timeout)
