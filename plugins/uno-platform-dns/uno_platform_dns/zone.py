"""The seam: what a provider of DNS has to do. All else (shares, time, notes, locks) is done with these few.

A provider of your own is a class with these methods, and a platform that makes it::

    class MyPlatform(DnsPlatform):
        def make_zone(self) -> Zone:
            return MyZone(self.options, self.services)

registered as any other platform is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from attrs import field, frozen

from uno_core import Diagnosis, Json, PlatformError


def absolute(name: str) -> str:
    """A name as it is compared: in small letters, with the dot at its end."""
    return name.lower().rstrip(".") + "."


def _sorted(values: Iterable[str]) -> Sequence[str]:
    return tuple(sorted(values))


@frozen(kw_only=True)
class RecordSet:
    """The records of one name and type; of Route 53, with one identifier.

    values: as in a zone file, in their order as texts. ttl: seconds; None where the provider sets it
    (aliases). weight and identifier: of weighted sets. more: whatever else the provider knows of it, which
    it must get back unchanged.
    """

    name: str = field(converter=absolute)
    type: str
    ttl: int | None
    values: Sequence[str] = field(default=(), converter=_sorted)
    identifier: str = ""
    weight: int | None = None
    more: Json = None

    @property
    def key(self) -> tuple[str, str, str]:
        """There is at most one of each."""
        return self.name, self.type, self.identifier

    def __str__(self) -> str:
        named = f" {self.identifier}" if self.identifier else ""
        weight = f" weight {self.weight}" if self.weight is not None else ""
        ttl = f" {self.ttl}" if self.ttl is not None else ""
        alias = f" {self.more}" if self.more and not self.values else ""
        return f"{self.name}{ttl} {self.type}{named}{weight} {' '.join(self.values)}{alias}".rstrip()


class Changed(PlatformError):
    """Something else is there than was to be replaced: nothing was written."""

    code = "record-changed"


class Zone(Protocol):
    """One zone, as its provider keeps it. Raises UnoErrors only, and never waits for longer than a request.

    weights: the greatest weight of a record set; 0 where the provider knows none. slowest: seconds that the
    servers of the zone take at most, in general, until all of them answer by a change.
    """

    weights: int

    @property
    def slowest(self) -> float:
        """As above; may ask."""

    @property
    def where(self) -> str:
        """Which zone at whom, for a person."""

    def read(self, name: str, types: Sequence[str]) -> Sequence[RecordSet]:
        """The record sets of exactly this name, of these types at the least, strongly consistent.

        Raises Unanswered, Throttled, Forbidden.
        """

    def change(self, removed: Sequence[RecordSet], added: Sequence[RecordSet]) -> str:
        """Take out and put in, all of it or nothing, and only where all removed are there exactly so.

        What is added and not removed must not be there before. Returns what `spread` is asked with.
        Raises Changed where something else is there; Unanswered where nobody knows whether it took effect.
        """

    def spread(self, change: str) -> bool | None:
        """Whether every server of the zone answers by that change; an empty one: by what was last written.

        None where nobody can tell.
        """

    def diagnose(self) -> Iterable[Diagnosis]:
        """How it is, for `uno doctor`: whether it can be reached, and the zone read."""

    def close(self) -> None:
        """Let go of connections."""
