"""Given machines behind a name: who takes part in a slot stands in the note, beside the routing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import evolve

from uno_core import Member, Slot
from uno_platform_dns.asking import value_of
from uno_platform_dns.note import Note
from uno_platform_dns.router import DnsRouter, Held


class NotedMembers:
    """Whoever takes part can be named. Before anybody said so, those take part that the name leads to."""

    def __init__(self, router: DnsRouter) -> None:
        self.router = router
        self.addresses = router.traffic.addresses

    def of(self, slot: Slot) -> Mapping[str, Member]:
        """DNS says nothing of health: what they say of themselves is all there is."""
        return {target: Member() for target in self._of(self.router.recent(), slot)}

    def _of(self, held: Held, slot: Slot) -> Sequence[str]:
        if held.note.members is not None:
            return held.note.members.get(slot.value, ())
        if not held.split.get(slot):
            return ()
        named = {value for one in held.sets for value in one.values}
        return [one for one in self.addresses[slot.value] if value_of(one) in named]

    def join(self, slot: Slot, targets: Sequence[str]) -> None:
        self._change(slot, lambda now: [*now, *(one for one in targets if one not in now)])

    def leave(self, slot: Slot, targets: Sequence[str]) -> None:
        """Those that the name leads to are exchanged for others of the slot first, so that no share changes.

        Raises PlatformError where there are no others.
        """
        held = self.router.read()
        named = {value for one in held.sets for value in one.values}
        if held.split.get(slot) and (wanted := [one for one in targets if value_of(one) in named]):
            staying = [one for one in self._of(held, slot) if one not in targets]
            self.router.exchange(wanted, staying)
        self._change(slot, lambda now: [one for one in now if one not in targets])

    def _change(self, slot: Slot, change: Callable[[Sequence[str]], Sequence[str]]) -> None:
        def changed(note: Note) -> Note:
            before = self.router.recent()
            now = {each.value: list(self._of(before, each)) for each in Slot}
            return evolve(note, members={**now, slot.value: list(change(now[slot.value]))})

        self.router.note(changed)

    def address(self, target: str) -> str:
        return target
