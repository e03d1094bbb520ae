"""Events of an engine made into notices: in words, with what is known of the deployment around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field, frozen

from uno_core.contracts.notifier import NoticeKind
from uno_core.model import Json


@frozen
class Told:
    """What one event comes to."""

    kind: NoticeKind
    message: str


def _first_line(text: object) -> str:
    return str(text).partition("\n")[0]


def _shares(d: Any) -> str:
    return ", ".join(f"{slot} {percent:.4g} %" for slot, percent in sorted(d["split"].items())) or "no route"


def _verdict(analysis: Any) -> str:
    verdict = analysis["verdict"]
    deciding = [finding["reason"] for finding in analysis["findings"] if finding["verdict"] == verdict]
    return f"{verdict}: {'; '.join(deciding) or 'no evidence was asked for'}"


def _gate(d: Any) -> str:
    then = "it goes on" if d["on_timeout"] == "promote" else "the traffic goes back"
    return f"waits for a person: {d['reason']}; at {d['until']} {then}"


_KINDS: Mapping[str, tuple[NoticeKind, Callable[[Any], str]]] = {
    "started": (NoticeKind.STARTED, lambda d: f"deploying {d['version']} by {d['strategy']}"),
    "resumed": (NoticeKind.RESUMED, lambda d: f"going on with {d['version']} by {d['strategy']}"),
    "step": (NoticeKind.STEP, lambda d: str(d["title"])),
    "split": (NoticeKind.TRAFFIC, _shares),
    "paused": (NoticeKind.PAUSED, _gate),
    "continued": (NoticeKind.CONTINUED, lambda d: f"goes on, let go by {d['by'] or 'nobody'}"),
    "promoted": (NoticeKind.PROMOTED, lambda d: f"{d['release']} serves"),
    "rollback": (NoticeKind.ROLLING_BACK, lambda d: _first_line(d["why"])),
    "finished": (NoticeKind.FINISHED, lambda d: str(d["message"])),
}


@define
class Telling:
    """Remembers what was told, so that a look that says nothing new is not told again."""

    _verdict: str = field(init=False, default="")

    def told(self, kind: str, data: Mapping[str, Json]) -> Told | None:
        """What an event comes to; None where nobody is to be disturbed by it."""
        d: Any = data
        if kind in ("evidence", "verdict"):
            return self._judged(d["analysis"])
        if kind in ("hook", "companion"):
            what = d.get("phase") or d.get("name")
            failed = d["state"] == "failed"
            return (
                Told(NoticeKind.WARNING, f"{kind} {what} failed: {d.get('problem', '')}") if failed else None
            )
        if kind not in _KINDS:
            return None
        if kind in ("started", "resumed", "step"):
            self._verdict = ""
        made, say = _KINDS[kind]
        return Told(made, say(d))

    def _judged(self, analysis: Any) -> Told | None:
        """A verdict is news where it is another than the one before."""
        before, self._verdict = self._verdict, str(analysis["verdict"])
        return Told(NoticeKind.VERDICT, _verdict(analysis)) if self._verdict != before else None
