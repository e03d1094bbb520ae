"""A provider of DNS of a third party, for the platform dns: zones that are kept in memory.

All that a provider has to do is `MyZone`; `MyPlatform` makes it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from attrs import define, field

from uno_core import Diagnosis, PlatformError
from uno_platform_dns.options import DnsOptions, DnsTraffic
from uno_platform_dns.platform import DnsPlatform
from uno_platform_dns.zone import Changed, RecordSet, Zone, absolute

NAME = "shop.example.com"


@define
class Shelf:
    """What the provider keeps. everywhere: whether all of its servers have the last change; None: who knows.

    fails: what happens to the next changes, in order: None takes effect, an error is raised instead, and
    (error, True) takes effect before. silent: what all is answered with.
    """

    everywhere: bool | None = True
    silent: PlatformError | None = None
    fails: list[PlatformError | tuple[PlatformError, bool]] = field(factory=list)
    held: dict[tuple[str, str, str], RecordSet] = field(factory=dict)
    guard: threading.RLock = field(factory=threading.RLock)
    changes: int = 0

    def put(self, *sets: RecordSet) -> None:
        """By hand, past uno."""
        self.held |= {one.key: one for one in sets}

    def record(self, *values: str, ttl: int | None = 60, **more: object) -> RecordSet:
        return RecordSet(name=NAME, type="A", ttl=ttl, values=values, **more)  # type: ignore[arg-type]


class MyZone:
    """One zone of it."""

    def __init__(self, shelf: Shelf, weights: int = 0, slowest: float = 0.0) -> None:
        self.shelf, self.weights, self.slowest = shelf, weights, slowest

    @property
    def where(self) -> str:
        return "a shelf"

    def read(self, name: str, types: Sequence[str]) -> Sequence[RecordSet]:
        with self.shelf.guard:
            if self.shelf.silent:
                raise self.shelf.silent
            held = self.shelf.held.values()
            return [one for one in held if one.name == absolute(name) and one.type in types]

    def change(self, removed: Sequence[RecordSet], added: Sequence[RecordSet]) -> str:
        with self.shelf.guard:
            failure = self.shelf.fails.pop(0) if self.shelf.fails else self.shelf.silent
            if isinstance(failure, PlatformError):
                raise failure
            self._replace(removed, added)
            if failure:
                raise failure[0]
            return str(self.shelf.changes)

    def _replace(self, removed: Sequence[RecordSet], added: Sequence[RecordSet]) -> None:
        after = dict(self.shelf.held)
        if wrong := [one for one in removed if after.pop(one.key, None) != one]:
            raise Changed("something else is there", expected="; ".join(map(str, wrong)), where=self.where)
        if there := [one for one in added if one.key in after]:
            raise Changed("something is there", found="; ".join(map(str, there)), where=self.where)
        if any((one.weight or 0) > self.weights for one in added):
            raise PlatformError("too great a weight", found="; ".join(map(str, added)), where=self.where)
        self.shelf.held = after | {one.key: one for one in added}
        self.shelf.changes += 1

    def spread(self, change: str) -> bool | None:
        return self.shelf.everywhere

    def diagnose(self) -> Iterable[Diagnosis]:
        yield Diagnosis.ok("shelf", f"{len(self.shelf.held)} record sets")

    def close(self) -> None:
        """There is nothing to close."""


ADDRESSES: Mapping[str, Sequence[str]] = {"blue": ["192.0.2.1"], "green": ["198.51.100.1"]}


def options(**traffic: object) -> DnsOptions:
    """For a name with one address a slot."""
    usual: dict[str, object] = {"record": NAME, "addresses": ADDRESSES, "overstay": 30.0}
    return DnsOptions(traffic=DnsTraffic(**{**usual, **traffic}))  # type: ignore[arg-type]


def platform_of(shelf: Shelf, weights: int = 0, slowest: float = 0.0) -> type[DnsPlatform]:
    """The platform of a third party, for the zone on a shelf."""

    class MyPlatform(DnsPlatform):
        def make_zone(self) -> Zone:
            return MyZone(shelf, weights, slowest)

    return MyPlatform
