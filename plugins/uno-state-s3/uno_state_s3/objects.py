"""Objects of the bucket: read, written on conditions, and what S3 says as errors of the state."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from uuid import uuid4

from attrs import frozen

from uno_aws.errors import Refusal, Stranger, translated
from uno_aws.session import Aws
from uno_core import Clock, ConfigError, Forbidden, PlatformError, StateError, Unanswered
from uno_state_s3.options import S3Options

T = TypeVar("T")

TURNS = 40
"""So often a write is decided anew after others came first."""

PLAIN = 16 * 1024
"""Bytes; longer objects are compressed, shorter ones can be read as they lie there."""

LARGEST = 16 * 1024 * 1024
"""Bytes of one object: all of it goes over the wire for each change."""

OVERTAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "OperationAborted", "NoSuchKey"})
"""What is answered to a write where something else is there, or is just being written."""

ACTIONS = {
    "get_object": "s3:GetObject",
    "put_object": "s3:PutObject",
    "delete_object": "s3:DeleteObject",
    "list_objects_v2": "s3:ListBucket",
}
"""What a policy calls them."""

_NAMED = re.compile(r"not authorized to perform: (\S+)")


class Conflict(PlatformError):
    """Something else is there than was read: nothing was written."""


@frozen(kw_only=True)
class Thing:
    """An object as it was read, or written. version: its ETag.

    modified: when it was written, and seen: when it was read, both by the clock of S3, to the second.
    at: when it was asked for, or sent, by our own monotonic clock.
    """

    name: str
    version: str
    data: Mapping[str, Any]
    modified: datetime
    seen: datetime
    at: float


class Shelf:
    """The objects below the prefix, as names and JSON.

    Raises StateError where they cannot be read or written, and Conflict where something else is there than
    was read. Raises Forbidden, naming the action, for want of a permission; a login that ended after
    something was written is a StateError, since it must not keep the traffic at a bad release.
    """

    wrote = False

    def __init__(self, aws: Aws, options: S3Options, clock: Clock) -> None:
        self.aws, self.bucket, self.prefix, self.clock = aws, options.bucket, options.prefix, clock
        self._seen: dict[str, Thing] = {}

    @property
    def where(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def find(self, name: str) -> Thing | None:
        """As it is now; None where it is not."""
        return self._get(name)

    def look(self, name: str, version: str = "") -> Thing | None:
        """The same, for what is asked for again and again: what is known is not sent once more.

        version: the one that a list has just told; of this one nothing is asked at all.
        """
        known = self._seen.get(name)
        if known is not None and known.version == version:
            return known
        found = self._get(name, known)
        if found is None:
            self._seen.pop(name, None)
        else:
            self._seen[name] = found
        return found

    def known(self, prefix: str) -> Sequence[str]:
        """Names that were looked at before."""
        return [name for name in list(self._seen) if name.startswith(prefix)]

    def _get(self, name: str, known: Thing | None = None) -> Thing | None:
        at = self.clock.monotonic()
        condition = {"IfNoneMatch": known.version} if known is not None else {}
        with self._told("get_object", name):
            try:
                answer, body = self._fetched(name, condition)
            except Refusal as problem:
                if known is not None and problem.reason == "304":
                    return known
                if problem.reason == "NoSuchKey":
                    return None
                raise
        return Thing(
            name=name, version=str(answer["ETag"]), data=_unpacked(body),
            modified=answer["LastModified"], seen=self._date(answer), at=at,
        )  # fmt: skip

    def _fetched(self, name: str, condition: Mapping[str, str]) -> tuple[Mapping[str, Any], bytes]:
        """Asks once more where the body breaks off: boto3 does so for the headers only."""
        for last in (False, True):
            answer = self.aws.read(
                "s3", "get_object", Bucket=self.bucket, Key=self.prefix + name, **condition
            )
            try:
                with translated("s3", "GetObject", "s3", where=self.where):
                    return answer, answer["Body"].read()
            except Unanswered:
                if last:
                    raise
        raise AssertionError

    def put(self, name: str, data: Mapping[str, Any], version: str | None) -> Thing:
        """Write it where it is of this version still; None: where there is none.

        It may be sent twice, where an answer was lost: the second one finds the first, and is a Conflict.
        So whoever calls reads again, and finds out what was written.
        """
        condition = {"IfMatch": version} if version is not None else {"IfNoneMatch": "*"}
        thing = self._put(name, data, condition)
        if name in self._seen:
            self._seen[name] = thing  # what was written here is seen here at once
        return thing

    def overwrite(self, name: str, data: Mapping[str, Any]) -> None:
        """Whatever is there, or is not."""
        self._put(name, data, {})

    def _put(self, name: str, data: Mapping[str, Any], condition: Mapping[str, str]) -> Thing:
        # An ETag may be a hash of the content. With something of its own no two states of an object have
        # the same: a write that was believed to be lost, and comes late, finds another one.
        body = _packed({**data, "salt": uuid4().hex})
        if len(body) > LARGEST:
            raise StateError(
                "this is too much to be kept in one object", found=f"{len(body)} bytes, compressed",
                expected=f"{LARGEST} at the most", where=self.where + name,
            )  # fmt: skip
        at = self.clock.monotonic()
        with self._told("put_object", name):
            try:
                answer = self.aws.read(
                    "s3", "put_object", Bucket=self.bucket, Key=self.prefix + name, Body=body,
                    ContentType="application/json" if body[:1] == b"{" else "application/gzip", **condition,
                )  # fmt: skip
            except Refusal as problem:
                if problem.reason in OVERTAKEN:
                    raise Conflict(problem.message, found=problem.found, where=self.where + name) from problem
                raise
        self.wrote = True
        date = self._date(answer)
        return Thing(
            name=name, version=str(answer["ETag"]), data=json.loads(json.dumps(data)),
            modified=date, seen=date, at=at,
        )  # fmt: skip

    def listed(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Name and version of all whose names begin so."""
        with self._told("list_objects_v2", ""):
            for row in self.aws.pages(
                "s3", "list_objects_v2", "Contents", Bucket=self.bucket, Prefix=self.prefix + prefix
            ):
                yield str(row["Key"]).removeprefix(self.prefix), str(row["ETag"])

    def remove(self, name: str) -> None:
        """Idempotent."""
        with self._told("delete_object", name):
            self.aws.read("s3", "delete_object", Bucket=self.bucket, Key=self.prefix + name)
        self._seen.pop(name, None)

    def written(self, work: Callable[[], T]) -> T:
        """Read, decide and write, and all of that again where somebody else wrote in between."""
        for turn in range(TURNS):
            try:
                return work()
            except Conflict as conflict:
                last = conflict
            self.clock.sleep(random.uniform(0, min(0.5, 0.01 * 2**turn)))  # noqa: S311 - no secret
        raise StateError(
            "others write the same object all the time", found=last.found, where=last.where,
            remedy="nothing was written; try it again",
        ) from last  # fmt: skip

    def _date(self, answer: Mapping[str, Any]) -> datetime:
        text = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
        try:
            return parsedate_to_datetime(text)
        except ValueError as problem:
            raise StateError(
                "S3 does not say what time it is: nobody can tell how long a lease lasts",
                found=text or "an answer without a Date", where=self.where,
                remedy="look at what stands between here and S3",
            ) from problem  # fmt: skip

    @contextmanager
    def _told(self, operation: str, name: str) -> Iterator[None]:
        """What S3 says, as what a store says."""
        where = self.where + name
        try:
            yield
        except (Conflict, ConfigError, StateError):
            raise
        except Stranger as problem:
            if not self.wrote:
                raise
            raise _away(problem, where) from problem
        except Forbidden as problem:
            raise self._forbidden(operation, name, problem) from problem
        except PlatformError as problem:
            if isinstance(problem, Refusal) and problem.reason == "NoSuchBucket":
                raise StateError(
                    "there is no such bucket", found=self.bucket, where=self.aws.where,
                    expected="a bucket that was made before: uno makes none",
                    remedy=f"aws s3 mb s3://{self.bucket}, or correct `state:` in the configuration",
                ) from problem  # fmt: skip
            raise _away(problem, where) from problem

    def _forbidden(self, operation: str, name: str, problem: Forbidden) -> Forbidden:
        action = ACTIONS[operation]
        named = _NAMED.search(problem.found)
        if named and (named[1] in ACTIONS.values() or named[1].startswith("kms:")):
            action = named[1]
        of = f"arn:aws:s3:::{self.bucket}"
        resource = of if action == "s3:ListBucket" else f"{of}/{self.prefix}{name}"
        if action.startswith("kms:"):
            resource = "the key of the bucket"
        return Forbidden(
            f"AWS does not permit {action}", found=problem.found, where=self.where + name,
            expected=f"a policy that allows {action} on {resource}",
            remedy="add it to the policy: the README of uno-state-s3 has the least one",
        )  # fmt: skip


def _away(problem: PlatformError, where: str) -> StateError:
    return StateError(
        "the state in S3 cannot be read or written",
        found=f"{problem.message}: {problem.found}".rstrip(": "), where=where,
        remedy=problem.remedy or "once S3 answers again, go on",
    )  # fmt: skip


def _packed(data: Mapping[str, Any]) -> bytes:
    body = json.dumps(data).encode()
    return gzip.compress(body, compresslevel=6, mtime=0) if len(body) > PLAIN else body


def _unpacked(body: bytes) -> Mapping[str, Any]:
    data: Mapping[str, Any] = json.loads(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
    return data


def fences_of(thing: Thing | None) -> Mapping[str, int]:
    """The newest epoch of each lease that may be written with here."""
    found: Mapping[str, int] = thing.data.get("fence", {}) if thing is not None else {}
    return found


def fenced(thing: Thing | None, key: str, epoch: int) -> Mapping[str, int]:
    """The fence of what may be written from now on with this epoch, or a newer one."""
    known = fences_of(thing)
    return {**known, key: max(epoch, known.get(key, 0))}
