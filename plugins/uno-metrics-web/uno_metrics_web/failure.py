"""Why a request failed, in a few words instead of a chain of exceptions."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from http.client import RemoteDisconnected

import requests
from urllib3.exceptions import IncompleteRead, InvalidChunkLength, ProxyError, ReadTimeoutError


def in_words(error: BaseException, timeout: float) -> str:
    """The innermost cause that a person knows by name."""
    causes = list(_causes(error))
    for cause in causes:
        if words := _known(cause, timeout):
            via = "the proxy: " if any(isinstance(c, ProxyError) for c in causes) else ""
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
    if isinstance(cause, requests.Timeout | TimeoutError | ReadTimeoutError):
        return f"no answer within {timeout:.3g} s"
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused"
    if isinstance(cause, RemoteDisconnected):  # before ConnectionResetError, which it is one of
        return "the connection was closed without an answer"
    if isinstance(cause, ConnectionResetError):
        return "connection reset"
    if isinstance(cause, IncompleteRead | InvalidChunkLength):
        return "the connection was closed in the middle of the answer"
    return ""


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
