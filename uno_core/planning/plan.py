"""What a plan says: values only. A plan is a value; applying it is a verb."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import field, frozen

from uno_core.model import Json


@frozen(kw_only=True)
class Capacity:
    """The ready instances of a slot, and how many are wanted there."""

    ready: int
    wanted: int


@frozen(kw_only=True)
class WayBack:
    """A rollback that begins at the end of a step: seconds at the worst; None where it does not get there.

    written: until the captured split is written. in_force: until traffic follows it. whole: until
    the captured slot has as many ready instances as it had when the deployment began.
    """

    written: float | None
    in_force: float | None
    whole: float | None


@frozen(kw_only=True)
class Step:
    """One step of a plan: its title, when it begins at the earliest, and what it does.

    greatest: the seconds that it takes where every deadline is used up and none is missed. capacity:
    per slot at its end. way_back: None where it was not measured; `Plan.way_back` says why.
    """

    title: str
    at: float
    greatest: float
    effects: Sequence[str]
    capacity: Mapping[str, Capacity]
    way_back: WayBack | None = None


@frozen(kw_only=True)
class UnderWay:
    """A deployment of the application that has not ended. `driver` says who drives it, or drove it last."""

    id: str
    version: str
    status: str
    driver: str
    driver_alive: bool


@frozen(kw_only=True)
class Plan:
    """What would be done. It promises the order where every check passes, not success.

    split: from when on which slot has which share, in seconds and percent. seconds: the least
    duration until the deployment is done. greatest: the same where every deadline is used up and
    none is missed: a bound on trying, not on success. runs_on: the platform that runs it, and the one that
    routes where that is another. way_back: why some steps have no figures of a
    rollback; empty where all have. made_from: what the plan was made of, for `uno deploy --plan`.
    """

    application: str
    environment: str
    strategy: str
    why: str
    release: str
    serving: Sequence[str]
    first: bool
    changes: bool
    outage: bool
    steps: Sequence[Step]
    split: Sequence[tuple[float, Mapping[str, float]]]
    seconds: float
    greatest: float
    way_back: str
    warnings: Sequence[str]
    under_way: UnderWay | None = None
    runs_on: str = ""
    made_from: Mapping[str, Json] = field(factory=dict)
    fingerprint: str = ""
