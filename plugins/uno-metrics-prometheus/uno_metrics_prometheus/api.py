"""Queries to Prometheus, all of one look within one deadline, and answers that are what they should be."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from attrs import frozen
from requests.auth import HTTPBasicAuth
from requests.utils import get_environ_proxies

from uno_core import ConfigError, Json, Secret, Services, Unanswered, UnoError, web
from uno_metrics_prometheus.options import PrometheusOptions

LIMIT = 64 * 1024 * 1024
"""As many bytes of an answer are read: a selector that finds a whole cluster's series is a mistake."""


@frozen(kw_only=True)
class Series:
    """One series: its labels, and the raw samples of it in the order of time, in seconds."""

    labels: Mapping[str, str]
    samples: Sequence[tuple[float, float]]


@frozen(kw_only=True)
class Answer:
    """What came of a query. kind: matrix, vector, scalar or string."""

    kind: str
    result: Json


class Api:
    """One look at Prometheus: `with Api(options, services) as api`. Its queries share the timeout.

    Every query raises UnoError where Prometheus was not reached, took too long, refused, or knew only a
    part; ConfigError where a secret or a certificate is not there.
    """

    def __init__(self, options: PrometheusOptions, services: Services) -> None:
        self._options = options
        self._services = services
        self._end = services.clock.monotonic() + options.timeout
        self._url = options.url.rstrip("/") + "/api/v1/query"
        self.veil = web.Veil()
        self._session = requests.Session()
        # No .netrc: a password that nobody configured here is sent nowhere.
        self._session.trust_env = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._session.close()

    def query(self, promql: str, at: float) -> Answer:
        """The answer as of `at`, in seconds since 1970."""
        left = self._end - self._services.clock.monotonic()
        if left <= 0:
            raise self._failed(promql, self._late())
        try:
            # The timeouts of requests are for single reads; this one is for all of them.
            status, body = self._services.clock.within(left, lambda: self._get(promql, at, left))
        except Unanswered:
            raise self._failed(promql, self._late()) from None
        except (requests.exceptions.InvalidHeader, UnicodeError):
            raise ConfigError(
                "a header for Prometheus holds a line break or the like",
                where="metrics, headers, password or token",
                remedy="look at the secrets that they name",
            ) from None
        except (requests.RequestException, OSError) as error:
            raise self._failed(promql, web.why(error, self._options.timeout)) from None
        return self._read(promql, status, body)

    def series(self, selector: str, start: float, end: float, reach: float) -> Sequence[Series]:
        """The raw samples of every series from `reach` seconds before `start` on, until `end`.

        A range on the endpoint for instants: that gives samples as they were scraped, where query_range
        would give values at even steps.
        """
        promql = f"{selector}[{duration(end - start + reach)}]"
        answer = self.query(promql, end)
        rows = answer.result
        if answer.kind != "matrix" or not isinstance(rows, Sequence) or isinstance(rows, str):
            raise self._failed(promql, f"a {answer.kind} instead of the samples of series")
        try:
            return [_series(row) for row in rows]
        except (KeyError, TypeError, ValueError):
            raise self._failed(
                promql, f"series that cannot be read: {self._excerpt(json.dumps(rows))}"
            ) from None

    def _get(self, promql: str, at: float, seconds: float) -> tuple[int, bytes]:
        options = self._options
        shown: Any = _present(options.certificate) or None
        if _present(options.key):
            shown = (options.certificate, options.key)
        with self._session.get(
            self._url,
            params={"query": promql, "time": f"{at:.3f}", "timeout": duration(seconds)},
            headers=self._headers(),
            auth=self._auth(),
            timeout=seconds,
            verify=_present(options.ca) or os.environ.get("REQUESTS_CA_BUNDLE") or True,
            cert=shown,
            # Credentials go to the host that was named, and to no other.
            allow_redirects=False,
            proxies={} if web.on_loopback(options.url) else get_environ_proxies(options.url, no_proxy=None),
            stream=True,
        ) as response:
            body = bytearray()
            for chunk in response.iter_content(64 * 1024):
                body += chunk
                if len(body) > LIMIT:
                    raise self._failed(promql, f"more than {LIMIT // 1024 // 1024} MiB")
            return response.status_code, bytes(body)

    def _headers(self) -> Mapping[str, str]:
        headers = {"User-Agent": "uno-metrics-prometheus", "Accept": "application/json"}
        for name, value in self._options.headers.items():
            headers[name] = self._reveal(value) if isinstance(value, Secret) else value
        if self._options.token is not None:
            headers["Authorization"] = f"Bearer {self._reveal(self._options.token)}"
        return headers

    def _auth(self) -> HTTPBasicAuth | None:
        if self._options.password is None:
            return None
        # As bytes: requests would send text as Latin-1, and Prometheus compares UTF-8.
        user, password = self._options.user.encode(), self._reveal(self._options.password).encode()
        self.veil.add(b64encode(user + b":" + password).decode())
        return HTTPBasicAuth(user, password)

    def _reveal(self, secret: Secret) -> str:
        # The last line break of a secret's file is not part of the secret.
        text = self._services.secrets.reveal(secret).rstrip("\r\n")
        self.veil.add(text)
        return text

    def _read(self, promql: str, status: int, body: bytes) -> Answer:
        said = f"{status} {web.phrase(status)}".strip()
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict) or document.get("status") not in ("success", "error"):
            also = "; redirects are not followed" if 300 <= status < 400 else ""
            raise self._failed(promql, f"{said}: {self._excerpt(body.decode('utf-8', 'replace'))}{also}")
        if status != HTTPStatus.OK or document["status"] == "error":
            raise self._failed(promql, f"{said}: {document.get('errorType')}: {document.get('error')}")
        if warnings := document.get("warnings"):
            raise self._failed(
                promql, f"a part of the answer only, with the warning: {'; '.join(map(str, warnings))}"
            )
        data = document.get("data")
        if not isinstance(data, dict) or not isinstance(data.get("resultType"), str):
            raise self._failed(promql, f"{said}: {self._excerpt(body.decode('utf-8', 'replace'))}")
        return Answer(kind=data["resultType"], result=data.get("result"))

    def _late(self) -> str:
        return f"no answer within {self._options.timeout:g} s"

    def _excerpt(self, text: str) -> str:
        # Half a secret, or one in quotes of Python's, would not be known for one.
        return web.excerpt(self.veil(text))

    def _failed(self, promql: str, found: str) -> UnoError:
        return UnoError(
            "Prometheus did not answer a query",
            found=web.line(self.veil(found)),
            expected="a complete answer, which alone says anything",
            where=f"{self._options.url}, {promql}",
            remedy="try the query on the page of Prometheus; then look at the options under `metrics`",
        )


def duration(seconds: float) -> str:
    """As PromQL has it: `90s`, or `1500ms` where it is not whole."""
    return f"{seconds:.0f}s" if float(seconds).is_integer() else f"{seconds * 1000:.0f}ms"


def _series(row: Any) -> Series:
    if "values" not in row:
        raise ValueError(row)  # a native histogram, whose samples are no numbers
    return Series(
        labels={str(name): str(value) for name, value in row["metric"].items()},
        samples=[(float(at), number(value)) for at, value in row["values"]],
    )


def number(value: object) -> float:
    """A sample's value, which Prometheus writes as text. Raises ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError(value)  # noqa: TRY004 - whoever reads an answer catches one kind of error
    return float(value)


def _present(path: str) -> str:
    if path and not Path(path).exists():
        raise ConfigError(
            "a file for Prometheus does not exist", where=path, remedy="correct `ca`, `certificate` or `key`"
        )
    return path
