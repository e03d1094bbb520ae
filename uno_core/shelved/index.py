"""What is kept of deployments: what each thing is called, and what is in it.

`index` decides who begins; a `deployment` is one with its words, a `journal` its lines, part for part, a
`checkpoint` what was seen last, and a `lease` says who drives an application.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from uno_core.contracts.state import Record, Signal
from uno_core.errors import StateError
from uno_core.model import Status
from uno_core.shelved.shelf import Thing, ThingName
from uno_core.wire import from_json, to_json

INDEX = ThingName("index")

KEPT = 30
"""Deployments that have ended and are kept, the newest of an application in its environment."""

SERVED = 10
"""Of those that were a success so many are kept in any case: there is a way back to them."""

WORDS = 1 << 13
"""Words that a deployment may be left: with 40 bits before it, a number of 53 bits, which any JSON holds."""


def deployment(id: str) -> ThingName:
    """What it is called."""
    return ThingName("deployment", id)


def checkpoint(id: str) -> ThingName:
    """What was seen last of a deployment is called so."""
    return ThingName("checkpoint", id)


def number_of(id: str) -> int:
    last = id.rpartition("-")[2]
    return int(last) if last.isdigit() else 0


def place_of(record: Record) -> str:
    """`shop` in `eu-live` and `shop-eu` in `live` share their numbers, and are two."""
    return f"{record.application}/{record.environment}"


def first_word(id: str) -> int:
    """Words are answered by their number alone: it tells which deployment it is for."""
    return int.from_bytes(hashlib.sha256(id.encode()).digest()[:5], "big") * WORDS


def next_word(id: str, words: Sequence[Word]) -> int:
    """The number of the next word. Raises StateError where there are too many."""
    number = max((word.signal.id for word in words), default=first_word(id)) + 1
    if number >= first_word(id) + WORDS:
        raise StateError("too many words were left for this deployment", found=id)
    return number


def with_words(words: Sequence[Word]) -> Mapping[str, Any]:
    """As they are kept. called: what a shelf that can find things by what is in them finds them by."""
    waits = any(not word.signal.answer for word in words)
    return {"signals": [to_json(word) for word in words], "called": waits}


@frozen(kw_only=True)
class Word:
    """A word. nonce: tells whoever left it that it was them, where the answer was lost."""

    signal: Signal
    nonce: str


@frozen
class Kept:
    """A deployment's object, read. `claim`: the turn it is under way by."""

    thing: Thing

    @property
    def record(self) -> Record | None:
        """None where there is nothing but words for it."""
        found = self.thing.data.get("record")
        return from_json(found, Record) if found else None

    @property
    def claim(self) -> int:
        return int(self.thing.data.get("claim", 0))

    @property
    def words(self) -> Sequence[Word]:
        return [from_json(row, Word) for row in self.thing.data.get("signals", ())]

    @property
    def called(self) -> bool:
        """It is under way, and there is a word that is not answered."""
        record = self.record
        if record is None or record.status.final:
            return False
        return any(not word.signal.answer for word in self.words)

    def changed(self, **changes: Any) -> Mapping[str, Any]:
        """What is written in its place."""
        return {**self.thing.data, **changes}


@frozen(kw_only=True)
class Claim:
    """A turn to be under way, and all that is needed to carry it out where whoever took it died.

    turn: grows with each. nonce: tells whoever took it that it was them, where the answer was lost.
    record: None once it was carried out; what is not there any more was deleted since, and stays so.
    """

    id: str
    turn: int
    nonce: str
    record: Record | None = None


@frozen(kw_only=True)
class Known:
    """A deployment that once began. began: its place among all. status: how it ended, once another began."""

    began: int
    status: Status | None = None


@frozen(kw_only=True)
class Index:
    """What decides who begins: the last numbers given, and the last claim of each application in its place.

    known: by place and id. It gives the order, and tells what can be forgotten without a look at it.
    """

    turn: int = 0
    last: Mapping[str, int] = field(factory=dict)
    claims: Mapping[str, Claim] = field(factory=dict)
    known: Mapping[str, Mapping[str, Known]] = field(factory=dict)

    @classmethod
    def of(cls, thing: Thing | None) -> Index:
        found = thing.data.get("index") if thing is not None else None
        return from_json(found, cls) if found else cls()

    @classmethod
    def anew(cls, kept: Iterable[Kept]) -> Index:
        """What the deployments tell themselves, where somebody deleted it: numbers and turns go on."""
        last: dict[str, int] = {}
        claims: dict[str, Claim] = {}
        known: dict[str, dict[str, Known]] = {}
        for turn, record in sorted(((one.claim, one.record) for one in kept), key=lambda row: row[0]):
            if record is None:
                continue
            key, place = f"{record.application}-{record.environment}", place_of(record)
            last[key] = max(last.get(key, 0), number_of(record.id))
            claims[place] = Claim(id=record.id, turn=turn, nonce="")
            status = record.status if record.status.final else None
            known.setdefault(place, {})[record.id] = Known(began=turn, status=status)
        turns = [claim.turn for claim in claims.values()]
        return cls(turn=max(turns, default=0), last=last, claims=claims, known=known)

    def due(self, id: str) -> Claim | None:
        """The claim of a deployment that may have to be carried out yet."""
        claims = self.claims.values()
        return next((one for one in claims if one.id == id and one.record is not None), None)

    @property
    def began(self) -> Mapping[str, int]:
        """The place of each deployment among all."""
        return {name: one.began for known in self.known.values() for name, one in known.items()}

    @property
    def places(self) -> Mapping[str, str]:
        """Where each was deployed."""
        return {name: place for place, known in self.known.items() for name in known}

    def claimed(self, record: Record, nonce: str, former: Record | None) -> Index:
        """With one more turn, and one more number where the record has none. former: what ended there."""
        key, place = f"{record.application}-{record.environment}", place_of(record)
        last = self.last.get(key, 0)
        if not record.id:
            last += 1
            record = evolve(record, id=f"{key}-{last}")
        turn = self.turn + 1
        known = dict(self.known.get(place, {}))
        if former is None and place in self.claims:
            known.pop(self.claims[place].id, None)  # somebody deleted it
        if former is not None and former.id in known:
            known[former.id] = evolve(known[former.id], status=former.status)
        known[record.id] = Known(began=known[record.id].began if record.id in known else turn)
        claim = Claim(id=record.id, turn=turn, nonce=nonce, record=record)
        return Index(
            turn=turn,
            last={**self.last, key: max(last, number_of(record.id))},
            claims={**self.claims, place: claim},
            known={**self.known, place: known},
        )

    def carried_out(self, place: str, turn: int, forgotten: Sequence[str]) -> Index | None:
        """Without what was needed to carry out a claim; None where there is nothing to say."""
        claim = self.claims.get(place)
        done = claim is not None and claim.turn == turn and claim.record is not None
        known = {name: one for name, one in self.known.get(place, {}).items() if name not in forgotten}
        if not done and len(known) == len(self.known.get(place, {})):
            return None
        claims = {**self.claims, place: evolve(claim, record=None)} if claim and done else self.claims
        return evolve(self, claims=claims, known={**self.known, place: known})

    def old(self, place: str) -> Sequence[str]:
        """What has ended in a place and is none of the newest, the oldest first."""
        known = self.known.get(place, {})
        ended = sorted((name for name, one in known.items() if one.status), key=number_of, reverse=True)
        served = [name for name in ended if known[name].status is Status.SUCCESSFUL]
        stays = {*ended[:KEPT], *served[:SERVED]}
        return [name for name in reversed(ended) if name not in stays]
