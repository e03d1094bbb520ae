"""Judges: pure functions of the table of windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from attrs import frozen

from uno_core.contracts.metrics import Figures
from uno_core.contracts.services import Info
from uno_core.model import Bounds, Finding, Slot


@frozen(kw_only=True)
class Window:
    """What both slots did between two looks, a row of the table that judges are given.

    stable: None where there is nothing to compare with. share: the percent of the traffic that the
    candidate was to have, confirmed by the router; None where nobody knows. baseline: what the stable
    slot did before the candidate had traffic; `candidate` is empty then, and there is nothing to judge.
    """

    start: datetime
    end: datetime
    slot: Slot
    candidate: Figures
    stable: Figures | None = None
    share: float | None = None
    baseline: bool = False


class Judge(Protocol):
    """Must be pure: the same windows and bounds, the same findings. Never PASS without data."""

    def judge(self, windows: Sequence[Window], bounds: Mapping[str, Bounds]) -> Sequence[Finding]:
        """One finding per metric in `bounds`, oldest window first.

        The windows that the core leaves out (the first after a change of the split, those without
        data) are not among them. A judge of bounds is given the windows since its wait began, one that
        `compares` all those of the deployment; both after the baseline, where there is one.
        """


@frozen(kw_only=True)
class Traffic:
    """What a deployment will be judged by: the traffic of now, and the steps of the plan.

    rps: requests a second, of all slots. error_rate: of the release that serves, a share. shares: of the
    candidate, percent, in order. interval: seconds that each is watched. window: seconds between looks.
    """

    rps: float
    error_rate: float
    shares: Sequence[float]
    interval: float
    window: float


@runtime_checkable
class Foreseeing(Protocol):
    """A judge that can say beforehand what it would catch."""

    def foresee(self, traffic: Traffic) -> Sequence[str]:
        """In words, a few lines for a plan. Takes seconds at the most, and the same time the same words."""


@frozen(kw_only=True)
class JudgeInfo(Info):
    """A judge, as registered.

    compares: it holds the candidate against the stable slot by counts, over the whole deployment, and
    not against bounds. It is asked for one metric, that bears its own name, without bounds.
    """

    compares: bool = False
