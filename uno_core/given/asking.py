"""What given instances say of themselves: which version they run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

from uno_core import web

PATIENCE = 2.0
"""Seconds that an instance has to say which version it runs."""

AT_ONCE = 16
"""So many are asked at the same time: one that does not answer keeps nobody waiting for the others."""

MOST = 64 * 1024
"""As much of an answer is read."""


def versions(urls: Mapping[str, str]) -> Mapping[str, str]:
    """What is said at each URL, by the same names; empty where it does not say."""
    if not urls:
        return {}
    with ThreadPoolExecutor(min(len(urls), AT_ONCE)) as pool:
        return dict(zip(urls, pool.map(version, urls.values()), strict=True))


def version(url: str) -> str:
    """The version that is said at a URL; empty for anything but an answer with status 200 in time."""
    try:
        # No proxy of the environment reaches what listens on this machine only.
        direct = [ProxyHandler({})] if web.on_loopback(url) else []
        with build_opener(_Staying, *direct).open(url, timeout=PATIENCE) as answer:
            return read(answer.read(MOST).decode(errors="replace")) if answer.status == 200 else ""
    except HTTPError as refused:
        refused.close()
        return ""
    except (OSError, HTTPException, ValueError):
        return ""


class _Staying(HTTPRedirectHandler):
    """Follows no redirect: what stands elsewhere is not this instance's word."""

    def redirect_request(self, *_: Any) -> None:
        return None


def read(text: str) -> str:
    """The version that an answer tells: `version` of a JSON object, else the first word."""
    try:
        # Numbers as they are written: 1.10 is not 1.1.
        value = json.loads(text, parse_float=str, parse_int=str)
    except ValueError:
        value = None
    if isinstance(value, dict):
        return str(value.get("version") or "")
    return value if isinstance(value, str) else next(iter(text.split()), "")
