"""What uno is told about the check."""

from __future__ import annotations

from typing import Any

from uno_core import HealthCheckInfo, hookimpl


def _load() -> type[Any]:
    from uno_health_tcp.check import TcpCheck

    return TcpCheck


def _options() -> type[Any]:
    from uno_health_tcp.options import TcpOptions

    return TcpOptions


@hookimpl
def uno_register_health_checks() -> list[HealthCheckInfo]:
    return [
        HealthCheckInfo(
            name="tcp",
            summary="A TCP connection: that it opens, and what is answered on it",
            load=_load,
            options=_options,
            schemes=frozenset({"tcp"}),
        )
    ]
