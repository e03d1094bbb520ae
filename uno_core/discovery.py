"""Discovery: each installed plugin is read in a guard of its own, and what became of it is reported.

It cannot be broken: whatever a plugin does, the others are found and uno says what happened.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, cast

import pluggy
from attrs import frozen
from packaging.requirements import Requirement

import uno_core
from uno_core import hookspecs
from uno_core.contracts.engine import EngineInfo
from uno_core.contracts.health import HealthCheckInfo
from uno_core.contracts.judge import JudgeInfo
from uno_core.contracts.metrics import MetricProviderInfo
from uno_core.contracts.notifier import NotifierInfo
from uno_core.contracts.platform import PlatformInfo
from uno_core.contracts.services import Info
from uno_core.contracts.state import StateStoreInfo
from uno_core.contracts.strategy import StrategyInfo
from uno_core.entrypoints import CORE, Entry, disabled, normalized


class PluginKind(StrEnum):
    """A kind of plugin, as it is written in the configuration and in the names of distributions."""

    STRATEGY = "strategy"
    PLATFORM = "platform"
    HEALTH = "health"
    METRICS = "metrics"
    JUDGE = "judge"
    NOTIFY = "notify"
    ENGINE = "engine"
    STATE = "state"

    @property
    def words(self) -> str:
        longer = {
            "health": "health check",
            "metrics": "metric provider",
            "notify": "notifier",
            "state": "state store",
        }
        return longer.get(self.value, self.value)


_HOOKS: Mapping[str, tuple[PluginKind, type[Info]]] = {
    "uno_register_strategies": (PluginKind.STRATEGY, StrategyInfo),
    "uno_register_platforms": (PluginKind.PLATFORM, PlatformInfo),
    "uno_register_health_checks": (PluginKind.HEALTH, HealthCheckInfo),
    "uno_register_metric_providers": (PluginKind.METRICS, MetricProviderInfo),
    "uno_register_judges": (PluginKind.JUDGE, JudgeInfo),
    "uno_register_notifiers": (PluginKind.NOTIFY, NotifierInfo),
    "uno_register_engines": (PluginKind.ENGINE, EngineInfo),
    "uno_register_state_stores": (PluginKind.STATE, StateStoreInfo),
}


def kind_of(info: type[Info]) -> PluginKind:
    """The kind of a class of records: `kind_of(StrategyInfo)`."""
    return next(kind for kind, expected in _HOOKS.values() if issubclass(info, expected))


class PluginStatus(StrEnum):
    """How a plugin ended. INSTALLED only where nothing was imported, so that more is not known."""

    ACTIVE = "active"
    DISABLED = "disabled"
    INCOMPATIBLE = "incompatible"
    BROKEN = "broken"
    INSTALLED = "installed"


class Claim(StrEnum):
    """How a registration ended: AMBIGUOUS is an error once the name is used, OVERRIDDEN was not chosen."""

    ACTIVE = "active"
    AMBIGUOUS = "ambiguous"
    OVERRIDDEN = "overridden"


@frozen(kw_only=True)
class Registration:
    """A name that a plugin claims."""

    kind: PluginKind
    name: str
    info: Info
    status: Claim = Claim.ACTIVE

    @property
    def key(self) -> str:
        """What a choice in the configuration calls it: `strategy.canary`."""
        return f"{self.kind}.{self.name}"


@frozen(kw_only=True)
class PluginReport:
    """What became of one entry point, why, and how to mend it.

    A broken plugin keeps the registrations of those of its hooks that worked.
    """

    name: str
    distribution: str
    version: str
    status: PluginStatus
    reason: str = ""
    remedy: str = ""
    registrations: Sequence[Registration] = ()

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip()

    def chosen_by(self, choice: str) -> bool:
        """Whether a choice, `distribution` or `distribution:entry-point`, means this plugin."""
        distribution, _, entry = choice.partition(":")
        return normalized(distribution) == normalized(self.distribution) and entry in ("", self.name)

    def may_provide(self, kind: PluginKind, name: str) -> bool:
        """Whether its names make one expect that it would register this, did it work."""
        mine, wanted = normalized(self.distribution), normalized(name)
        if any(mine.startswith(f"uno-{other}-") for other in PluginKind if other is not kind):
            return False
        return mine.endswith(f"-{wanted}") or normalized(self.name) == wanted


def told(error: BaseException) -> str:
    """An exception of a plugin's in one line."""
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _unmet(entry: Entry) -> str:
    """The requirement on uno-core that this uno does not meet; empty where all are met."""
    if normalized(entry.distribution) == CORE:
        return ""
    for text in entry.requires():
        if not re.match(r"uno[-_.]+core(?![\w.-])", text, re.IGNORECASE):
            continue
        wants = Requirement(text)
        applies = wants.marker is None or wants.marker.evaluate({"extra": ""})
        if applies and not wants.specifier.contains(uno_core.__version__, prereleases=True):
            return f"uno-core{wants.specifier}"
    return ""


