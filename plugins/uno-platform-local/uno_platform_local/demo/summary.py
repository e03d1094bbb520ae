"""What the load saw, in numbers and as a chart for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

HEIGHT = 8
WIDTH = 72


@frozen
class Answer:
    """One request of the load: when, what came, how long it took."""

    at: float
    status: int
    version: str
    milliseconds: float

    @property
    def failed(self) -> bool:
        return not 200 <= self.status < 400


def read(path: Path) -> Sequence[Answer]:
    """What the load wrote down; a last line that was cut off is left out."""
    answers = []
    for line in path.read_text("ascii").splitlines():
        parts = line.split(" ")
        if len(parts) == 4:
            answers.append(Answer(float(parts[0]), int(parts[1]), parts[2], float(parts[3])))
    return sorted(answers, key=lambda answer: answer.at)


def failures(answers: Sequence[Answer]) -> Mapping[str, int]:
    """Failed requests per version; `-` where the application never answered."""
    return Counter(answer.version for answer in answers if answer.failed)


def seconds_bad(answers: Sequence[Answer], version: str) -> float | None:
    """From the first bad answer of a version to its last: how long its badness reached anybody."""
    bad = [answer.at for answer in answers if answer.failed and answer.version == version]
    return bad[-1] - bad[0] if bad else None


def chart(answers: Sequence[Answer], versions: Sequence[str]) -> Sequence[str]:
    """Requests a second over time, each column stacked from the versions that answered.

    A digit is a version's own, `x` a failed request of any; one row a share of the busiest column.
    """
    if not answers:
        return ["no requests"]
    begin, end = answers[0].at, answers[-1].at
    width = (end - begin) / WIDTH or 1.0
    columns: list[Counter[str]] = [Counter() for _ in range(WIDTH)]
    for answer in answers:
        column = min(WIDTH - 1, int((answer.at - begin) / width))
        columns[column]["x" if answer.failed else _mark(answer.version)] += 1
    busiest = max(sum(column.values()) for column in columns) or 1
    marks = ["x", *(_mark(version) for version in reversed(versions)), "?"]
    stacks = [_stack(column, marks, busiest) for column in columns]
    rows = ["".join(stack[row] for stack in stacks) for row in range(HEIGHT - 1, -1, -1)]
    per_second = busiest / width
    return [
        f"{per_second:5.0f}/s |{rows[0]}",
        *(f"        |{row}" for row in rows[1:]),
        f"        +{'-' * WIDTH}",
        f"         0 s{f'{end - begin:.0f} s':>{WIDTH - 3}}",
    ]


def _mark(version: str) -> str:
    return version[-1] if version[:1] == "v" else "?"


def _stack(column: Counter[str], marks: Sequence[str], busiest: int) -> str:
    """One column from the bottom up; whatever was there at all is seen, a failure above everything."""
    total = sum(column.values())
    height = round(total / busiest * HEIGHT) or (1 if total else 0)
    cells: list[str] = []
    for mark in marks:
        count = column[mark]
        if count:
            cells += mark * max(1, round(count / total * height))
    # The releases from the bottom, failures on top; what rounding added is cut from the largest.
    while len(cells) > height:
        largest = max(set(cells), key=cells.count)
        if cells.count(largest) == 1:
            break
        cells.remove(largest)
    return "".join(reversed(cells[:HEIGHT])).ljust(HEIGHT)
