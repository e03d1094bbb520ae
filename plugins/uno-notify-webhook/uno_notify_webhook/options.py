"""The options of the notifier `webhook`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from uno_core import NoticeKind, Secret, option


@frozen(kw_only=True)
class WebhookOptions:
    """Where a notice goes, and in which form."""

    url: Secret = option(help="where to post to: ${ENV_VAR} or {file: path}, since whoever has it can post")
    format: str = option(
        default="json",
        choices=("json", "slack"),
        help="the form of the body: uno's own JSON, or a message of a Slack incoming webhook",
    )
    on: Sequence[str] = option(
        default=("started", "paused", "warning", "rolling_back", "finished", "left"),
        choices=tuple(kind.value for kind in NoticeKind),
        help="the kinds of notices that are posted",
    )
    secret: Secret | None = option(
        default=None, help="signs every request: HMAC-SHA256 over its time and its body"
    )
    headers: Mapping[str, str | Secret] = option(
        factory=dict, help="headers of the request; a value may be a secret"
    )
    timeout: float = option(default=4.0, unit="s", gt=0, help="how long one attempt may take")
    tries: int = option(default=4, ge=1, le=10, help="attempts at the most, within the time that is left")
    ca: str = option(
        default="", help="a file or folder of certificates to verify by, instead of the usual ones"
    )
