"""The stratified ratio e-process: a test of a canary against its stable slot that may be looked at any time.

`RatioTest`, `FloorTest`, `Dispersion` and `combine` are the parts; with them anybody can replay data.
"""

from uno_judge_sequential.betting import FloorTest, RatioTest, combine
from uno_judge_sequential.dispersion import Dispersion, history_dispersion

__all__ = ["Dispersion", "FloorTest", "RatioTest", "combine", "history_dispersion"]
