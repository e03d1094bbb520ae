"""What uno notes in the zone, beside the name: when the shares were last changed, and what is under way.

It is one TXT record, `_uno.NAME`, and is written in the same change as the routing. So a process that has
only just begun, on whatever machine, knows how old the answers are that caches may still hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import evolve, field, frozen

from uno_core import Json, PlatformError, Slot, Split
from uno_platform_dns.texts import quoted, unquoted
from uno_platform_dns.zone import RecordSet

PREFIX = "_uno"
"""The label under the name below which everything is uno's."""

TTL = 5
"""Seconds. Nobody but uno asks for it, and uno asks the zone's own server."""


@frozen(kw_only=True)
class Note:
    """turn: grows with every write, so that an old write can never fit again.

    at: when the shares changed last, by the clock of `host`; None where uno has not written any. shares:
    those that were written then. lasts: seconds for which caches may hold what was answered before. before:
    the shares until then. members: of each slot, the given addresses that take part; None where nobody has
    said. leaving: those that the name led to until the last change.
    """

    turn: int = 0
    at: datetime | None = None
    lasts: float = 0.0
    before: Split = field(factory=dict)
    mark: Json = None
    members: Mapping[str, Sequence[str]] | None = None
    leaving: Sequence[str] = ()
    shares: Split = field(factory=dict)
    host: str = ""

    def changed(self, at: datetime, lasts: float, before: Split, shares: Split) -> Note:
        """As it is once other shares were written."""
        # Rounded as it is written, so that whoever wrote it knows it again.
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        return evolve(self, at=at, lasts=lasts, before=before, shares=shares)

    def record(self, name: str) -> RecordSet:
        """As it is written. Raises PlatformError where it is too long."""
        value: dict[str, Any] = {"uno": 1, "turn": self.turn}
        if self.at is not None:
            value |= {
                "at": self.at.astimezone(UTC).isoformat(timespec="milliseconds"), "lasts": self.lasts,
                "before": {slot.value: percent for slot, percent in self.before.items()},
                "host": self.host,
                "shares": {slot.value: percent for slot, percent in self.shares.items()},
            }  # fmt: skip
        if self.mark is not None:
            value["mark"] = self.mark
        if self.members is not None:
            value["members"] = {slot: list(found) for slot, found in self.members.items()}
        if self.leaving:
            value["leaving"] = list(self.leaving)
        try:
            text = quoted(value)
        except ValueError as problem:
            raise PlatformError(
                "what uno notes in the zone is too long", found=str(problem), where=place(name),
                remedy="give the application fewer addresses",
            ) from problem  # fmt: skip
        return RecordSet(name=place(name), type="TXT", ttl=TTL, values=[text])

    @classmethod
    def of(cls, sets: Sequence[RecordSet], name: str) -> Note:
        """What stands there. Raises PlatformError where that is not uno's."""
        found = next((one for one in sets if one.type == "TXT"), None)
        if found is None:
            return cls()
        try:
            (text,) = found.values
            value: Any = unquoted(text)
            at = datetime.fromisoformat(value["at"]) if "at" in value else None
            before, shares = (
                {Slot(slot): float(share) for slot, share in value.get(key, {}).items()}
                for key in ("before", "shares")
            )
            return cls(
                turn=int(value["turn"]), at=at, lasts=float(value.get("lasts", 0)), before=before,
                mark=value.get("mark"), members=value.get("members"), leaving=value.get("leaving", ()),
                shares=shares, host=str(value.get("host", "")),
            )  # fmt: skip
        except (ValueError, LookupError, TypeError, AttributeError) as problem:
            raise PlatformError(
                "what uno noted in the zone cannot be read", found=str(found), where=place(name),
                expected="one TXT record that uno wrote",
                remedy="if no deployment is under way, take the record out",
            ) from problem  # fmt: skip


def place(name: str) -> str:
    """Where the note of a name stands."""
    return f"{PREFIX}.{name}"
