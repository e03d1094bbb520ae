"""Plans: which strategy and why, and what it will do, found by running it in the simulated world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from uno_core.contracts.platform import Capabilities
from uno_core.contracts.strategy import DeploymentStrategy, StrategyInfo
from uno_core.effects.perform import not_serving
from uno_core.errors import ConfigError, Unsupported, error_from_json
from uno_core.model import Application, Kind, Release, Snapshot, Status
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import Event, Stage

DEFAULTS: Mapping[Kind, Sequence[str]] = {
    Kind.PRODUCTION: ("canary", "blue-green"),
    Kind.STAGING: ("blue-green",),
    Kind.TESTING: ("rolling",),
    Kind.DEVELOPMENT: ("recreate",),
}
"""The strategies that an environment of each kind gets where nothing is configured, the first that fits.
Data, so that no plugin can change it by being installed."""


@frozen(kw_only=True)
class Choice:
    """A strategy, and why it is this one."""

    info: StrategyInfo
    why: str


def misfit(info: StrategyInfo, capabilities: Capabilities) -> str:
    """What the platform lacks for a strategy; empty where it fits."""
    has = {"weights": capabilities.weights, "mixed": capabilities.mixed, "slots": True}
    for need in sorted(info.needs):
        if not any(has.get(word, False) for word in need.split(" or ")):
            return f"it needs {need}, which the platform does not have"
    return ""


def choose(
    strategies: Mapping[str, StrategyInfo],
    *,
    asked: str,
    asked_where: str,
    application: Application,
    capabilities: Capabilities,
    evidence: bool,
) -> Choice:
    """The strategy asked for, or the environment's default.

    Raises ConfigError where the platform cannot carry it, with the strategies that it can. `asked`
    must be among `strategies`; `evidence` says whether any metric or health check is configured.
    """
    fitting = [name for name, info in strategies.items() if not misfit(info, capabilities)]
    if asked:
        info = strategies[asked]
        if problem := misfit(info, capabilities):
            raise ConfigError(
                f"the strategy {asked} does not work here",
                found=problem,
                where=asked_where,
                expected="one of " + ", ".join(fitting) if fitting else "another platform",
            )
        return Choice(info=info, why=f"named by {asked_where}")
    passed: list[str] = []
    for name in DEFAULTS[application.kind]:
        if name not in strategies:
            passed.append(f"{name} is not installed")
        elif problem := misfit(strategies[name], capabilities):
            passed.append(f"{name}: {problem}")
        elif name == "canary" and not evidence:
            passed.append("canary: no metric is configured to judge it by")
        else:
            why = f"the default of a {application.kind} environment"
            return Choice(info=strategies[name], why="; ".join([why, *passed]))
    raise ConfigError(
        f"no default strategy for a {application.kind} environment can be used",
        found="; ".join(passed),
        expected="one of " + ", ".join(fitting) if fitting else "an installed strategy",
        remedy="name one: --strategy NAME, or `strategy:` in the configuration",
    )


def already(snapshot: Snapshot, release: Release) -> bool:
    """Whether there is nothing to do: the release serves, whole, and nothing else does."""
    return snapshot.settled and not not_serving(snapshot, release)


@frozen(kw_only=True)
class Step:
    """One step of a plan: its title, when it begins at the earliest, and what it does."""

    title: str
    at: float
    effects: Sequence[str]


@frozen(kw_only=True)
class Plan:
    """What would be done. It promises the order where every check passes, not success.

    split: from when on which slot has which share, in seconds and percent. seconds: the least
    duration until the deployment is done.
    """

    application: str
    environment: str
    strategy: str
    why: str
    release: str
    serving: Sequence[str]
    first: bool
    changes: bool
    outage: bool
    steps: Sequence[Step]
    split: Sequence[tuple[float, Mapping[str, float]]]
    seconds: float
    warnings: Sequence[str]


def plan(
    *,
    application: Application,
    choice: Choice,
    strategy: DeploymentStrategy[Any],
    options: Any,
    release: Release,
    snapshot: Snapshot,
    capabilities: Capabilities,
    warnings: Sequence[str] = (),
) -> Plan:
    """Run the strategy in the simulated world, begun from the real snapshot; nothing real is touched.

    Raises what the deployment would be refused for: Unsettled, and whatever it would ask of the
    platform that the platform cannot do (ConfigError, Unsupported).
    """
    stage = Stage(
        rules=Rules(
            capabilities=evolve(capabilities, retires=False),
            size=snapshot.size,
            start=capabilities.least_ready,
            propagation=0.0,
        ),
        application=application,
        dry=True,
    )
    stage.platform.start_from(snapshot)
    changes = not already(snapshot, release)
    events: Sequence[Event] = ()
    if changes:
        order = stage.order(strategy, release.version, options, outage=choice.info.outage)
        outcome = stage.engine().deploy(evolve(order, release=release))
        events = stage.events
        if outcome.status is not Status.SUCCESSFUL:
            _raise_impossible(stage, outcome.deployment)
            warnings = [*warnings, f"as planned it would end {outcome.status}: {outcome.message}"]
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
        steps=_steps(events),
        split=_splits(events, snapshot),
        seconds=stage.clock.monotonic(),
        warnings=tuple(warnings),
    )


def _raise_impossible(stage: Stage, deployment: str) -> None:
    """Raise what the platform cannot do at all, rather than plan a deployment that would go back."""
    impossible = (ConfigError.code, Unsupported.code)
    for entry in stage.store.entries(deployment, "deploy"):
        if entry.error is not None and entry.error["code"] in impossible:
            raise error_from_json(entry.error)


def _steps(events: Sequence[Event]) -> Sequence[Step]:
    steps: list[tuple[str, float, list[str]]] = []
    for event in events:
        if event.kind == "step":
            steps.append((str(event.data["title"]), event.at, []))
        elif words := _words(event):
            if not steps:
                steps.append(("begin", event.at, []))
            effects = steps[-1][2]
            if not effects or effects[-1] != words:
                effects.append(words)
    return [Step(title=title, at=at, effects=tuple(effects)) for title, at, effects in steps]


def _words(event: Event) -> str:
    data: Any = event.data
    match event.kind:
        case "instances":
            counts = ", ".join(f"{row['count']} of {row['version']}" for row in data["counts"])
            return f"{data['slot']}: {counts or 'no instance'}"
        case "split_written":
            return "traffic: " + ", ".join(f"{slot} {percent:g} %" for slot, percent in data["split"].items())
        case "paused":
            return f"wait for a person: {data['reason']}"
        case "retire":
            return f"empty {data['slot']} {data['after']:g} s later"
        case "call":
            return f"call {data['method']} of the strategy"
        case "promoted":
            return f"verify that {data['release']} serves: from here on it is a success"
        case _:
            return ""


def _splits(events: Sequence[Event], snapshot: Snapshot) -> Sequence[tuple[float, Mapping[str, float]]]:
    begin = {slot.value: percent for slot, percent in snapshot.split.items()}
    changes: list[tuple[float, Mapping[str, float]]] = [(0.0, begin)]
    for event in events:
        if event.kind == "split":
            data: Any = event.data
            changes.append((event.at, dict(data["split"])))
    return changes
