"""Platforms: a workload that runs releases in slots, a router that splits traffic between them.

A platform never waits. Writes request and return at once, `observe` reads, and the context owns
convergence, deadlines, retries and abort, once for all platforms.
"""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Generic, Protocol

from attrs import field, frozen

from uno_core.contracts.beginning import Sketch, Surroundings
from uno_core.contracts.diagnosis import Diagnosis
from uno_core.contracts.services import Info, Services
from uno_core.contracts.state import Lock
from uno_core.contracts.strategy import O
from uno_core.model import Counts, Json, Release, Slot, SlotState, Split


@frozen(kw_only=True)
class WorkloadState:
    """What a workload observes. `size`: the instances wanted when one slot carries everything, at least 1."""

    slots: Mapping[Slot, SlotState]
    size: int
    captured: Json = None


@frozen(kw_only=True)
class RouterState:
    """What the control plane holds, read with strong consistency. `token` is what `write` expects.

    mark: what a deployment wrote beside the routing (capability `marks`); None where nothing was.
    """

    split: Split
    token: Json = None
    captured: Json = None
    mark: Json = None


class Workload(Protocol):
    """The half of a platform that runs releases.

    Must be idempotent and must return at once. Must report an instance as ready only when it can
    take requests. Raises only UnoErrors: PlatformError and its kinds, or Unanswered when a write
    was sent and its answer lost.
    """

    def resolve(self, release: Release) -> Release:
        """Fill in the identity of the artifact and the hash of the configuration; write nothing.

        Raises ConfigError where the artifact does not exist: found before anything is touched.
        """

    def converge(self, slot: Slot, counts: Counts) -> None:
        """Ask for exactly these counts in the slot; empty removes every instance.

        Instances that go away are drained: out of the traffic first, then stopped. More than one
        release in a slot is asked for only where the `mixed` capability is declared. Where fewer
        of a release are wanted than run, those that are not ready go first.
        """

    def observe(self) -> WorkloadState:
        """What runs now, with readiness and reasons."""

    def restore(self, captured: Json, slot: Slot) -> None:
        """Ask for exactly what was captured of one slot, as `converge` would; the other is left alone."""


class Retiring(Protocol):
    """A workload that can empty a slot by itself, later (capability `retires`)."""

    def retire(self, slot: Slot, after: float) -> None:
        """Empty the slot `after` seconds from now, unless it carries traffic then or is converged before."""


class Stepping(Protocol):
    """A workload that goes on a step at a time, each of them a write (capability `steps`).

    `converge` and `restore` go the first step; `observe` writes nothing.
    """

    def step(self, slot: Slot) -> None:
        """Go on with what `converge` asked of the slot, at once, no waiting.

        Nothing where nobody has asked, or all is there. The context calls it, fenced, between two looks while
        it waits for the slot.
        """


class Recalling(Protocol):
    """A workload that knows the releases of before (capability `recalls`)."""

    def recall(self, release: Release) -> None:
        """Raises ConfigError where this release, deployed once, cannot be started again as it was."""


class Elastic(Protocol):
    """A workload whose slots an autoscaler may size (capability `elastic`).

    Counts that are converged to are the least from then on, and the autoscaler may run more.
    """

    def hold(self, slot: Slot, count: int) -> None:
        """Have no fewer than `count` in the slot until `let_go`, whatever load it has; at once, no waiting.

        So the slot to go back to keeps its capacity while another one takes its traffic. Where nothing
        scales the slot there is nothing to do. Survives this process.
        """

    def let_go(self, slot: Slot) -> None:
        """The deployment has ended: the autoscaler's own least holds again. Emptying lets go too."""


class Router(Protocol):
    """The half of a platform that splits traffic."""

    def write(self, split: Split, expect: Json) -> None:
        """Ask for this split. Raises Drift where the object is no longer as `expect` (a token) says.

        `expect` None writes whatever is there. An empty split removes the routing (capability `unroute`).
        A share finer than the declared granularity: raises Unsupported, and nothing is written.
        """

    def observe(self) -> RouterState:
        """What the control plane holds."""

    def in_force(self) -> Split:
        """What the traffic follows now."""

    def restore(self, captured: Json) -> None:
        """Put the routing back exactly as it was captured."""


class Vouching(Protocol):
    """A router that checks by itself whether a slot can take requests (capability `vouches`).

    Where it routes to another platform's instances, these are ready only once it says so too.
    """

    def unfit(self, slot: Slot) -> str:
        """Why the slot would not get the requests that are meant for it, in words; empty where it would."""


class Marking(Protocol):
    """A router that keeps a mark beside the routing (capability `marks`)."""

    def mark(self, value: Json) -> None:
        """Keep this JSON with the routed object, or nothing where it is None; the routing stays as it is.

        It must survive this process and be seen from every machine that sees the routing.
        """


