"""The values that uno speaks in: slots, releases, snapshots, verdicts, results.

Everything here is frozen and knows nothing of platforms, plugins or time.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias, Union

from attrs import field, frozen

Json: TypeAlias = Union[bool, int, float, str, Sequence["Json"], Mapping[str, "Json"], None]  # noqa: UP007 - a forward reference cannot be joined by |


class Slot(StrEnum):
    """One of the two places in which releases of an application run side by side."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> Slot:
        return Slot.GREEN if self is Slot.BLUE else Slot.BLUE


Split: TypeAlias = Mapping[Slot, float]
"""Percent of the traffic per slot; sums to 100, or is empty before anything was routed."""


class Kind(StrEnum):
    """What an environment is for; decides the default strategy."""

    PRODUCTION = "production"
    STAGING = "staging"
    TESTING = "testing"
    DEVELOPMENT = "development"


class Verdict(StrEnum):
    """What the evidence says. Only PASS promotes; silence is INCONCLUSIVE, never PASS."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


class Status(StrEnum):
    """Where a deployment stands. The last seven are final."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    PAUSED = "paused"
    ROLLBACK_IN_PROGRESS = "rollback_in_progress"
    SUCCESSFUL = "successful"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"
    FAILED = "failed"
    STOPPED = "stopped"
    HALTED = "halted"
    LOST = "lost"

    @property
    def final(self) -> bool:
        return self not in _UNDER_WAY


_UNDER_WAY = frozenset({Status.PENDING, Status.IN_PROGRESS, Status.PAUSED, Status.ROLLBACK_IN_PROGRESS})


@frozen(kw_only=True)
class Application:
    """What is deployed, and where: one name in one environment."""

    name: str
    environment: str
    kind: Kind = Kind.PRODUCTION

    @property
    def key(self) -> str:
        """Names the application in its environment in locks, journals and ids."""
        return f"{self.name}-{self.environment}"


@frozen
class Release:
    """What is to run: a version, the identity of its artifact, and a hash of its configuration.

    Two releases are the same release exactly when all three are equal: a change of
    configuration alone is a new release. `artifact` and `config` are filled in by the
    workload's `resolve`; until then they are empty.
    """

    version: str
    artifact: str = ""
    config: str = ""

    @property
    def id(self) -> str:
        """Short, stable, safe in file and object names: the version and eight hex digits of the rest."""
        digest = hashlib.sha256(f"{self.version}\n{self.artifact}\n{self.config}".encode()).hexdigest()[:8]
        safe = "".join(c if c.isascii() and (c.isalnum() or c in ".-") else "-" for c in self.version)
        return f"{safe[:40]}-{digest}"

    def __str__(self) -> str:
        return self.version


Counts: TypeAlias = Mapping[Release, int]
"""How many instances of each release; a release that is not named has none."""


@frozen(kw_only=True)
class Instance:
    """One running copy of a release. `reason` says in words why it is not ready (empty when it is).

    `given_up`: the platform says that it will not get ready by itself; nobody waits for it then.
    `restarts`: how often it ended by itself and was started again, where the platform counts that.
    `coming`: it was never ready yet, and nothing went wrong with it, where the platform knows that.
    """

    id: str
    release: Release
    ready: bool
    reason: str = ""
    given_up: bool = False
    host: str = ""
    port: int = 0
    restarts: int = 0
    coming: bool = False


@frozen(kw_only=True)
class SlotState:
    """What a slot is asked to run and what runs in it. Instances that drain away are not listed.

    elastic: an autoscaler may run more than is wanted, and never fewer.
    """

    wanted: Counts = field(factory=dict)
    instances: Sequence[Instance] = ()
    elastic: bool = False

    def ready(self, release: Release | None = None) -> int:
        """The number of ready instances, of one release or of all."""
        return sum(i.ready and (release is None or i.release == release) for i in self.instances)

    def count(self, release: Release) -> int:
        return sum(i.release == release for i in self.instances)

    @property
    def releases(self) -> Sequence[Release]:
        return tuple(dict.fromkeys(i.release for i in self.instances))

    def holds(self, counts: Counts) -> bool:
        """Whether exactly these counts run, every instance ready; at least these where it is elastic."""
        wanted = {release: n for release, n in counts.items() if n}
        if self.elastic:
            return wanted.keys() == set(self.releases) and all(self.ready(r) >= n for r, n in wanted.items())
        return all(i.ready for i in self.instances) and wanted == {r: self.count(r) for r in self.releases}

    @property
    def held_to_account(self) -> Sequence[Instance]:
        """Those whose health is the slot's: not what an autoscaler starts beside as many as are wanted."""
        if self.elastic and all(self.ready(release) >= n for release, n in self.wanted.items()):
            return tuple(i for i in self.instances if i.ready or not i.coming)
        return self.instances

    def unready(self) -> str:
        """What is not ready and why, for a person."""
        return "; ".join(f"{i.id}: {i.reason or 'not ready'}" for i in self.instances if not i.ready)


EMPTY = SlotState()


