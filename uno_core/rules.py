"""The protective rules of the context and the engine, by name, so that each can be shown to be needed.

A rule is a function that refuses, waits or decides for the users' sake. The exploration of the
simulated world runs every rule's own schedule with that rule switched off, and must then find harm.
Nothing but a test switches one off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

RULES: dict[str, str] = {}
"""Every rule: what it promises, and the function that keeps it."""

_off: set[str] = set()


def protects(rule: str, *, otherwise: object = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare a function to keep a rule; switched off it is not called, and answers `otherwise`."""

    def decorate(keep: Callable[P, R]) -> Callable[P, R]:
        RULES[rule] = f"{keep.__module__}.{keep.__qualname__}"

        @wraps(keep)
        def kept(*arguments: P.args, **named: P.kwargs) -> R:
            if _off and rule in _off:
                return otherwise  # type: ignore[return-value]  # what the caller takes for "nothing to protect"
            return keep(*arguments, **named)

        return kept

    return decorate


@contextmanager
def without(rule: str) -> Iterator[None]:
    """Switch a rule off, in a test. Raises KeyError where there is none of this name."""
    RULES[rule]
    _off.add(rule)
    try:
        yield
    finally:
        _off.discard(rule)
