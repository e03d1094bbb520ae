"""What uno is told about the check. `requests` is imported by `load` only."""

from __future__ import annotations

from typing import Any

from uno_core import HealthCheckInfo, hookimpl


def _load() -> type[Any]:
    from uno_health_http.check import HttpCheck

    return HttpCheck


def _options() -> type[Any]:
    from uno_health_http.options import HttpOptions

    return HttpOptions


@hookimpl
def uno_register_health_checks() -> list[HealthCheckInfo]:
    return [
        HealthCheckInfo(
            name="http",
            summary="An HTTP request: its status, and a text in its body",
            load=_load,
            options=_options,
            schemes=frozenset({"http", "https"}),
        )
    ]