def _checked(record: object, kind: PluginKind, expected: type[Info], seen: Iterable[Registration]) -> str:
    """What is wrong with a record; empty where nothing is."""
    if not isinstance(record, expected):
        return f"gave a {type(record).__name__}, which is no {expected.__name__}"
    value = cast("Any", record)  # its annotations are what is checked here
    if not isinstance(value.name, str) or not value.name or value.name != value.name.strip():
        return f"gave a {expected.__name__} whose name is {value.name!r}"
    if not callable(value.load) or not (value.options is None or callable(value.options)):
        return f"gave {value.name!r}, whose load or options cannot be called"
    if any((kind, value.name) == (other.kind, other.name) for other in seen):
        return f"gave the name {value.name!r} twice"
    return ""


def _register(plugin: object, name: str) -> tuple[list[Registration], list[str]]:
    """Ask every hook of a plugin: what it registers, and what is wrong with it."""
    # A manager for each: what one plugin does wrong cannot stay behind in another's.
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin, name)
    manager.check_pending()
    found: list[Registration] = []
    problems: list[str] = []
    for caller in manager.get_hookcallers(plugin) or ():
        if caller.name not in _HOOKS:
            continue  # an optional hook that this uno does not know yet
        kind, expected = _HOOKS[caller.name]
        for implementation in caller.get_hookimpls():
            try:
                if implementation.wrapper or implementation.hookwrapper:
                    raise TypeError("a hook that registers cannot be a wrapper")  # noqa: TRY301
                # A generator is exhausted here, so that it raises inside the guard.
                records = list(cast("Iterable[object]", implementation.function() or ()))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the other hooks still count
                problems.append(f"{caller.name} raised {told(error)}")
                continue
            for record in records:
                if wrong := _checked(record, kind, expected, found):
                    problems.append(f"{caller.name} {wrong}")
                else:
                    info = cast("Info", record)
                    found.append(Registration(kind=kind, name=info.name, info=info))
    return found, problems


def discover(entry: Entry, environ: Mapping[str, str], *, metadata_only: bool) -> PluginReport:
    """Read one plugin. Whatever it raises, but for KeyboardInterrupt, ends up in its report."""

    def report(
        status: PluginStatus, reason: str = "", remedy: str = "", found: Sequence[Registration] = ()
    ) -> PluginReport:
        return PluginReport(
            name=entry.name,
            distribution=entry.distribution,
            version=entry.version,
            status=status,
            reason=reason,
            remedy=remedy,
            registrations=found,
        )

    mend = f"pip install --force-reinstall {entry.distribution}, or UNO_DISABLE_PLUGINS={entry.distribution}"
    if variable := disabled(entry, environ):
        return report(PluginStatus.DISABLED, f"disabled by {variable}", f"change or unset {variable}")
    try:
        if entry.problem:
            return report(PluginStatus.BROKEN, entry.problem, mend)
        if unmet := _unmet(entry):
            reason = f"requires {unmet}, but this is uno-core {uno_core.__version__}"
            remedy = f"pip install --upgrade {entry.distribution} {CORE}"
            return report(PluginStatus.INCOMPATIBLE, reason, remedy)
        if metadata_only:
            return report(PluginStatus.INSTALLED)
        found, problems = _register(entry.load(), f"{entry.distribution}:{entry.name}")
    except pluggy.PluginValidationError as error:
        reason = f"{error} (known hooks: {', '.join(_HOOKS)})"
        return report(PluginStatus.BROKEN, reason, f"pip install --upgrade {entry.distribution} {CORE}")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - no plugin may take uno down by being installed
        return report(PluginStatus.BROKEN, told(error), mend)
    status = PluginStatus.BROKEN if problems else PluginStatus.ACTIVE
    return report(status, "; ".join(problems), mend if problems else "", found)
