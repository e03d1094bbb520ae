"""What stands before moto: who asked for what, and what goes wrong with it when a test says so."""

from __future__ import annotations

import fnmatch
import functools
import io
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from attrs import define, field, frozen
from botocore.session import get_session

ACCOUNT = "123456789012"
USER = f"arn:aws:iam::{ACCOUNT}:user/deployer"
PREFIXES = {"elasticloadbalancing": "elasticloadbalancing", "monitoring": "cloudwatch"}
"""The prefix of actions in a policy, where it is not the name that requests are signed for."""
NAMED_BY_PATH = {"route53"}
"""Services whose action stands in no header and no body. S3 is none: its tests say method and path."""

_PLAINLY_DENIED = {"elasticloadbalancing", "route53"}


@frozen
class Call:
    """One request: for which service it was signed, the action, and the key that signed it."""

    service: str
    action: str
    key: str

    @property
    def right(self) -> str:
        """The action as a policy names it."""
        return f"{PREFIXES.get(self.service, self.service)}:{self.action}"


@define
class Fault:
    """What becomes of calls whose right is like `action`, so many times. `hits` counts them.

    code: the error that is answered instead. lost: it takes effect, and the connection is closed unanswered.
    """

    action: str
    code: str = ""
    status: int = 400
    message: str = "as the test says"
    lost: bool = False
    times: int = 1
    hits: int = 0

    def takes(self, call: Call) -> bool:
        return self.hits < self.times and fnmatch.fnmatch(call.right, self.action)


@define
class Bucket:
    """Tokens for calls, as AWS has for each account and region: `burst` at first, `rate` more a second."""

    rate: float
    burst: float
    _left: float = field(init=False)
    _at: float = field(init=False, factory=time.monotonic)

    def __attrs_post_init__(self) -> None:
        self._left = self.burst

    def take(self) -> bool:
        now = time.monotonic()
        self._left = min(self.burst, self._left + (now - self._at) * self.rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Lost(ConnectionError):
    """The answer does not arrive: the server closes the connection for it."""


@define
class Front:
    """A WSGI application around another one. `calls` are those that came, refused or not, in order."""

    app: Callable[..., Iterable[bytes]]
    calls: list[Call] = field(init=False, factory=list)
    faults: list[Fault] = field(init=False, factory=list)
    denied: set[str] = field(init=False, factory=set)
    """Rights that nobody has; `*` stands for anything."""
    expired: set[str] = field(init=False, factory=set)
    """Access keys whose session is over."""
    throttled: dict[str, Bucket] = field(init=False, factory=dict)
    """Buckets by the rights that they are for."""
    _guard: threading.Lock = field(init=False, factory=threading.Lock)

    def inject(self, action: str, **fault: Any) -> Fault:
        self.faults.append(Fault(action, **fault))
        return self.faults[-1]

    def throttle(self, action: str, rate: float, burst: float) -> None:
        self.throttled[action] = Bucket(rate, burst)

    def heal(self) -> None:
        """Let everything through again."""
        self.faults.clear()
        self.denied.clear()
        self.expired.clear()
        self.throttled.clear()

    def counted(self) -> Counter[str]:
        return Counter(call.right for call in self.calls)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        call = _call(environ)
        with self._guard:
            self.calls.append(call)
            refused = self._refusal(call)
            fault = next((one for one in self.faults if one.takes(call)), None)
            if fault is not None and refused is None:
                fault.hits += 1
        if refused is None and fault is not None and fault.code:
            refused = (fault.code, fault.status, fault.message)
        if refused is not None:
            return _answer(environ, start, call, refused)
        answered = self.app(environ, start)
        if fault is not None and fault.lost:
            b"".join(answered)  # it has taken effect
            raise Lost
        return answered

    def _refusal(self, call: Call) -> tuple[str, int, str] | None:
        if call.key in self.expired:
            return "ExpiredToken", 403, "The security token included in the request is expired"
        if any(fnmatch.fnmatch(call.right, one) for one in self.denied):
            told = f"User: {USER} is not authorized to perform: {call.right} on resource: *"
            code = "AccessDenied" if call.service in _PLAINLY_DENIED else "AccessDeniedException"
            return code, 403, f"{told} because no identity-based policy allows the {call.right} action"
        for action, bucket in self.throttled.items():
            if fnmatch.fnmatch(call.right, action) and not bucket.take():
                return "Throttling", 400, "Rate exceeded"
        return None


def _call(environ: dict[str, Any]) -> Call:
    signed = re.search(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    key, service = signed.groups() if signed else ("", "")
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return Call(service, target.rpartition(".")[2], key)
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = _Again(body)
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        action = parse_qs(body.decode()).get("Action", [""])[0]
    else:
        action = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    if service in NAMED_BY_PATH:
        action = next((name for path, name in _paths(service) if path.fullmatch(action)), action)
    return Call(service, action, key)


@functools.cache
def _paths(service: str) -> list[tuple[re.Pattern[str], str]]:
    """Method and path of each action of a service, from its model in botocore."""
    model = get_session().get_service_model(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(http["requestUri"].rstrip("/")))
        found.append((re.compile(f"{http['method']} {path}/?"), name))
    return sorted(found, key=lambda one: one[0].pattern.count("[^/]+"))  # what says more comes first


class _Again:
    """A body that was read already."""

    def __init__(self, body: bytes) -> None:
        self._file = io.BytesIO(body)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __iter__(self) -> Any:
        return iter(self._file)


def _answer(
    environ: dict[str, Any], start: Callable[..., Any], call: Call, refused: tuple[str, int, str]
) -> Iterable[bytes]:
    code, status, message = refused
    if environ.get("HTTP_X_AMZ_TARGET"):
        kind, body = "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})
    else:
        kind = "text/xml"
        body = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        if call.service == "route53":
            space = ' xmlns="https://route53.amazonaws.com/doc/2013-04-01/"'
            body = f"<ErrorResponse{space}>{body}<RequestId>r</RequestId></ErrorResponse>"
        elif call.service != "s3":
            body = f"<ErrorResponse>{body}<RequestId>r</RequestId></ErrorResponse>"
    start(f"{status} Refused", [("Content-Type", kind)])
    return [body.encode()]
