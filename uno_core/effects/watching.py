"""Evidence while time passes: health checks, watched waits, gates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from uno_core.analysis.verdicts import combine
from uno_core.contracts.health import HealthCheck, Target
from uno_core.contracts.judge import Window
from uno_core.effects.world import Attention, Tell, Watched, World
from uno_core.errors import Aborted, Breach, UnoError
from uno_core.model import (
    Analysis,
    Decision,
    Finding,
    HealthReport,
    Json,
    OnTimeout,
    Probe,
    Slot,
    Verdict,
)
from uno_core.rules import protects
from uno_core.wire import to_json

A_DAY = 86400.0
"""Seconds for which a person is waited for where there is no evidence."""


def targets(world: World, slot: Slot, per_instance: bool) -> Sequence[Target]:
    """What is to be checked in a slot now."""
    state = world.running(slot)
    made = [
        Target(
            application=world.application.name,
            slot=slot,
            release=i.release,
            instance=i.id,
            host=i.host,
            port=i.port,
        )
        for i in state.held_to_account
    ]
    if per_instance or not made:
        return made
    one = made[0]
    return [Target(application=one.application, slot=slot, release=one.release)]


def probe(world: World, check: HealthCheck, slot: Slot, timeout: float) -> HealthReport:
    """One attempt at every target. A check that raises is ERROR, never healthy."""
    probes: list[Probe] = []
    try:
        for target in targets(world, slot, check.per_instance):
            answer = check.check(target, timeout)
            if not isinstance(answer, Probe):
                raise TypeError(f"expected a Probe, found {answer!r}")  # noqa: TRY301 - as if it had raised it
            probes.append(answer)
    except Exception as problem:  # noqa: BLE001 - a check is a plugin: whatever it raises is ERROR
        reason = f"the check failed: {type(problem).__name__}: {problem}"
        return HealthReport(verdict=Verdict.ERROR, probes=probes, reason=reason)
    if not probes:
        return HealthReport(verdict=Verdict.FAIL, reason=f"no instance runs in {slot}")
    bad = [p for p in probes if not p.healthy]
    reason = "; ".join(f"{p.target}: {p.answer}" for p in bad)
    return HealthReport(verdict=Verdict.FAIL if bad else Verdict.PASS, probes=probes, reason=reason)


def readiness(world: World, slot: Slot) -> HealthReport:
    """What the platform itself says of the slot, where no check is configured.

    A platform that cannot say anything is ERROR, neither healthy nor the end of a wait.
    """
    try:
        state = world.running(slot)
    except UnoError as problem:
        return HealthReport(verdict=Verdict.ERROR, reason=f"the platform cannot be read: {problem}")
    probes = [
        Probe(target=i.id, healthy=i.ready, answer="ready" if i.ready else i.reason)
        for i in state.held_to_account
    ]
    if not probes:
        return HealthReport(verdict=Verdict.FAIL, reason=f"no instance runs in {slot}")
    fine = all(p.healthy for p in probes)
    return HealthReport(verdict=Verdict.PASS if fine else Verdict.FAIL, probes=probes, reason=state.unready())


def check_health(
    world: World,
    attention: Attention,
    tell: Tell,
    *,
    slot: Slot,
    url: str | None,
    timeout: float,
    successes: int,
) -> HealthReport:
    """Try until every target was healthy so many times in a row, or the time is over."""
    check = world.checks(url)
    end = world.clock.monotonic() + timeout
    row = 0
    while True:
        attention.check()
        left = end - world.clock.monotonic()
        attempt = min(world.policy.health_timeout, max(left, 0.1))
        with attention.looking():
            report = probe(world, check, slot, attempt) if check else readiness(world, slot)
        row = row + 1 if report.healthy else 0
        tell("health", {"slot": slot.value, "healthy": report.healthy, "reason": report.reason})
        if row >= successes:
            return report
        if (left := end - world.clock.monotonic()) <= 0:
            return report
        world.clock.sleep(min(1.0, left), attention.waiting)


class Watch:
    """Looks at a slot's health and metrics, again and again. `remember` is given what every look leaves."""

    def __init__(
        self,
        world: World,
        watched: Watched,
        *,
        url: str | None,
        remember: Callable[[Json], None],
        before: Sequence[Window] = (),
    ) -> None:
        self._world = world
        self._slot = watched.slot
        self._evidence = world.look(watched)
        self._remember = remember
        self._before = before
        self._check = world.checks(url)
        self._bad_health = 0
        self._health_due = -math.inf
        self._well: Finding | None = None
        self._wait = ""
        self.late = 0.0

    def recall(self, memo: Json, wait: str, *, missed: bool = False) -> None:
        """Begin with what was seen before, and go on with it where it is the same wait.

        `missed`: the wait ran out while nobody watched. Then what was seen before fails it as ever,
        but passes nothing: a fresh verdict does.
        """
        self._wait = wait
        if isinstance(memo, Mapping):
            same = bool(wait) and memo.get("wait") == wait
            if same:
                self._bad_health = int(str(memo["bad_health"]))
                self.late = float(str(memo["late"]))
            if self._evidence is not None:
                self._evidence.recall(memo["evidence"], same=same)
        if self._evidence is not None:
            self._evidence.note(self._before)
            if missed:
                self._evidence.expire()

    def memo(self) -> Json:
        """What the next driver, and the next watch, need to go on from here."""
        evidence = self._evidence.memo() if self._evidence is not None else None
        return {"wait": self._wait, "bad_health": self._bad_health, "late": self.late, "evidence": evidence}

    @property
    def measures(self) -> bool:
        """Whether metrics are looked at, not only health."""
        return self._evidence is not None

    @property
    def ended(self) -> bool:
        """Whether looking on brings nothing: every metric has come to its end."""
        return self._evidence is not None and self._evidence.ended

    def due_in(self) -> float:
        """Seconds until it is to be looked again."""
        health = max(0.0, self._health_due - self._world.clock.monotonic())
        return min(health, self._evidence.due_in() if self._evidence is not None else health)

    def look(self) -> Analysis:
        """One look. Bad health is a FAIL after so many looks in a row, and INCONCLUSIVE until then."""
        analysis = self._looked()
        self._remember(self.memo())
        return analysis

    def _looked(self) -> Analysis:
        findings: list[Finding] = []
        if self._evidence is not None:
            analysis = self._evidence.look()
            if analysis.verdict is Verdict.FAIL:
                return analysis  # nobody's answer is waited for any more
            findings += analysis.findings
        if self._well is None or self._world.clock.monotonic() >= self._health_due:
            self._health_due = self._world.clock.monotonic() + self._world.policy.look_every
            self._well = self._health()
        return combine([*findings, self._well])

    def _health(self) -> Finding:
        policy = self._world.policy
        report = (
            probe(self._world, self._check, self._slot, policy.health_timeout)
            if self._check
            else readiness(self._world, self._slot)
        )
        if report.healthy:
            self._bad_health = 0
            return Finding(verdict=Verdict.PASS, metric="health", reason="health: every target is healthy")
        self._bad_health += 1
        failed = self._bad_health >= policy.health_failures
        verdict = (
            report.verdict
            if report.verdict is Verdict.ERROR
            else (Verdict.FAIL if failed else Verdict.INCONCLUSIVE)
        )
        return Finding(verdict=verdict, metric="health", reason=f"health: {report.reason}")


