"""The context: the one door between a strategy and the world.

Every method is a numbered call through a port. The engine is whatever stands behind the port: it
records the call, performs it, records what came of it, or answers from its journal. So a strategy
must ask the same questions when it is given the same answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Generic, Protocol, final

from attrs import frozen

from uno_core.contracts.platform import Capabilities
from uno_core.contracts.services import Logger
from uno_core.contracts.strategy import O
from uno_core.errors import (
    Drift,
    LockLost,
    Nondeterminism,
    Refused,
    StateError,
    Suspend,
    Unhealthy,
    UnoError,
    Unwind,
)
from uno_core.model import (
    Analysis,
    Application,
    Bounds,
    Counts,
    Decision,
    DeploymentResult,
    HealthReport,
    Json,
    OnTimeout,
    Release,
    Slot,
    Snapshot,
    Split,
    whole,
)
from uno_core.rules import protects
from uno_core.wire import counts_to_json, from_json, to_json


class Port(Protocol):
    """What an engine offers a context."""

    def call(self, seq: int, op: str, arguments: Mapping[str, Json]) -> Json:
        """Perform call number `seq`, or answer it from the journal. Raises UnoErrors and Unwinds."""


_FATAL = (Drift, LockLost, Nondeterminism, StateError)
"""After these a strategy is not asked what it makes of it: nothing more may be written, or recorded."""


class Calls:
    """Numbers the calls of one run. Unwound once, it is dead: nothing more passes."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._seq = 0
        self.unwound: Unwind | UnoError | None = None

    def __call__(self, op: str, **arguments: Json) -> Any:
        self._refuse_dead()
        seq, self._seq = self._seq, self._seq + 1
        try:
            return self._port.call(seq, op, arguments)
        except (Unwind, *_FATAL) as unwound:
            self.unwound = unwound
            raise

    @protects("a strategy that was unwound does nothing more, whatever its `except` and `finally` try")
    def _refuse_dead(self) -> None:
        if self.unwound is not None:
            raise Suspend("the deployment no longer listens to this strategy")


@frozen(kw_only=True)
class Facts(Generic[O]):
    """What is fixed when a deployment starts."""

    application: Application
    release: Release
    initial: Snapshot
    options: O
    capabilities: Capabilities


