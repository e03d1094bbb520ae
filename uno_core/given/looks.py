"""Looks in a row at which something was healthy: what wavers does not count."""

from __future__ import annotations

from attrs import define, field


@define
class Looks:
    """`least` in a row are wanted of whoever comes while it is looked.

    What is healthy at the very first look at a place has been so for a while, as whatever checks it has
    checked often enough: else no process that looks once, a plan or a way back, would find anything ready.
    """

    least: int
    _seen: dict[str, int] = field(init=False, factory=dict)
    _places: set[str] = field(init=False, factory=set)

    def first(self, place: str) -> bool:
        """Whether nobody has looked there yet."""
        new = place not in self._places
        self._places.add(place)
        return new

    def why(self, name: str, reason: str, *, first: bool) -> str:
        """Why it does not count yet: the reason that was seen, or too few looks; empty where it does."""
        if reason:
            self._seen[name] = 0
            return reason
        self._seen[name] = self.least if first else self._seen.get(name, 0) + 1
        if self._seen[name] < self.least:
            return f"healthy at {self._seen[name]} of {self.least} looks in a row"
        return ""
