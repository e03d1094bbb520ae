"""Words between processes: they lie in the object of the deployment that they are for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import uuid4

from attrs import define, evolve, field

from uno_core.clock import Clock
from uno_core.contracts.state import Signal
from uno_core.model import Json
from uno_core.shelved import index
from uno_core.shelved.index import INDEX, Index, Kept, Word, deployment, with_words
from uno_core.shelved.shelf import Shelf, Thing, written

CALLED = 2.0
"""Seconds for which it is believed who was called: each look is a list of all deployments."""


@define
class Words:
    """kept: a deployment as it is now, begun where it was claimed only."""

    shelf: Shelf
    clock: Clock
    kept: Callable[[str], Kept | None]
    _heard: dict[int, str] = field(init=False, factory=dict)
    _called: tuple[float, Sequence[str]] | None = field(init=False, default=None)

    def leave(self, id: str, kind: str, payload: Mapping[str, Json], by: str, at: datetime) -> int:
        nonce = uuid4().hex

        def left() -> int:
            kept = self.kept(id)
            words = kept.words if kept is not None else ()
            for word in words:
                if word.nonce == nonce:
                    return word.signal.id  # the answer of that write was lost
            number = index.next_word(id, words)
            signal = Signal(id=number, kind=kind, payload=dict(payload), by=by, at=at)
            rows = with_words([*words, Word(signal=signal, nonce=nonce)])
            if kept is not None:
                self.shelf.put(kept.thing.name, kept.changed(**rows), kept.thing)
            else:  # words may come before the deployment itself
                self.shelf.put(deployment(id), {"claim": 0, "fence": {}, **rows}, None)
            return number

        number = written(self.clock, left)
        self._called = None
        return number

    def heard(self, id: str) -> Sequence[Signal]:
        self._heard[index.first_word(id)] = id
        found = self.shelf.look(deployment(id))
        return [word.signal for word in Kept(found).words] if found is not None else []

    def answer(self, signal: int, text: str) -> None:
        """Of a word that nobody left, nothing is said."""

        def answered() -> None:
            id = self._whose(signal)  # noqa: A001 - as the contract calls it
            found = self.shelf.find(deployment(id)) if id is not None else None
            if found is None:
                return
            words = [
                evolve(word, signal=evolve(word.signal, answer=text)) if word.signal.id == signal else word
                for word in Kept(found).words
            ]
            self.shelf.put(found.name, Kept(found).changed(**with_words(words)), found)

        written(self.clock, answered)
        self._called = None

    def _whose(self, signal: int) -> str | None:
        """Which deployment a word is for: its number tells, among those that there are."""
        first = signal // index.WORDS * index.WORDS
        if first not in self._heard:
            self._heard.update((index.first_word(name.of), name.of) for name, _ in self.shelf.listed())
        return self._heard.get(first)

    def called(self) -> Sequence[str]:
        """As a shelf tells it that knows; else as it was two seconds ago, at most."""
        told = self.shelf.called()
        if told is not None:
            return _calling(told)
        now = self.clock.monotonic()
        if self._called is None or now - self._called[0] >= CALLED:
            self._called = (now, self._look())
        return self._called[1]

    def _look(self) -> Sequence[str]:
        """Only what was claimed last in its place can be under way: nothing else is read."""
        versions = dict(self.shelf.listed())
        names = [deployment(one.id) for one in Index.of(self.shelf.look(INDEX)).claims.values()]
        found = [self.shelf.look(name, versions[name]) for name in names if name in versions]
        return _calling(filter(None, found))


def _calling(things: Iterable[Thing]) -> Sequence[str]:
    return [thing.name.of for thing in things if Kept(thing).called]
