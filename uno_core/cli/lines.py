"""What a deployment tells, line by line: for logs, and as JSON events for programs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from uno_core import wording
from uno_core.cli import printing
from uno_core.model import Json, Snapshot


class View(Protocol):
    """Shows what a deployment tells. `notice` may be called from a signal handler."""

    def hear(self, kind: str, data: Mapping[str, Json]) -> None:
        """One event."""

    def before(self, snapshot: Snapshot) -> None:
        """What was there before the deployment began."""

    def left(self, seen: Mapping[str, Any]) -> None:
        """Where the driver before left it, as that saw it last."""

    def notice(self, text: str) -> None:
        """A word of the command line itself."""

    def close(self) -> None:
        """Nothing more is told. Idempotent."""


class Lines:
    """One line on stderr for each event that changes something."""

    def __init__(self) -> None:
        self._told: dict[str, Any] = {}

    def hear(self, kind: str, data: Mapping[str, Json]) -> None:
        if self._says_something(kind, data) and (text := wording.line(kind, data)):
            printing.err(f"{wording.clock(datetime.now(UTC))} {text}")

    def before(self, snapshot: Snapshot) -> None:
        printing.err(f"{wording.clock(datetime.now(UTC))} before: {wording.serving(snapshot)}")

    def left(self, seen: Mapping[str, Any]) -> None:
        if text := wording.left(seen):
            printing.err(f"{wording.clock(datetime.now(UTC))} {text}")

    def close(self) -> None:
        pass

    def notice(self, text: str) -> None:
        # Not through the buffered stream, which the handler may have interrupted in the middle of a line.
        try:
            os.write(2, f"{text}\n".encode(errors="replace"))
        except OSError:  # the terminal is gone
            pass

    def _says_something(self, kind: str, data: Mapping[str, Json]) -> bool:
        """Not every look: only what differs from the one before."""
        d: Any = data
        if kind == "split_written":
            return False
        if kind in ("step", "rollback"):
            self._told.clear()
            return True
        if kind in ("instances", "health"):
            key = f"{kind} {d['slot']}"
            value = (d["ready"], d["wanted"]) if kind == "instances" else d["healthy"]
        elif kind == "evidence":
            key, value = kind, d["analysis"]["verdict"]
        elif kind == "restoring":
            key, value = kind, d["now"]
        else:
            return True
        differs: bool = self._told.get(key) != value
        self._told[key] = value
        return differs


class Events:
    """One JSON object a line on stdout for every event. Warnings of the command line go to stderr."""

    def __init__(self) -> None:
        self._deployment = ""

    def hear(self, kind: str, data: Mapping[str, Json]) -> None:
        if kind in ("started", "resumed"):
            self._deployment = str(data["id"])
        head: dict[str, Json] = {
            "at": datetime.now(UTC).isoformat(),
            "kind": kind,
            "deployment": self._deployment,
        }
        # An event's own `at` must not hide when it was told: `retire_at`.
        rest = {f"{kind}_{key}" if key in head else key: value for key, value in data.items()}
        printing.event({**head, **rest})

    def before(self, snapshot: Snapshot) -> None:
        """In the journal, where programs find it."""

    def left(self, seen: Mapping[str, Any]) -> None:
        """These events were told before."""

    def close(self) -> None:
        pass

    def notice(self, text: str) -> None:
        Lines().notice(text)
