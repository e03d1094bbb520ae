"""The split over time, drawn: green grows from the bottom, blue is what is left above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

from uno_core import wording
from uno_core.model import Slot

HEIGHT = 4
EIGHTHS = " ▁▂▃▄▅▆▇█"
MARGIN = 8
"""Columns left of the picture, for percent."""

Splits = Sequence[tuple[float, Mapping[str, float]]]


def drawn(splits: Splits, seconds: float, columns: int) -> Text:
    """Bars as high as the share of green and as wide as they last, over the times at which each begins."""
    widths = _widths([at for at, _ in splits], seconds, max(len(splits), columns - 2 * MARGIN))
    picture = Text(no_wrap=True)
    for row in reversed(range(HEIGHT)):
        percent = {HEIGHT - 1: "100 %", 0: "0 %"}.get(row, "")
        picture.append(f"{percent:>{MARGIN - 2}}  ", "dim")
        for (_, split), width in zip(splits, widths, strict=True):
            picture.append(*_bar(split, row, width))
        picture.append("\n")
    picture.append(" " * MARGIN + _axis([at for at, _ in splits], widths) + "\n", "dim")
    picture.append(" " * MARGIN)
    for slot in Slot:
        picture.append("█", slot.value).append(f" {slot}  ")
    return picture


def _widths(begins: Sequence[float], seconds: float, columns: int) -> Sequence[int]:
    """How many columns each split lasts: at least one, so that what is over at once is seen too."""
    lasts = [end - begin for begin, end in zip(begins, [*begins[1:], seconds], strict=True)]
    if not seconds:
        return [max(1, columns // len(begins))] * len(begins)
    spare = columns - len(begins)
    return [1 + int(spare * last / seconds) for last in lasts]


def _bar(split: Mapping[str, float], row: int, width: int) -> tuple[str, str]:
    """One row of one bar, and its style."""
    if not split:
        return ("·" if row == 0 else " ") * width, "dim"
    percent = split.get(Slot.GREEN.value, 0.0)
    eighths = round(percent / 100 * HEIGHT * len(EIGHTHS[1:]))
    if 0 < percent < 100:  # a share that is there at all is seen
        eighths = min(max(1, eighths), HEIGHT * 8 - 1)
    return EIGHTHS[min(8, max(0, eighths - 8 * row))] * width, f"{Slot.GREEN} on {Slot.BLUE}"


def _axis(begins: Sequence[float], widths: Sequence[int]) -> str:
    """When each split begins, where there is room to say it."""
    line, column = "", 0
    for at, width in zip(begins, widths, strict=True):
        if len(line) <= column:
            line = line.ljust(column) + f"+{wording.lasting(at)} "
        column += width
    return line.rstrip()
