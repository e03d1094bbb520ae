"""The notifier `webhook`: posts a notice, and posts it again where that may help, while there is time."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import requests
from attrs import frozen
from requests.utils import get_environ_proxies

from uno_core import ConfigError, Notice, Notifier, Secret, Services, UnoError, web
from uno_notify_webhook.body import as_json, as_slack
from uno_notify_webhook.options import WebhookOptions

BACKOFF = 0.5
"""Seconds before the second attempt; twice as many before each later one."""

AGAIN = frozenset({408, 425, 429})
"""Besides 5xx, the statuses after which another attempt may succeed."""


@frozen
class Answer:
    """What came of an attempt. problem: empty where it was taken. after: when the receiver wants the next."""

    problem: str = ""
    again: bool = False
    after: float | None = None


class Webhook(Notifier):
    """Posts to one URL, which is a secret: it stands in no error and in no log."""

    options: WebhookOptions

    def __init__(self, options: WebhookOptions, services: Services) -> None:
        super().__init__(options, services)
        # Revealed once now: that it is not there is said before anything is touched.
        _check(self._reveal(options.url))
        for secret in (options.secret, *options.headers.values()):
            if isinstance(secret, Secret):
                self._reveal(secret)
        if options.ca and not Path(options.ca).exists():
            raise ConfigError(
                "the certificates to verify by do not exist", where=options.ca, remedy="correct `ca`"
            )

    def notify(self, notice: Notice, timeout: float) -> None:
        """Post it, within `timeout` seconds. Raises UnoError where the receiver did not take it."""
        if notice.kind.value not in self.options.on:
            return
        clock = self.services.clock
        end, delivery = clock.monotonic() + timeout, uuid.uuid4().hex
        made = as_slack if self.options.format == "slack" else as_json
        body = json.dumps(made(notice, delivery), allow_nan=False).encode()
        attempt = 0
        while True:
            attempt += 1
            answer = self._attempt(body, delivery, min(self.options.timeout, end - clock.monotonic()))
            if not answer.problem:
                return
            pause = BACKOFF * 2 ** (attempt - 1) if answer.after is None else answer.after
            late = clock.monotonic() + pause >= end
            if not answer.again or late or attempt >= self.options.tries:
                raise _not_delivered(notice, answer, attempt, late=late and answer.again)
            clock.sleep(pause)

    def _attempt(self, body: bytes, delivery: str, seconds: float) -> Answer:
        try:
            # The timeouts of requests are for single reads; this one is for all of them.
            return self.services.clock.within(seconds, lambda: self._post(body, delivery, seconds))
        except ConfigError:
            raise
        except UnoError:
            return Answer(f"no answer within {seconds:.3g} s", again=True)

    def _post(self, body: bytes, delivery: str, seconds: float) -> Answer:
        url = self._reveal(self.options.url)
        try:
            with requests.Session() as session:
                # No .netrc: a password that nobody configured here is sent nowhere.
                session.trust_env = False
                with session.post(
                    url,
                    data=body,
                    headers=self._headers(body, delivery),
                    timeout=seconds,
                    # Body and secrets go to the URL that was named, and to no other.
                    allow_redirects=False,
                    proxies={} if web.on_loopback(url) else get_environ_proxies(url, no_proxy=None),
                    verify=self.options.ca or os.environ.get("REQUESTS_CA_BUNDLE") or True,
                    stream=True,
                ) as response:
                    return self._judged(response)
        except (requests.RequestException, OSError, ValueError) as problem:
            # Never the exception's own text: it holds the URL.
            return Answer(web.why(problem, seconds), again=not isinstance(problem, ValueError))

    def _headers(self, body: bytes, delivery: str) -> Mapping[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "uno-notify-webhook"}
        for name, value in self.options.headers.items():
            headers[name] = self._reveal(value) if isinstance(value, Secret) else value
        headers["X-Uno-Delivery"] = delivery
        if self.options.secret is not None:
            now = str(int(self.services.clock.now().timestamp()))
            headers["X-Uno-Timestamp"] = now
            headers["X-Uno-Signature"] = "sha256=" + signature(self._reveal(self.options.secret), now, body)
        return headers

    def _judged(self, response: requests.Response) -> Answer:
        status = response.status_code
        if 200 <= status < 300:
            return Answer()
        told = f"{status} {web.phrase(status)}".strip()
        if 300 <= status < 400:
            return Answer(f"{told}: redirects are not followed, since they would take the secrets along")
        if self.options.format == "slack" and (why := _why(response)):
            told = f"{told}, {why}"
        again = status in AGAIN or status >= 500
        return Answer(told, again=again, after=self._after(response.headers.get("Retry-After", "")))

    def _after(self, text: str) -> float | None:
        """Seconds, or a date: how long the receiver wants to be left alone."""
        if re.fullmatch(r"\d{1,9}", text.strip()):
            return float(text)
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        now: datetime = self.services.clock.now()
        return max(0.0, (moment - now).total_seconds())

    def _reveal(self, secret: Secret) -> str:
        return self.services.secrets.reveal(secret).strip()


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over `TIMESTAMP.BODY`, in hexadecimal digits."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or not url.isprintable() or " " in url:
        raise ConfigError(
            "the webhook cannot post to its URL",
            found="something else; it is a secret, and not shown",
            expected="http://HOST/… or https://HOST/…",
            where="notify, url",
            remedy="correct the variable or the file that `url` names",
        )


def _not_delivered(notice: Notice, answer: Answer, attempts: int, *, late: bool) -> UnoError:
    tried = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    waits = (
        f"; it wants {answer.after:g} s of rest, and so long nobody waits" if late and answer.after else ""
    )
    return UnoError(
        f"the notice `{notice.kind.value}` was not delivered",
        found=f"{answer.problem} ({tried}){waits}",
        expected="a status 2xx",
        where="the webhook",
        remedy="the deployment is not touched by this; look at the receiver, and at `url`",
    )


def _why(response: requests.Response) -> str:
    """Slack's own word for what it does not like, `no_service` for instance; nothing else."""
    start = next(response.iter_content(100), b"").decode("ascii", errors="replace").strip()
    return start if re.fullmatch(r"[a-z_]{1,60}", start) else ""
