"""The apiserver, asked in plain JSON: with a timeout, again where it is busy, refusals as errors of uno."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

import urllib3

from uno_core import Clock, Drift, Forbidden, PlatformError, Throttled, Unanswered, web
from uno_platform_kubernetes.credentials import Credentials, Login
from uno_platform_kubernetes.options import KubernetesOptions

Object = Mapping[str, Any]

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
MANAGER = "uno"
"""The field manager: who owns what uno applies."""

TIMEOUT = 10.0
"""Seconds that one answer may take."""

TRIES = 8
"""So often a request that is safe to repeat is sent, before whoever asked is told."""

WRITING = 10.0
"""Seconds after which a write is not sent again without being asked for again."""

UNKNOWN = 401
"""The status by which an apiserver says that it does not know who asks."""

LONGEST = 5.0
"""Seconds between two tries at the most; a greater Retry-After is left to whoever asked."""


class Missing(PlatformError):
    """The object does not exist."""


class Conflict(Drift):
    """The object is no longer as it was read, or somebody else owns a field."""


class Invalid(PlatformError):
    """The object is not as the apiserver expects it."""


class Expired(PlatformError):
    """The version to watch from is gone: list again."""


class Watch:
    """Changes as they come, until their time is over or they are cut off. To be gone through once."""

    def __init__(self, answer: Any, path: str) -> None:
        self._answer, self._path = answer, path

    def __iter__(self) -> Iterator[Object]:
        """Raises Expired where the version that it goes on from is gone."""
        try:
            for line in _lines(self._answer):
                event = json.loads(line)
                if event.get("type") == "ERROR":
                    status = event.get("object") or {}
                    raise Expired("a watch has ended", found=str(status.get("message", "")), where=self._path)
                yield event
        except (urllib3.exceptions.HTTPError, OSError):
            return  # cut off: whoever watches goes on from the last version
        finally:
            # Its connection is kept only where the answer has come to its end: on any other the next
            # request would wait for the rest of the watch.
            self._answer.close()

    def end(self) -> None:
        """Have whoever goes through it stop, in another thread too."""
        try:
            self._answer.shutdown()
        except (OSError, RuntimeError, ValueError):
            pass  # it has ended by itself


class Api:
    """One cluster, as one user. `connect` is done at the first use, so that making it touches nothing."""

    def __init__(self, options: KubernetesOptions, clock: Clock) -> None:
        self.options, self.clock = options, clock
        self._credentials = Credentials(options, clock)

    @property
    def namespace(self) -> str:
        """The one that the context names, or that this pod runs in; else `default`."""
        return self._credentials.namespace

    def get(self, path: str, **query: Any) -> Object:
        """Raises Missing, Forbidden, Throttled, PlatformError."""
        return self._patiently("GET", path, query=query)

    def version(self, timeout: float = TIMEOUT) -> str:
        """The apiserver's, asked once: whoever wants to know whether it answers does not wait for it."""
        return str(self._once("GET", "/version", timeout=timeout).get("gitVersion", "?"))

    def once(self, path: str, **query: Any) -> Object:
        """As `get`, and not tried again: for whoever asks again by himself. Raises Unanswered too."""
        return self._once("GET", path, query=query)

    def find(self, path: str) -> Object | None:
        """The object; None where there is none."""
        try:
            return self.get(path)
        except Missing:
            return None

    def apply(self, path: str, body: Object, *, force: bool = False) -> Object:
        """Server-side apply as `uno`: idempotent, so a lost answer is asked for again.

        With a resourceVersion in its metadata it is conditional. Raises Conflict where the object has
        changed, or where somebody else owns a field.
        """
        query = {"fieldManager": MANAGER, "force": str(force).lower()}
        return self._patiently("PATCH", path, body, kind=APPLY, query=query)

    def patch(self, path: str, body: Object) -> Object:
        """A merge patch; conditional with a resourceVersion in its metadata."""
        return self._patiently("PATCH", path, body, kind=MERGE, query={"fieldManager": MANAGER})

    def create(self, path: str, body: Object) -> Object:
        """Raises Conflict where it exists, Unanswered where nobody knows."""
        return self._once("POST", path, body, query={"fieldManager": MANAGER})

    def rehearse(self, path: str, body: Object) -> None:
        """Have the apiserver say what a create would say, to the last field; nothing is written.

        Raises Invalid, and Forbidden where somebody's policy denies it. It is fine where nobody can tell:
        this user may not create, or a webhook knows no dry run.
        """
        query = {"fieldManager": MANAGER, "dryRun": "All", "fieldValidation": "Strict"}
        try:
            self._patiently("POST", path, body, query=query)
        except (Conflict, Missing):
            return  # there is one already; nothing is wrong with the body
        except Invalid as problem:
            if "does not support dry run" not in problem.found:
                raise
        except Forbidden as problem:
            if "denied" not in problem.found:
                return
            raise

    def replace(self, path: str, body: Object) -> Object:
        """Conditional by the resourceVersion in it: raises Conflict, and Unanswered where nobody knows."""
        return self._once("PUT", path, body, query={"fieldManager": MANAGER})

    def delete(self, path: str, *, uid: str = "", version: str = "") -> None:
        """Gone already is fine. Raises Conflict where it is another object, or another version, by now."""
        preconditions = {k: v for k, v in {"uid": uid, "resourceVersion": version}.items() if v}
        body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if preconditions:
            body = {**body, "preconditions": preconditions}
        try:
            self._patiently("DELETE", path, body)
        except Missing:
            return

    def text(self, path: str, **query: Any) -> str:
        """What is no JSON: the log of a container."""
        answer = self._send("GET", path, query=query)
        if answer.status >= 400:
            raise self._refused("GET", path, answer.status, answer.data, answer.headers)
        return str(answer.data.decode("utf-8", "replace"))

    def watch(self, path: str, version: str, seconds: float, **query: Any) -> Watch:
        """The changes since a version, for so many seconds at the most. Raises Expired where it is gone."""
        asked = {
            **query,
            "watch": "true",
            "resourceVersion": version,
            "timeoutSeconds": int(seconds),
            "allowWatchBookmarks": "true",
        }
        answer = self._send("GET", path, query=asked, timeout=seconds + TIMEOUT, stream=True)
        if answer.status >= 400:
            raise self._refused("GET", path, answer.status, answer.data, answer.headers)
        return Watch(answer, path)

    def close(self) -> None:
        """Close its connections, those that are in use as soon as they are not."""
        self._credentials.close()

    # How it is asked

    def _patiently(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        kind: str = "",
        query: Object | None = None,
    ) -> Object:
        """What may be sent again, again: 429 and 5xx after the pause that they ask for, and lost answers.

        A write only for a while: whoever asked makes sure of the lock before it is sent later than that.
        """
        begun = self.clock.monotonic()
        for attempt in range(1, TRIES + 1):
            try:
                return self._once(method, path, body, kind=kind, query=query)
            except (Throttled, Unanswered) as problem:
                pause = getattr(problem, "after", 0.0) or min(LONGEST, 0.2 * 2**attempt)
                late = method != "GET" and self.clock.monotonic() + pause - begun > WRITING
                if attempt == TRIES or pause > LONGEST or late:
                    raise
                self.clock.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        raise AssertionError  # pragma: no cover

    def _once(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        kind: str = "",
        query: Object | None = None,
        timeout: float = TIMEOUT,
    ) -> Object:
        answer = self._send(method, path, body, kind=kind, query=query, timeout=timeout)
        if answer.status >= 400:
            raise self._refused(method, path, answer.status, answer.data, answer.headers)
        try:
            found: Object = json.loads(answer.data or b"{}")
        except ValueError:
            raise PlatformError(
                "the apiserver did not answer with JSON",
                found=web.excerpt(answer.data.decode("utf-8", "replace")), where=path,
                remedy="look at what stands between here and it: a proxy, a login page",
            ) from None  # fmt: skip
        return found

    def _send(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        kind: str = "",
        query: Object | None = None,
        timeout: float = TIMEOUT,
        stream: bool = False,
    ) -> Any:
        asked = path + ("?" + urlencode(query) if query else "")
        sent = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "User-Agent": f"uno ({os.uname().nodename})"}
        if sent is not None:
            headers["Content-Type"] = kind or "application/json"
        request = partial(
            self._request, method, asked, body=sent, preload_content=not stream,
            timeout=urllib3.Timeout(connect=min(TIMEOUT, timeout), read=timeout),
        )  # fmt: skip
        login = self._credentials.current()
        answer = request(login, headers)
        if answer.status == UNKNOWN and (other := self._credentials.again(login)) is not None:
            # Nothing was done for somebody whom nobody knows, so that it may be asked for once more.
            answer.release_conn()
            answer = request(other, headers)
        return answer

    def _request(self, method: str, asked: str, login: Login, headers: Mapping[str, str], **more: Any) -> Any:
        timeout = float(more["timeout"].read_timeout)
        url = login.client.configuration.host + asked
        told = urllib3.HTTPHeaderDict(headers)
        for name, value in login.headers():
            told.add(name, value)  # there may be several groups
        try:
            return login.client.rest_client.pool_manager.request(
                method, url, headers=told, retries=False, **more
            )
        except urllib3.exceptions.HTTPError as error:
            why = web.why(error, timeout)
            raise Unanswered(
                "the apiserver did not answer", found=why, where=f"{method} {url.partition('?')[0]}",
                remedy="look whether it is reachable from here: `uno doctor`",
            ) from error  # fmt: skip

    def _refused(
        self, method: str, path: str, status: int, body: bytes, headers: Mapping[str, str]
    ) -> Exception:
        said = _message(body)
        where = f"{method} {path}"
        make: Callable[..., Exception]
        match status:
            case 401:
                return Forbidden(
                    "the cluster does not know this user", found=said, where=where,
                    remedy="log in again, or look at the credentials in the kubeconfig",
                )  # fmt: skip
            case 403:
                return Forbidden(
                    "the cluster does not permit that", found=said, where=where,
                    remedy="the least role that uno needs is in its documentation, under Kubernetes",
                )  # fmt: skip
            case 404:
                make = Missing
            case 409:
                return Conflict(
                    "the object has changed meanwhile, or somebody else owns a field of it", found=said,
                    where=path,
                    remedy="see who: `kubectl get -o yaml --show-managed-fields`; `--adopt` takes them",
                )  # fmt: skip
            case 410:
                make = Expired
            case 400 | 422:
                make = Invalid
            case 429 | 500 | 502 | 503 | 504:
                busy = Throttled("the apiserver is busy", found=f"{status} {said}", where=where)
                busy.after = _seconds(headers.get("Retry-After", ""))  # type: ignore[attr-defined]
                return busy
            case _:
                make = PlatformError
        return make(f"the apiserver refused: {status} {web.phrase(status)}".strip(), found=said, where=where)


def _message(body: bytes) -> str:
    try:
        return web.line(str(json.loads(body)["message"]))
    except (ValueError, KeyError, TypeError):
        return web.excerpt(body.decode("utf-8", "replace"))


def _seconds(text: str) -> float:
    return float(text) if text.isdigit() else 0.0


def _lines(answer: Any) -> Iterator[bytes]:
    rest = b""
    # What is there, not a full buffer: a proxy on the way may have taken away the chunks.
    while chunk := answer.read1(65536, decode_content=True):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line.strip())
