"""Given machines behind a name: who takes part in a slot stands in the note, beside the routing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import evolve

from uno_core import Member, Slot
from uno_platform_dns.note import Note
from uno_platform_dns.options import value_of
from uno_platform_dns.router import DnsRouter, Held


class NotedMembers:
    """Whoever takes part can be named. Before anybody said so, those take part that the name leads to."""

    def __init__(self, router: DnsRouter) -> None:
        self.router = router
        self.addresses = router.traffic.addresses

    def of(self, slot: Slot) -> Mapping[str, Member]:
        """DNS says nothing of health: what they say of themselves is all there is.

        Whoever the name has led to drains until the last answer with it has run out.
        """
        held = self.router.recent()
        found = {target: Member() for target in self._of(held, slot)}
        leaving = [one for one in self.addresses[slot.value] if one in held.note.leaving]
        if leaving and not self.router.settled(held):
            found |= {one: Member(reason="clients may still be led to it", leaving=True) for one in leaving}
        return found

    def _of(self, held: Held, slot: Slot) -> Sequence[str]:
        if held.note.members is not None:
            return held.note.members.get(slot.value, ())
        if not held.split.get(slot):
            return ()
        return [one for one in self.addresses[slot.value] if value_of(one) in held.named]

    def join(self, slot: Slot, targets: Sequence[str]) -> None:
        """Where everything is the slot's they are named at once: no share changes by that."""
        if self.router.recent().split.get(slot, 0.0) > 99.9:
            self.router.name_also(targets)
        self._change(slot, lambda now: [*now, *(one for one in targets if one not in now)], targets)

    def leave(self, slot: Slot, targets: Sequence[str]) -> None:
        """Those that the name leads to are exchanged for others of the slot first, so that no share changes.

        Raises PlatformError where there are not as many others. Where all that there is leaves at once, the
        core has asked for that outage: the name goes on leading there, since it has to lead somewhere.
        """
        held = self.router.read()
        if held.split.get(slot) and (wanted := [one for one in targets if value_of(one) in held.named]):
            taking_part = self._of(held, slot)
            out = {*targets, *held.note.leaving}
            all_at_once = held.split[slot] > 99.9 and set(taking_part) <= set(targets)
            if not all_at_once:
                self.router.exchange(wanted, [one for one in taking_part if one not in out])
        self._change(slot, lambda now: [one for one in now if one not in targets])

    def _change(
        self, slot: Slot, change: Callable[[Sequence[str]], Sequence[str]], back: Sequence[str] = ()
    ) -> None:
        """Write who takes part. back: those that do not leave any more."""

        def changed(note: Note) -> Note:
            before = self.router.recent()
            now = {each.value: list(self._of(before, each)) for each in Slot}
            leaving = [one for one in note.leaving if one not in back]
            return evolve(note, members={**now, slot.value: list(change(now[slot.value]))}, leaving=leaving)

        self.router.note(changed)

    def address(self, target: str) -> str:
        return target
