"""Registers the judge `sequential`."""

from __future__ import annotations

from uno_core import JudgeInfo, hookimpl
from uno_judge_sequential.options import SequentialOptions


def _load() -> type:
    from uno_judge_sequential.judge import SequentialJudge

    return SequentialJudge


@hookimpl
def uno_register_judges() -> list[JudgeInfo]:
    return [
        JudgeInfo(
            name="sequential",
            summary="compares the new release with the old one, and may be looked at any time",
            load=_load,
            options=lambda: SequentialOptions,
            compares=True,
        )
    ]
