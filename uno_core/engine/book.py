"""What the engine itself reads and writes in the journal beside the effects.

None of it may stop what is done for the users: where the journal cannot be read or written, a
full disk for instance, that is logged, and the way back goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import frozen

from uno_core.clock import Clock
from uno_core.contracts.services import Logger
from uno_core.errors import StateError
from uno_core.journal.records import Entry, Mark
from uno_core.journal.sqlite import Journal
from uno_core.model import Json


@frozen
class Book:
    """The journal, as one deployment's engine uses it for its own notes."""

    journal: Journal
    clock: Clock
    logger: Logger

    def note(self, deployment: str, **changes: Any) -> None:
        """Change the record of a deployment: its status, its message, its exit code."""
        self._try(lambda: self.journal.update(deployment, at=self.clock.now(), **changes))

    def checkpoint(self, deployment: str, seen: Mapping[str, Json]) -> None:
        """Overwrite what another process may ask for."""
        self._try(lambda: self.journal.checkpoint(deployment, seen, at=self.clock.now()))

    def dismiss(self, deployment: str, status: str) -> None:
        """Answer the words that came too late."""

        def answer() -> None:
            for signal in self.journal.signals(deployment):
                self.journal.answer(signal.id, f"too late: the deployment is {status}")

        self._try(answer)

    def entries(self, deployment: str) -> Sequence[Entry]:
        """What is recorded; nothing where it cannot be read."""
        found: list[Entry] = []
        self._try(lambda: found.extend(self.journal.entries(deployment)))
        return found

    def promoted(self, deployment: str) -> bool:
        """Whether success is recorded."""
        return any(
            entry.op == "promoted" and entry.mark is Mark.RESULT and entry.error is None
            for entry in self.entries(deployment)
        )

    def rollbacks(self, deployment: str) -> int:
        """How many ways back were begun."""
        return len({entry.run for entry in self.entries(deployment)} - {"deploy"})

    def _try(self, part: Callable[[], None]) -> None:
        try:
            part()
        except StateError as problem:
            self.logger.warning("the journal cannot be used, going on without it", problem=str(problem))
