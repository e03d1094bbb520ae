"""Which whole periods a window is answered from."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from uno_core import NoData, Slot
from uno_metrics_cloudwatch.spans import KEPT, Seams

pytest_plugins = ["clouds"]

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(hours=9)


def when(minutes, seconds=0.0):
    return NOON + timedelta(minutes=minutes, seconds=seconds)


def span(seams, start, end, *, now=LATER, whose=Slot.BLUE):
    found = seams.span(whose, start, end, now)
    return found.reason if isinstance(found, NoData) else (found.start, found.end)


@pytest.fixture
def seams():
    return Seams(60, 120)


def test_only_whole_minutes_inside_count(seams):
    assert span(seams, when(3), when(5)) == (when(3), when(5))
    assert span(seams, when(2, 1), when(5, 59)) == (when(3), when(5))


def test_none_fits(seams):
    assert span(seams, when(3, 30), when(4, 45)) == "no whole minute lies between 12:03:30 and 12:04:45 UTC"
    assert "no 5 minutes lie wholly between" in span(Seams(300, 0), when(1), when(9))


def test_the_last_minute_is_not_complete_yet(seams):
    told = span(seams, when(2), when(4), now=when(5, 59))
    assert told == "the minute from 12:03 is not complete before 12:06 UTC"
    assert span(seams, when(2), when(4), now=when(6)) == (when(2), when(4))
    assert span(Seams(300, 150), when(0), when(10), now=when(11)) == (
        "the 5 minutes from 12:05 are not complete before 12:12:30 UTC"
    )


def test_windows_that_touch_lose_no_minute_and_share_none(seams):
    edges = [when(0, 30), *(when(minute, 31.5) for minute in range(2, 8))]
    spans = [span(seams, start, end) for start, end in pairwise(edges)]
    assert spans[0] == (when(1), when(2)), "what came before the first is not meant"
    assert [one[0] for one in spans[1:]] == [one[1] for one in spans[:-1]]
    assert spans[-1][1] == when(7)


def test_a_window_that_is_asked_for_again_keeps_its_beginning(seams):
    span(seams, when(0), when(2, 30))
    for minute in range(KEPT * 2):
        assert span(seams, when(2, 30), when(4 + minute))[0] == when(2)


def test_other_slots_have_windows_of_their_own(seams):
    span(seams, when(0), when(2, 30))
    assert span(seams, when(2, 30), when(4), whose=Slot.GREEN) == (when(3), when(4))


def test_windows_of_a_minute_that_touch_are_all_but_one_answered(seams):
    """As what was before a deployment is asked for."""
    spans = [span(seams, when(minute, 20), when(minute + 1, 20)) for minute in range(5)]
    assert "no whole minute" in spans[0]
    assert spans[1:] == [(when(minute), when(minute + 1)) for minute in range(1, 5)]


def test_zones_do_not_matter(seams):
    zone = datetime.fromisoformat("2026-03-01T17:33:30+05:30")
    assert span(seams, zone, zone + timedelta(minutes=2)) == (when(4), when(5))
