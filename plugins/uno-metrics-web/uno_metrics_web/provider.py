"""The provider `web`: one request, and the numbers in its answer."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from attrs import frozen
from requests.utils import get_environ_proxies

from uno_core import (
    ConfigError,
    Counters,
    Figures,
    NoData,
    Query,
    Secret,
    Services,
    Unanswered,
    UnoError,
    Unsupported,
    web,
)
from uno_metrics_web.expressions import Unknown, found, number
from uno_metrics_web.filling import fill, used
from uno_metrics_web.options import WebOptions

LIMIT = 8 * 1024 * 1024
"""As many bytes of an answer are read: statistics are small."""


@frozen
class _Asked:
    """The request as it is made for one slot."""

    url: str
    body: bytes


class WebMetrics:
    """Values as they are now, and counters as they stand; what they grew by the core works out."""

    def __init__(self, options: WebOptions, services: Services) -> None:
        """Keep both; do no I/O."""
        self._options = options
        self._services = services
        self._veil = web.Veil()

    def window(self, query: Query, start: datetime, end: datetime) -> Figures | NoData:
        raise Unsupported(
            "what answers by the web keeps no history", found=f"{query.slot} from {start} to {end}"
        )

    def sample(self, query: Query) -> Counters | NoData:
        """What the answer holds. Values that are none are left out and logged; counters must all be there.

        Raises UnoError where there was no answer, or none in JSON; ConfigError for a secret or a file that
        is not there.
        """
        try:
            asked = self._asked(query)
        except Unknown as why:
            return NoData(str(why))
        document = self._ask(asked)
        unknown: dict[str, str] = {}
        values = self._values(query, document, unknown)
        try:
            counted, errors, process = self._counts(document)
        except Unknown as why:
            # Half a sample would look like a reset, and everything would be counted once more.
            return NoData(self._veil("; ".join([*unknown.values(), str(why)])))
        if not values and not self._options.requests:
            return NoData(self._veil("; ".join(unknown.values())) or "nothing of it was asked")
        unknown = {name: self._veil(reason) for name, reason in unknown.items()}
        for reason in unknown.values():
            self._services.logger.warning(
                "the answer holds a part only", slot=str(query.slot), unknown=reason
            )
        figures = Figures(requests=counted, errors=errors, values=values, unknown=unknown)
        return Counters(
            at=self._services.clock.now(), series=f"{asked.url} {process}".strip(), figures=figures
        )

    def _values(self, query: Query, document: Any, unknown: dict[str, str]) -> Mapping[str, float]:
        result = {}
        for name, expression in self._options.values.items():
            if query.metrics and name not in query.metrics:
                continue
            try:
                result[name] = number(expression, document)
            except Unknown as why:
                unknown[name] = f"{name}: {why}"
        return result

    def _counts(self, document: Any) -> tuple[float, float, str]:
        """Requests, errors, and which process counted them; zeros where nobody counts."""
        options = self._options
        if not options.requests:
            return 0.0, 0.0, ""
        counted = self._counter("requests", options.requests, document)
        errors = self._counter("errors", options.errors, document) if options.errors else 0.0
        if errors > counted:
            raise Unknown(
                f"{errors:g} errors of {counted:g} requests: the errors are no part of the requests"
            )
        process = found(options.process, document) if options.process else ""
        if options.process and (isinstance(process, bool) or not isinstance(process, str | int | float)):
            raise Unknown(f"process: {options.process} finds no text and no number: {process!r}")
        return counted, errors, str(process)

    def _counter(self, name: str, expression: str, document: Any) -> float:
        try:
            count = number(expression, document)
        except Unknown as why:
            raise Unknown(f"{name}: {why}") from None
        if count < 0:
            raise Unknown(f"{name}: {expression} is {count:g}: expected a count")
        return count

    # The request

    def _asked(self, query: Query) -> _Asked:
        values = {
            "app": query.application,
            "environment": query.environment,
            "slot": query.slot.value,
            "version": query.version,
        }
        options = self._options
        for name in sorted(used(options.url) | used(options.body)):
            if not values[name]:
                raise Unknown(f"nobody knows the {name} of {query.slot}, which {options.url} goes by")
        return _Asked(
            url=fill(options.url, values, lambda value: quote(value, safe="")),
            body=fill(options.body, values, lambda value: json.dumps(value)[1:-1]).encode(),
        )

    def _ask(self, asked: _Asked) -> Any:
        options = self._options
        try:
            # The timeouts of requests are for single reads; this one is for all of them.
            status, body = self._services.clock.within(
                options.timeout, lambda: self._answer(asked, self._headers())
            )
        except Unanswered:
            raise self._failed(asked, f"no answer within {options.timeout:g} s") from None
        except (requests.exceptions.InvalidHeader, UnicodeError):
            raise ConfigError(
                "a header of the metrics web holds a line break or the like",
                where="metrics, headers",
                remedy="look at the secrets that they name",
            ) from None
        except (requests.RequestException, OSError) as error:
            raise self._failed(asked, web.why(error, options.timeout)) from None
        said = f"{status} {web.phrase(status)}".strip()
        text = body.decode("utf-8", errors="replace")
        if not 200 <= status < 300:
            also = "; redirects are not followed" if 300 <= status < 400 else ""
            raise self._failed(asked, f"{said}: {self._excerpt(text)}{also}")
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise self._failed(asked, f"{said}, but no JSON: {self._excerpt(text)}") from None

    def _answer(self, asked: _Asked, headers: Mapping[str, str]) -> tuple[int, bytes]:
        options = self._options
        with requests.Session() as session:
            # No .netrc: a password that nobody configured here is sent nowhere.
            session.trust_env = False
            with session.request(
                options.method,
                asked.url,
                data=asked.body or None,
                headers=headers,
                timeout=options.timeout,
                verify=_present(options.ca) or os.environ.get("REQUESTS_CA_BUNDLE") or True,
                # Secrets go to the host that was named, and to no other.
                allow_redirects=False,
                proxies={} if web.on_loopback(asked.url) else get_environ_proxies(asked.url, no_proxy=None),
                stream=True,
            ) as response:
                body = bytearray()
                for chunk in response.iter_content(16 * 1024):
                    body += chunk
                    if len(body) > LIMIT:
                        raise self._failed(asked, f"more than {LIMIT // 1024 // 1024} MiB")
                return response.status_code, bytes(body)

    def _headers(self) -> Mapping[str, str]:
        headers = {"User-Agent": "uno-metrics-web", "Accept": "application/json"}
        if self._options.body:
            headers["Content-Type"] = "application/json"
        for name, value in self._options.headers.items():
            if isinstance(value, Secret):
                # The last line break of a secret's file is not part of the secret.
                headers[name] = self._services.secrets.reveal(value).rstrip("\r\n")
                self._veil.add(headers[name])
            else:
                headers[name] = value
        return headers

    def _excerpt(self, text: str) -> str:
        # Half a secret, or one in quotes of Python's, would not be known for one.
        return web.excerpt(self._veil(text))

    def _failed(self, asked: _Asked, what: str) -> UnoError:
        return UnoError(
            "the metrics web got no answer that can be read",
            found=web.line(self._veil(what)),
            expected="a status 2xx, and JSON",
            where=asked.url,
            remedy="ask the URL by hand; then look at the options under `metrics`",
        )


def _present(path: str) -> str:
    if path and not Path(path).exists():
        raise ConfigError("the certificates to verify by do not exist", where=path, remedy="correct `ca`")
    return path
