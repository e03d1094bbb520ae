"""The state store `s3`."""

from __future__ import annotations

from collections.abc import Iterator

from uno_aws.options import inherited
from uno_aws.session import Aws
from uno_core import Diagnosis, Services, ShelvedStore
from uno_state_s3.diagnosing import diagnose
from uno_state_s3.options import S3Options
from uno_state_s3.shelf import S3Shelf


class S3Store(ShelvedStore):
    """The state below one prefix of a bucket, for any machine that reaches it.

    What a call writes is durable when it returns: S3 reads what was written last.
    """

    _shelf: S3Shelf

    def __init__(self, options: S3Options, services: Services) -> None:
        """Keep what is needed; connect at the first use."""
        options = inherited(options, services.platform_options)
        super().__init__(S3Shelf(Aws(options, services.clock), options), services)

    def diagnose(self) -> Iterator[Diagnosis]:
        """Whether the bucket is there, and what may be done in it."""
        return diagnose(self._shelf)

    def close(self) -> None:
        """Let go of connections; the next use makes new ones."""
        self._shelf.aws.close()
