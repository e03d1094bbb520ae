"""Waiting in contracts: never by sleeping, always by asking the platform, and never for ever."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from uno_core.clock import Clock
from uno_core.contracts.platform import Platform

T = TypeVar("T")


def until(
    platform: Platform[Any],
    look: Callable[[], T],
    wanted: Callable[[T], object],
    *,
    deadline: float,
    what: str,
) -> T:
    """Look until it is as wanted; at the deadline the test fails, and says what was seen last.

    The deadline is in the platform's own time, and in real time too: a clock of a simulation that
    stands still must not hang the tests.
    """
    clock = platform.services.clock
    end, real_end = clock.monotonic() + deadline, time.monotonic() + deadline
    while True:
        seen = look()
        if wanted(seen):
            return seen
        if clock.monotonic() >= end or time.monotonic() >= real_end:
            pytest.fail(f"{what}: not within {deadline:g} s; last seen: {seen}")
        platform.wait_for_change(max(0.0, min(1.0, end - clock.monotonic())))


def let_pass(platform: Platform[Any], seconds: float) -> None:
    """Let time pass on the platform, so that what it does behind our back can show."""
    clock = platform.services.clock
    end, real_end = clock.monotonic() + seconds, time.monotonic() + seconds
    while (left := end - clock.monotonic()) > 0 and time.monotonic() < real_end:
        platform.wait_for_change(left)


@contextmanager
def at_once(clock: Clock, limit: float, what: str) -> Iterator[None]:
    """What runs inside must be over before `limit` seconds, in real time and by the injected clock."""
    begun, real = clock.monotonic(), time.monotonic()
    yield
    took = max(clock.monotonic() - begun, time.monotonic() - real)
    assert took < limit, f"{what} took {took:.1f} s: a platform requests and returns; waiting is uno's"
