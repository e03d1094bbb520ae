"""What cannot work on this platform in the time that was given for it: refused before it is tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from uno_core.config.options import spec_of
from uno_core.config.values import write_duration
from uno_core.contracts.platform import Capabilities
from uno_core.errors import ConfigError
from uno_core.planning.journal import Call


def check_waits(calls: Sequence[Call], capabilities: Capabilities, strategy: str, options: Any) -> None:
    """Raises ConfigError where a share is left again before traffic surely follows it everywhere.

    What was watched meanwhile would be the share before. The waits at one share count together.
    """
    split: Mapping[str, float] | None = None
    waits: list[float] = []
    for call in calls:
        if call.op == "wait" and split is not None:
            waits.append(float(call.asked["seconds"]))
        elif call.op == "set_traffic" and call.asked["split"] != split:
            if split is not None and waits and sum(waits) < capabilities.bound:
                raise _too_short(
                    "a step is shorter than a change of the traffic may take on this platform",
                    (strategy, options),
                    max(waits),
                    f"at least {write_duration(capabilities.bound)}, the longest until a split is in force",
                    capabilities.bound - sum(waits) + max(waits),
                )
            split, waits = call.asked["split"], []


def check_deadlines(calls: Sequence[Call], capabilities: Capabilities, strategy: str, options: Any) -> None:
    """Raises ConfigError where instances get less time than the platform needs for the quickest."""
    for call in calls:
        if call.starts and float(call.asked["deadline"]) < capabilities.least_ready:
            raise _too_short(
                "instances get less time to become ready than this platform needs at the least",
                (strategy, options),
                float(call.asked["deadline"]),
                f"at least {write_duration(capabilities.least_ready)}",
                capabilities.least_ready,
            )


def _too_short(
    message: str, of: tuple[str, Any], seconds: float, expected: str, enough: float
) -> ConfigError:
    strategy, options = of
    # The journal holds seconds, not where they come from: every option that has this value is named.
    names = [name for name, value in _durations(options) if value == seconds]
    written = write_duration(seconds) if seconds else "0s"
    return ConfigError(
        message,
        found=f"{' or '.join(names)} = {written}" if names else f"{written}, which {strategy} asks for",
        expected=expected,
        where=", ".join(f"strategies.{strategy}.{name}" for name in names) or f"the strategy {strategy}",
        remedy=f"--option strategy.{names[0]}={write_duration(enough)}" if names else "",
    )


def _durations(options: Any) -> Iterator[tuple[str, float]]:
    """The options that are seconds; of undeclared ones every number may be."""
    if attrs.has(type(options)):
        for attribute in attrs.fields(type(options)):
            value = getattr(options, attribute.name)
            if spec_of(attribute).unit == "s" and isinstance(value, int | float):
                yield attribute.name, float(value)
    elif isinstance(options, Mapping):
        for name, value in options.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield str(name), float(value)
