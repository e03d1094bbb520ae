"""uno moves an application from one version to the next without hurting the people who use it.

The names below are the public API. They are imported when they are first used, so that
`import uno_core` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uno_core.analysis.series import Growth as Growth
    from uno_core.analysis.series import grown as grown
    from uno_core.analysis.source import Seen as Seen
    from uno_core.clock import Clock as Clock
    from uno_core.clock import SystemClock as SystemClock
    from uno_core.config.options import option as option
    from uno_core.context import Context as Context
    from uno_core.contracts.beginning import Clue as Clue
    from uno_core.contracts.beginning import Sketch as Sketch
    from uno_core.contracts.beginning import Surroundings as Surroundings
    from uno_core.contracts.diagnosis import Condition as Condition
    from uno_core.contracts.diagnosis import Diagnosing as Diagnosing
    from uno_core.contracts.diagnosis import Diagnosis as Diagnosis
    from uno_core.contracts.engine import EngineInfo as EngineInfo
    from uno_core.contracts.health import HealthCheck as HealthCheck
    from uno_core.contracts.health import HealthCheckInfo as HealthCheckInfo
    from uno_core.contracts.health import Target as Target
    from uno_core.contracts.judge import Foreseeing as Foreseeing
    from uno_core.contracts.judge import Judge as Judge
    from uno_core.contracts.judge import JudgeInfo as JudgeInfo
    from uno_core.contracts.judge import Traffic as Traffic
    from uno_core.contracts.judge import Window as Window
    from uno_core.contracts.metrics import Assuring as Assuring
    from uno_core.contracts.metrics import Counters as Counters
    from uno_core.contracts.metrics import Figures as Figures
    from uno_core.contracts.metrics import MetricProvider as MetricProvider
    from uno_core.contracts.metrics import MetricProviderInfo as MetricProviderInfo
    from uno_core.contracts.metrics import NoData as NoData
    from uno_core.contracts.metrics import Query as Query
    from uno_core.contracts.metrics import Reads as Reads
    from uno_core.contracts.notifier import Notice as Notice
    from uno_core.contracts.notifier import NoticeKind as NoticeKind
    from uno_core.contracts.notifier import Notifier as Notifier
    from uno_core.contracts.notifier import NotifierInfo as NotifierInfo
    from uno_core.contracts.platform import Capabilities as Capabilities
    from uno_core.contracts.platform import Elastic as Elastic
    from uno_core.contracts.platform import Marking as Marking
    from uno_core.contracts.platform import Platform as Platform
    from uno_core.contracts.platform import PlatformInfo as PlatformInfo
    from uno_core.contracts.platform import Retiring as Retiring
    from uno_core.contracts.platform import Router as Router
    from uno_core.contracts.platform import RouterState as RouterState
    from uno_core.contracts.platform import Stepping as Stepping
    from uno_core.contracts.platform import Vouching as Vouching
    from uno_core.contracts.platform import Workload as Workload
    from uno_core.contracts.platform import WorkloadState as WorkloadState
    from uno_core.contracts.services import Info as Info
    from uno_core.contracts.services import Logger as Logger
    from uno_core.contracts.services import Secrets as Secrets
    from uno_core.contracts.services import Services as Services
    from uno_core.contracts.state import Driver as Driver
    from uno_core.contracts.state import Entry as Entry
    from uno_core.contracts.state import Lease as Lease
    from uno_core.contracts.state import Lock as Lock
    from uno_core.contracts.state import Mark as Mark
    from uno_core.contracts.state import Record as Record
    from uno_core.contracts.state import Signal as Signal
    from uno_core.contracts.state import StateStore as StateStore
    from uno_core.contracts.state import StateStoreInfo as StateStoreInfo
    from uno_core.contracts.strategy import DeploymentStrategy as DeploymentStrategy
    from uno_core.contracts.strategy import Guide as Guide
    from uno_core.contracts.strategy import StrategyInfo as StrategyInfo
    from uno_core.errors import ConfigError as ConfigError
    from uno_core.errors import Drift as Drift
    from uno_core.errors import Forbidden as Forbidden
    from uno_core.errors import Locked as Locked
    from uno_core.errors import LockLost as LockLost
    from uno_core.errors import NotReady as NotReady
    from uno_core.errors import PlatformError as PlatformError
    from uno_core.errors import PluginError as PluginError
    from uno_core.errors import Refused as Refused
    from uno_core.errors import StateError as StateError
    from uno_core.errors import SwitchTimeout as SwitchTimeout
    from uno_core.errors import Throttled as Throttled
    from uno_core.errors import Unanswered as Unanswered
    from uno_core.errors import Unhealthy as Unhealthy
    from uno_core.errors import UnoError as UnoError
    from uno_core.errors import Unsupported as Unsupported
    from uno_core.given.looks import Looks as Looks
    from uno_core.given.members import GivenOptions as GivenOptions
    from uno_core.given.members import Member as Member
    from uno_core.given.members import Members as Members
    from uno_core.given.workload import GivenWorkload as GivenWorkload
    from uno_core.hookspecs import hookimpl as hookimpl
    from uno_core.model import Amount as Amount
    from uno_core.model import Analysis as Analysis
    from uno_core.model import Application as Application
    from uno_core.model import Bounds as Bounds
    from uno_core.model import Compare as Compare
    from uno_core.model import Counts as Counts
    from uno_core.model import Decision as Decision
    from uno_core.model import DeploymentResult as DeploymentResult
    from uno_core.model import Finding as Finding
    from uno_core.model import HealthReport as HealthReport
    from uno_core.model import Instance as Instance
    from uno_core.model import Json as Json
    from uno_core.model import Kind as Kind
    from uno_core.model import OnTimeout as OnTimeout
    from uno_core.model import Probe as Probe
    from uno_core.model import Release as Release
    from uno_core.model import Secret as Secret
    from uno_core.model import Slot as Slot
    from uno_core.model import SlotState as SlotState
    from uno_core.model import Snapshot as Snapshot
    from uno_core.model import Split as Split
    from uno_core.model import Status as Status
    from uno_core.model import Verdict as Verdict
    from uno_core.model import needed as needed
    from uno_core.model import same_split as same_split
    from uno_core.model import share as share
    from uno_core.model import whole as whole
    from uno_core.shelved.shelf import Overtaken as Overtaken
    from uno_core.shelved.shelf import Shelf as Shelf
    from uno_core.shelved.shelf import Thing as Thing
    from uno_core.shelved.shelf import ThingName as ThingName
    from uno_core.shelved.store import ShelvedStore as ShelvedStore
    from uno_core.story import Moment as Moment
    from uno_core.story import Story as Story
    from uno_core.story import Told as Told
    from uno_core.story import story_of as story_of
    from uno_core.wire import from_json as from_json
    from uno_core.wire import to_json as to_json

__version__ = "0.1.0"

_HOMES = {
    "analysis.series": ("Growth", "grown"),
    "analysis.source": ("Seen",),
    "clock": ("Clock", "SystemClock"),
    "config.options": ("option",),
    "context": ("Context",),
    "contracts.beginning": ("Clue", "Sketch", "Surroundings"),
    "contracts.diagnosis": ("Condition", "Diagnosing", "Diagnosis"),
    "contracts.engine": ("EngineInfo",),
    "contracts.health": ("HealthCheck", "HealthCheckInfo", "Target"),
    "contracts.judge": ("Foreseeing", "Judge", "JudgeInfo", "Traffic", "Window"),
    "contracts.metrics": (
        "Assuring", "Counters", "Figures", "MetricProvider", "MetricProviderInfo", "NoData", "Query", "Reads",
    ),
    "contracts.notifier": ("Notice", "NoticeKind", "Notifier", "NotifierInfo"),
    "contracts.platform": (
        "Capabilities", "CompanionState", "Companions", "Elastic", "Marking", "Platform", "PlatformInfo",
        "Recalling", "Retiring", "Router", "RouterState", "Stepping", "Vouching", "Workload", "WorkloadState",
    ),
    "contracts.services": ("Info", "Logger", "Secrets", "Services"),
    "contracts.state": (
        "Driver", "Entry", "Lease", "Lock", "Mark", "Record", "Signal", "StateStore", "StateStoreInfo",
    ),
    "contracts.strategy": ("DeploymentStrategy", "Guide", "StrategyInfo"),
    "errors": (
        "ConfigError", "Drift", "Forbidden", "LockLost", "Locked", "NotReady", "PlatformError", "PluginError",
        "Refused", "StateError", "SwitchTimeout", "Throttled", "Unanswered", "Unhealthy", "UnoError",
        "Unsupported",
    ),
    "given.looks": ("Looks",),
    "given.members": ("GivenOptions", "Member", "Members"),
    "given.workload": ("GivenWorkload",),
    "hookspecs": ("hookimpl",),
    "model": (
        "Amount", "Analysis", "Application", "Bounds", "Compare", "Counts", "Decision", "DeploymentResult",
        "Finding", "HealthReport", "Instance", "Json", "Kind", "OnTimeout", "Probe", "Release", "Secret",
        "Slot",
        "SlotState", "Snapshot", "Split", "Status", "Verdict", "needed", "same_split", "share", "whole",
    ),
    "shelved.shelf": ("Overtaken", "Shelf", "Thing", "ThingName"),
    "shelved.store": ("ShelvedStore",),
    "story": ("Moment", "Story", "Told", "story_of"),
    "wire": ("from_json", "to_json"),
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME, "__version__"])  # noqa: PLE0605 - a list, made from the one table of names


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
