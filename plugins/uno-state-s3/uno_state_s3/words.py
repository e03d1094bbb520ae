"""Words between processes: they lie in the object of the deployment that they are for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import uuid4

from attrs import define, evolve, field

from uno_core import Clock, Json, Signal
from uno_state_s3 import records
from uno_state_s3.objects import Shelf
from uno_state_s3.records import DEPLOYMENT, INDEX, Index, Kept, Word, deployment_name, with_words

CALLED = 2.0
"""Seconds for which it is believed who was called: each look is a list of all deployments."""


@define
class Words:
    """kept: a deployment as it is now, begun where it was claimed only."""

    shelf: Shelf
    clock: Clock
    kept: Callable[[str], Kept | None]
    _called: tuple[float, Sequence[str]] | None = field(init=False, default=None)

    def leave(self, id: str, kind: str, payload: Mapping[str, Json], by: str, at: datetime) -> int:
        nonce = uuid4().hex

        def left() -> int:
            kept = self.kept(id)
            words = kept.words if kept is not None else ()
            for word in words:
                if word.nonce == nonce:
                    return word.signal.id  # the answer of that write was lost
            number = records.next_word(id, words)
            signal = Signal(id=number, kind=kind, payload=dict(payload), by=by, at=at)
            rows = with_words([*words, Word(signal=signal, nonce=nonce)])
            if kept is not None:
                self.shelf.put(kept.thing.name, kept.changed(signals=rows), kept.thing.version)
            else:  # words may come before the deployment itself
                self.shelf.put(deployment_name(id), {"claim": 0, "signals": rows, "fence": {}}, None)
            return number

        number = self.shelf.written(left)
        self._called = None
        return number

    def heard(self, id: str) -> Sequence[Signal]:
        found = self.shelf.look(deployment_name(id))
        return [word.signal for word in Kept(found).words] if found is not None else []

    def answer(self, signal: int, text: str) -> None:
        """Of a word that nobody left, nothing is said."""

        def answered() -> None:
            id = self._whose(signal)  # noqa: A001 - as the contract calls it
            found = self.shelf.find(deployment_name(id)) if id is not None else None
            if found is None:
                return
            words = [
                evolve(word, signal=evolve(word.signal, answer=text)) if word.signal.id == signal else word
                for word in Kept(found).words
            ]
            self.shelf.put(found.name, Kept(found).changed(signals=with_words(words)), found.version)

        self.shelf.written(answered)
        self._called = None

    def _whose(self, signal: int) -> str | None:
        """Which deployment a word is for: its number tells, among those that there are."""
        first = signal // records.WORDS * records.WORDS
        for names in (self.shelf.known(DEPLOYMENT), (name for name, _ in self.shelf.listed(DEPLOYMENT))):
            for name in names:
                if records.first_word(records.id_of(name)) == first:
                    return records.id_of(name)
        return None

    def called(self) -> Sequence[str]:
        now = self.clock.monotonic()
        if self._called is None or now - self._called[0] >= CALLED:
            self._called = (now, self._look())
        return self._called[1]

    def _look(self) -> Sequence[str]:
        """Only what was claimed last in its place can be under way: nothing else is read."""
        versions = dict(self.shelf.listed(DEPLOYMENT))
        names = [deployment_name(one.id) for one in Index.of(self.shelf.look(INDEX)).claims.values()]
        found = [self.shelf.look(name, versions[name]) for name in names if name in versions]
        return [records.id_of(one.name) for one in found if one is not None and Kept(one).called]
