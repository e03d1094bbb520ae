"""What is explored, and where: a strategy, a simulated platform, and a judge who forgives nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import define, field, frozen

from uno_core.contracts.judge import Window
from uno_core.contracts.strategy import DeploymentStrategy
from uno_core.model import Bounds, Finding, Json, Verdict
from uno_core.simulation.platform import Rules


@frozen(kw_only=True)
class Subject:
    """A strategy to be explored.

    max_unavailable: how many fewer ready instances than its share needs a slot may have by its
    options. first: nothing is live before. silent: no metric ever says anything. hooks, forbid_after:
    as an order takes them; a command takes twelve seconds.
    """

    name: str
    make: Callable[[], DeploymentStrategy[Any]]
    options: Any = field(factory=dict)
    outage: bool = False
    max_unavailable: int = 0
    first: bool = False
    silent: bool = False
    hooks: Mapping[str, Mapping[str, Json]] = field(factory=dict)
    forbid_after: str = ""


@frozen(kw_only=True)
class Place:
    """A simulated platform to be explored on."""

    name: str
    rules: Rules


@define
class Harsh:
    """A judge that fails at the first window with errors, and remembers that it did.

    asked: whether it ever was. blind_since: from when on nobody watched; None once something newer
    was judged.
    """

    failed: bool = False
    asked: bool = False
    blind_since: datetime | None = None

    def judge(self, windows: Sequence[Window], bounds: Mapping[str, Bounds]) -> Sequence[Finding]:
        bad = any(window.candidate.errors for window in windows)
        self.failed, self.asked = self.failed or bad, True
        if self.blind_since is not None and windows and windows[-1].end > self.blind_since:
            self.blind_since = None
        verdict = Verdict.FAIL if bad else Verdict.PASS
        return [Finding(verdict=verdict, metric=m, reason=f"{m}: {verdict}") for m in bounds]
