"""The options of the store `s3`. Imports no SDK."""

from __future__ import annotations

from attrs import frozen

from uno_aws.options import AwsOptions
from uno_core import option


@frozen(kw_only=True)
class S3Options(AwsOptions):
    """The bucket, and where in it uno keeps what it knows."""

    url: str = option(help="s3://BUCKET/PREFIX: the bucket, and what the names of uno's objects begin with")

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if not self.bucket or not self.url.startswith("s3://"):
            raise ValueError(f"url = {self.url}: expected s3://bucket/prefix")

    @property
    def bucket(self) -> str:
        return self.url.removeprefix("s3://").partition("/")[0]

    @property
    def prefix(self) -> str:
        """With a slash at its end, or empty."""
        prefix = self.url.removeprefix("s3://").partition("/")[2].strip("/")
        return f"{prefix}/" if prefix else ""
