"""The apiserver, asked in plain JSON: with a timeout, again where it is busy, refusals in uno's own errors.

Credentials are the official client's business: kubeconfig, context, exec plugins, service accounts.
"""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config

from uno_core import Clock, ConfigError, Drift, Forbidden, PlatformError, Throttled, Unanswered, web
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

LONGEST = 5.0
"""Seconds between two tries at the most; a greater Retry-After is left to whoever asked."""


class Missing(PlatformError):
    """The object does not exist."""


class Conflict(Drift):
    """The object is no longer as it was read, or somebody else owns a field."""


class Expired(PlatformError):
    """The version to watch from is gone: list again."""


class Api:
    """One cluster, as one user. `connect` is done at the first use, so that making it touches nothing."""

    def __init__(self, options: KubernetesOptions, clock: Clock) -> None:
        self.options, self.clock = options, clock
        self._guard = threading.Lock()
        self._client: client.ApiClient | None = None

    @property
    def client(self) -> client.ApiClient:
        """Raises ConfigError where the kubeconfig or its context is not there."""
        with self._guard:
            if self._client is None:
                self._client = _connect(self.options)
            return self._client

    @property
    def namespace(self) -> str:
        """The one that the context names, or that this pod runs in; else `default`."""
        return _namespace(self.options)

    def get(self, path: str, **query: Any) -> Object:
        """Raises Missing, Forbidden, Throttled, PlatformError."""
        return self._patiently("GET", path, query=query)

    def version(self) -> str:
        """The apiserver's, asked once: whoever wants to know whether it answers does not wait for it."""
        return str(self._once("GET", "/version").get("gitVersion", "?"))

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

    def watch(self, path: str, version: str, seconds: float, **query: Any) -> Iterator[Object]:
        """The changes since a version, as they come, for so many seconds at the most, or until it is cut off.

        Raises Expired where the version is gone.
        """
        asked = {
            **query,
            "watch": "true",
            "resourceVersion": version,
            "timeoutSeconds": int(seconds),
            "allowWatchBookmarks": "true",
        }
        answer = self._send("GET", path, query=asked, timeout=seconds + TIMEOUT, stream=True)
        try:
            if answer.status >= 400:
                raise self._refused("GET", path, answer.status, answer.data, answer.headers)
            for line in _lines(answer):
                event = json.loads(line)
                if event.get("type") == "ERROR":
                    status = event.get("object") or {}
                    raise Expired("a watch has ended", found=str(status.get("message", "")), where=path)
                yield event
        except (urllib3.exceptions.HTTPError, OSError):
            return  # cut off: whoever watches goes on from the last version
        finally:
            answer.release_conn()
            answer.close()

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
    ) -> Object:
        answer = self._send(method, path, body, kind=kind, query=query)
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
        api = self.client
        url = api.configuration.host + path + ("?" + urlencode(query) if query else "")
        headers = {"Accept": "application/json", "User-Agent": f"uno ({os.uname().nodename})"}
        for auth in api.configuration.auth_settings().values():
            if auth["value"]:
                headers[auth["key"]] = auth["value"]
        sent = None if body is None else json.dumps(body).encode()
        if sent is not None:
            headers["Content-Type"] = kind or "application/json"
        try:
            return api.rest_client.pool_manager.request(
                method, url, body=sent, headers=headers, retries=False, preload_content=not stream,
                timeout=urllib3.Timeout(connect=min(TIMEOUT, timeout), read=timeout),
            )  # fmt: skip
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
            case 429 | 500 | 502 | 503 | 504:
                busy = Throttled("the apiserver is busy", found=f"{status} {said}", where=where)
                busy.after = _seconds(headers.get("Retry-After", ""))  # type: ignore[attr-defined]
                return busy
            case _:
                make = PlatformError
        return make(f"the apiserver refused: {status} {web.phrase(status)}".strip(), found=said, where=where)


def _connect(options: KubernetesOptions) -> client.ApiClient:
    chosen = options.kubeconfig or os.environ.get("KUBECONFIG") or ""
    usual = Path(config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION).expanduser()
    inside = "KUBERNETES_SERVICE_HOST" in os.environ and not chosen and not options.context
    try:
        if inside and not usual.exists():
            configuration = client.Configuration()
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            return client.ApiClient(configuration)
        made: client.ApiClient = config.new_client_from_config(  # type: ignore[no-untyped-call]
            chosen or None, context=options.context or None, persist_config=False
        )
    except config.ConfigException as problem:
        raise ConfigError(
            "the kubeconfig cannot be used", found=str(problem), where=chosen or str(usual),
            expected=f"a context {options.context}" if options.context else "a current context",
            remedy="set platform.kubeconfig and platform.context, or KUBECONFIG",
        ) from problem  # fmt: skip
    return made


def _namespace(options: KubernetesOptions) -> str:
    inside = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
    try:
        chosen = options.kubeconfig or os.environ.get("KUBECONFIG")
        contexts, current = config.list_kube_config_contexts(chosen)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        return inside.read_text("utf-8").strip() if inside.exists() else "default"
    named = [one for one in contexts if one["name"] == options.context] if options.context else [current]
    return str((named[0]["context"].get("namespace") if named else "") or "default")


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