@frozen(kw_only=True)
class Snapshot:
    """What a platform observed at one moment.

    `split` is what the control plane holds, `in_force` what traffic follows; a difference is
    propagation. `size` is the number of instances the application is to have when one slot
    carries everything. `captured` is opaque JSON of each half of the platform, which its
    `restore` takes back unchanged. `mark` is what an unfinished deployment left beside the routing.
    """

    slots: Mapping[Slot, SlotState]
    split: Split
    in_force: Split
    size: int
    captured: Mapping[str, Json] = field(factory=dict)
    mark: Json = None

    def slot(self, slot: Slot) -> SlotState:
        return self.slots.get(slot, EMPTY)

    @property
    def serving(self) -> Sequence[Slot]:
        """The slots with a share of the traffic, the greater share first."""
        return tuple(sorted((s for s in self.split if self.split[s] > 0), key=lambda s: -self.split[s]))

    @property
    def live(self) -> Slot | None:
        """The slot with the greatest share, or None before anything was routed."""
        return self.serving[0] if self.serving else None

    @property
    def idle(self) -> Slot:
        """The slot that a new release goes to: the one that is not live; blue at the beginning."""
        return self.live.other if self.live else Slot.BLUE

    @property
    def settled(self) -> bool:
        """One slot carries everything, with ready instances of one release; or nothing was ever routed.

        A mark of an unfinished deployment unsettles both.
        """
        if self.mark is not None:
            return False
        if not self.serving:
            return True
        state = self.slot(self.serving[0])
        return len(self.serving) == 1 and len(state.releases) == 1 and state.holds(state.wanted)

    @property
    def releases(self) -> Sequence[Release]:
        """The releases that serve now."""
        return tuple(dict.fromkeys(r for slot in self.serving for r in self.slot(slot).releases))


def whole(slot: Slot) -> Split:
    """All traffic to one slot."""
    return {slot: 100.0, slot.other: 0.0}


def share(slot: Slot, percent: float) -> Split:
    """`percent` of the traffic to the slot, the rest to the other one."""
    return {slot: percent, slot.other: 100.0 - percent}


def same_split(one: Split, two: Split, *, tolerance: float = 0.005) -> bool:
    """Equal up to a platform's rounding; a slot that is not named has no traffic."""
    return all(abs(one.get(s, 0.0) - two.get(s, 0.0)) <= tolerance for s in Slot)


def needed(size: int, percent: float) -> int:
    """The instances that a share needs: its part of the whole size, rounded up; at least one for any share.

    A tenth of an instance is let go, since a platform rounds shares: 42.86 % of 7 are 3.
    """
    return max(1, math.ceil(size * percent / 100 - 0.1)) if percent > 0 and size > 0 else 0


@frozen
class Amount:
    """A number of instances, or a share of them: `2` or `25%`."""

    value: float
    percent: bool = False

    def of(self, total: int) -> int:
        """At least one, at most all of `total`."""
        number = math.ceil(round(total * self.value / 100, 6)) if self.percent else int(self.value)
        return max(1, min(number, total)) if total else 0

    def __str__(self) -> str:
        return f"{self.value:g}%" if self.percent else f"{self.value:g}"


class Compare(StrEnum):
    """What of a metric is held against its bounds."""

    VALUE = "value"
    DIFFERENCE = "difference"
    RATIO = "ratio"


@frozen
class Bounds:
    """The values that a metric may have, and how it is measured. Rates are shares from 0 to 1.

    Latencies, `interval` and `delay` are seconds. compare: what is held against the limits: the value
    itself, its difference to the stable slot's, or its ratio to it. interval: between two measurements;
    0 measures at every look, all that was seen since the wait began. delay: before the first one. count:
    after so many conclusive ones it is done; 0 goes on while it is waited. failure_limit: so many
    failures are let pass, one more fails. inconclusive_limit: the same of those that say nothing, None
    for no limit but the time. consecutive_error_limit: so many errors in a row are let pass.
    provider: who measures it, where several could. dry_run: shown, and counts for nothing.
    """

    max: float | None = None
    min: float | None = None
    compare: Compare = Compare.VALUE
    interval: float = 0.0
    delay: float = 0.0
    count: int = 0
    failure_limit: int = 0
    inconclusive_limit: int | None = None
    consecutive_error_limit: int = 4
    provider: str = ""
    dry_run: bool = False


@frozen
class Secret:
    """A reference to a secret: resolved when it is used, never shown and never stored."""

    reference: str

    def __str__(self) -> str:
        return "***"

    def __repr__(self) -> str:
        return f"Secret({self.reference!r})"


@frozen
class DeploymentResult:
    """What a strategy says about its own run. The engine verifies it before it believes it."""

    success: bool
    message: str = ""
    details: Mapping[str, Json] = field(factory=dict)


@frozen(kw_only=True)
class Probe:
    """The answer of one attempt of a health check at one target."""

    target: str
    healthy: bool
    answer: str = ""


@frozen(kw_only=True)
class HealthReport:
    """Whether a slot is healthy, and which target answered what. ERROR: the check itself failed."""

    verdict: Verdict
    probes: Sequence[Probe] = ()
    reason: str = ""

    @property
    def healthy(self) -> bool:
        return self.verdict is Verdict.PASS


@frozen(kw_only=True)
class Finding:
    """What one judge found: a verdict, in words, with its numbers. advisory: shown, counts for nothing."""

    verdict: Verdict
    reason: str
    metric: str = ""
    numbers: Mapping[str, float] = field(factory=dict)
    advisory: bool = False


@frozen(kw_only=True)
class Analysis:
    """The verdict of all the evidence looked at, and the findings it was made from."""

    verdict: Verdict
    findings: Sequence[Finding] = ()

    @property
    def reason(self) -> str:
        """The findings that decided, in words."""
        deciding = [f for f in self.findings if f.verdict is self.verdict and not f.advisory]
        return "; ".join(f.reason for f in deciding) or "no evidence was asked for"


class OnTimeout(StrEnum):
    """What a gate does when nobody answers."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"


@frozen(kw_only=True)
class Decision:
    """How a gate was left."""

    promoted: bool
    by: str = ""
    at: datetime | None = None
