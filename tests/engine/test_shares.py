"""Which shares a platform can give: multiples of its finest, or ratios of two whole numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uno_core import Capabilities

WEIGHTS = Capabilities(granularity=100 / 256, parts=255)


@given(st.floats(0, 100), st.integers(1, 255))
def test_no_ratio_is_nearer_than_the_nearest(percent, parts):
    can = Capabilities(granularity=100 / (parts + 1), parts=parts)
    one, other = can.ratio(percent)
    assert 0 <= one <= parts
    assert 0 <= other <= parts
    assert can.gives(can.nearest(percent))
    away = abs(can.nearest(percent) - percent)
    for mine in {0, 1, parts // 2, parts}:
        for rest in {0, 1, parts // 3, parts} - ({0} if not mine else set()):
            assert away <= abs(100 * mine / (mine + rest) - percent) + 1e-9


@given(st.integers(0, 100))
def test_weights_up_to_255_give_every_whole_percent(percent):
    assert WEIGHTS.gives(percent)
    one, other = WEIGHTS.ratio(percent)
    assert 100 * one == percent * (one + other)


@pytest.mark.parametrize("percent", [100 / 256, 0.5, 12.5, 100 / 3, 99.5, 100 * 255 / 256])
def test_and_finer_ones_down_to_one_in_256(percent):
    assert WEIGHTS.gives(percent)


@pytest.mark.parametrize(("percent", "nearest"), [(0.1, 0.0), (0.3, 100 / 256), (50.02, 50.0)])
def test_what_they_do_not_give_has_a_nearest(percent, nearest):
    assert not WEIGHTS.gives(percent)
    assert WEIGHTS.nearest(percent) == pytest.approx(nearest)


def test_multiples_are_exact():
    tenths = Capabilities(granularity=10)
    assert tenths.gives(30)
    assert not tenths.gives(30.001)
    assert tenths.nearest(34) == 30
    assert Capabilities().gives(100)
    assert not Capabilities().gives(50)


def test_some_of_the_traffic_is_neither_none_nor_all():
    halves, tenths = Capabilities(granularity=50), Capabilities(granularity=10)
    assert [halves.nearest(percent) for percent in (0, 10, 90, 100)] == [0, 50, 50, 100]
    assert [tenths.nearest(percent) for percent in (1, 99)] == [10, 90]
    assert Capabilities().nearest(10) == 0, "there is nothing in between"
