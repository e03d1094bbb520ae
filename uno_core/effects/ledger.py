"""Writes whose answer was lost: they may still land, and what they would do then is kept in mind."""

from __future__ import annotations

from typing import Any

from attrs import define, field, frozen

ANYTHING = object()
"""The value of a write of which nobody knows any more what it asked for."""


@frozen
class Open:
    """A write that may still land until so many seconds on the monotonic clock."""

    value: Any
    until: float


@define
class Ledger:
    """The open writes, by the object that they go to: a slot, or the split."""

    _open: dict[str, list[Open]] = field(factory=dict)

    def lost(self, place: str, value: Any, until: float) -> None:
        """Its answer never came."""
        self._open.setdefault(place, []).append(Open(value, until))

    def settled(self, place: str) -> None:
        """Nothing that was sent to it before can land any more: the object has moved on."""
        self._open.pop(place, None)

    def others(self, place: str, value: Any, now: float) -> float:
        """Seconds until no other write than this value can land at the place; 0 where none can."""
        left = [one.until - now for one in self._open.get(place, ()) if one.value != value]
        return max(0.0, max(left, default=0.0))

    def any(self, now: float, *, but: str = "") -> float:
        """Seconds until nothing can land any more, anywhere `but` at that place."""
        left = [one.until - now for place, writes in self._open.items() for one in writes if place != but]
        return max(0.0, max(left, default=0.0))
