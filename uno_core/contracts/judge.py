"""Judges: pure functions of the table of windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from attrs import frozen

from uno_core.contracts.metrics import Figures
from uno_core.contracts.services import Info
from uno_core.model import Bounds, Finding, Slot


@frozen(kw_only=True)
class Window:
    """What both slots did between two looks. `stable` is None where there is nothing to compare with."""

    start: datetime
    end: datetime
    slot: Slot
    candidate: Figures
    stable: Figures | None = None


class Judge(Protocol):
    """Must be pure: the same windows and bounds, the same findings. Never PASS without data."""

    def judge(self, windows: Sequence[Window], bounds: Mapping[str, Bounds]) -> Sequence[Finding]:
        """One finding per metric in `bounds`."""


@frozen(kw_only=True)
class JudgeInfo(Info):
    """A judge, as registered."""
