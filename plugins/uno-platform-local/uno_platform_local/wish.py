"""What is asked of the workload: counts per slot, on disk, so that it outlives every process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve, field, frozen

from uno_core import Counts, Release, Slot
from uno_platform_local.files import read_json, write_json
from uno_platform_local.layout import Layout


def release_to_json(release: Release) -> dict[str, str]:
    return {"version": release.version, "artifact": release.artifact, "config": release.config}


def release_from_json(row: Mapping[str, Any]) -> Release:
    return Release(row["version"], row["artifact"], row["config"])


def counts_to_json(counts: Counts) -> list[dict[str, Any]]:
    rows = [{**release_to_json(release), "count": n} for release, n in counts.items() if n > 0]
    return sorted(rows, key=lambda row: (row["version"], row["artifact"], row["config"]))


def counts_from_json(rows: Iterable[Mapping[str, Any]]) -> Counts:
    return {release_from_json(row): int(row["count"]) for row in rows}


@frozen(kw_only=True)
class SlotWish:
    """What one slot is to run.

    `floor` is the least that was wanted of each release since the agent last reported: what may be
    believed of an older report. `retire_at` is wall time, since it must survive a reboot.
    """

    generation: int = 0
    counts: Counts = field(factory=dict)
    floor: Counts = field(factory=dict)
    retire_at: float | None = None


NOTHING = SlotWish()


@frozen(kw_only=True)
class Wish:
    """What both slots are to run."""

    generation: int = 0
    slots: Mapping[Slot, SlotWish] = field(factory=dict)

    def slot(self, slot: Slot) -> SlotWish:
        return self.slots.get(slot, NOTHING)

    def asking(self, slot: Slot, counts: Counts, observed: int) -> Wish:
        """The same, with other counts in one slot; its retirement is cancelled."""
        old = self.slot(slot)
        counts = {release: n for release, n in counts.items() if n > 0}
        if counts == old.counts:
            return self.retiring(slot, None)
        before = old.counts if observed >= old.generation else old.floor
        floor = {r: least for r, n in before.items() if (least := min(n, counts.get(r, 0)))}
        new = SlotWish(generation=self.generation + 1, counts=counts, floor=floor)
        return Wish(generation=new.generation, slots={**self.slots, slot: new})

    def retiring(self, slot: Slot, at: float | None) -> Wish:
        """The same, with one slot to be emptied at a time, or no longer."""
        return evolve(self, slots={**self.slots, slot: evolve(self.slot(slot), retire_at=at)})


def read_wish(layout: Layout) -> Wish:
    value = read_json(layout.desired)
    if value is None:
        return Wish()
    slots = {
        Slot(name): SlotWish(
            generation=row["generation"],
            counts=counts_from_json(row["counts"]),
            floor=counts_from_json(row["floor"]),
            retire_at=row["retire_at"],
        )
        for name, row in value["slots"].items()
    }
    return Wish(generation=value["generation"], slots=slots)


def write_wish(layout: Layout, wish: Wish) -> None:
    """The caller holds the layout's lock."""
    slots = {
        slot.value: {
            "generation": row.generation,
            "counts": counts_to_json(row.counts),
            "floor": counts_to_json(row.floor),
            "retire_at": row.retire_at,
        }
        for slot, row in wish.slots.items()
    }
    write_json(layout.desired, {"generation": wish.generation, "slots": slots})
