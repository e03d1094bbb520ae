"""The lines of a deployment."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from uno_core.clock import Clock
from uno_core.contracts.state import Entry
from uno_core.errors import StateError
from uno_core.model import Json
from uno_core.shelved.shelf import Shelf, Thing, ThingName, fenced, fences_of, written
from uno_core.wire import from_json, to_json

PART = 64 * 1024
"""Bytes, as JSON, with which a part is full. All of it is stored anew with every line, so it is small."""


class Journal:
    """The lines of one deployment, in as many parts as they need.

    Whoever knows all lines of the last part, in its newest version, knows all lines: the line that fills a
    part closes it, and only then is there a next one. So each line is one conditional write.
    """

    def __init__(self, shelf: Shelf, clock: Clock, id: str) -> None:
        self._shelf, self._clock, self._id = shelf, clock, id
        self._parts: list[Thing] = []
        self._lines: dict[tuple[Any, ...], Json] = {}
        self._fresh = False
        self._guard = threading.Lock()

    def entries(self) -> Sequence[Entry]:
        """As they are now, in the order in which they were written."""
        self._read()
        return [from_json(line, Entry) for line in self._lines.values()]

    def append(self, entry: Entry, check: Callable[[Thing | None], None]) -> None:
        """`check` is shown the part that would be written to, and raises where that must not be.

        The line itself tells whether a write whose answer was lost was made. Raises StateError where
        another line stands in its place.
        """
        line = json.loads(json.dumps(to_json(entry)))

        def work() -> None:
            if not self._fresh:
                self._read()
            known = self._lines.get(_identity(line))
            if known is not None:
                return self._refuse_another(known, line)
            check(self._last)
            self._fresh = False  # until the write is known to have been made
            self._write(line)
            self._lines[_identity(line)] = line
            self._fresh = True
            return None

        with self._guard:
            written(self._clock, work)

    def fence(self, key: str, epoch: int) -> None:
        """Change what any line would be written to, so that whoever read it before cannot write.

        Where the last part is closed the next one is made here: else it would be for them to make.
        """

        def work() -> None:
            self._read()
            last = self._last
            fence = fenced(last, key, epoch)
            if last is None or _closed(last):
                self._add([], fence)
            else:
                self._change({**last.data, "fence": fence})

        written(self._clock, work)

    def remove(self) -> None:
        """All parts, the last one first: what is left of an interruption is still found."""
        self._read()
        for part in reversed(self._parts):
            self._shelf.remove(part.name)

    @property
    def _last(self) -> Thing | None:
        return self._parts[-1] if self._parts else None

    @property
    def _next(self) -> ThingName:
        return ThingName("journal", self._id, len(self._parts) + 1)

    def _write(self, line: Json) -> None:
        last = self._last
        if last is None or _closed(last):
            self._add([line], fences_of(last))
        else:
            self._change({**last.data, **_filled([*last.data["lines"], line])})

    def _change(self, data: Mapping[str, Any]) -> None:
        part = self._parts[-1]
        self._parts[-1] = self._shelf.put(part.name, data, part)

    def _add(self, lines: list[Json], fence: Mapping[str, int]) -> None:
        """The next part. It inherits the fence: a former owner must not find one without."""
        self._parts.append(self._shelf.put(self._next, {**_filled(lines), "fence": dict(fence)}, None))

    def _read(self) -> None:
        """The last part anew, and those after it; closed ones do not change any more."""
        del self._parts[-1:]
        while (part := self._shelf.find(self._next)) is not None:
            self._parts.append(part)
            if not _closed(part):
                break
        self._lines = {_identity(line): line for part in self._parts for line in part.data["lines"]}
        self._fresh = True

    def _refuse_another(self, known: Json, line: Json) -> None:
        if known != line:
            raise StateError(
                "this line of the journal was written already, with other words",
                found=f"{self._id} {' '.join(map(str, _identity(line)))}",
                where=self._shelf.where(ThingName("journal", self._id, 1)),
                remedy="two drivers wrote one deployment: uno show tells what each did",
            )  # fmt: skip


def _filled(lines: list[Json]) -> Mapping[str, Any]:
    return {"lines": lines, "closed": len(json.dumps(lines)) >= PART}


def _closed(part: Thing) -> bool:
    return bool(part.data["closed"])


def _identity(line: Any) -> tuple[Any, ...]:
    return tuple(line[name] for name in ("run", "seq", "mark", "attempt"))
