"""One declaration of an option: type, default, limits, unit and help. Everything else comes from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import attrs
from attrs import frozen

from uno_core.model import Amount

METADATA = "uno"


@frozen(kw_only=True)
class OptionSpec:
    """What is known of an option beyond its type and default.

    unit: `s` (a duration: seconds or `5m`), `%` (a count of percent: 25 or `25%`), `share`
    (`0.01` or `1%`), or empty. release: a part of what a release is, so that a change makes a new one.
    """

    help: str
    unit: str = ""
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    choices: tuple[str, ...] = ()
    release: bool = False

    def complaint(self, value: object) -> str:
        """What would be expected instead of this value; empty where it is fine."""
        if value is None:
            return ""
        several = isinstance(value, list | tuple | set | frozenset)
        values: Iterable[object] = cast("Iterable[object]", value) if several else (value,)
        for number in values:
            if self.choices and number not in self.choices:
                return "one of " + ", ".join(self.choices)
            bare = number.value if isinstance(number, Amount) else number
            if isinstance(bare, int | float) and not isinstance(bare, bool) and not self._within(bare):
                return self.limits()
        return ""

    def _within(self, number: float) -> bool:
        return (
            number == number  # noqa: PLR0124 - not a number is within no limits
            and (self.gt is None or number > self.gt)
            and (self.ge is None or number >= self.ge)
            and (self.lt is None or number < self.lt)
            and (self.le is None or number <= self.le)
        )

    def limits(self) -> str:
        """The limits in words: `greater than 0, at most 100`."""
        words = (
            ("greater than", self.gt),
            ("at least", self.ge),
            ("less than", self.lt),
            ("at most", self.le),
        )
        return ", ".join(f"{word} {limit:g}" for word, limit in words if limit is not None)


def option(
    *,
    help: str,
    default: Any = attrs.NOTHING,
    factory: Callable[[], Any] | None = None,
    unit: str = "",
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
    choices: Iterable[str] = (),
    release: bool = False,
) -> Any:
    """Declare an option of a plugin as a field of its attrs class.

    The value is checked against limits and choices when the class is made, wherever it comes from.
    Without a default the option is required. Raises ValueError that says what was expected.
    """
    spec = OptionSpec(
        help=help, unit=unit, gt=gt, ge=ge, lt=lt, le=le, choices=tuple(choices), release=release
    )

    def check(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if expected := spec.complaint(value):
            raise ValueError(f"{attribute.name} = {value}: expected {expected}")

    if factory is not None:
        return attrs.field(factory=factory, kw_only=True, validator=check, metadata={METADATA: spec})
    return attrs.field(default=default, kw_only=True, validator=check, metadata={METADATA: spec})


def spec_of(attribute: attrs.Attribute[Any]) -> OptionSpec:
    """The declaration behind a field; a bare attrs field has one without help or limits."""
    found = attribute.metadata.get(METADATA)
    return found if isinstance(found, OptionSpec) else OptionSpec(help="")
