"""How a metric is measured and judged, as it is written beside its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uno_core.config import values
from uno_core.config.options import OptionSpec
from uno_core.model import Compare

LIMITS = ("min", "max")

MEASURED: Mapping[str, tuple[Any, OptionSpec]] = {
    "compare": (
        str,
        OptionSpec(
            choices=tuple(Compare),
            help="what is held against the limits: the value, or how it compares to the stable slot's",
        ),
    ),
    "interval": (
        float,
        OptionSpec(unit="s", gt=0, help="between two measurements; without it each look measures all so far"),
    ),
    "delay": (float, OptionSpec(unit="s", ge=0, help="before the first measurement")),
    "count": (int, OptionSpec(ge=1, help="conclusive measurements after which it is done")),
    "failure_limit": (int, OptionSpec(ge=0, help="failures that are let pass: 2 fails at the third")),
    "inconclusive_limit": (int, OptionSpec(ge=0, help="inconclusive measurements that are let pass")),
    "consecutive_error_limit": (int, OptionSpec(ge=0, help="errors in a row that are let pass; default 4")),
    "provider": (str, OptionSpec(help="who measures it, where several metric providers are configured")),
    "dry_run": (bool, OptionSpec(help="it is shown, and counts for nothing")),
}
"""What may stand beside `min` and `max`, with its type and limits."""


def limit_spec(metric: str, compare: str) -> OptionSpec:
    """The unit of a limit: a ratio has none, and a difference that of the metric."""
    unit = "" if compare == Compare.RATIO else values.unit_of(metric)
    return OptionSpec(help="", unit=unit)
