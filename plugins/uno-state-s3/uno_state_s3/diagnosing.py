"""What a doctor finds in the bucket."""

from __future__ import annotations

from collections.abc import Iterator

from uno_core import ConfigError, Diagnosis, Forbidden, StateError
from uno_state_s3.objects import Conflict, Shelf
from uno_state_s3.records import INDEX

ABOUT = "state in S3"
PROBE, NO_VERSION = "doctor", f'"{"0" * 32}"'


def diagnose(shelf: Shelf) -> Iterator[Diagnosis]:
    """Whether the bucket is there, and may be listed, read and written.

    The write is conditional on a version that no object has: S3 looks at the permission first, and then
    refuses it, so nothing is written. Where it is written all the same, no condition can be relied on.
    """
    try:
        next(shelf.listed(INDEX), None)
        shelf.find(INDEX)
        try:
            shelf.put(PROBE, {}, NO_VERSION)
        except Conflict:
            yield Diagnosis.ok(ABOUT, f"{shelf.where} can be read and written")
        else:
            yield Diagnosis.error(
                ABOUT, f"{shelf.where} takes writes whatever their condition: two deployments could begin",
                "keep the state in S3 itself, or in a store that knows If-Match",
            )  # fmt: skip
    except Forbidden as problem:
        yield Diagnosis.error(ABOUT, f"{problem.message}: {problem.found}", problem.remedy, forbidden=True)
    except (StateError, ConfigError) as problem:
        yield Diagnosis.error(ABOUT, f"{problem.message}: {problem.found}", problem.remedy)
