"""A workload on given instances: a command puts a release on each, and whoever runs it takes part.

Who takes part in a slot is what the slot is asked to run, so that another process finds it there. An instance
that gets another release leaves first, drains, is given the release by the command, says by its `version_url`
that it runs it, and joins again. Each step goes one on; nothing is waited for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from attrs import frozen

from uno_core.contracts.platform import WorkloadState
from uno_core.errors import ConfigError, PlatformError
from uno_core.given import asking
from uno_core.given.looks import Looks
from uno_core.given.members import GivenOptions, Member, Members
from uno_core.given.placing import Placing, filled
from uno_core.model import Counts, Instance, Json, Release, Slot, SlotState


@frozen
class _Seen:
    """A slot at one moment. members: those of its instances that take part. versions: what each says."""

    members: Mapping[str, Member]
    versions: Mapping[str, str]

    def taking_part(self, target: str) -> bool:
        """Whether it takes part, and does not drain away."""
        return target in self.members and not self.members[target].leaving


class GivenWorkload:
    """Puts releases on given instances, and has those that run them take part in their slot, or not.

    Declares `steps`, and holds one release a slot. instances: how many are wanted when one slot carries
    everything; 0: as many as the smaller slot has. healthy_looks: looks in a row at which one that comes has
    to be fit. where: the place of its options in the configuration, for messages. Close it.
    """

    def __init__(
        self,
        members: Members,
        options: GivenOptions,
        *,
        instances: int,
        healthy_looks: int,
        where: str = "platform.workload",
    ) -> None:
        """Keep them; do no I/O."""
        self.members, self.options, self.instances, self.where = members, options, instances, where
        self._asked: dict[Slot, Counts] = {}
        self._placing: dict[str, Placing] = {}
        self._failed: dict[str, str] = {}
        self._versions: dict[str, str] = {}
        self._looks = Looks(healthy_looks)

    @cached_property
    def targets(self) -> Mapping[Slot, Sequence[str]]:
        """Those of each slot. Raises ConfigError where they are not named, or nothing tells what they run."""
        named = self.options.targets
        lacking = [
            f"{self.where}.{name}"
            for name in ("targets", "command", "version_url")
            if not getattr(self.options, name)
        ]
        if lacking:
            raise ConfigError(
                "given instances need more than this to be deployed to", found=f"no {', no '.join(lacking)}",
                expected="targets: {blue: […], green: […]}, command: […] and version_url",
                where=self.where, remedy="without version_url nobody could verify what runs there",
            )  # fmt: skip
        return {slot: tuple(named[slot.value]) for slot in Slot}

    def check(self) -> None:
        """Raises ConfigError where it cannot work."""
        _ = self.targets

    # What is to run

    def resolve(self, release: Release) -> Release:
        """A version is all that is known of it: the instances tell no more."""
        if not release.version.strip() or any(one.isspace() for one in release.version):
            raise ConfigError(
                "that cannot be a version", found=repr(release.version), expected="one word",
                where="--version", remedy="name what version_url answers with once it runs",
            )  # fmt: skip
        return Release(release.version, release.version)

    def converge(self, slot: Slot, counts: Counts) -> None:
        wanted = {self.resolve(release): count for release, count in counts.items() if count > 0}
        if len(wanted) > 1:
            raise ConfigError(
                f"{slot} holds one release", found=", ".join(map(str, wanted)), expected="one release a slot"
            )
        if sum(wanted.values()) > len(self.targets[slot]):
            raise ConfigError(
                f"{sum(wanted.values())} instances are more than {slot} has",
                found=f"{len(self.targets[slot])} targets", expected="as many as are asked for, or fewer",
                where=f"{self.where}.targets.{slot}",
                remedy="name more of them, or set platform.instances lower",
            )  # fmt: skip
        for target in self.targets[slot]:
            self._failed.pop(target, None)  # whoever asks again has it tried again
        self._asked[slot] = wanted
        self.step(slot)

    def restore(self, captured: Json, slot: Slot) -> None:
        if not isinstance(captured, Mapping) or slot.value not in captured:
            raise PlatformError(
                "that was not captured by this platform", found=str(captured)[:200],
                expected=f"what observe() captured, with the key {slot.value}",
            )  # fmt: skip
        before: Any = captured[slot.value]
        self.converge(slot, {Release(version, version): int(n) for version, n in before.items()})

    def step(self, slot: Slot) -> None:
        if slot not in self._asked:
            return
        seen = self._look(slot)
        staying = self._staying(slot, seen)
        out = [one for one in self.targets[slot] if seen.taking_part(one) and one not in staying]
        if out:
            self.members.leave(slot, out)
        into = []
        for target, release in self._chosen(slot, seen):
            if target in seen.members or target in self._failed:
                continue  # it has just been told to leave, or drains; or nobody knows how to go on
            if self._placed(slot, target, release, seen.versions[target]):
                into.append(target)
        if into:
            self.members.join(slot, into)

    def close(self) -> None:
        """End what is under way. Idempotent."""
        for one in self._placing.values():
            one.forget()
        self._placing.clear()

    # What runs

    def observe(self) -> WorkloadState:
        slots = {slot: self._slot(slot) for slot in Slot}
        captured: Json = {
            slot.value: {release.version: n for release, n in state.wanted.items()}
            for slot, state in slots.items()
        }
        least = min(len(targets) for targets in self.targets.values())
        return WorkloadState(slots=slots, size=self.instances or max(1, least), captured=captured)

    def _slot(self, slot: Slot) -> SlotState:
        seen = self._look(slot)
        first = self._looks.first(slot.value)
        there = [target for target in self.targets[slot] if seen.taking_part(target)]
        instances = [self._taking_part(target, seen, first=first) for target in there]
        if (asked := self._asked.get(slot)) is not None:
            instances += [self._coming(target, release, seen) for target, release in self._chosen(slot, seen)]
            wanted = dict(asked)
        else:
            found = [one.release for one in instances]
            wanted = {release: found.count(release) for release in dict.fromkeys(found)}
        return SlotState(wanted=wanted, instances=tuple(sorted(instances, key=lambda one: one.id)))

    def _look(self, slot: Slot) -> _Seen:
        """Ask who takes part, and those of whom it matters what they run."""
        mine = self.targets[slot]
        members = {target: one for target, one in self.members.of(slot).items() if target in mine}
        matter = mine if self._asked.get(slot) else [target for target in mine if target in members]
        said = asking.versions({target: self._url(target) for target in matter})
        self._versions |= {target: version for target, version in said.items() if version}
        return _Seen(members, said)

    def _taking_part(self, target: str, seen: _Seen, *, first: bool) -> Instance:
        version = seen.versions[target]
        silent = f"{self._url(target)} does not say which version runs"
        known = version or self._versions.get(target, "unknown")
        reason = self._looks.why(target, seen.members[target].reason if version else silent, first=first)
        return Instance(
            id=f"{target}@{known}", release=Release(known, known), ready=not reason, reason=reason,
            host=self.members.address(target), port=self.options.port,
        )  # fmt: skip

    def _coming(self, target: str, release: Release, seen: _Seen) -> Instance:
        """One that is to get the release and does not take part yet, with what it waits for."""
        failed = self._failed.get(target, "")
        if failed:
            reason = failed
        elif target in self._placing and self._placing[target].ended() is None:
            reason = "the command runs"
        elif target in seen.members:
            reason = "it drains before it is given the release"
        else:
            reason = f"{self._url(target)} does not tell {release} yet"
        return Instance(
            id=f"{target}@{release.version}", release=release, ready=False, reason=reason,
            given_up=bool(failed),
        )  # fmt: skip

    def _url(self, target: str) -> str:
        return filled(self.options.version_url, {"host": self.members.address(target), "id": target})

    # Going on

    def _goal(self, slot: Slot) -> tuple[Release, int]:
        """The one release that the slot is to run, and how many of it; none of it where it is emptied."""
        return next(iter(self._asked[slot].items()), (Release(""), 0))

    def _staying(self, slot: Slot, seen: _Seen) -> set[str]:
        """Those that take part and run the release already, as many as are wanted; the fit ones first."""
        release, count = self._goal(slot)
        running = [
            target
            for target in self.targets[slot]
            if seen.taking_part(target) and self._held(target, seen, release) == release.version
        ]
        running.sort(key=lambda target: (bool(seen.members[target].reason), not seen.versions[target]))
        return set(running[:count])

    def _held(self, target: str, seen: _Seen, wanted: Release) -> str:
        """What one that takes part runs. One that does not say so this once is not taken out for it."""
        unsaid = "" if seen.members[target].reason else wanted.version
        return seen.versions[target] or self._versions.get(target, unsaid)

    def _chosen(self, slot: Slot, seen: _Seen) -> list[tuple[str, Release]]:
        """Those that still have to get the release: who is nearest to it first."""
        release, count = self._goal(slot)
        if not count:
            return []

        def far(target: str) -> tuple[bool, bool, bool]:
            busy = target in self._placing and self._placing[target].release == release
            return (not busy, seen.versions[target] != release.version, seen.taking_part(target))

        staying = self._staying(slot, seen)
        left = sorted((one for one in self.targets[slot] if one not in staying), key=far)
        return [(target, release) for target in left[: max(0, count - len(staying))]]

    def _placed(self, slot: Slot, target: str, release: Release, said: str) -> bool:
        """Whether it runs the release by its own word; where it does not, the command puts it there."""
        running = self._placing.get(target)
        if running is None:
            if said == release.version:
                return True
            self._begin(slot, target, release)
            return False
        code = running.ended()
        if code is None or (running.release == release and not code and said != release.version):
            return False  # the command runs, or what it has started does not answer yet
        self._placing.pop(target)
        told = f"the command ended with {code}: {running.last_words()}"
        running.forget()
        if running.release != release:
            return False
        if code:
            self._failed[target] = told
        return not code

    def _begin(self, slot: Slot, target: str, release: Release) -> None:
        values = {
            "slot": slot.value, "version": release.version, "host": self.members.address(target),
            "id": target,
        }  # fmt: skip
        try:
            self._placing[target] = Placing.begin(
                release, [filled(part, values) for part in self.options.command]
            )
        except OSError as problem:
            self._failed[target] = f"the command cannot be started: {problem}"