def evaluate(
    world: World,
    attention: Attention,
    tell: Tell,
    watch: Watch,
    *,
    timeout: float,
) -> Analysis:
    """Look until there is a PASS or a FAIL, or no more can come, at the longest `timeout` seconds."""
    end = world.clock.monotonic() + timeout
    while True:
        attention.check()
        with attention.looking():
            analysis = watch.look()
        tell("evidence", {"analysis": to_json(analysis)})
        left = end - world.clock.monotonic()
        if analysis.verdict in (Verdict.PASS, Verdict.FAIL) or watch.ended or left <= 0:
            return analysis
        world.clock.sleep(_until_due(world, watch, left), attention.waiting)


def _until_due(world: World, watch: Watch | None, left: float) -> float:
    """How long to rest before the next look: what is due first, at least a moment."""
    if watch is None or world.policy.look_every == math.inf:
        return left  # nothing is watched, or by a plan, that looks once at the end
    return min(left, world.policy.look_every, max(0.05, watch.due_in()))


def wait(
    world: World,
    attention: Attention,
    tell: Tell,
    watch: Watch | None,
    *,
    until: datetime,
    insist: bool = True,
) -> Analysis | None:
    """Wait until the wall clock says so, and as long after as the evidence still needs.

    Raises Breach on a FAIL at once, and, where evidence is insisted on, when none came until the
    policy's limit. Without a watch it is the clock alone.
    """
    while watch is None:
        attention.check()
        left = (until - world.clock.now()).total_seconds()
        if left <= 0:
            return None
        attention.rest(world.clock, left)
    limit = world.policy.evidence
    told = watch.late
    while True:
        attention.check()
        with attention.looking():
            analysis = watch.look()
        tell("evidence", {"analysis": to_json(analysis), "until": until.isoformat()})
        if analysis.verdict is Verdict.FAIL:
            raise Breach(analysis)
        left = (until - world.clock.now()).total_seconds()
        if left > 0:
            attention.rest(world.clock, _until_due(world, watch, left))
            continue
        if analysis.verdict is Verdict.PASS or not _insists(insist):
            return analysis
        if watch.late >= limit:
            if not world.policy.asks:
                raise Breach(no_evidence(analysis, limit))
            missing = no_evidence(analysis, limit)
            _ask(world, attention, tell, watch, missing=missing, asked=until)
            return analysis
        if watch.late >= told:
            # A wait that is prolonged looks hung where nobody says why, and until when.
            told = watch.late + 60.0
            tell("prolonged", {"reason": analysis.reason, "gives_up_in": limit - watch.late})
        pause = _until_due(world, watch, limit - watch.late)
        watch.late += pause
        attention.rest(world.clock, pause)


