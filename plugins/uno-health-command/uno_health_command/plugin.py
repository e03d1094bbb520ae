"""What uno is told about the check."""

from __future__ import annotations

from typing import Any

from uno_core import HealthCheckInfo, hookimpl


def _load() -> type[Any]:
    from uno_health_command.check import CommandCheck

    return CommandCheck


def _options() -> type[Any]:
    from uno_health_command.options import CommandOptions

    return CommandOptions


@hookimpl
def uno_register_health_checks() -> list[HealthCheckInfo]:
    return [
        HealthCheckInfo(
            name="command",
            summary="A command of your own: healthy when it exits with 0",
            load=_load,
            options=_options,
        )
    ]
