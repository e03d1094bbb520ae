"""Words from other processes and from the terminal, heard between two effects and while one waits."""

from __future__ import annotations

import threading

from uno_core.errors import Aborted
from uno_core.journal.records import Signal
from uno_core.journal.sqlite import Journal
from uno_core.model import Decision


class Ears:
    """Listens for one deployment. `interrupt` may be called from a signal handler."""

    def __init__(self, journal: Journal, deployment: str) -> None:
        self._journal = journal
        self._deployment = deployment
        self._interrupted = threading.Event()
        self._why = ""
        self._returning = False
        self._promoted = False

    def interrupt(self, reason: str) -> None:
        """Ask for the way back from within this process."""
        self._why = reason
        self._interrupted.set()

    def returning(self) -> None:
        """The way back has begun: nothing turns it around any more."""
        self._returning = True

    def promoted(self) -> None:
        """Success is recorded: from now on a word only shortens what is left to wait for."""
        self._promoted = True

    def waiting(self, *, gate: bool = False) -> bool:
        """Whether there is a word that ends a wait: an abort, and at a gate a promotion."""
        if self._returning:
            return False
        kinds = {"abort", "promote"} if gate else {"abort"}
        return self._interrupted.is_set() or any(
            signal.kind in kinds for signal in self._journal.signals(self._deployment)
        )

    def check(self) -> None:
        """Raises Aborted where a person, or the terminal, asked for the way back."""
        if self._returning or self._promoted:
            return
        if self._interrupted.is_set():
            raise Aborted(self._why)
        for signal in self._journal.signals(self._deployment):
            if signal.kind == "abort":
                self._journal.answer(signal.id, "going back")
                raise Aborted(_reason(signal), signal.by)

    def decision(self) -> Decision | None:
        """A promotion that was asked for."""
        for signal in self._journal.signals(self._deployment):
            if signal.kind == "promote":
                self._journal.answer(signal.id, "promoted")
                return Decision(promoted=True, by=signal.by, at=signal.at)
        return None


def _reason(signal: Signal) -> str:
    return str(signal.payload.get("reason") or f"aborted by {signal.by}")
