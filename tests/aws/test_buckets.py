"""Conditional writes to the double's buckets."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from moto.s3.models import S3Backend

pytest_plugins = ["tests.aws.fixtures"]
pytestmark = pytest.mark.component("envoy")


@pytest.fixture
def s3(aws):
    client = aws.client("s3")
    client.create_bucket(Bucket="shelf", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client


@pytest.fixture
def slow(monkeypatch):
    """It takes a while from the look at what is there until something else is: others come meanwhile."""
    real = S3Backend.put_object

    def slow(*args, **more):
        time.sleep(0.01)
        return real(*args, **more)

    monkeypatch.setattr(S3Backend, "put_object", slow)


def put(s3, body=b"x", key="a", **conditions):
    """The new ETag, or the status and the code of what was answered instead."""
    try:
        return s3.put_object(Bucket="shelf", Key=key, Body=body, **conditions)["ETag"]
    except ClientError as problem:
        return problem.response["ResponseMetadata"]["HTTPStatusCode"], problem.response["Error"]["Code"]


def read(s3, key="a"):
    return s3.get_object(Bucket="shelf", Key=key)["Body"].read()


def test_what_is_there_is_not_made_again(s3):
    assert isinstance(put(s3, b"first", IfNoneMatch="*"), str)
    assert put(s3, b"second", IfNoneMatch="*") == (412, "PreconditionFailed")
    assert read(s3) == b"first"


def test_only_what_was_read_is_replaced(s3):
    first = put(s3, b"first")
    second = put(s3, b"second", IfMatch=first)
    assert put(s3, b"third", IfMatch=first) == (412, "PreconditionFailed")
    assert read(s3) == b"second"
    assert s3.get_object(Bucket="shelf", Key="a")["ETag"] == second
    assert isinstance(put(s3, b"third", IfMatch=second.strip('"')), str), "with or without quotes"


@pytest.mark.parametrize("versioned", [False, True])
def test_what_is_gone_is_not_replaced(s3, versioned):
    if versioned:
        s3.put_bucket_versioning(Bucket="shelf", VersioningConfiguration={"Status": "Enabled"})
    first = put(s3)
    s3.delete_object(Bucket="shelf", Key="a")
    assert put(s3, IfMatch=first) == (404, "NoSuchKey")
    assert isinstance(put(s3, IfNoneMatch="*"), str)


def test_the_same_content_has_the_same_etag(s3):
    assert put(s3, b"same") == put(s3, b"same", key="b")


def test_conditions_that_s3_does_not_know(s3):
    first = put(s3)
    for conditions in ({"IfNoneMatch": first}, {"IfMatch": "*"}, {"IfMatch": first, "IfNoneMatch": "*"}):
        assert put(s3, **conditions) == (501, "NotImplemented")


@pytest.mark.usefixtures("slow")
def test_of_many_at_once_one_makes_it(s3):
    with ThreadPoolExecutor(20) as threads:
        made = list(threads.map(lambda n: put(s3, b"%d" % n, IfNoneMatch="*"), range(60)))
    assert len([one for one in made if isinstance(one, str)]) == 1
    assert {one for one in made if not isinstance(one, str)} == {(412, "PreconditionFailed")}


@pytest.mark.usefixtures("slow")
def test_every_change_to_what_was_read_is_counted(s3):
    put(s3, b"0")

    def add(_):
        while True:
            found = s3.get_object(Bucket="shelf", Key="a")
            if isinstance(put(s3, b"%d" % (int(found["Body"].read()) + 1), IfMatch=found["ETag"]), str):
                return

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(80)))
    assert read(s3) == b"80"


def test_a_conflict_on_request_writes_nothing(s3, aws):
    aws.front.inject("s3:PUT *", code="ConditionalRequestConflict", status=409)
    assert put(s3, IfNoneMatch="*") == (409, "ConditionalRequestConflict")
    assert isinstance(put(s3, IfNoneMatch="*"), str)


def test_a_lost_answer_is_of_a_write_that_was_made(s3, aws):
    aws.front.inject("s3:PUT *", lost=True)
    with pytest.raises(ConnectionClosedError):
        put(s3, b"made", IfNoneMatch="*")
    assert read(s3) == b"made"


def test_what_is_known_already_is_not_sent_again(s3):
    first = put(s3)
    with pytest.raises(ClientError) as raised:
        s3.get_object(Bucket="shelf", Key="a", IfNoneMatch=first)
    assert raised.value.response["Error"]["Code"] == "304"


def test_an_answer_has_the_time_of_the_server(s3):
    put(s3)
    found = s3.get_object(Bucket="shelf", Key="a")
    assert found["ResponseMetadata"]["HTTPHeaders"]["date"]
    assert found["LastModified"].tzinfo is not None


def test_what_was_written_is_listed_with_its_etag(s3):
    first = put(s3, key="some/a%2Fb")
    (found,) = s3.list_objects_v2(Bucket="shelf", Prefix="some/")["Contents"]
    assert (found["Key"], found["ETag"]) == ("some/a%2Fb", first)