@final
class Context(Generic[O]):
    """What a strategy may know and do. Times are seconds, shares are percent."""

    def __init__(self, facts: Facts[O], calls: Calls, logger: Logger) -> None:
        self.application = facts.application
        self.environment = facts.application.environment
        self.release = facts.release
        self.initial = facts.initial
        self.options: O = facts.options
        self.capabilities = facts.capabilities
        self.logger = logger
        self._op = calls

    # What is

    def observe(self) -> Snapshot:
        """A fresh snapshot."""
        return from_json(self._op("observe"), Snapshot)

    def now(self) -> datetime:
        """The time, in UTC; on a replay the time that it was then."""
        return datetime.fromisoformat(self._op("now"))

    # Instances

    def converge(
        self, slot: Slot, counts: Counts, *, deadline: float = 600.0, max_unavailable: int = 0
    ) -> Snapshot:
        """Bring a slot to exactly these counts, and return when every instance is ready.

        What something else undoes meanwhile is written again. `max_unavailable` is how many fewer
        ready instances than its share needs the slot may have while it shrinks.

        Raises NotReady at the deadline: nothing was routed to what is not ready. Raises Refused
        where too few ready instances would stay for the slot's share: nothing was written.
        """
        return from_json(
            self._op(
                "converge",
                slot=slot.value,
                counts=counts_to_json(counts),
                deadline=deadline,
                max_unavailable=max_unavailable,
            ),
            Snapshot,
        )

    def deploy(self, slot: Slot, release: Release, n: int, *, deadline: float = 600.0) -> Snapshot:
        """`converge(slot, {release: n})`."""
        return self.converge(slot, {release: n}, deadline=deadline)

    def update(
        self, slot: Slot, release: Release, n: int, *, deadline: float = 600.0, max_unavailable: int = 0
    ) -> Snapshot:
        """Put n instances of the slot on the release and keep the others, the total staying as it is.

        New instances come before old ones go, unless `max_unavailable` lets that many go first.
        """
        wanted = self.observe().slot(slot).wanted
        others = {r: count for r, count in wanted.items() if r != release and count}
        room = max(sum(wanted.values()) - n, 0)
        kept: dict[Release, int] = {}
        for other, count in others.items():
            kept[other] = min(count, room - sum(kept.values()))
        before = wanted.get(release, 0)
        # A slot is not emptied for it: where nothing would be left meanwhile, the new ones come first.
        first_away = 0 < n - before <= max_unavailable and sum(kept.values()) + before > 0
        first = {**kept, release: before} if first_away else {**others, release: n}
        self.converge(slot, first, deadline=deadline, max_unavailable=max_unavailable)
        return self.converge(slot, {**kept, release: n}, deadline=deadline, max_unavailable=max_unavailable)

    def scale(self, slot: Slot, n: int, *, deadline: float = 600.0) -> Snapshot:
        """Keep the slot's one release at n instances. Raises Refused where it holds none, or two."""
        releases = [r for r, count in self.observe().slot(slot).wanted.items() if count]
        if len(releases) != 1:
            raise Refused(
                f"cannot scale {slot}: it holds {len(releases)} releases",
                found=", ".join(map(str, releases)) or "an empty slot",
                expected="exactly one release",
                remedy="name the counts: converge(slot, {release: count})",
            )
        return self.converge(slot, {releases[0]: n}, deadline=deadline)

    # Traffic

    def set_traffic(self, split: Split, *, timeout: float = 300.0) -> Snapshot:
        """Write the split, and return when it is in force.

        Raises Refused where a share would go to too few ready instances, Drift where somebody else
        changed the split, SwitchTimeout when it is not in force in time.
        """
        written = {slot.value: split[slot] for slot in split}
        return from_json(self._op("set_traffic", split=written, timeout=timeout), Snapshot)

    # Evidence

    def check_health(
        self, slot: Slot, *, url: str | None = None, timeout: float = 60.0, successes: int = 1
    ) -> HealthReport:
        """Check every target of the slot until each was healthy `successes` times in a row.

        `url` (with `{env}`, `{host}` and the like) chooses a check by its scheme, in place of the
        configured one. Never raises for bad health: the report says which target failed, with what
        answer, when `timeout` is over.
        """
        return from_json(
            self._op("check_health", slot=slot.value, url=url, timeout=timeout, successes=successes),
            HealthReport,
        )

    def require_health(
        self, slot: Slot, *, url: str | None = None, timeout: float = 60.0, successes: int = 1
    ) -> HealthReport:
        """`check_health`, but raises Unhealthy when it is not: the deployment rolls back."""
        report = self.check_health(slot, url=url, timeout=timeout, successes=successes)
        if not report.healthy:
            raise Unhealthy(
                f"{slot} is not healthy",
                found=report.reason,
                expected=f"every target healthy within {timeout:g} s",
                where=f"release {self.release} in {slot}",
                remedy="look at the instances' logs",
            )
        return report

    def evaluate(
        self, slot: Slot, *, thresholds: Mapping[str, Bounds] | None = None, timeout: float = 1800.0
    ) -> Analysis:
        """Look until there is evidence enough for a verdict, at the longest `timeout` seconds.

        Never raises for a bad verdict: it is the strategy's to answer. After a FAIL the deployment
        cannot succeed, unless a later evaluation of the same slot passes.
        """
        return from_json(
            self._op("evaluate", slot=slot.value, thresholds=_bounds(thresholds), timeout=timeout), Analysis
        )

    def wait(
        self,
        seconds: float,
        *,
        watch: bool = True,
        slot: Slot | None = None,
        thresholds: Mapping[str, Bounds] | None = None,
        url: str | None = None,
        insist: bool = True,
    ) -> Analysis | None:
        """Wait, durably. While it waits, health and metrics of the slot are watched.

        A watched wait ends with a verdict: it is prolonged until there is evidence enough, and a FAIL,
        or no evidence until the evidence timeout, unwinds the strategy at once and takes the traffic
        back. With `insist` off it ends with the clock, and only a FAIL unwinds: for a release that
        nobody may have asked anything of yet. Returns the analysis, or None where nothing was measured.
        """
        answer = self._op(
            "wait",
            seconds=seconds,
            watch=watch,
            slot=slot.value if slot else None,
            thresholds=_bounds(thresholds),
            url=url,
            insist=insist,
        )
        return from_json(answer, Analysis) if answer is not None else None

    # People

    def pause(
        self, reason: str, *, timeout: float = 86400.0, on_timeout: OnTimeout = OnTimeout.ROLLBACK
    ) -> Decision:
        """A gate: wait until a person promotes or aborts, or do `on_timeout` when nobody answers."""
        return from_json(
            self._op("pause", reason=reason, timeout=timeout, on_timeout=on_timeout.value), Decision
        )

    # The end

    def promoted(self) -> None:
        """Verify that the release serves, and record success: what follows cannot undo it.

        Raises NotServing where it does not serve: the deployment rolls back.
        """
        self._op("promoted")

    def retire(self, slot: Slot, *, after: float = 0.0) -> None:
        """Empty a slot `after` seconds from now, as well as can be: a failure is a warning.

        Done by the platform where it can, otherwise at the latest by the next deployment.
        """
        self._op("retire", slot=slot.value, after=after)

    def restore(self) -> None:
        """Take traffic and instances back to `initial`, traffic first."""
        self._op("restore")

    def introduce(
        self,
        *,
        url: str | None = None,
        health_timeout: float = 60.0,
        deadline: float = 600.0,
        thresholds: Mapping[str, Bounds] | None = None,
        verify_for: float = 0.0,
    ) -> DeploymentResult:
        """The first deployment of an application, the same for every strategy: start, check, 100 %.

        There is nothing to compare with and nothing to go back to: a failure removes what was started.
        Absolute bounds apply for `verify_for` seconds; that nobody asks anything yet is no failure.
        """
        slot = self.initial.idle
        with self.step(f"first deployment: start {self.release} in {slot}"):
            self.deploy(slot, self.release, self.initial.size, deadline=deadline)
            self.require_health(slot, url=url, timeout=health_timeout)
        with self.step(f"route all traffic to {slot}"):
            self.set_traffic(whole(slot))
        if verify_for:
            with self.step("verify"):
                self.wait(verify_for, slot=slot, thresholds=thresholds, url=url, insist=False)
        self.promoted()
        return DeploymentResult(True, f"{self.release} is the first release to serve")

    # The rest

    def call(self, method: str, **arguments: Json) -> Json:
        """Call a method of the strategy's own as an effect: journaled, performed at least once.

        Its arguments and its result are JSON.
        """
        answer: Json = self._op("call", method=method, arguments=arguments)
        return answer

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Name what follows, for progress and history."""
        self._op("step", title=title)
        yield


def _bounds(thresholds: Mapping[str, Bounds] | None) -> Json:
    if thresholds is None:
        return None
    rows: Json = to_json(dict(thresholds), dict[str, Bounds])
    return rows
