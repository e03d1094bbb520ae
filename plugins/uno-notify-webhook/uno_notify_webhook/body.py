"""The body of a request: uno's own JSON, or a message of Slack."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from uno_core import Notice, NoticeKind

SCHEMA_VERSION = 1
LONGEST_TEXT = 10_000
"""Characters of a text; what a platform says may be a whole log."""

LARGEST_DATA = 100_000
"""Bytes of `data`; more is left out."""

_SLACK_TEXT = 2_900
_SLACK_FIELD = 200
_GOOD = frozenset({"successful"})
_BACK = frozenset({"rolled_back", "stopped"})


def as_json(notice: Notice, delivery: str) -> Mapping[str, Any]:
    """The document of docs/notifiers.md. `delivery` is the same for every attempt at one notice."""
    data = _finite(notice.data)
    if len(json.dumps(data)) > LARGEST_DATA:
        data = None
    return {
        "schema_version": SCHEMA_VERSION,
        "delivery": delivery,
        "kind": notice.kind.value,
        "at": notice.at.isoformat(),
        "application": notice.application,
        "environment": notice.environment,
        "deployment": notice.deployment,
        "version": cut(notice.version, LONGEST_TEXT),
        "previous": cut(notice.previous, LONGEST_TEXT),
        "strategy": notice.strategy,
        "status": notice.status.value if notice.status else None,
        "exit_code": notice.exit_code,
        "message": cut(notice.message, LONGEST_TEXT),
        "reason": cut(notice.reason, LONGEST_TEXT),
        "data": data,
    }


def as_slack(notice: Notice, delivery: str) -> Mapping[str, Any]:
    """A message with blocks. Texts of others are plain text, so that they mention nobody."""
    del delivery
    title = _title(notice)
    blocks: list[Mapping[str, Any]] = [
        {"type": "header", "text": _plain(title, 150)},
    ]
    if notice.message:
        blocks.append({"type": "section", "text": _plain(notice.message, _SLACK_TEXT)})
    facts = {
        "deployment": notice.deployment,
        "version": notice.version,
        "before": notice.previous,
        "strategy": notice.strategy,
        "exit code": "" if notice.exit_code is None else str(notice.exit_code),
        "reason": notice.reason,
    }
    fields = [_plain(f"{name}: {text}", _SLACK_FIELD) for name, text in facts.items() if text]
    if fields:
        blocks.append({"type": "context", "elements": fields})
    return {"text": _escaped(cut(title, _SLACK_FIELD)), "mrkdwn": False, "blocks": blocks}


def _title(notice: Notice) -> str:
    where = f"{notice.application} in {notice.environment}"
    version = notice.version or "a deployment"
    if notice.status is None:
        return f"{where}: {version} {notice.kind.value.replace('_', ' ')}"
    return f"{_mark(notice)} {where}: {version} {notice.status.value.replace('_', ' ')}"


def _mark(notice: Notice) -> str:
    status = notice.status.value if notice.status else ""
    if status in _GOOD:
        return "\N{WHITE HEAVY CHECK MARK}"
    paused = notice.kind is NoticeKind.LEFT or status in _BACK
    return "\N{WARNING SIGN}" if paused else "\N{CROSS MARK}"


def _plain(text: str, most: int) -> Mapping[str, Any]:
    return {"type": "plain_text", "text": cut(text, most), "emoji": False}


def _escaped(text: str) -> str:
    """For the one text that Slack reads as markup, in notifications: `<!channel>` stays a text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, most: int) -> str:
    """At most so many characters, every one of which can be encoded."""
    text = text.encode("utf-8", errors="replace").decode()
    return text if len(text) <= most else text[: most - 1] + "…"


def _finite(value: Any) -> Any:
    """JSON has neither NaN nor infinity: null stands for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
