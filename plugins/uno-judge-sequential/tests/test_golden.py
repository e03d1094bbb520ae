"""The vectors that the tests have to reproduce, computed with 50 digits."""

from __future__ import annotations

import math

import pytest

from uno_judge_sequential import FloorTest, RatioTest, combine

CLIP = 3.912023005428146
LIMIT = math.log(100)
G1 = (5, 1000, 9, 9000)
BROKEN = (500, 500, 5, 4500)


@pytest.mark.parametrize(
    ("windows", "options", "logs"),
    [
        ([G1], {}, [0.203258639086806]),
        ([(0, 1000, 0, 9000)], {}, [0.0]),
        ([(40, 1000, 0, 0)], {}, [0.0]),
        ([BROKEN, BROKEN], {}, [3.2482404334981, 7.14143318859208]),
        ([BROKEN], {"clip": None}, [943.058445954636]),
        (
            [G1, (9, 1000, 8, 9000), (7, 1000, 10, 9000)],
            {},
            [0.203258639086806, 3.50053099718263, 6.78339494238644],
        ),
        ([G1], {"rho": 1.0, "w0": 1.0, "h": 0.0, "clip": None}, [1.74096099215522]),
    ],
)
def test_the_ratio_test(windows, options, logs):
    test = RatioTest(**{"clip": CLIP, **options})
    assert [test.update(*window) for window in windows] == pytest.approx(logs, abs=1e-9)


def test_the_trip_wire():
    test = FloorTest(0.25)
    logs = [test.update(60, 500), test.update(400, 500)]
    assert logs == pytest.approx([-0.703197514514091, 324.576313029455], abs=1e-9)
    assert [log >= LIMIT for log in logs] == [False, True]


def test_combining():
    assert combine([6.2, -0.4, 1.1], [0.5, 0.1, 0.4]) == pytest.approx(5.5119890771161, abs=1e-9)
