"""Objects of the bucket: read, written on conditions, and what S3 says as errors of the state."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from uno_aws.errors import Refusal, Stranger, translated
from uno_aws.session import Aws
from uno_core import (
    ConfigError,
    Forbidden,
    Overtaken,
    PlatformError,
    Shelf,
    StateError,
    Thing,
    ThingName,
    Unanswered,
)
from uno_state_s3.options import S3Options

PLAIN = 16 * 1024
"""Bytes; longer objects are compressed, shorter ones can be read as they lie there."""

LARGEST = 16 * 1024 * 1024
"""Bytes of one object: all of it goes over the wire for each change."""

MARGIN = 2.0
"""Seconds by which an object may be younger than S3 says: both times are told to the second, and S3 has many
clocks."""

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


class S3Shelf(Shelf):
    """The objects below the prefix, as their names and JSON. A version is an ETag.

    Its answers tell in `Last-Modified` when an object was written, and in `Date` what time it is: its age by
    the clock of S3 alone.

    Raises Forbidden, naming the action, for want of a permission.
    """

    wrote = False

    def __init__(self, aws: Aws, options: S3Options) -> None:
        self.aws, self.bucket, self.prefix = aws, options.bucket, options.prefix
        self._seen: dict[ThingName, Thing] = {}

    def where(self, name: ThingName | None = None) -> str:
        return f"s3://{self.bucket}/{self.prefix}{name or ''}"

    def find(self, name: ThingName) -> Thing | None:
        return self._get(name)

    def look(self, name: ThingName, version: str = "") -> Thing | None:
        """What is known is asked for on the condition that it has changed; nothing at all by its version."""
        known = self._seen.get(name)
        if known is not None and known.version == version:
            return known
        found = self._get(name, known)
        if found is None:
            self._seen.pop(name, None)
        else:
            self._seen[name] = found
        return found

    def _get(self, name: ThingName, known: Thing | None = None) -> Thing | None:
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
        modified: datetime = answer["LastModified"]
        age = max(0.0, (self._date(answer) - modified).total_seconds() - MARGIN)
        version = str(answer["ETag"])
        return Thing(name=name, version=version, data=_unpacked(body), age=age, modified=modified)

    def _fetched(self, name: ThingName, condition: Mapping[str, str]) -> tuple[Mapping[str, Any], bytes]:
        """Asks once more where the body breaks off: boto3 does so for the headers only."""
        for last in (False, True):
            answer = self.aws.read("s3", "get_object", **self._key(name), **condition)
            try:
                with translated("s3", "GetObject", "s3", where=self.where()):
                    return answer, answer["Body"].read()
            except Unanswered:
                if last:
                    raise
        raise AssertionError

    def put(self, name: ThingName, data: Mapping[str, Any], over: Thing | None) -> Thing:
        thing = self._put(name, data, {"IfMatch": over.version} if over is not None else {"IfNoneMatch": "*"})
        if name in self._seen:
            self._seen[name] = thing  # what was written here is seen here at once
        return thing

    def overwrite(self, name: ThingName, data: Mapping[str, Any]) -> None:
        self._put(name, data, {})

    def _put(self, name: ThingName, data: Mapping[str, Any], condition: Mapping[str, str]) -> Thing:
        # An ETag may be a hash of the content. With something of its own no two states of an object have
        # the same: a write that was believed to be lost, and comes late, finds another one.
        body = _packed({**data, "salt": uuid4().hex})
        if len(body) > LARGEST:
            raise StateError(
                "this is too much to be kept in one object", found=f"{len(body)} bytes, compressed",
                expected=f"{LARGEST} at the most", where=self.where(name),
            )  # fmt: skip
        kind = "application/json" if body[:1] == b"{" else "application/gzip"
        with self._told("put_object", name):
            try:
                answer = self.aws.read(
                    "s3", "put_object", **self._key(name), Body=body, ContentType=kind, **condition
                )
            except Refusal as problem:
                if problem.reason in OVERTAKEN:
                    raise Overtaken(problem.message, found=problem.found, where=self.where(name)) from problem
                raise
        self.wrote = True
        written = json.loads(json.dumps(data))
        return Thing(name=name, version=str(answer["ETag"]), data=written, modified=self._date(answer))

    def listed(self, key: str = "") -> Iterator[tuple[ThingName, str]]:
        kind = f"{self.prefix}deployment/"
        begins = self.prefix + str(ThingName("deployment", f"{key}-")) if key else kind
        with self._told("list_objects_v2"):
            for row in self.aws.pages("s3", "list_objects_v2", "Contents", Bucket=self.bucket, Prefix=begins):
                yield ThingName("deployment", unquote(str(row["Key"]).removeprefix(kind))), str(row["ETag"])

    def remove(self, name: ThingName) -> None:
        with self._told("delete_object", name):
            self.aws.read("s3", "delete_object", **self._key(name))
        self._seen.pop(name, None)

    def _key(self, name: ThingName) -> Mapping[str, str]:
        return {"Bucket": self.bucket, "Key": f"{self.prefix}{name}"}

    def _date(self, answer: Mapping[str, Any]) -> datetime:
        text = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
        try:
            return parsedate_to_datetime(text)
        except ValueError as problem:
            raise StateError(
                "S3 does not say what time it is: nobody can tell how long a lease lasts",
                found=text or "an answer without a Date", where=self.where(),
                remedy="look at what stands between here and S3",
            ) from problem  # fmt: skip

    @contextmanager
    def _told(self, operation: str, name: ThingName | None = None) -> Iterator[None]:
        """What S3 says, as what a store says."""
        where = self.where(name)
        try:
            yield
        except (ConfigError, StateError):
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

    def _forbidden(self, operation: str, name: ThingName | None, problem: Forbidden) -> Forbidden:
        action = ACTIONS[operation]
        named = _NAMED.search(problem.found)
        if named and (named[1] in ACTIONS.values() or named[1].startswith("kms:")):
            action = named[1]
        of = f"arn:aws:s3:::{self.bucket}"
        resource = of if action == "s3:ListBucket" else f"{of}/{self.prefix}{name or ''}"
        if action.startswith("kms:"):
            resource = "the key of the bucket"
        return Forbidden(
            f"AWS does not permit {action}", found=problem.found, where=self.where(name),
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
