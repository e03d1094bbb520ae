"""What a doctor finds in the bucket."""

from __future__ import annotations

from collections.abc import Iterator

from uno_core import ConfigError, Diagnosis, Forbidden, Overtaken, StateError, Thing, ThingName
from uno_state_s3.shelf import S3Shelf

ABOUT = "state in S3"
PROBE = ThingName("doctor")
NEVER = Thing(name=PROBE, version=f'"{"0" * 32}"', data={})
"""A version that no object has."""


def diagnose(shelf: S3Shelf) -> Iterator[Diagnosis]:
    """Whether the bucket is there, and may be listed, read and written.

    The write is conditional on a version that no object has: S3 looks at the permission first, and then
    refuses it, so nothing is written. Where it is written all the same, no condition can be relied on.
    """
    try:
        next(shelf.listed(), None)
        shelf.find(ThingName("index"))
        try:
            shelf.put(PROBE, {}, NEVER)
        except Overtaken:
            yield Diagnosis.ok(ABOUT, f"{shelf.where()} can be read and written")
        else:
            yield Diagnosis.error(
                ABOUT, f"{shelf.where()} takes writes whatever their condition: two deployments could begin",
                "keep the state in S3 itself, or in a store that knows If-Match",
            )  # fmt: skip
    except Forbidden as problem:
        yield Diagnosis.error(ABOUT, f"{problem.message}: {problem.found}", problem.remedy, forbidden=True)
    except (StateError, ConfigError) as problem:
        yield Diagnosis.error(ABOUT, f"{problem.message}: {problem.found}", problem.remedy)
