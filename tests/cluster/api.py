"""Asks the apiserver in plain JSON: what the test cluster's own parts use, which need no typed client."""

from __future__ import annotations

import atexit
import base64
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from attrs import define, field

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
Object = dict[str, Any]


class Refused(Exception):
    """The apiserver said no, for a reason that asking again does not change."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """One user's way to the apiserver; it asks again while the apiserver is away or busy."""

    def __init__(self, kubeconfig: Path, agent: str, patience: float = 60.0) -> None:
        import yaml

        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        said = {"User-Agent": agent}
        if "token" in user:
            said["Authorization"] = f"Bearer {user['token']}"
        url = urlsplit(cluster["server"])
        self.patience = patience
        self.closed = threading.Event()
        self._pool = urllib3.HTTPSConnectionPool(
            url.hostname, url.port, maxsize=64, ca_certs=_file(cluster, "certificate-authority"),
            cert_file=_file(user, "client-certificate"), key_file=_file(user, "client-key"),
            headers=said, retries=False, timeout=urllib3.Timeout(10),
        )  # fmt: skip

    def get(self, path: str, **query: Any) -> Object:
        return self.call("GET", path, query=query)

    def post(self, path: str, body: Object) -> Object:
        return self.call("POST", path, body)

    def patch(self, path: str, body: Object, kind: str = MERGE) -> Object:
        return self.call("PATCH", path, body, kind=kind)

    def call(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        kind: str = "application/json",
        query: Object | None = None,
    ) -> Object:
        """Raises Refused."""
        end = time.monotonic() + self.patience
        url = path + ("?" + urlencode(query) if query else "")
        sent = None if body is None else json.dumps(body).encode()
        while True:
            try:
                answer = self._pool.request(method, url, body=sent, headers=self._typed(kind))
            except urllib3.exceptions.HTTPError as error:
                again: Exception = error
            else:
                if answer.status < 400:
                    return json.loads(answer.data or b"{}")
                message = _message(answer.data)
                again = Refused(answer.status, message)
                if answer.status < 500 and answer.status != 429:
                    raise again
            if time.monotonic() > end or self.closed.wait(0.1):
                raise again

    def watch(self, path: str, version: str) -> Iterator[Object]:
        """What happens after that version, until the connection ends. Raises Refused, so 410."""
        query = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true"}
        answer = self._pool.request(
            "GET", f"{path}?{urlencode(query)}", headers=self._typed(), preload_content=False,
            timeout=urllib3.Timeout(connect=5, read=None),
        )  # fmt: skip
        try:
            if answer.status >= 400:
                raise Refused(answer.status, _message(answer.read()))
            rest = b""
            for chunk in answer.stream(65536, decode_content=False):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines if line)
        finally:
            answer.close()

    def close(self) -> None:
        self.closed.set()
        self._pool.close()

    def _typed(self, kind: str = "application/json") -> dict[str, str]:
        return {**self._pool.headers, "Content-Type": kind, "Accept": "application/json"}


def _file(row: Object, name: str) -> str | None:
    """The file that a kubeconfig names, or one with what it holds."""
    inside = row.get(f"{name}-data")
    if not inside:
        return row.get(name)
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(base64.b64decode(inside))
    atexit.register(Path(file.name).unlink, missing_ok=True)
    return file.name


def _message(data: bytes) -> str:
    try:
        return json.loads(data)["message"]
    except (ValueError, KeyError, TypeError):
        return data.decode(errors="replace")[:300]


@define
class Followed:
    """Every object of a kind as it is now; `told(kind of event, object)` hears of each change, in order."""

    api: Api
    path: str
    told: Callable[[str, Object], None]
    objects: dict[tuple[str, str], Object] = field(init=False, factory=dict)
    listed: threading.Event = field(init=False, factory=threading.Event)
    _stream: Any = field(init=False, default=None)

    def start(self) -> None:
        threading.Thread(target=self._follow, name=f"follow {self.path}", daemon=True).start()

    def _follow(self) -> None:
        while not self.api.closed.is_set():
            try:
                version = self._list()
                for event in self.api.watch(self.path, version):
                    if self.api.closed.is_set():
                        return
                    if event["type"] == "ERROR":
                        break
                    if event["type"] == "BOOKMARK":
                        continue
                    self._take(event["type"], event["object"])
            except (Refused, urllib3.exceptions.HTTPError, OSError):
                pass  # the apiserver restarts, or versions are forgotten: everything is listed again
            self.api.closed.wait(0.1)

    def _list(self) -> str:
        answer = self.api.get(self.path)
        found = {key(each): each for each in answer.get("items") or ()}
        for gone in [k for k in self.objects if k not in found]:
            self._take("DELETED", self.objects[gone])
        for each, thing in found.items():
            before = self.objects.get(each)
            if (
                before is None
                or before["metadata"]["resourceVersion"] != thing["metadata"]["resourceVersion"]
            ):
                self._take("ADDED" if before is None else "MODIFIED", thing)
        self.listed.set()
        return answer["metadata"]["resourceVersion"]

    def _take(self, kind: str, thing: Object) -> None:
        if kind == "DELETED":
            self.objects.pop(key(thing), None)
        else:
            self.objects[key(thing)] = thing
        self.told(kind, thing)


def key(thing: Object) -> tuple[str, str]:
    """Its namespace, empty for none, and its name."""
    return thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def now(micro: bool = False) -> str:
    from datetime import UTC, datetime

    moment = datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")
