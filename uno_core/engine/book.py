"""What the engine itself reads and writes in the state store beside the effects.

None of it may stop what is done for the users: where the store cannot be read or written, a full
disk for instance, that is logged, and the way back goes on. Only a lost lock stops everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from uno_core.clock import Clock
from uno_core.contracts.services import Logger
from uno_core.contracts.state import Entry, Lease, Record, StateStore
from uno_core.engine.recorded import Recorded
from uno_core.errors import StateError
from uno_core.model import Json, Status


@frozen
class Book:
    """The state store, as one deployment's engine uses it for its own notes."""

    store: StateStore
    clock: Clock
    logger: Logger
    lease: Callable[[], Lease | None]

    def note(self, deployment: str, **changes: Any) -> None:
        """Change the record of a deployment: its status, its message, its exit code."""
        self._try(lambda: self.store.update(deployment, at=self.clock.now(), lease=self.lease(), **changes))

    def status(self, deployment: str) -> Status | None:
        """Where it stands now; None where that cannot be read."""
        found: list[Record | None] = []
        self._try(lambda: found.append(self.store.get(deployment)))
        return found[0].status if found and found[0] else None

    def checkpoint(self, deployment: str, seen: Mapping[str, Json]) -> None:
        """Overwrite what another process may ask for."""
        self._try(lambda: self.store.checkpoint(deployment, seen, at=self.clock.now()))

    def last_checkpoint(self, deployment: str) -> Json:
        """What the driver before kept; None where that cannot be read."""
        found: list[Json] = []
        self._try(lambda: found.append(self.store.last_checkpoint(deployment)))
        return found[0] if found else None

    def answer(self, signal: int | None, text: str) -> None:
        """Say what came of a word, once that is recorded."""
        if signal is not None:
            self._try(lambda: self.store.answer(signal, text))

    def dismiss(self, deployment: str, status: str) -> None:
        """Answer the words that came too late."""

        def answer() -> None:
            for signal in self.store.signals(deployment):
                self.store.answer(signal.id, f"too late: the deployment is {status}")

        self._try(answer)

    def recorded(self, deployment: str) -> Recorded:
        """What is recorded; nothing where it cannot be read."""
        found: list[Entry] = []
        self._try(lambda: found.extend(self.store.entries(deployment)))
        return Recorded(found)

    def _try(self, part: Callable[[], None]) -> None:
        try:
            part()
        except StateError as problem:
            self.logger.warning("the state store cannot be used, going on without it", problem=str(problem))
