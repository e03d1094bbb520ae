"""A state store of a third party: named objects that are kept in memory, as a key-value store keeps them.

All that a store has to bring is `MyShelf`; `MyStore` is made of it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import define, field

from uno_core import Overtaken, Services, Shelf, ShelvedStore, Thing, ThingName


@define
class Drawer:
    """What the machines have in common: text, number of its version and when it was put, by name."""

    texts: dict[ThingName, tuple[str, int, float]] = field(factory=dict)
    guard: threading.RLock = field(factory=threading.RLock)
    written: int = 0


@define
class MyShelf(Shelf):
    """One machine's look at a drawer. before and after: are called with the name of what is put."""

    drawer: Drawer
    before: Callable[[ThingName], None] = lambda name: None
    after: Callable[[ThingName], None] = lambda name: None
    tells_age: bool = True

    def where(self, name: ThingName | None = None) -> str:
        return f"a drawer, {name or 'all of it'}"

    def find(self, name: ThingName) -> Thing | None:
        with self.drawer.guard:
            if name not in self.drawer.texts:
                return None
            text, version, at = self.drawer.texts[name]
            age = time.monotonic() - at if self.tells_age else 0.0
            return Thing(name=name, version=str(version), data=json.loads(text), age=age)

    def put(self, name: ThingName, data: Mapping[str, Any], over: Thing | None) -> Thing:
        self.before(name)
        with self.drawer.guard:
            there = self.find(name)
            if (there and there.version) != (over and over.version):
                raise Overtaken("something else lies there", where=self.where(name))
            self.overwrite(name, data)
            self.after(name)
            return Thing(name=name, version=str(self.drawer.written), data=json.loads(json.dumps(data)))

    def overwrite(self, name: ThingName, data: Mapping[str, Any]) -> None:
        with self.drawer.guard:
            self.drawer.written += 1
            self.drawer.texts[name] = (json.dumps(data), self.drawer.written, time.monotonic())

    def remove(self, name: ThingName) -> None:
        with self.drawer.guard:
            self.drawer.texts.pop(name, None)

    def listed(self, key: str = "") -> Iterable[tuple[ThingName, str]]:
        with self.drawer.guard:
            things = list(self.drawer.texts.items())
        return [(name, str(version)) for name, (_, version, _) in things if name.kind == "deployment"]


class MyStore(ShelvedStore):
    def __init__(self, options: Mapping[str, Any], services: Services) -> None:
        super().__init__(MyShelf(**options), services)