@frozen(kw_only=True)
class Capabilities:
    """What a platform can do beyond the least. Declared, then tested by the contracts.

    mixed: two releases in one slot. granularity: the finest share in percent (100: only whole
    switches); a share is a multiple of it, or, where there are `parts`, what one whole number up to
    `parts` is of itself and another one. unroute: the routing can be removed. lock: it holds a lock of
    its own. marks: the router keeps a mark. retires: the workload empties a slot by itself later. cas: a
    write fails when the object has changed; otherwise write_horizon is how long an unanswered write may still
    land, in seconds. bound: the longest that a write takes to be in force. least_ready: the
    shortest time to readiness. recalls: the workload says whether a release of before can still be
    started. elastic: an autoscaler may size slots, and can be held. steps: the workload goes on only when
    it is told to, a step at a time. linger: seconds for which requests may still come to a slot that has
    lost its share: it is kept so long at least. sticky: seconds, a part of `linger`, for which clients go
    on being sent to the slot that they came to, whatever its share: what is taken back is kept so long, too.
    vouches: the router checks by itself whether a slot can take requests. routed: there is traffic at all;
    uno says that itself, of `traffic: none`.
    """

    mixed: bool = False
    granularity: float = 100.0
    parts: int = 0
    unroute: bool = False
    lock: bool = False
    marks: bool = False
    retires: bool = False
    cas: bool = False
    write_horizon: float = 0.0
    bound: float = 5.0
    least_ready: float = 0.0
    recalls: bool = False
    elastic: bool = False
    steps: bool = False
    linger: float = 0.0
    sticky: float = 0.0
    vouches: bool = False
    routed: bool = True

    @property
    def weights(self) -> bool:
        """Whether traffic can be split at all, not only switched."""
        return self.granularity < 100.0 and self.routed

    def ratio(self, percent: float) -> tuple[int, int]:
        """Two whole numbers up to `parts`, the share's and the rest's, whose ratio comes nearest to it."""
        wanted = Fraction(percent) / 100
        found = [Fraction(0)]
        for one in range(1, self.parts + 1):
            # The other number lies beside what would be exact.
            exact = one * (1 - wanted) / wanted if wanted else Fraction(self.parts)
            others = {min(self.parts, math.floor(exact)), min(self.parts, math.ceil(exact))}
            found += [Fraction(one, one + other) for other in others]
        best = min(found, key=lambda part: abs(part - wanted))
        return best.numerator, best.denominator - best.numerator

    def nearest(self, percent: float) -> float:
        """The share in percent that is nearest to this one, of those that the platform can give.

        Some of the traffic is neither none nor all of it, where there are multiples in between.
        """
        if not self.parts:
            count = round(percent / self.granularity)
            if self.weights and abs(count * self.granularity - percent) > 1e-6 * self.granularity:
                count = min(max(count, 1), math.ceil(100.0 / self.granularity) - 1)
            return count * self.granularity
        one, other = self.ratio(percent)
        return 100.0 * one / (one + other)

    def gives(self, percent: float) -> bool:
        """Whether a share in percent is one that the platform can give.

        A ratio is told in percent, which has no end: as near as two splits are taken for the same.
        """
        return abs(self.nearest(percent) - percent) <= (0.005 if self.parts else 1e-6 * self.granularity)


@frozen(kw_only=True)
class CompanionState:
    """What a companion runs now. captured: opaque JSON that `restore` takes back unchanged.

    given_up: the platform says that it will not get ready by itself.
    """

    release: Release | None
    ready: bool
    reason: str = ""
    given_up: bool = False
    captured: Json = None


class Companions(Protocol):
    """What gets the application's release beside its slots: workers, schedulers, jobs (`companions:`).

    Idempotent, and returns at once, as a workload does; raises UnoErrors only.
    """

    def observe(self, name: str) -> CompanionState:
        """What it runs now. Raises ConfigError where there is no such companion, naming those there are."""

    def update(self, name: str, release: Release) -> None:
        """Ask it to run the release."""

    def restore(self, name: str, captured: Json) -> None:
        """Ask it to run what was captured."""


class Platform(ABC, Generic[O]):
    """Both halves, or one of them where the other half comes from another platform."""

    workload: Workload | None = None
    router: Router | None = None
    lock: Lock | None = None
    companions: Companions | None = None

    def __init__(self, options: O, services: Services) -> None:
        """Keep both; do no I/O."""
        self.options = options
        self.services = services

    def capable(self) -> Capabilities | None:
        """What it can do as configured, where its record says something else. May look; writes nothing."""
        return None

    def prepare(self) -> None:
        """Make ready for writing, before the first write of a deployment: start a local proxy, say.

        Idempotent. Raises PlatformError with a remedy where the platform cannot work here.
        """

    def remarks(self) -> Sequence[str]:
        """What a person should know of how it would be done here: told in the plan, one line each.

        May look; writes nothing.
        """
        return ()

    def adopt(self) -> Sequence[str]:
        """Take over what was there before uno, as the first deployment would; called under the lock.

        Idempotent, and the traffic goes where it went. Returns what it has done, in words; nothing where
        there was nothing to take. Raises ConfigError where it must not be taken.
        """
        return ()

    def wait_for_change(self, timeout: float) -> bool | None:
        """Return when something may have changed, at the latest after `timeout` seconds.

        False where surely nothing has, since `workload.observe` was last called: then it is not asked again
        for a while. True or None where something has, or nobody can tell.
        """
        self.services.clock.sleep(timeout)
        return None

    def diagnose(self) -> Iterable[Diagnosis]:
        """What is right and what is wrong with it here, for `uno doctor`. Looks only, for 5 s at most."""
        return ()

    def close(self) -> None:
        """Let go of connections. Idempotent."""


def _no_state_dir(_options: Any) -> Path | None:
    return None


def _no_sketch(_around: Surroundings) -> Sketch | None:
    return None


@frozen(kw_only=True)
class PlatformInfo(Info):
    """A platform, as registered.

    `state_dir` says from the options where state belongs when it lies on the platform's own machine.
    `metrics` names a metric provider that works on this platform without any configuration.
    `sketch` says how a configuration for it is begun in a folder, for `uno init`; None where it cannot.
    """

    capabilities: Capabilities = field(factory=Capabilities)
    state_dir: Callable[[Any], Path | None] = _no_state_dir
    metrics: str = ""
    sketch: Callable[[Surroundings], Sketch | None] = _no_sketch
