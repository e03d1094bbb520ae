"""What S3 does with conditional writes, and moto does not: each is decided and carried out as one.

moto 5.2 compares `If-Match` and `If-None-Match` of PutObject, and writes after that: of two requests at
once both may win. Here every request to S3 is alone. Sources: the API reference of S3 (PutObject), and
"Add preconditions to S3 operations with conditional requests" of its user guide.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field

_SIGNED_FOR_S3 = re.compile(r"Credential=[^/]+/\d+/[^/]+/s3/")


@define
class Buckets:
    """A WSGI application around moto's. Requests to other services pass it by."""

    app: Callable[..., Iterable[bytes]]
    _guard: threading.Lock = field(init=False, factory=threading.Lock)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if not _SIGNED_FOR_S3.search(environ.get("HTTP_AUTHORIZATION", "")):
            return self.app(environ, start)
        if environ["REQUEST_METHOD"] == "PUT" and (refused := _refused(environ)):
            start("501 Not Implemented", [("Content-Type", "application/xml")])
            return [refused]
        with self._guard:
            return [b"".join(self.app(environ, start))]


def _refused(environ: dict[str, Any]) -> bytes:
    """S3 writes where an object is this one, or where there is none; it knows no other condition."""
    if_match, if_none_match = environ.get("HTTP_IF_MATCH"), environ.get("HTTP_IF_NONE_MATCH")
    if if_none_match in (None, "*") and if_match != "*" and not (if_match and if_none_match):
        return b""
    return (
        b"<Error><Code>NotImplemented</Code><Message>A header you provided implies functionality that is"
        b" not implemented</Message></Error>"
    )
