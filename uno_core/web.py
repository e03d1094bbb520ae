"""What plugins that ask over HTTP say alike: why a request failed, and what is safe to show of an answer.

Public, for any plugin. It knows requests and urllib3 by what they are made of, and imports neither.
"""

from __future__ import annotations

import base64
import html
import ipaddress
import json
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from http.client import IncompleteRead, RemoteDisconnected
from itertools import groupby
from urllib.parse import quote, urlsplit, urlunsplit


def why(error: BaseException, timeout: float) -> str:
    """Why a request failed: the innermost cause that a person knows by name. timeout: in seconds.

    The exceptions themselves may hold the URL, which may be a secret; this holds none of it.
    """
    causes = list(_causes(error))
    for cause in causes:
        if words := _known(cause, timeout):
            # urllib3's own name of it.
            via = "the proxy: " if any(type(c).__name__ == "ProxyError" for c in causes) else ""
            return via + words
    for cause in reversed(causes):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
    return f"no answer ({type(causes[-1]).__name__})"


def _known(cause: BaseException, timeout: float) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {cause.verify_message}"
    if isinstance(cause, ssl.SSLEOFError):
        return "TLS failed: the connection was closed; perhaps a certificate of the client's is wanted"
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {(cause.reason or 'unknown').lower().replace('_', ' ')}"
    if isinstance(cause, socket.gaierror):
        return "the host's name was not found"
    # Those of requests and urllib3 are no TimeoutError, and need not be made from one.
    if isinstance(cause, TimeoutError) or type(cause).__name__ in _TIMEOUTS:
        return f"no answer within {timeout:.3g} s"
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused"
    if isinstance(cause, RemoteDisconnected):  # before ConnectionResetError, which it is one of
        return "the connection was closed without an answer"
    if isinstance(cause, ConnectionResetError):
        return "connection reset"
    if isinstance(cause, IncompleteRead):  # urllib3's are made of it
        return "the connection was closed in the middle of the answer"
    return ""


_TIMEOUTS = frozenset({"Timeout", "ReadTimeout", "ConnectTimeout", "ReadTimeoutError", "ConnectTimeoutError"})


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything that it was made from; requests and urllib3 keep causes in several places."""
    todo: list[object] = [error]
    seen: set[int] = set()
    while todo:
        item = todo.pop(0)
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        todo += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]


def phrase(status: int) -> str:
    """`Not Found` for 404; empty for a status that nobody knows."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def excerpt(text: str, most: int = 160) -> str:
    """The beginning of a body in quotes, on one line, of so many characters at the most."""
    text = " ".join(text.split())
    if not text:
        return "(empty)"
    return repr(text if len(text) <= most else text[:most] + "…")


def line(text: str, most: int = 600) -> str:
    """One line without control characters, whatever a server sent, of so many characters at the most."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= most else text[:most] + "…"


def on_loopback(url: str) -> bool:
    """Whether a URL names this machine, which no proxy of the environment can reach for it."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def public(url: str) -> str:
    """A URL without user and password, whatever characters they hold."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # a password with a slash in it, for instance
        head, slashes, rest = url.partition("://")
        return head + slashes + rest.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


RUN = 8
"""So many characters in a row of a secret are hidden, wherever they stand; of a shorter one all."""

LEAST = 3
"""A secret of fewer characters is not hidden: nothing could be read without them."""

MOST = 64 * 1024
"""As much of a text is looked through and kept: less of it than that is shown by anybody."""


class Veil:
    """Secrets that were sent: `veil.add(sent)`, and then `veil(said)` is what may be shown of an answer.

    A server may send back what it was sent, cut off, or written as JSON or HTML has it. So not only the
    whole of a secret is hidden, but every few characters in a row of it.
    """

    def __init__(self) -> None:
        self._sent: set[str] = set()
        self._runs: frozenset[str] = frozenset()

    def add(self, sent: str) -> None:
        """A secret, or a header's value that is one: of `Bearer …` and `Basic …` the rest is one too."""
        if sent in self._sent:
            return
        self._sent.add(sent)
        texts = {text for secret in _within(sent) for text in _written(secret) if len(text) >= LEAST}
        # Made anew, never changed: a request that was given up on may still be on its way.
        self._runs |= {text[at : at + RUN] for text in texts for at in range(max(1, len(text) - RUN + 1))}

    def __call__(self, said: str) -> str:
        """The same with `***` for whatever is of a secret; to be called before anything is cut off."""
        said, runs = said[:MOST], self._runs
        hidden = bytearray(len(said))
        for size in {len(run) for run in runs}:
            for at in range(len(said) - size + 1):
                if said[at : at + size] in runs:
                    hidden[at : at + size] = b"\1" * size
        parts = groupby(zip(hidden, said, strict=True), key=lambda pair: pair[0])
        return "".join("***" if of_one else "".join(c for _, c in part) for of_one, part in parts)


def _within(sent: str) -> Iterator[str]:
    yield sent
    scheme, _, rest = sent.partition(" ")
    yield rest
    if scheme.lower() == "basic":
        try:
            both = base64.b64decode(rest, validate=True).decode()
        except ValueError:
            return
        yield both
        yield both.partition(":")[2]


def _written(secret: str) -> Iterator[str]:
    """The ways in which a server may write it."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield html.escape(secret)
    yield quote(secret, safe="")
