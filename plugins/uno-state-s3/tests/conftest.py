"""A bucket of the double of AWS, and stores that look at it."""

import pytest
from attrs import evolve

from uno_state_s3.options import S3Options
from uno_state_s3.store import S3Store

BUCKET = "state-of-uno"


@pytest.fixture
def bucket(aws, monkeypatch, tmp_path):
    """Nothing is in it at first; asked directly."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFIRST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    client = aws.client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client


@pytest.fixture
def connect(aws, bucket, services):
    """A store as one more machine has it; changes of the services by keyword, options as a mapping."""
    opened = []

    def connect(options=None, **changes):
        usual = {
            "url": f"s3://{BUCKET}/team", "region": "eu-west-1", "endpoint_url": aws.url, "rate": 10000.0,
        }  # fmt: skip
        opened.append(S3Store(S3Options(**{**usual, **(options or {})}), evolve(services, **changes)))
        return opened[-1]

    yield connect
    for store in opened:
        store.close()


@pytest.fixture
def store(connect):
    return connect()


@pytest.fixture
def names(bucket):
    """What lies in the bucket, below the prefix."""

    def names():
        found = bucket.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return [one["Key"].removeprefix("team/") for one in found]

    return names


@pytest.fixture
def asked(aws):
    """Runs something, and says which requests it made, by method and name."""

    def asked(work):
        before = len(aws.front.calls)
        work()
        return [
            call.action.replace(f"/{BUCKET}/team/", "").removesuffix(f"/{BUCKET}")
            for call in aws.front.calls[before:]
        ]

    return asked
