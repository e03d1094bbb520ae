"""What the journal of a deployment says about where it stands, for whoever goes on from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import frozen

from uno_core.contracts.state import Entry, Mark
from uno_core.effects.ledger import ANYTHING, Ledger
from uno_core.effects.perform import CHANGES
from uno_core.effects.world import SPLIT
from uno_core.model import Json, Slot, Split
from uno_core.rules import protects
from uno_core.wire import counts_from_json

WAY_BACK = ("put_traffic_back", "restore")


@frozen
class Recorded:
    """The lines of one deployment, of all its runs."""

    entries: Sequence[Entry]

    @property
    def promoted(self) -> bool:
        """Whether success is recorded."""
        return any(e.op == "promoted" and e.mark is Mark.RESULT and e.error is None for e in self.entries)

    @property
    def served(self) -> bool:
        """Whether the release was seen to serve, at the end or before."""
        ops = ("verify", "promoted")
        return any(e.op in ops and e.mark is Mark.RESULT and e.error is None for e in self.entries)

    @property
    def rollbacks(self) -> int:
        """How many ways back were begun."""
        return len({e.run for e in self.entries} - {"deploy"})

    @property
    def urgent(self) -> bool:
        """Whether a bad verdict is why it goes back."""
        return any(e.error is not None and e.error["code"] == "breach" for e in self.entries)

    @property
    def aborted(self) -> str:
        """Why a person took it back; empty where nobody did."""
        return next(
            (str(e.error["message"]) for e in self.entries if e.error and e.error["code"] == "aborted"), ""
        )

    @property
    def changed(self) -> bool:
        """Whether anything may have been written to the world."""
        ops = (*CHANGES, *WAY_BACK)
        return any(e.op in ops for e in self.entries)

    def forbidden(self, after: str) -> str:
        """Why nothing may be taken back any more: the moment after which it is forbidden has begun."""
        for entry in self.entries if after else ():
            asked = entry.value if entry.op == "hook" and entry.mark is Mark.INTENT else None
            if isinstance(asked, Mapping) and asked["phase"] == after:
                return forbidden(after)
        return ""

    @property
    def companions(self) -> Mapping[str, Json]:
        """What companions ran before, where they were asked for the release since."""
        if not any(e.op == "companions" for e in self.entries):
            return {}
        noted = [e.value for e in self.entries if e.op == "note_companions" and e.mark is Mark.RESULT]
        return noted[0] if noted and isinstance(noted[0], Mapping) else {}

    def stands(self, live: Slot | None, captured: int, *, urgent: bool) -> bool:
        """Whether the slot that was live is as it was captured.

        After a bad verdict it is enough that it was not emptied: a few good instances serve better.
        """
        for entry in self.entries:
            asked = entry.value if entry.mark is Mark.INTENT and entry.op in ("converge", "retire") else None
            if not isinstance(asked, Mapping) or asked["slot"] != live:
                continue
            left = sum(counts_from_json(asked["counts"]).values()) if entry.op == "converge" else 0
            if not left or (left < captured and not urgent):
                return False
        return True

    def open_writes(
        self, ledger: Ledger, *, now: datetime, monotonic: float, horizon: float, conditional: bool
    ) -> None:
        """Enter into the ledger what drivers before may have sent, and what may still land.

        Of a call that never ended nobody knows when its driver died: it counts from now on. Where
        writes are conditional, a call that ended well has forestalled whatever it sent before.
        """
        if not horizon:
            return
        ends: dict[tuple[str, int], Entry] = {}
        begins: dict[tuple[str, int], Entry] = {}
        for entry in self.entries:
            (begins if entry.mark is Mark.INTENT else ends)[entry.run, entry.seq] = entry
        for key, intent in begins.items():
            end = ends.get(key)
            if conditional and end is not None and end.error is None:
                continue
            age = max(0.0, (now - end.at).total_seconds()) if end is not None else 0.0
            if age < horizon:
                for place, value in _places(intent):
                    ledger.lost(place, value, monotonic + horizon - age)

    @property
    def retirements(self) -> Sequence[Mapping[str, Json]]:
        """What was to be emptied later, and the platform does not do by itself."""
        left = [e.value for e in self.entries if e.op == "retire" and e.mark is Mark.RESULT]
        return [value for value in left if isinstance(value, Mapping) and not value["done"]]


def forbidden(after: str) -> str:
    """Why nothing is taken back any more, in words."""
    return f"going back is forbidden after {after} (rollback.forbid_after)"


def _split(value: Json) -> Split:
    assert isinstance(value, Mapping) and isinstance(value["split"], Mapping)  # noqa: S101, PT018 - uno's own line
    return {Slot(slot): float(str(percent)) for slot, percent in value["split"].items()}


def _places(intent: Entry) -> Sequence[tuple[str, object]]:
    """Where a call writes to, and what; ANYTHING where its arguments do not say it."""
    asked = intent.value
    if intent.op == "set_traffic":
        return [(SPLIT, {slot: percent for slot, percent in _split(asked).items() if percent})]
    if intent.op == "converge" and isinstance(asked, Mapping):
        return [(str(asked["slot"]), dict(counts_from_json(asked["counts"])))]
    if intent.op == "retire" and isinstance(asked, Mapping):
        return [(str(asked["slot"]), {})]
    if intent.op in WAY_BACK:
        return [(place, ANYTHING) for place in (SPLIT, *(slot.value for slot in Slot))]
    return []


@protects("what a dead driver may have sent is taken for something that may still land")
def remember_open_writes(
    recorded: Recorded,
    ledger: Ledger,
    *,
    now: datetime,
    monotonic: float,
    horizon: float,
    conditional: bool,
) -> None:
    """`Recorded.open_writes`, for a driver that goes on from another one."""
    recorded.open_writes(ledger, now=now, monotonic=monotonic, horizon=horizon, conditional=conditional)