def _ask(
    world: World, attention: Attention, tell: Tell, watch: Watch, *, missing: Analysis, asked: datetime
) -> None:
    """Hold the split until a person promotes without evidence, or aborts; nobody for a day is an abort."""
    until = asked + timedelta(seconds=world.policy.evidence + A_DAY)
    reason, end = missing.findings[-1].reason, OnTimeout.ROLLBACK
    tell("paused", {"reason": reason, "until": until.isoformat(), "on_timeout": end.value})
    decision = pause(world, attention, tell, watch, reason=reason, until=until, on_timeout=end, since=asked)
    tell("continued", {"by": decision.by})


@protects("a watched wait ends with a verdict, not with the clock", otherwise=False)
def _insists(insist: bool) -> bool:
    return insist


def no_evidence(analysis: Analysis, limit: float) -> Analysis:
    """What a wait ends with when its evidence never came."""
    finding = Finding(
        verdict=analysis.verdict,
        metric="evidence",
        reason=f"no evidence within {limit:g} s: {analysis.reason}",
    )
    return Analysis(verdict=analysis.verdict, findings=(*analysis.findings, finding))


def pause(
    world: World,
    attention: Attention,
    tell: Tell,
    watch: Watch | None,
    *,
    reason: str,
    until: datetime,
    on_timeout: OnTimeout,
    since: datetime | None = None,
) -> Decision:
    """A gate, watched where its slot has traffic already.

    since: a promotion that was given before then, of all gates for instance, does not mean this one.
    Raises Aborted when it is refused, or nobody came and that means the way back; Breach on a FAIL.
    """
    late = 0.0
    while True:
        if decision := attention.decision(since):
            return decision
        attention.check()
        analysis = look(attention, tell, watch, until)
        left = (until - world.clock.now()).total_seconds()
        if left <= 0:
            if on_timeout is OnTimeout.ROLLBACK:
                raise Aborted(f"nobody answered the gate in time: {reason}")
            if analysis is None or analysis.verdict is Verdict.PASS:
                return Decision(promoted=True, by="the gate's timeout", at=world.clock.now())
            # A timeout promotes only on a verdict: without one it is looked on, and then it goes back.
            if late >= world.policy.evidence:
                raise Breach(no_evidence(analysis, world.policy.evidence))
            left = _until_due(world, watch, world.policy.look_every)
            late += left
        attention.check(gate=True)  # whoever does not wait leaves here, once the time is not over
        attention.rest(world.clock, _until_due(world, watch, left), gate=True)


def hold(world: World, attention: Attention, tell: Tell, watching: Callable[[], Watch | None]) -> None:
    """Wait while a person wants the deployment to hold; raises Aborted when nobody comes back to it."""
    told, watch = False, None
    while (until := attention.held()) is not None:
        if not told:
            told, watch = True, watching()
            tell("paused", {"reason": "held", "until": until.isoformat(), "on_timeout": "rollback"})
        attention.check()
        look(attention, tell, watch, until)
        left = (until - world.clock.now()).total_seconds()
        if left <= 0:
            raise Aborted("it was held, and nobody came back to it in time")
        attention.check(gate=True)  # whoever does not wait leaves here, once the time is not over
        attention.rest(world.clock, _until_due(world, watch, left), gate=True)
    if told:
        tell("continued", {"by": "resume"})


def look(attention: Attention, tell: Tell, watch: Watch | None, until: datetime) -> Analysis | None:
    """One look while people are waited for; None where nothing is watched. Raises Breach on a FAIL."""
    if watch is None:
        return None
    with attention.looking():
        analysis = watch.look()
    tell("evidence", {"analysis": to_json(analysis), "until": until.isoformat()})
    if analysis.verdict is Verdict.FAIL:
        raise Breach(analysis)
    return analysis
