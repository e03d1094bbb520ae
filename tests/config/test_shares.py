"""The pattern of a share in the schema says exactly what the loader says, up to whole percents."""

from __future__ import annotations

import re

import pytest

from uno_core.config.options import OptionSpec
from uno_core.config.shapes import shape
from uno_core.config.values import measure

BARE = [f"{n / 1000:.{digits}f}" for n in range(1000) for digits in (1, 2, 3, 4)]
SHORT = [f".{n:03d}" for n in range(0, 1000, 7)]
PERCENT = [f"{n / 10:.{digits}f}%" for n in range(1011) for digits in (0, 1, 2)]


@pytest.mark.parametrize(
    "limits",
    [{}, {"gt": 0, "lt": 0.5}, {"gt": 0, "lt": 1}, {"ge": 0, "le": 0.25}, {"gt": 0, "lt": 0.07}, {"le": 0.5}],
    ids=str,
)
def test_the_schema_takes_the_shares_that_the_loader_takes(limits):
    spec = OptionSpec(help="", unit="share", **limits)
    pattern = shape(float, spec)["pattern"]
    for text in [*BARE, *SHORT, *PERCENT, "1", "100%", "00.01", "0"]:
        try:
            fine = not spec.complaint(measure(text, "share"))
        except ValueError:
            fine = False
        assert bool(re.search(pattern, text)) is fine, text
