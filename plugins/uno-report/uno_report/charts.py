"""Charts as SVG: lines over one common time, readable without colour, by a screen reader and on paper."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from xml.etree import ElementTree as ET

from attrs import frozen

from uno_report.measured import Line
from uno_report.telling import printable

WIDTH, HEIGHT = 900.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 16.0, 16.0, 34.0
TICKS = 4


@frozen(kw_only=True)
class Chart:
    """A chart. limit: a line across, with its name. top: what the scale reaches at least."""

    title: str
    told: str
    lines: Sequence[Line]
    unit: Callable[[float], str]
    top: float = 0.0
    limit: tuple[float, str] | None = None


@frozen(kw_only=True)
class Axis:
    """The time that all charts share, and what happened in it."""

    start: datetime
    end: datetime
    marks: Sequence[tuple[datetime, str]] = ()

    def x(self, at: datetime) -> float:
        """The place of a moment."""
        whole = max(1e-3, (self.end - self.start).total_seconds())
        part = min(1.0, max(0.0, (at - self.start).total_seconds() / whole))
        return LEFT + part * (WIDTH - LEFT - RIGHT)


def draw(chart: Chart, axis: Axis) -> str:
    """The chart as SVG text, every foreign word of it escaped."""
    values = [value for line in chart.lines for _, value in line.points if math.isfinite(value)]
    limit = [chart.limit[0]] if chart.limit and math.isfinite(chart.limit[0]) else []
    ticks = scale(min([0.0, *values]), max([chart.top, *values, *limit, 1e-9]))
    low, high = ticks[0], ticks[-1]

    def y(value: float) -> float:
        return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    svg = ET.Element("svg", {"viewBox": f"0 0 {WIDTH:g} {HEIGHT:g}", "role": "img"})
    ET.SubElement(svg, "title").text = chart.title
    ET.SubElement(svg, "desc").text = chart.told
    for value in ticks:
        _line(svg, (LEFT, y(value)), (WIDTH - RIGHT, y(value)), "grid")
        _text(svg, LEFT - 6, y(value) + 4, chart.unit(value), "end")
    for number in range(TICKS + 1):
        at = axis.start + (axis.end - axis.start) * number / TICKS
        anchor = "start" if number == 0 else "end" if number == TICKS else "middle"
        _text(svg, axis.x(at), HEIGHT - 12, f"{at:%H:%M:%S}", anchor)
    for at, title in axis.marks:
        look = "back" if title == "the way back" else "mark"
        mark = _line(svg, (axis.x(at), TOP), (axis.x(at), HEIGHT - BOTTOM), look)
        ET.SubElement(mark, "title").text = printable(title)
    if limit and chart.limit:
        _line(svg, (LEFT, y(limit[0])), (WIDTH - RIGHT, y(limit[0])), "limit")
        _text(svg, LEFT + 6, y(limit[0]) - 4, chart.limit[1], "start")
    for line in chart.lines:
        for points in _drawn(line, axis, y):
            drawn = ET.SubElement(svg, "polyline", {"class": f"line {line.look}", "points": points})
            ET.SubElement(drawn, "title").text = printable(line.name)
    return ET.tostring(svg, encoding="unicode")


def scale(low: float, high: float) -> Sequence[float]:
    """Round numbers from at most `low` to at least `high`, a few of them."""
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= rough * (1 - 1e-9))
    # A little below zero is what rounding left of it.
    first, last = math.floor(low / step + 1e-6), math.ceil(high / step - 1e-6)
    return [number * step for number in range(first, last + 1)]


def _drawn(line: Line, axis: Axis, y: Callable[[float], float]) -> Iterator[str]:
    """The parts of a line: where there is no number it is broken."""
    part: list[str] = []
    last = 0.0
    for at, value in line.points:
        if not math.isfinite(value):
            if part:
                yield " ".join(part)
            part = []
            continue
        if line.steps and part:
            part.append(f"{axis.x(at):.1f},{y(last):.1f}")
        part.append(f"{axis.x(at):.1f},{y(value):.1f}")
        last = value
    if len(part) == 1:  # one point alone is drawn as a dash, since a line of one is nothing
        x, _, height = part[0].partition(",")
        part.append(f"{float(x) + 4:.1f},{height}")
    if part:
        yield " ".join(part)


def _line(svg: ET.Element, begin: tuple[float, float], end: tuple[float, float], look: str) -> ET.Element:
    places = zip(("x1", "y1", "x2", "y2"), (*begin, *end), strict=True)
    return ET.SubElement(svg, "line", {"class": look, **{k: f"{v:.1f}" for k, v in places}})


def _text(svg: ET.Element, x: float, y: float, text: str, anchor: str) -> None:
    ET.SubElement(svg, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}).text = text
