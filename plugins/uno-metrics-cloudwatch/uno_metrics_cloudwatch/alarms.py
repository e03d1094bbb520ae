"""The states of alarms, as they are now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from uno_aws.session import Aws
from uno_core import PlatformError

MOST = 100
"""Names that one call takes."""


def states(aws: Aws, names: Iterable[str]) -> Mapping[str, str]:
    """OK, ALARM or INSUFFICIENT_DATA of each alarm that is there, of metrics or composite.

    Raises UnoError as `Aws.read` does, and PlatformError for an answer that is none.
    """
    unique, found = sorted(set(names)), {}
    for begin in range(0, len(unique), MOST):
        for alarm in _described(aws, unique[begin : begin + MOST]):
            try:
                found[str(alarm["AlarmName"])] = str(alarm["StateValue"])
            except (KeyError, TypeError) as problem:
                raise PlatformError(
                    "CloudWatch answered cloudwatch:DescribeAlarms in a shape that nobody knows",
                    found=str(alarm)[:160], where=aws.where,
                ) from problem  # fmt: skip
    return found


def _described(aws: Aws, names: Sequence[str]) -> Iterable[Any]:
    more: dict[str, str] = {}
    while True:
        # Composite alarms are left out unless they are asked for.
        answer = aws.read(
            "cloudwatch", "describe_alarms",
            AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=MOST, **more,
        )  # fmt: skip
        yield from answer.get("MetricAlarms") or ()
        yield from answer.get("CompositeAlarms") or ()
        if not answer.get("NextToken"):
            return
        more = {"NextToken": str(answer["NextToken"])}


def burning(names: Sequence[str], known: Mapping[str, str]) -> float | str:
    """1.0 while one is in ALARM, 0.0 while all are OK; in words why nobody knows otherwise."""
    if any(known.get(name) == "ALARM" for name in names):
        return 1.0
    for name in names:
        if name not in known:
            return f"there is no alarm {name}"
        if known[name] != "OK":
            return f"the alarm {name} is {known[name]}"
    return 0.0
