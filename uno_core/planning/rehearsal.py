"""The strategy, run in the simulated world that begins as the real one is: what comes of it is the plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define, evolve, field, frozen

from uno_core.config.values import write_duration
from uno_core.contracts.engine import Order
from uno_core.contracts.platform import Capabilities
from uno_core.contracts.strategy import DeploymentStrategy
from uno_core.effects.world import Policy
from uno_core.errors import ConfigError, Unsupported, error_from_json
from uno_core.model import Application, Json, Release, Slot, Snapshot, Status
from uno_core.planning.agreed import fingerprint
from uno_core.planning.choice import Choice, already
from uno_core.planning.going_back import Leaping, Moment, go_back
from uno_core.planning.journal import Part, calls, parts
from uno_core.planning.plan import Capacity, Plan, Step, UnderWay, WayBack
from uno_core.planning.refusals import check_deadlines, check_waits
from uno_core.simulation.clock import START
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import Event, Stage

MEASURED = 40
"""Steps at most from whose end the way back is measured."""


@frozen(kw_only=True)
class Subject:
    """What is to be deployed, by what, and where. `make` makes a strategy of its own for every run."""

    application: Application
    choice: Choice
    make: Callable[[], DeploymentStrategy[Any]]
    options: Any
    release: Release
    snapshot: Snapshot
    capabilities: Capabilities
    policy: Policy
    beside: Mapping[str, Any] = field(factory=dict)

    @property
    def rules(self) -> Rules:
        """The best that can be: ready as early as the platform can, by itself, and in force at once."""
        return Rules(
            capabilities=evolve(self.capabilities, retires=False, marks=False, steps=False),
            size=self.snapshot.size,
            start=self.capabilities.least_ready,
            propagation=0.0,
        )

    @property
    def order(self) -> Order:
        strategy = self.make()
        return Order(
            application=self.application,
            release=self.release,
            strategy_name=strategy.name or type(strategy).__name__,
            strategy=strategy,
            options=self.options,
            outage=self.choice.info.outage,
            **self.beside,
        )


@define
class Rehearsal:
    """One run on a stage. `moments` are the ends of what went before each step, and the end of all."""

    subject: Subject
    stage: Stage = field(init=False)
    moments: list[Moment] = field(init=False, factory=list)
    ended: bool = field(init=False, default=False)
    message: str = field(init=False, default="")

    def __attrs_post_init__(self) -> None:
        subject = self.subject
        # Nothing happens between two looks that was not assumed: the first and the last of a wait are enough.
        policy = evolve(subject.policy, look_every=math.inf)
        stage = Stage(
            rules=subject.rules, application=subject.application, dry=True, policy=policy, react=self._hear
        )
        stage.platform.start_from(subject.snapshot)
        stage.world = evolve(stage.world, platforms=(Leaping(stage.world, stage.clock),))
        self.stage = stage

    def run(self) -> None:
        """Raises what the deployment would be refused for, and what the platform cannot do at all."""
        outcome = self.stage.engine().deploy(self.subject.order)
        entries = self.stage.store.entries(outcome.deployment, "deploy")
        for entry in entries:
            # Refused, rather than planned as a deployment that would go back.
            if entry.error is not None and entry.error["code"] in (ConfigError.code, Unsupported.code):
                raise error_from_json(entry.error)
        subject = self.subject
        asked = [call for _, call in calls(entries, subject.snapshot)]
        name, options = subject.choice.info.name, subject.options
        check_deadlines(asked, subject.capabilities, name, options)
        check_waits(asked, subject.capabilities, name, options)
        if outcome.status is not Status.SUCCESSFUL:
            self.message = f"as planned it would end {outcome.status}: {outcome.message}"

    def _hear(self, event: Event) -> None:
        if self.ended or event.kind not in ("step", "rollback", "finished"):
            return
        self.ended = event.kind != "step"
        record = self.stage.store.list(limit=1)[0]
        self.moments.append(
            Moment(
                at=event.at,
                snapshot=self.stage.world.observe(),
                record=record,
                entries=self.stage.store.entries(record.id, "deploy"),
            )
        )

    @property
    def parts(self) -> Sequence[Part]:
        """Its steps; as many as there are moments at which one ended."""
        entries = self.moments[-1].entries if self.moments else ()
        return parts(entries, self.subject.snapshot)

    def ends(self) -> Sequence[Moment]:
        """The end of every step: before the first one there may be a moment that ends nothing."""
        return self.moments[len(self.moments) - len(self.parts) :]

    def ways_back(self) -> Mapping[int, WayBack]:
        """By the number of the step, from the first to the last, of at most `MEASURED` evenly spread steps.

        The worst that is known: the router takes all of its bound, and an instance the longest time
        that the strategy itself gives one to become ready, since after that the way forward has
        failed; never less than the platform needs at the least.
        """
        subject, ends = self.subject, self.ends()
        if self.message or subject.snapshot.live is None or not ends:
            return {}
        started = [c for part in self.parts for c in part.calls if c.starts]
        slowest = max([subject.capabilities.least_ready, *(float(c.asked["deadline"]) for c in started)])
        rules = evolve(subject.rules, start=slowest, propagation=subject.capabilities.bound)
        policy = evolve(subject.policy, look_every=math.inf)
        few = min(MEASURED, len(ends))
        chosen = {round(n * (len(ends) - 1) / max(1, few - 1)) for n in range(few)}
        return {
            number: go_back(
                ends[number],
                initial=subject.snapshot,
                order=evolve(subject.order, forbid_after=""),
                rules=rules,
                policy=policy,
                application=subject.application,
            )
            for number in sorted(chosen)
        }


def plan(
    *,
    application: Application,
    choice: Choice,
    make: Callable[[], DeploymentStrategy[Any]],
    options: Any,
    release: Release,
    snapshot: Snapshot,
    capabilities: Capabilities,
    policy: Policy | None = None,
    warnings: Sequence[str] = (),
    under_way: UnderWay | None = None,
    made_from: Mapping[str, Json] | None = None,
    measure: bool = True,
    beside: Mapping[str, Any] | None = None,
    runs_on: str = "",
) -> Plan:
    """Run the strategy in the simulated world, begun from the real snapshot; nothing real is touched.

    `measure`: find out too how long the way back takes from each step. `beside`: hooks and
    companions, as an order takes them. Raises what the deployment
    would be refused for: Unsettled, whatever it would ask of the platform that the platform cannot
    do (ConfigError, Unsupported), and steps or deadlines that are too short for it (ConfigError).
    """
    subject = Subject(
        application=application,
        choice=choice,
        make=make,
        options=options,
        release=release,
        snapshot=snapshot,
        capabilities=capabilities,
        policy=policy or Policy(),
        beside=beside or {},
    )
    rehearsal = Rehearsal(subject)
    changes = not already(snapshot, release)
    if changes:
        rehearsal.run()
    ways = rehearsal.ways_back() if measure else {}
    steps = _steps(rehearsal, ways)
    return Plan(
        application=application.name,
        environment=application.environment,
        strategy=choice.info.name,
        why=choice.why,
        release=release.version,
        serving=[str(r) for r in snapshot.releases],
        first=snapshot.live is None,
        changes=changes,
        outage=choice.info.outage and snapshot.live is not None,
        steps=steps,
        split=_splits(rehearsal.stage.events, snapshot),
        seconds=rehearsal.stage.clock.monotonic(),
        greatest=sum(step.greatest for step in steps),
        way_back=_unmeasured(rehearsal, ways),
        warnings=(
            *warnings,
            *filter(None, [_configured_anew(release, snapshot), rehearsal.message]),
            *_too_slow(steps, subject.policy),
        ),
        under_way=under_way,
        runs_on=runs_on,
        made_from=made_from or {},
        fingerprint=fingerprint(made_from) if made_from else "",
    )


def _configured_anew(release: Release, snapshot: Snapshot) -> str:
    """That nothing but the configuration changes, which the version does not tell; else empty."""
    serving = snapshot.slot(snapshot.live).releases if snapshot.live is not None else ()
    same = [one for one in serving if (one.version, one.artifact) == (release.version, release.artifact)]
    if not same or release in serving:
        return ""
    return f"changed configuration: {release} serves already, configured in another way"


def _steps(rehearsal: Rehearsal, ways: Mapping[int, WayBack]) -> Sequence[Step]:
    subject = rehearsal.subject
    return [
        Step(
            title=part.title,
            at=(part.began - START).total_seconds(),
            greatest=sum(c.greatest(subject.capabilities, subject.policy.evidence) for c in part.calls),
            effects=part.effects(subject.release),
            capacity={
                slot.value: Capacity(ready=state.ready(), wanted=sum(state.wanted.values()))
                for slot in Slot
                for state in [end.snapshot.slot(slot)]
            },
            way_back=ways.get(number),
        )
        for number, (part, end) in enumerate(zip(rehearsal.parts, rehearsal.ends(), strict=True))
    ]


def _splits(events: Sequence[Event], snapshot: Snapshot) -> Sequence[tuple[float, Mapping[str, float]]]:
    begin = {slot.value: percent for slot, percent in snapshot.split.items()}
    changes: list[tuple[float, Mapping[str, float]]] = [(0.0, begin)]
    for event in events:
        if event.kind == "split":
            data: Any = event.data
            changes.append((event.at, dict(data["split"])))
    return changes


def _unmeasured(rehearsal: Rehearsal, ways: Mapping[int, WayBack]) -> str:
    ends = rehearsal.ends()
    if not ends or len(ways) == len(ends):
        return ""
    if rehearsal.subject.snapshot.live is None:
        return "the first deployment: a failure removes what was started"
    if ways:
        return f"measured from {len(ways)} of {len(ends)} steps, evenly spread from the first to the last"
    return "not measured"


def _too_slow(steps: Sequence[Step], policy: Policy) -> Sequence[str]:
    """A way back that could be given up before the application is whole again."""
    late = [
        step.title
        for step in steps
        if step.way_back and None in (step.way_back.written, step.way_back.in_force, step.way_back.whole)
    ]
    if not late:
        return ()
    limit = write_duration(policy.rollback)
    more = f" and {len(late) - 1} more steps" if len(late) > 1 else ""
    return [f"at the worst the way back takes longer than rollback_timeout ({limit}) from: {late[0]}{more}"]
