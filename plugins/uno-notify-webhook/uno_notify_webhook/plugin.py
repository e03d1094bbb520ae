"""What uno is told about the notifier. `requests` is imported by `load` only."""

from __future__ import annotations

from typing import Any

from uno_core import NotifierInfo, hookimpl


def _load() -> type[Any]:
    from uno_notify_webhook.webhook import Webhook

    return Webhook


def _options() -> type[Any]:
    from uno_notify_webhook.options import WebhookOptions

    return WebhookOptions


@hookimpl
def uno_register_notifiers() -> list[NotifierInfo]:
    return [
        NotifierInfo(
            name="webhook",
            summary="Posts to a URL: JSON that is signed, or a message for Slack",
            load=_load,
            options=_options,
        )
    ]
