"""Every effect by its name: what a numbered call does to the world, and nothing else does anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import define, field

from uno_core.analysis.before import Before
from uno_core.contracts.judge import Window
from uno_core.effects.beside import Beside
from uno_core.effects.drift import check_drift, unanswered
from uno_core.effects.instances import converge, retire
from uno_core.effects.restoring import Restoration, put_traffic_back
from uno_core.effects.serving import check_serving
from uno_core.effects.traffic import set_traffic
from uno_core.effects.unrouted import watch_steadily
from uno_core.effects.watching import Watch, check_health, evaluate, hold, pause, wait
from uno_core.effects.world import Attention, Tell, Watched, World
from uno_core.errors import Aborted, Refused
from uno_core.model import Analysis, Bounds, Json, OnTimeout, Release, Slot, Snapshot, Split, Verdict
from uno_core.rules import protects
from uno_core.wire import counts_from_json, from_json, to_json

Arguments = Mapping[str, Any]

LONGEST_REHEARSAL = 10_000
"""Calls after which a plan gives up on a strategy, that waits for an answer of its own for instance."""

HELD = frozenset({"converge", "set_traffic", "call", "promoted", "hook"})
"""What does not begin while a person wants the deployment to hold."""

CHANGES = frozenset({"converge", "set_traffic", "call", "retire", "hook", "companions"})
"""What may have changed the world, or something beside it."""


def _forget(_memo: Json) -> None:
    """Nothing is kept."""


@define
class Effects:
    """Performs the calls of one run of one deployment, and remembers what it needs for the next ones.

    What it remembers is the same after a replay: `recall` is told every recorded call.

    initial: what was captured. outage: the strategy may leave nothing ready. urgent: a bad verdict
    is the reason of this way back. stands: the captured slot is as it was, as far as the journal
    knows. way_back: the run overrides whatever else is routed. resumed: another driver began this
    run. found: what was routed when the deployment began. memo: what is kept of a wait's evidence, by
    `remember`. told: what hooks are told of the deployment. left: the hook that a driver before left
    running.
    """

    world: World
    attention: Attention
    tell: Tell
    strategy: object
    release: Release
    initial: Snapshot
    outage: bool = False
    urgent: bool = False
    stands: bool = False
    way_back: bool = False
    resumed: bool = False
    reassert: bool = False
    found: Split = field(factory=dict)
    memo: Json = None
    told: Mapping[str, str] = field(factory=dict)
    left: Json = None
    remember: Callable[[Json], None] = _forget
    changed: bool = field(init=False, default=False)
    promoted: bool = field(init=False, default=False)
    reached: set[str] = field(init=False, factory=set)
    _confirmed: Split = field(init=False)
    _asked: list[Split] = field(init=False, factory=list)
    _fails: dict[str, str] = field(init=False, factory=dict)
    _watched: Arguments = field(init=False, factory=dict)
    _before: Before | None = field(init=False, default=None)
    _stable_alone: Sequence[Window] = field(init=False, default=())
    _looked: bool = field(init=False, default=False)
    _performed: int = field(init=False, default=0)
    _operations: Mapping[str, Callable[[Arguments], Json]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._confirmed = self.initial.split
        self._asked = [self.found]
        beside = Beside(
            world=self.world,
            attention=self.attention,
            tell=self.tell,
            strategy=self.strategy,
            release=self.release,
            told=self.told,
            left=self.left,
            watching=self._last_watch if not self.way_back else lambda: None,
        )
        self._operations = {
            "observe": self._observe,
            "now": lambda _: self.world.clock.now().isoformat(),
            "step": self._step,
            "converge": self._converge,
            "set_traffic": self._set_traffic,
            "check_health": self._check_health,
            "evaluate": self._evaluate,
            "wait": self._wait,
            "pause": self._pause,
            "promoted": self._promoted,
            "retire": self._retire,
            "put_traffic_back": self._put_traffic_back,
            "restore": self._restore,
            "verify": self._verify,
            **beside.operations,
        }

    def before(self, op: str) -> None:
        """Hold, where a person wants that; raises what ends it."""
        if op in HELD and not self.way_back:
            hold(self.world, self.attention, self.tell, self._last_watch)

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
        self.begin(op, intent)
        answer = self._operations[op](intent)
        self.finish(op, intent, answer)
        return answer

    def begin(self, op: str, intent: Arguments) -> None:
        """Remember that a call was begun; told of recorded ones too."""
        self.changed = self.changed or op in CHANGES
        if op == "hook":
            self.reached.add(str(intent["phase"]))
        if op == "set_traffic":
            self._asked.append(_split(intent))
        if (op == "wait" and intent["watch"]) or op == "evaluate":
            self._watched = intent

    def finish(self, op: str, intent: Arguments, answer: Any) -> None:
        """Remember what came of a call that did not fail; told of recorded ones too."""
        if op == "set_traffic":
            self._confirmed, self._asked = _split(intent), []
        elif op == "promoted":
            self.promoted = True
            self.attention.promoted()
        elif op == "evaluate":
            if answer["verdict"] == Verdict.FAIL:
                self._fails[intent["slot"]] = from_json(answer, Analysis).reason
            elif answer["verdict"] == Verdict.PASS:
                self._fails.pop(intent["slot"], None)

    def own(self) -> Sequence[Split]:
        """The splits that are uno's: what was confirmed, and what was asked for since without an answer.

        Empty where any is: on the way back, and until a person's wish to write over another's is met.
        """
        if self.way_back or self.reassert or not self.world.capabilities.routed:
            return ()
        return [self._confirmed, *unanswered(self._asked)]

    # One method an operation

    def _observe(self, _: Arguments) -> Json:
        return self._snapshot(self.world.observe_patiently(listen=self.attention.check))

    @staticmethod
    def _snapshot(snapshot: Snapshot) -> Json:
        value: Json = to_json(snapshot)
        return value

    def _step(self, a: Arguments) -> Json:
        self.attention.check()
        self.tell("step", {"title": a["title"]})
        return None

    def _converge(self, a: Arguments) -> Json:
        live = self.initial.live
        if self._before is None and live is not None and not self.way_back and self.world.capabilities.routed:
            self._before = self.world.before(live, self._versions(live.other)[live])
        return self._snapshot(
            converge(
                self.world,
                self.attention,
                self.tell,
                slot=Slot(a["slot"]),
                counts=counts_from_json(a["counts"]),
                deadline=a["deadline"],
                max_unavailable=a["max_unavailable"],
                outage=self.outage,
                own=self.own,
            )
        )

    def _set_traffic(self, a: Arguments) -> Json:
        split = _split(a)
        self._look_again_before(split)
        self._note_before(split)
        snapshot = set_traffic(
            self.world, self.attention, self.tell, split=split, own=self.own, timeout=a["timeout"]
        )
        self.reassert = False
        return self._snapshot(snapshot)

    def _note_before(self, split: Split) -> None:
        """Once, before the candidate gets its first share: what the stable slot did alone."""
        idle = self.initial.idle
        if self._before is not None and split.get(idle, 0.0) > 0 and not self._confirmed.get(idle, 0.0):
            self._stable_alone = self._before.windows(idle)

    @protects("after a crash no share grows on evidence of before: a fresh verdict comes first")
    def _look_again_before(self, split: Split) -> None:
        watched = self._watched
        if not self.resumed or self._looked or (slot := self._watched_slot()) is None:
            return
        if split.get(slot, 0.0) > self._confirmed.get(slot, 0.0) > 0:
            now = self.world.clock.now().isoformat()
            self._wait({**watched, "watch": True, "until": now, "seconds": 0.0})

    def _check_health(self, a: Arguments) -> Json:
        report = check_health(
            self.world,
            self.attention,
            self.tell,
            slot=Slot(a["slot"]),
            url=a["url"],
            timeout=a["timeout"],
            successes=a["successes"],
        )
        value: Json = to_json(report)
        return value

    def _watch(self, a: Arguments, slot: Slot) -> Watch:
        live, routed = self.initial.live, self.world.capabilities.routed
        watched = Watched(
            slot=slot,
            stable=live if live is not slot else None,
            share=self._confirmed.get(slot, 0.0) if routed else None,
            thresholds=_bounds(a["thresholds"]),
            versions=self._versions(slot),
        )
        return Watch(self.world, watched, url=a.get("url"), remember=self._kept, before=self._stable_alone)

    def _versions(self, slot: Slot) -> Mapping[Slot, str]:
        """What runs where: the release in the slot that is looked at, what was captured in the other."""
        live = self.initial.live
        stable = next(iter(self.initial.slot(live).releases), None) if live is not None else None
        here = {slot: self.release.version}
        return here if live is None or stable is None else {live: stable.version, **here}

    def _kept(self, memo: Json) -> None:
        """What was seen, at a gate too, goes on to the next wait, and to the next driver."""
        self.memo = memo
        self.remember(memo)

    def _watched_slot(self) -> Slot | None:
        """The slot of the last watched wait, also where that named none."""
        if not self._watched:
            return None
        return Slot(self._watched["slot"]) if self._watched.get("slot") else self._where_the_release_is()

    def _last_watch(self) -> Watch | None:
        """The watch of the wait before, while its slot still has traffic: nobody waits for people blindly."""
        slot = self._watched_slot()
        if slot is None or self._confirmed.get(slot, 0.0) <= 0:
            return None
        watch = self._watch(self._watched, slot)
        watch.recall(self.memo, "")
        return watch

    def _evaluate(self, a: Arguments) -> Json:
        watch = self._watch(a, Slot(a["slot"]))
        watch.recall(self.memo, "")
        analysis = evaluate(self.world, self.attention, self.tell, watch, timeout=a["timeout"])
        self._looked = True
        value: Json = to_json(analysis)
        return value

    def _wait(self, a: Arguments) -> Json:
        until = datetime.fromisoformat(a["until"])
        if self.promoted:
            # Success is recorded: nothing ends it but impatience, and nothing is gained by waiting on.
            self.tell("waiting", {"until": until.isoformat(), "watched": False})
            while (left := (until - self.world.clock.now()).total_seconds()) > 0:
                self.attention.rest(self.world.clock, left)
                if self.attention.waiting():
                    break
            return None
        slot = Slot(a["slot"]) if a["slot"] else self._where_the_release_is()
        watch = self._watch(a, slot) if a["watch"] and slot else None
        if watch is not None:
            missed = self.resumed and self.world.clock.now() >= until
            watch.recall(self.memo, a["until"], missed=missed)
            if missed and not a.get("insist", True):
                # Nothing insists on evidence here: then it is watched once more, for as long.
                until = datetime.fromisoformat(self._until(float(a["seconds"])))
        self.tell("waiting", {"until": until.isoformat(), "watched": watch is not None})
        analysis = wait(
            self.world,
            self.attention,
            self.tell,
            watch,
            until=until,
            insist=a.get("insist", True),
        )
        self._looked = self._looked or watch is not None
        measured = analysis if watch is not None and watch.measures else None
        value: Json = to_json(measured) if measured is not None else None
        return value

    def _where_the_release_is(self) -> Slot | None:
        snapshot = self.world.observe_patiently(listen=self.attention.check)
        return next((s for s in Slot if self.release in snapshot.slot(s).releases), None)

    def _pause(self, a: Arguments) -> Json:
        self.tell("paused", {"reason": a["reason"], "until": a["until"], "on_timeout": a["on_timeout"]})
        decision = pause(
            self.world,
            self.attention,
            self.tell,
            self._last_watch(),
            reason=a["reason"],
            until=datetime.fromisoformat(a["until"]),
            on_timeout=OnTimeout(a["on_timeout"]),
        )
        self.tell("continued", {"by": decision.by})
        value: Json = to_json(decision)
        return value

    def _promoted(self, a: Arguments) -> Json:
        if not self.world.capabilities.routed:
            # Nobody asks it anything: that it goes on running is all that can be seen.
            watch_steadily(self.world, self.release, self.attention.check)
        answer = self._verify(a)
        self.attention.promoted()
        self.tell("promoted", {"release": self.release.version})
        return answer

    @protects("a release with a FAIL verdict is never promoted")
    def _refuse_failed(self) -> None:
        if self._fails:
            raise Refused(
                "an evaluation failed, and the strategy went on all the same",
                found="; ".join(self._fails.values()),
                expected="a strategy that answers a FAIL, or `wait`, which does it by itself",
            )

    def _verify(self, _: Arguments) -> Json:
        self._refuse_failed()
        snapshot = self.world.observe_patiently(listen=self.attention.check)
        check_drift(snapshot.split, self.own())
        check_serving(snapshot, self.release)
        return self._snapshot(snapshot)

    def _retire(self, a: Arguments) -> Json:
        """Where the platform cannot, the journal holds the obligation for the next deployment."""
        slot, after = Slot(a["slot"]), max(float(a["after"]), self.world.capabilities.linger)
        done = retire(self.world, slot, after)
        at = self._until(after)
        self.tell("retire", {"slot": slot.value, "after": after, "at": at, "by_platform": done})
        return {"slot": slot.value, "after": after, "at": at, "done": done}

    def _put_traffic_back(self, _: Arguments) -> Json:
        split = put_traffic_back(self.world, self.tell, self.initial, urgent=self.urgent, stands=self.stands)
        return {slot.value: percent for slot, percent in split.items()}

    def _restore(self, _: Arguments) -> Json:
        restoration = Restoration(
            world=self.world,
            tell=self.tell,
            initial=self.initial,
            urgent=self.urgent,
            stands=self.stands,
        )
        return self._snapshot(restoration.run(self.world.policy.rollback))


def _split(a: Arguments) -> Split:
    return {Slot(s): float(percent) for s, percent in a["split"].items()}


def _bounds(value: Any) -> Mapping[str, Bounds] | None:
    return None if value is None else from_json(value, dict[str, Bounds])
