"""What plugins that ask over HTTP say alike: why a request failed, and what is safe to show of an answer.

Public, for any plugin. It knows requests and urllib3 by what they are made of, and imports neither.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from http.client import IncompleteRead, RemoteDisconnected
from urllib.parse import urlsplit, urlunsplit


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
