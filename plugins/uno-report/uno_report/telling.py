"""A story in rows: the facts at the top, the steps, the evidence, who said what. For both forms of report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from uno_core import Status, Story

MARK = "<!-- written by uno report -->"
"""Stands in every report: a file without it is written over by none."""

WELL = frozenset({Status.SUCCESSFUL})
BACK = frozenset({Status.ROLLED_BACK, Status.STOPPED})


def printable(text: str) -> str:
    """Foreign text that shows all of itself, without what controls a terminal or turns the writing."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def status(story: Story) -> tuple[str, str]:
    """The status in words, and whether that is `good`, `back`, `bad` or `going`."""
    found = story.record.status
    words = found.value.replace("_", " ")
    if found in WELL:
        return words, "good"
    if found in BACK:
        return words, "back"
    return (words, "bad") if found.final else (words, "going")


def facts(story: Story) -> Sequence[tuple[str, str]]:
    """What stands at the top, what is not known left out."""
    record, params = story.record, story.record.params
    origin: Any = params.get("origin") or {}
    who = " on ".join(str(origin[key]) for key in ("by", "host") if origin.get(key))
    rows = [
        ("application", f"{record.application} in {record.environment}"),
        ("release", _over(story)),
        ("strategy", record.strategy),
        ("began", f"{record.created:%Y-%m-%d %H:%M:%S} UTC"),
        ("took" if record.status.final else "has taken", story.took),
        ("by", who),
        *((key, str(origin.get(key) or "")) for key in ("commit", "ref", "job")),
        ("reason", str(params.get("reason") or "")),
    ]
    return [(name, value) for name, value in rows if value]


def _over(story: Story) -> str:
    initial: Any = story.record.params.get("initial") or {}
    slots: Any = initial.get("slots") or {}
    slot = slots.get(story.stable.value) if story.stable else None
    found = {str(row["release"]["version"]) for row in (slot or {}).get("instances", ())}
    return f"{story.record.version} over {', '.join(sorted(found))}" if found else story.record.version


UNTOLD = frozenset({"observe", "now", "note_companions"})
"""What uno asks for its own sake."""


def steps(story: Story) -> Iterator[tuple[str, str, str, str]]:
    """Time, duration, what, and what came of it."""
    for call in story.calls:
        if call.op not in UNTOLD:
            yield f"{call.begun:%H:%M:%S}", "" if call.op == "step" else call.took, call.asked, call.outcome


def findings(story: Story) -> Iterator[tuple[str, str, str, str]]:
    """Metric, verdict, what was found in words, and the numbers of both slots."""
    for finding in story.evidence.findings if story.evidence else ():
        verdict = (
            f"{finding.verdict.value} (counts for nothing)" if finding.advisory else finding.verdict.value
        )
        numbers = ", ".join(f"{name} {number:.6g}" for name, number in finding.numbers.items())
        yield finding.metric, verdict, finding.reason, numbers


def words(story: Story) -> Iterator[tuple[str, str, str, str]]:
    """Who said what, when and why, and what became of it."""
    for signal in story.signals:
        reason = str(signal.payload.get("reason") or "")
        said = f"{signal.kind}: {reason}" if reason else signal.kind
        yield f"{signal.at:%H:%M:%S}", signal.by, said, signal.answer or "not answered"
