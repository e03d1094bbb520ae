"""What uno is told about the notifier."""

from __future__ import annotations

from typing import Any

from uno_core import NotifierInfo, hookimpl


def _load() -> type[Any]:
    from uno_notify_ci.ci import Ci

    return Ci


def _options() -> type[Any]:
    from uno_notify_ci.options import CiOptions

    return CiOptions


@hookimpl
def uno_register_notifiers() -> list[NotifierInfo]:
    return [
        NotifierInfo(
            name="ci",
            summary="Summary, annotations, groups and outputs of GitHub Actions; sections of GitLab CI",
            load=_load,
            options=_options,
        )
    ]
