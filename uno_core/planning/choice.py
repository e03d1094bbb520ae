"""Which strategy, and why it is this one; and whether there is anything to do at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from uno_core.contracts.platform import Capabilities
from uno_core.contracts.strategy import StrategyInfo
from uno_core.effects.serving import not_serving
from uno_core.errors import ConfigError
from uno_core.model import Application, Kind, Release, Snapshot

DEFAULTS: Mapping[Kind, Sequence[str]] = {
    Kind.PRODUCTION: ("canary", "blue-green"),
    Kind.STAGING: ("blue-green",),
    Kind.TESTING: ("rolling",),
    Kind.DEVELOPMENT: ("recreate",),
}
"""The strategies that an environment of each kind gets where nothing is configured, the first that fits.
Data, so that no plugin can change it by being installed."""

WITHOUT_TRAFFIC = ("rolling",)
"""The default of an application without traffic, in every environment but one for development."""


@frozen(kw_only=True)
class Choice:
    """A strategy, and why it is this one."""

    info: StrategyInfo
    why: str


def misfit(info: StrategyInfo, capabilities: Capabilities) -> str:
    """What the platform lacks for a strategy; empty where it fits."""
    has = {
        "weights": capabilities.weights,
        "mixed": capabilities.mixed,
        "slots": True,
        "traffic": capabilities.routed,
        "no traffic": not capabilities.routed,
    }
    for need in sorted(info.needs):
        if not any(has.get(word, False) for word in need.split(" or ")):
            who = "the platform" if capabilities.routed else "an application without traffic"
            return f"it needs {need}, which {who} does not have"
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
    for name in _defaults(application.kind, capabilities):
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


def _defaults(kind: Kind, capabilities: Capabilities) -> Sequence[str]:
    """Without traffic there is nothing to shift or to switch."""
    return DEFAULTS[kind] if capabilities.routed or kind is Kind.DEVELOPMENT else WITHOUT_TRAFFIC


def already(snapshot: Snapshot, release: Release) -> bool:
    """Whether there is nothing to do: the release serves, whole, and nothing else does."""
    return snapshot.settled and not not_serving(snapshot, release)
