"""The live picture on a terminal: steps, traffic, instances, waits, evidence, gates."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import define, field
from rich.console import Group, RenderableType
from rich.live import Live as Display
from rich.table import Table
from rich.text import Text

from uno_core import wording
from uno_core.cli import printing
from uno_core.model import Json, Slot, Snapshot

WIDTH = 40
COLOURS = {Slot.BLUE: "blue", Slot.GREEN: "green"}


@define
class _Step:
    title: str
    began: datetime
    ended: datetime | None = None
    mark: str = "●"


@define
class Picture:
    """What is known of the deployment now, from what it told."""

    title: str = ""
    steps: list[_Step] = field(factory=list)
    split: Mapping[str, float] = field(factory=dict)
    slots: dict[str, str] = field(factory=dict)
    until: datetime | None = None
    evidence: Sequence[str] = ()
    gate: str = ""
    back: str = ""
    notices: list[str] = field(factory=list)

    def hear(self, kind: str, data: Mapping[str, Json]) -> None:
        """Take one event in."""
        d: Any = data
        match kind:
            case "started" | "resumed":
                self.title = wording.line(kind, data)
            case "step":
                self._end_step("✓")
                self.steps.append(_Step(d["title"], datetime.now(UTC)))
                self.until, self.gate = None, ""
            case "instances":
                self._instances(d)
            case "split":
                self.split = d["split"]
            case "waiting":
                self.until = datetime.fromisoformat(d["until"])
            case "evidence" | "verdict":
                self.evidence = wording.findings(d["analysis"])
            case "paused":
                self.gate, self.until = wording.gate(d), datetime.fromisoformat(d["until"])
            case _:
                self._hear_the_end(kind, d)

    def _hear_the_end(self, kind: str, d: Any) -> None:
        if kind == "continued":
            self.gate, self.until = "", None
        elif kind == "rollback":
            self._end_step("✗")
            self.back, self.gate, self.until = wording.line(kind, d), "", None
        elif kind == "restoring":
            self.split = d["split"]
        elif kind in ("finished", "left"):
            self._end_step("·" if kind == "left" else "✓" if d["exit_code"] == 0 else "✗")
            self.until = None

    def _instances(self, d: Any) -> None:
        unready = f" ({d['unready']})" if d["unready"] else ""
        self.slots[d["slot"]] = f"{d['ready']}/{d['wanted']} ready, {wording.counts(d['counts'])}{unready}"

    def _end_step(self, mark: str) -> None:
        if self.steps and self.steps[-1].ended is None:
            self.steps[-1].ended, self.steps[-1].mark = datetime.now(UTC), mark

    def __rich__(self) -> RenderableType:
        parts: list[RenderableType] = [Text(printing.safe(self.title), "bold")]
        if self.steps:
            parts.append(self._shown_steps())
        if self.split:
            parts.append(self._bar())
        parts += [self._slot(slot) for slot in Slot if slot.value in self.slots]
        if self.until:
            left = max(0.0, (self.until - datetime.now(UTC)).total_seconds())
            parts.append(Text(f"  {wording.lasting(float(round(left)))} left", "dim"))
        lines: Sequence[tuple[str, str]] = (
            *((line, "red" if line.startswith("fail") else "dim") for line in self.evidence),
            (self.gate, "bold yellow"),
            (self.back, "bold red"),
            *((notice, "yellow") for notice in self.notices),
        )
        parts += [Text("  " + printing.safe(text), style) for text, style in lines if text]
        return Group(*parts)

    def _shown_steps(self) -> Table:
        rows = Table.grid(padding=(0, 1))
        for step in self.steps:
            took = ((step.ended or datetime.now(UTC)) - step.began).total_seconds()
            colour = {"✓": "green", "✗": "red"}.get(step.mark, "cyan")
            rows.add_row(
                Text(f"  {step.mark}", colour),
                Text(printing.safe(step.title)),
                Text(wording.lasting(took if step.ended else float(int(took))), "dim"),
            )
        return rows

    def _bar(self) -> Text:
        green = self.split.get(Slot.GREEN.value, 0.0)
        cells = round(WIDTH * green / 100)
        cells = min(max(cells, 1), WIDTH - 1) if 0 < green < 100 else cells
        return Text.assemble(
            "  ",
            ("█" * (WIDTH - cells), COLOURS[Slot.BLUE]),
            ("█" * cells, COLOURS[Slot.GREEN]),
            f"  {wording.split(self.split)}",
        )

    def _slot(self, slot: Slot) -> Text:
        return Text.assemble((f"  {slot.value:<6}", COLOURS[slot]), printing.safe(self.slots[slot.value]))


class Live:
    """Draws the picture on stderr from the first event to the last."""

    def __init__(self) -> None:
        self.picture = Picture()
        # Log lines go above the picture: they are written to the stderr that it holds meanwhile.
        self._display = Display(
            self.picture,
            console=printing.console(stderr=True),
            refresh_per_second=4,
            redirect_stdout=False,
        )

    def hear(self, kind: str, data: Mapping[str, Json]) -> None:
        if kind in ("started", "resumed", "rollback") and not self._display.is_started:
            self._display.start()
        self.picture.hear(kind, data)
        if kind in ("finished", "left"):
            self.close()

    def before(self, snapshot: Snapshot) -> None:
        self.picture.split = {slot.value: percent for slot, percent in snapshot.in_force.items()}
        for slot in snapshot.serving:
            self.picture.slots[slot.value] = wording.instances(snapshot.slot(slot))

    def left(self, seen: Mapping[str, Any]) -> None:
        if "split" in seen:
            self.picture.split = seen["split"]["split"]
        if text := wording.left(seen):
            self.picture.notices.append(text)

    def notice(self, text: str) -> None:
        self.picture.notices.append(text)
        if not self._display.is_started:
            print(text, file=sys.stderr)

    def close(self) -> None:
        """Leave the picture standing as it is now."""
        if self._display.is_started:
            self._display.stop()
