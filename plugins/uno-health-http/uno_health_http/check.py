"""One HTTP request at one target."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies

from uno_core import ConfigError, Probe, Secret, Services, Target, web
from uno_health_http.deadline import Severable, within
from uno_health_http.options import HttpOptions

BODY_LIMIT = 1024 * 1024
"""As much of a body is read, and no more: a health page is small, and a download is none."""


class HttpCheck:
    """Asks a URL once; the timeout covers name lookup, connection, headers and body together."""

    def __init__(self, options: HttpOptions, services: Services) -> None:
        """Keep both; do no I/O. Raises ConfigError for a URL that is neither http nor https."""
        self._options = options
        self._services = services
        self._statuses: Sequence[int] = (
            (options.status,) if isinstance(options.status, int) else tuple(options.status)
        )
        if urlsplit(options.url).scheme.lower() not in ("http", "https"):
            raise ConfigError(
                "the health check http cannot ask this URL",
                found=web.public(options.url),
                expected="http://… or https://…",
            )

    @property
    def per_instance(self) -> bool:
        return "{host}" in self._options.url or "{port}" in self._options.url

    def check(self, target: Target, timeout: float) -> Probe:
        """One request. Raises ConfigError where it could not be made: nothing is known of any health then."""
        options = self._options
        if "{host}" in options.url and not target.host:
            raise ConfigError(
                f"{target} has no address",
                where=web.public(options.url),
                remedy="use a url without {host} and {port}, which asks the slot as a whole",
            )
        url = target.fill(options.url)
        secrets: list[str] = []
        headers = self._headers(target, secrets)
        adapter = Severable()
        try:
            answer = within(timeout, lambda: self._ask(adapter, url, headers, target, timeout), adapter.sever)
        except TimeoutError:
            answer = (False, f"no answer within {timeout:.3g} s")
        except (requests.exceptions.InvalidHeader, UnicodeError):
            raise ConfigError("a header of the health check http holds a line break or the like") from None
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema):
            raise ConfigError("the health check http cannot ask this URL", found=web.public(url)) from None
        except requests.exceptions.TooManyRedirects:
            answer = (False, "redirected more than 5 times")
        except (requests.RequestException, OSError) as error:
            answer = (False, web.why(error, timeout))
        healthy, text = answer
        for secret in secrets:
            text = text.replace(secret, "***")
        said = f"{options.method} {web.public(url)}: {web.line(text, 300)}"
        return Probe(target=str(target), healthy=healthy, answer=said)

    def _headers(self, target: Target, secrets: list[str]) -> Mapping[str, str]:
        headers = {"User-Agent": "uno-health-http"}
        for name, value in self._options.headers.items():
            if isinstance(value, Secret):
                # The last line break of a secret's file is not part of the secret.
                headers[name] = self._services.secrets.reveal(value).rstrip("\r\n")
                if headers[name]:
                    secrets.append(headers[name])
            else:
                headers[name] = target.fill(value)
        return headers

    def _ask(
        self, adapter: Severable, url: str, headers: Mapping[str, str], target: Target, timeout: float
    ) -> tuple[bool, str]:
        options = self._options
        with _Session() as session:
            # No .netrc: a password that nobody configured here is sent nowhere.
            session.trust_env = False
            session.max_redirects = 5
            session.secret_headers = [k for k, v in options.headers.items() if isinstance(v, Secret)]
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            with session.request(
                options.method,
                url,
                headers=headers,
                timeout=timeout,
                verify=self._verify(),
                allow_redirects=options.redirects,
                proxies={} if web.on_loopback(url) else get_environ_proxies(url, no_proxy=None),
                stream=True,
            ) as response:
                return self._judge(response, _read(response), target)

    def _verify(self) -> bool | str:
        if not self._options.verify:
            return False
        ca = self._options.ca or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        if ca and not Path(ca).exists():
            raise ConfigError("the certificates to verify by do not exist", where=ca)
        return ca or True

    def _judge(self, response: requests.Response, body: str, target: Target) -> tuple[bool, str]:
        status = f"{response.status_code} {response.reason or web.phrase(response.status_code)}".strip()
        expected = ", ".join(map(str, self._statuses)) or "2xx"
        if not (
            response.status_code in self._statuses if self._statuses else 200 <= response.status_code < 300
        ):
            moved = response.headers.get("Location", "")
            to = f" to {web.public(moved)}" if response.is_redirect and moved else ""
            return False, f"{status}{to}, expected {expected}"
        if self._options.body and not target.found_in(body, self._options.body):
            return (
                False,
                f"{status}, but the body {web.excerpt(body, 80)} does not match {self._options.body!r}",
            )
        return True, status


class _Session(requests.Session):
    """A session that does not carry secrets over to another host where it follows a redirect."""

    secret_headers: Sequence[str] = ()

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]  # as its stubs have it
        if self.should_strip_auth(response.request.url or "", prepared_request.url or ""):  # type: ignore[no-untyped-call]  # likewise
            for name in self.secret_headers:
                prepared_request.headers.pop(name, None)


def _read(response: requests.Response) -> str:
    """The body, up to the limit. It is read even where nothing is expected of it: half an answer is none."""
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_content(16 * 1024):
        chunks.append(chunk)
        size += len(chunk)
        if size >= BODY_LIMIT:
            break
    # Not apparent_encoding: guessing takes long, and health pages are UTF-8 or ASCII.
    return b"".join(chunks)[:BODY_LIMIT].decode("utf-8", errors="replace")
