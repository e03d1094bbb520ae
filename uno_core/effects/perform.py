"""Every effect by its name: what a numbered call does to the world, and nothing else does anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from uno_core.effects.instances import check_unused, converge
from uno_core.effects.restoring import Restoration, put_traffic_back
from uno_core.effects.traffic import set_traffic
from uno_core.effects.watching import Watch, check_health, evaluate, pause, wait
from uno_core.effects.world import Attention, Tell, World
from uno_core.errors import Aborted, HookFailed, NotServing, Refused, UnoError
from uno_core.model import (
    Bounds,
    Json,
    OnTimeout,
    Release,
    Slot,
    Snapshot,
    Split,
    Verdict,
    needed,
    same_split,
    whole,
)
from uno_core.wire import counts_from_json, from_json, to_json

Arguments = Mapping[str, Any]

LONGEST_REHEARSAL = 10_000
"""Calls after which a plan gives up on a strategy, that waits for an answer of its own for instance."""


class Effects:
    """Performs the calls of one run of one deployment.

    `confirmed` is the split that uno last saw in force, `changed` whether anything was written,
    `promoted` whether success is recorded.
    """

    def __init__(
        self,
        world: World,
        attention: Attention,
        tell: Tell,
        *,
        strategy: object,
        release: Release,
        initial: Snapshot,
        outage: bool,
        urgent: bool = False,
        stands: bool = False,
    ) -> None:
        self.world = world
        self.changed = False
        self.confirmed: Split = initial.split
        self._asked: Sequence[Split] = ()
        self._attention = attention
        self._tell = tell
        self._strategy = strategy
        self._release = release
        self._initial = initial
        self._outage = outage
        self._urgent = urgent
        self._stands = stands
        self._unanswered_fails: dict[str, str] = {}
        self.promoted = False
        self._performed = 0
        self._operations: Mapping[str, Callable[[Arguments], Json]] = {
            "observe": self._observe,
            "now": lambda _: world.clock.now().isoformat(),
            "step": self._step,
            "converge": self._converge,
            "set_traffic": self._set_traffic,
            "check_health": self._check_health,
            "evaluate": self._evaluate,
            "wait": self._wait,
            "pause": self._pause,
            "promoted": self._promoted,
            "retire": self._retire,
            "call": self._call,
            "put_traffic_back": self._put_traffic_back,
            "restore": self._restore,
            "verify": self._verify,
        }

    def intent(self, op: str, arguments: Arguments) -> Arguments:
        """What is to be journaled before the call: its arguments, and the absolute end of a wait."""
        seconds = {"wait": "seconds", "pause": "timeout"}.get(op)
        if seconds is None:
            return arguments
        return {**arguments, "until": self._until(float(arguments[seconds]))}

    def _until(self, seconds: float) -> str:
        return (self.world.clock.now() + timedelta(seconds=seconds)).isoformat()

    def perform(self, op: str, intent: Arguments) -> Json:
        """Do it, and return its result as JSON. Raises UnoErrors and Unwinds."""
        self._performed += 1
        if self.world.dry and self._performed > LONGEST_REHEARSAL:
            raise Aborted(f"no end is in sight after {LONGEST_REHEARSAL:,} calls of a rehearsal")
        return self._operations[op](intent)

    # One method an operation

    def _observe(self, _: Arguments) -> Json:
        return self._snapshot(self.world.observe_patiently(listen=self._attention.check))

    @staticmethod
    def _snapshot(snapshot: Snapshot) -> Json:
        value: Json = to_json(snapshot)
        return value

    def _step(self, a: Arguments) -> Json:
        self._attention.check()
        self._tell("step", {"title": a["title"]})
        return None

    def _converge(self, a: Arguments) -> Json:
        self.changed = True
        return self._snapshot(
            converge(
                self.world,
                self._attention,
                self._tell,
                slot=Slot(a["slot"]),
                counts=counts_from_json(a["counts"]),
                deadline=a["deadline"],
                max_unavailable=a["max_unavailable"],
                outage=self._outage,
            )
        )

    def _set_traffic(self, a: Arguments) -> Json:
        self.changed = True
        split = {Slot(s): float(percent) for s, percent in a["split"].items()}
        own, self._asked = [self.confirmed, *self._asked], [*self._asked, split]
        snapshot = set_traffic(
            self.world,
            self._attention,
            self._tell,
            split=split,
            own=own,
            timeout=a["timeout"],
        )
        self.confirmed, self._asked = snapshot.split, []
        return self._snapshot(snapshot)

    def _check_health(self, a: Arguments) -> Json:
        report = check_health(
            self.world,
            self._attention,
            self._tell,
            slot=Slot(a["slot"]),
            url=a["url"],
            timeout=a["timeout"],
            successes=a["successes"],
        )
        value: Json = to_json(report)
        return value

    def _watch(self, a: Arguments, slot: Slot) -> Watch:
        live = self._initial.live
        return Watch(
            self.world,
            slot=slot,
            stable=live if live is not slot else None,
            thresholds=_bounds(a["thresholds"]),
            url=a.get("url"),
        )

    def _evaluate(self, a: Arguments) -> Json:
        watch = self._watch(a, Slot(a["slot"]))
        analysis = evaluate(self.world, self._attention, self._tell, watch, timeout=a["timeout"])
        if analysis.verdict is Verdict.FAIL:
            self._unanswered_fails[a["slot"]] = analysis.reason
        elif analysis.verdict is Verdict.PASS:
            self._unanswered_fails.pop(a["slot"], None)
        value: Json = to_json(analysis)
        return value

    def _wait(self, a: Arguments) -> Json:
        until = datetime.fromisoformat(a["until"])
        slot = Slot(a["slot"]) if a["slot"] else self._where_the_release_is()
        watch = self._watch(a, slot) if a["watch"] and slot else None
        self._tell("waiting", {"until": until.isoformat(), "watched": watch is not None})
        if self.promoted:
            # Success is recorded: nothing ends it but impatience, and nothing is gained by waiting on.
            left = (until - self.world.clock.now()).total_seconds()
            self.world.clock.sleep(max(0.0, left), self._attention.waiting)
            return None
        analysis = wait(
            self.world, self._attention, self._tell, watch, until=until, insist=a.get("insist", True)
        )
        measured = analysis if watch is not None and watch.measures else None
        value: Json = to_json(measured) if measured is not None else None
        return value

    def _where_the_release_is(self) -> Slot | None:
        snapshot = self.world.observe_patiently(listen=self._attention.check)
        return next((s for s in Slot if self._release in snapshot.slot(s).releases), None)

    def _pause(self, a: Arguments) -> Json:
        self._tell("paused", {"reason": a["reason"], "until": a["until"], "on_timeout": a["on_timeout"]})
        decision = pause(
            self.world,
            self._attention,
            reason=a["reason"],
            until=datetime.fromisoformat(a["until"]),
            on_timeout=OnTimeout(a["on_timeout"]),
        )
        self._tell("continued", {"by": decision.by})
        value: Json = to_json(decision)
        return value

    def _promoted(self, a: Arguments) -> Json:
        answer = self._verify(a)
        self.promoted = True
        self._attention.promoted()
        self._tell("promoted", {"release": self._release.version})
        return answer

    def _verify(self, _: Arguments) -> Json:
        if self._unanswered_fails:
            raise Refused(
                "an evaluation failed, and the strategy went on all the same",
                found="; ".join(self._unanswered_fails.values()),
                expected="a strategy that answers a FAIL, or `wait`, which does it by itself",
            )
        snapshot = self.world.observe_patiently(listen=self._attention.check)
        if complaint := not_serving(snapshot, self._release):
            serving = ", ".join(map(str, snapshot.releases)) or "nothing"
            raise NotServing(
                f"the strategy reported success, but {serving} serves",
                found=complaint,
                expected=f"all traffic at ready instances of {self._release}, and of nothing else",
            )
        return self._snapshot(snapshot)

    def _retire(self, a: Arguments) -> Json:
        """Where the platform cannot, the journal holds the obligation for the next deployment."""
        slot, after = Slot(a["slot"]), float(a["after"])
        self.changed = True
        done = False
        try:
            if self.world.capabilities.retires:
                self.world.workload.retire(slot, after)  # type: ignore[attr-defined]  # declared: Retiring
                done = True
            elif after <= 0:
                check_unused(self.world.observe_patiently(), slot)
                self.world.workload.converge(slot, {})
                done = True
        except UnoError as problem:
            self.world.logger.warning("could not retire a slot", slot=slot.value, problem=str(problem))
        at = self._until(after)
        self._tell("retire", {"slot": slot.value, "after": after, "at": at, "by_platform": done})
        return {"slot": slot.value, "at": at, "done": done}

    def _call(self, a: Arguments) -> Json:
        self._tell("call", {"method": a["method"]})
        self.changed = True
        if self.world.dry:
            return None
        method = getattr(self._strategy, a["method"])
        try:
            answer: Json = method(**a["arguments"])
        except UnoError:
            raise
        except Exception as problem:
            raise HookFailed(
                f"{type(self._strategy).__name__}.{a['method']} failed",
                found=f"{type(problem).__name__}: {problem}",
            ) from problem
        return answer

    def _put_traffic_back(self, _: Arguments) -> Json:
        split = put_traffic_back(
            self.world, self._tell, self._initial, urgent=self._urgent, stands=self._stands
        )
        return {slot.value: percent for slot, percent in split.items()}

    def _restore(self, _: Arguments) -> Json:
        restoration = Restoration(
            world=self.world,
            tell=self._tell,
            initial=self._initial,
            urgent=self._urgent,
            stands=self._stands,
        )
        return self._snapshot(restoration.run(self.world.policy.rollback))


def not_serving(snapshot: Snapshot, release: Release) -> str:
    """Why the release cannot be said to serve; empty where it does."""
    live = snapshot.live
    if live is None:
        return "nothing is routed"
    state = snapshot.slot(live)
    if not same_split(snapshot.split, whole(live)) or not same_split(snapshot.in_force, whole(live)):
        return f"{live} has {snapshot.in_force.get(live, 0.0):g} % of the traffic"
    if strangers := [r for r in state.releases if r != release]:
        return f"{', '.join(map(str, strangers))} runs in {live}"
    if state.ready() < needed(snapshot.size, 100):
        return f"{state.ready()} of {snapshot.size} instances are ready in {live} ({state.unready()})"
    return ""


def _bounds(value: Any) -> Mapping[str, Bounds] | None:
    return None if value is None else from_json(value, dict[str, Bounds])
