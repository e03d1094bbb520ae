"""A deployment told whole: its calls, who said what, what was measured, and how the verdict came about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import frozen

from uno_core import wording
from uno_core.analysis.source import Seen, kept_windows
from uno_core.config.load import load
from uno_core.config.wanted import Overrides
from uno_core.contracts.state import Entry, Mark, Record, Signal
from uno_core.model import Analysis, Bounds, Finding, Json, Slot, Status
from uno_core.registry import Registry
from uno_core.session import Session
from uno_core.wire import from_json


@frozen(kw_only=True)
class Told:
    """One call of the journal: what was asked for, and what came of it; `ended` is None without an answer."""

    run: str
    seq: int
    attempt: int
    op: str
    arguments: Mapping[str, Any]
    begun: datetime
    ended: datetime | None = None
    value: Json = None
    error: Mapping[str, Json] | None = None

    @property
    def asked(self) -> str:
        """What was asked for, in words."""
        return wording.asked(self.op, self.arguments)

    @property
    def outcome(self) -> str:
        """What came of it, in words; empty where it was done, and there is no more to say."""
        if self.ended is None:
            return "no answer in the journal"
        return wording.outcome(self.op, self.value, self.error)

    @property
    def took(self) -> str:
        """How long it took, in words; `…` without an answer."""
        return wording.lasting((self.ended - self.begun).total_seconds()) if self.ended else "…"


@frozen(kw_only=True)
class Moment:
    """What a judge that compares the slots would have said at a moment, of all that was seen until then."""

    at: datetime
    finding: Finding


@frozen(kw_only=True)
class Story:
    """A deployment from its beginning to where it stands.

    stable: the slot that served before; None at a first deployment. seen: the windows that were measured,
    by provider, those that counted for nothing marked. progress: how the comparison of the slots went.
    evidence: the last verdict, with its findings. why: one sentence on why it ended as it did.
    """

    record: Record
    stable: Slot | None
    calls: Sequence[Told]
    signals: Sequence[Signal]
    seen: Mapping[str, Sequence[Seen]]
    progress: Sequence[Moment]
    evidence: Analysis | None
    why: str

    @property
    def took(self) -> str:
        """How long it took until it ended, or until what was last heard of it, in words."""
        return wording.lasting((self.record.updated - self.record.created).total_seconds())


def story_of(
    deployment: str = "", *, config_file: Path | None = None, application: str = "", environment: str = ""
) -> Story:
    """Tell a deployment by its id, or by its number alone; the last one where none is named.

    Reads only. Raises ConfigError where there is none, and StateError where the store cannot be read.
    """
    over = Overrides(application=application, environment=environment)
    config = load(config_file, overrides=over)
    session = Session(config, Registry.discover(choices=config.plugins))
    try:
        return told(session, session.named(deployment) if deployment else session.last())
    finally:
        session.close()


def told(session: Session, record: Record) -> Story:
    """The story of a record. Raises StateError where the store cannot be read."""
    checkpoint: Any = session.store.last_checkpoint(record.id) or {}
    seen = kept_windows((checkpoint.get("memo") or {}).get("evidence"))
    evidence = checkpoint.get("evidence")
    analysis = from_json(evidence["analysis"], Analysis) if evidence else None
    initial: Any = record.params.get("initial") or {}
    before: Mapping[str, float] = initial.get("split") or {}
    return Story(
        record=record,
        stable=next((Slot(slot) for slot, share in before.items() if share >= 100), None),
        calls=tuple(_calls(session.store.entries(record.id))),
        signals=session.store.signals(record.id, unanswered=False),
        seen=seen,
        progress=tuple(_progress(session, seen)),
        evidence=analysis,
        why=_why(record, analysis),
    )


def _calls(entries: Sequence[Entry]) -> Iterator[Told]:
    calls: dict[tuple[str, int], dict[Mark, Entry]] = {}
    for entry in entries:
        calls.setdefault((entry.run, entry.seq), {})[entry.mark] = entry
    for marks in calls.values():
        if (intent := marks.get(Mark.INTENT)) is not None:
            result = marks.get(Mark.RESULT)
            yield Told(
                run=intent.run,
                seq=intent.seq,
                attempt=intent.attempt,
                op=intent.op,
                arguments=intent.value if isinstance(intent.value, Mapping) else {},
                begun=intent.at,
                ended=result.at if result else None,
                value=result.value if result else None,
                error=result.error if result else None,
            )


def _progress(session: Session, seen: Mapping[str, Sequence[Seen]]) -> Iterator[Moment]:
    """A judge is a pure function of the windows: asked again, it says what it said."""
    counting = session.gathering.counting
    windows = [s.window for s in seen.get(counting.key, ()) if not s.skipped] if counting else []
    for one in session.gathering.comparing if windows else ():
        for number, window in enumerate(windows, start=1):
            if not window.baseline:
                found = one.judge.judge(windows[:number], {one.name: Bounds()})
                yield from (Moment(at=window.end, finding=finding) for finding in found)


def _why(record: Record, analysis: Analysis | None) -> str:
    if record.status is Status.SUCCESSFUL:
        last = f"; at the end {analysis.reason}" if analysis is not None else ""
        return f"{record.version} serves{last}"
    return record.message or record.status.value
