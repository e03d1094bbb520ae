"""The journal of a rehearsal, step by step: what was asked for, in words and in seconds."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from attrs import define, field, frozen

from uno_core.contracts.platform import Capabilities
from uno_core.contracts.state import Entry, Mark
from uno_core.effects.beside import READY
from uno_core.model import Counts, Release, Slot, Snapshot
from uno_core.wire import counts_from_json

UNSEEN = frozenset({"observe", "now", "verify", "note_companions"})
"""Calls that only look: nothing begins with them, and nobody is told."""


@frozen(kw_only=True)
class Call:
    """One call as it was asked for.

    changes: it is a convergence to other counts than were wanted before. starts: to more of a release.
    watched: it is a wait that health or metrics can prolong.
    """

    op: str
    asked: Any
    changes: bool = False
    starts: bool = False
    watched: bool = False

    def greatest(self, capabilities: Capabilities, evidence: float) -> float:
        """The seconds that it takes at the longest without failing.

        A convergence may use up its deadline (`ready_timeout`, say); a change of the split its own:
        the greater of its timeout and one and a half times the router's bound plus 30 s; a health
        check and an evaluation their timeout; a watched wait its seconds and then the evidence
        timeout, any other wait its seconds; a gate and a hook their timeout. What uno sets no deadline
        for counts as nothing: readings, and methods of the strategy's own.
        """
        a = self.asked
        match self.op:
            case "converge":
                return float(a["deadline"])
            case "set_traffic":
                return max(float(a["timeout"]), 1.5 * capabilities.bound + 30)
            case "check_health" | "evaluate" | "pause":
                return float(a["timeout"])
            case "hook":
                return float(a["timeout"])
            case "companions":
                return READY
            case "wait":
                return float(a["seconds"]) + (evidence if self.watched else 0.0)
            case _:
                return 0.0

    def words(self, release: Release) -> str:
        """What it does to the world, for a person; empty where it only looks or waits."""
        a = self.asked
        match self.op:
            case "converge" if self.changes:
                counts = [f"{row['count']} of {row['version']}" for row in a["counts"] if row["count"]]
                return f"{a['slot']}: {', '.join(counts) or 'no instance'}"
            case "set_traffic":
                return "traffic: " + ", ".join(
                    f"{slot} {percent:g} %" for slot, percent in a["split"].items()
                )
            case "pause":
                return f"wait for a person: {a['reason']}"
            case "retire":
                return f"empty {a['slot']} {a['after']:g} s later"
            case "call":
                return f"call {a['method']} of the strategy"
            case "hook":
                return f"run {shlex.join(a['run'])} ({a['phase']})" if a["run"] else ""
            case "companions":
                return f"{release} for {', '.join(a['names'])} too"
            case "promoted":
                return f"verify that {release} serves: from here on it is a success"
            case _:
                return ""


@define
class Part:
    """A step as its journal holds it: everything between two titles."""

    title: str
    began: datetime
    calls: list[Call] = field(factory=list)

    def effects(self, release: Release) -> Sequence[str]:
        """In their order; what is asked for twice in a row is told once."""
        told: list[str] = []
        for call in self.calls:
            words = call.words(release)
            if words and told[-1:] != [words]:
                told.append(words)
        return tuple(told)


def calls(entries: Sequence[Entry], initial: Snapshot) -> Iterator[tuple[Entry, Call]]:
    """Every call of a run, in its order."""
    wanted: dict[str, Counts] = {slot.value: initial.slot(slot).wanted for slot in Slot}
    promoted = False
    # A router may want the slot kept for longer than the strategy asks for.
    kept: dict[int, Any] = {e.seq: e.value for e in entries if e.op == "retire" and e.mark is Mark.RESULT}
    for entry in entries:
        asked: Any = entry.value
        if entry.mark is not Mark.INTENT:
            promoted = promoted or (entry.op == "promoted" and entry.error is None)
            continue
        changes = starts = False
        if entry.op == "retire" and entry.seq in kept:
            asked = {**asked, "after": kept[entry.seq].get("after", asked["after"])}
        if entry.op == "converge":
            before = {release: n for release, n in wanted[asked["slot"]].items() if n}
            counts = {release: n for release, n in counts_from_json(asked["counts"]).items() if n}
            changes = counts != before
            starts = any(n > before.get(release, 0) for release, n in counts.items())
            wanted[asked["slot"]] = counts
        # After promotion nothing is watched, and without insisting a wait ends with the clock.
        watched = entry.op == "wait" and asked["watch"] and asked.get("insist", True) and not promoted
        yield entry, Call(op=entry.op, asked=asked, changes=changes, starts=starts, watched=watched)


def parts(entries: Sequence[Entry], initial: Snapshot) -> Sequence[Part]:
    """The steps; what a strategy does before it names one is a step called `begin`."""
    found: list[Part] = []
    for entry, call in calls(entries, initial):
        if call.op == "step":
            found.append(Part(str(call.asked["title"]), entry.at))
        elif found:
            found[-1].calls.append(call)
        elif call.op not in UNSEEN:
            found.append(Part("begin", entry.at, [call]))
    return found
