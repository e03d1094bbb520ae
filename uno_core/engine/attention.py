"""Words from other processes and from the terminal, heard between two effects and while one waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Self

from uno_core.clock import Clock
from uno_core.contracts.state import Signal, StateStore
from uno_core.engine.tenure import Tenure
from uno_core.errors import Aborted, StateError, Stopped, Suspend
from uno_core.model import Decision

HOLD = 86400.0
"""Seconds that a deployment is held before it goes back, where nothing else was said."""

HOLDS = "holds"
"""How the answer to a pause begins that is met."""

INTERRUPTED = 143
"""The exit code of a driver that was interrupted, and may not go back."""

AT_A_GATE = 6
"""The exit code of a command that does not wait at a gate."""


class Ears:
    """Listens for one deployment. `interrupt` and `suspend` may be called from a signal handler.

    patient: whether a gate is waited at, or left to a later `uno promote`.
    """

    def __init__(
        self, store: StateStore, deployment: str, *, tenure: Tenure | None = None, patient: bool = True
    ) -> None:
        self._store = store
        self._deployment = deployment
        self._tenure = tenure
        self._patient = patient
        self._interrupted = threading.Event()
        self._why = ""
        self._leaves: int | None = None
        self._looking = 0
        self._forbidden = ""
        self._returning = False
        self._promoted = False
        self._held: Signal | None = None
        self._full = ""
        self._decided: list[Signal] = []
        self._unheard = True
        self._recalled = False

    @classmethod
    def listening(cls, store: StateStore, deployment: str, tenure: Tenure) -> Self:
        """Ears that wait at gates."""
        return cls(store, deployment, tenure=tenure)

    @classmethod
    def passing(cls, store: StateStore, deployment: str, tenure: Tenure) -> Self:
        """Ears that leave at a gate: a later `uno promote` goes on from there."""
        return cls(store, deployment, tenure=tenure, patient=False)

    def interrupt(self, reason: str) -> None:
        """Ask for the way back from within this process."""
        self._why = reason
        self._interrupted.set()
        if self._looking == threading.get_ident() and not self._returning:
            # From a signal handler, in the middle of a look: nothing is written there, and nothing lost.
            self._looking = 0
            self._refuse_interrupted()

    @contextmanager
    def looking(self) -> Iterator[None]:
        """While this thread only looks, an interruption ends that at once: its answer is not waited for."""
        self._looking = threading.get_ident()
        try:
            yield
        finally:
            self._looking = 0

    def suspend(self, reason: str, exit_code: int) -> None:
        """Ask this process to stop before the next effect; the deployment stays resumable."""
        self._leaves = exit_code
        self.interrupt(reason)

    def forbid(self, why: str) -> None:
        """From now on an interruption leaves it where it is: going back would hurt."""
        self._forbidden = why

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
        if self._interrupted.is_set():
            return True
        kinds = {"abort", "rollback", "pause", "resume"} | ({"promote"} if gate else set())
        return any(signal.kind in kinds for signal in self._signals())

    def rest(self, clock: Clock, seconds: float, *, gate: bool = False) -> None:
        """Wait; a word ends it."""
        clock.sleep(seconds, lambda: self.waiting(gate=gate))

    def check(self, *, gate: bool = False) -> None:
        """Raises where a person, the terminal or a lost lock ends the way forward."""
        if self._tenure is not None:
            self._tenure.check()
        if self._returning:
            return
        self._refuse_interrupted()
        for signal in self._signals():
            self._hear(signal)
        if gate and not self._patient:
            ends = "held: `uno resume`" if self._held else "at a gate: `uno promote`"
            raise Suspend(f"{ends} goes on from here", exit_code=AT_A_GATE)

    def _refuse_interrupted(self) -> None:
        if not self._interrupted.is_set() or self._promoted:
            return
        if self._leaves is not None:
            raise Suspend(self._why, exit_code=self._leaves)
        if self._forbidden:
            raise Suspend(f"{self._why}; {self._forbidden}", exit_code=INTERRUPTED)
        raise Aborted(self._why)

    def _hear(self, signal: Signal) -> None:
        match signal.kind:
            case "pause" if self._promoted:
                self._answer(signal, "too late: it is promoted, and the release serves")
            case "abort" | "rollback" if self._promoted:
                self._answer(signal, "too late: it is promoted; `uno rollback` takes it back")
            case "abort" if signal.payload.get("hold"):
                raise Stopped(_reason(signal), signal=signal.id)
            case "abort" | "rollback":
                raise Aborted(_reason(signal), signal.by, signal=signal.id)
            case "pause":
                self._held = signal
                self._answer(signal, f"{HOLDS} before its next effect, until {self._until(signal)}")
            case "resume":
                self._answer(signal, "goes on" if self._held else "it does not hold: it goes on anyway")
                self._held = None

    def held(self) -> datetime | None:
        """Until when a person wants it to hold; None where nobody does. A later driver holds, too."""
        if not self._recalled:
            self._recalled = True
            self._held = standing_hold(self._all())
        self.check(gate=self._held is not None)
        if self._held is None:
            return None
        for signal in self._signals():
            if signal.kind == "promote":  # left lying it would pass a later gate that nobody looked at
                self._answer(signal, "it is held, at no gate: `uno resume` lets it go on")
        return self._until(self._held)

    @staticmethod
    def _until(signal: Signal) -> datetime:
        return signal.at + timedelta(seconds=float(str(signal.payload.get("timeout") or HOLD)))

    def decision(self, since: datetime | None = None) -> Decision | None:
        """A promotion that was asked for; `full` ones hold for every later gate, of a later driver too.

        since: what is asked now nobody could know of before; an older promotion does not mean it.
        """
        if self._unheard:
            self._unheard = False
            for signal in self._all():
                if signal.kind == "promote" and signal.payload.get("full") and signal.answer:
                    self._full = signal.by
        promotions = [signal for signal in self._signals() if signal.kind == "promote"]
        if since is not None:
            for signal in [one for one in promotions if one.at < since]:
                promotions.remove(signal)
                self._full = signal.by if signal.payload.get("full") else self._full
                self._answer(signal, "too early: that there is no evidence was not known then; say it again")
        if promotions:
            # All of them mean this gate: none may be left for one that nobody has looked at.
            self._decided, self._held = promotions, None
            first = promotions[0]
            if any(signal.payload.get("full") for signal in promotions):
                self._full = first.by
            return Decision(promoted=True, by=first.by, at=first.at)
        return Decision(promoted=True, by=self._full) if self._full and since is None else None

    def recorded(self) -> None:
        """What was decided stands in the journal: now its word is answered, and no later driver needs it."""
        decided, self._decided = self._decided, []
        for signal in decided:
            self._answer(signal, "promoted")

    def passed(self, at: datetime) -> None:
        """A gate was passed then: promotions of before meant that one, and no later gate."""
        for signal in self._signals():
            if signal.kind == "promote" and signal.at <= at:
                self._answer(signal, "promoted")

    def _answer(self, signal: Signal, text: str) -> None:
        """Say what came of a word; where the store is away it is heard and answered again later."""
        try:
            self._store.answer(signal.id, text)
        except StateError:
            return

    def _signals(self) -> list[Signal]:
        """Words not answered yet; where the store cannot be read they are heard later."""
        try:
            return list(self._store.signals(self._deployment))
        except StateError:
            return []

    def _all(self) -> list[Signal]:
        try:
            return list(self._store.signals(self._deployment, unanswered=False))
        except StateError:
            return []


def standing_hold(signals: Sequence[Signal]) -> Signal | None:
    """The pause that a driver has answered, and that no word has ended since."""
    held: Signal | None = None
    for signal in signals:
        if signal.kind == "pause" and signal.answer.startswith(HOLDS):
            held = signal
        elif (signal.kind == "resume" and signal.answer) or signal.answer == "promoted":
            held = None
    return held


def release_hold(store: StateStore, deployment: str, *, by: str, at: datetime) -> None:
    """A person goes on with a deployment that nobody drives: its next driver holds no longer."""
    if standing_hold(store.signals(deployment, unanswered=False)):
        store.answer(store.signal(deployment, "resume", {}, by=by, at=at), "goes on")


def _reason(signal: Signal) -> str:
    did = "aborted" if signal.kind == "abort" else "rolled back"
    return str(signal.payload.get("reason") or f"{did} by {signal.by}")
