"""Both halves of a root as it was left, without the configuration: for `uno local`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from uno_core import Application, Logger, Secret, Services, SystemClock
from uno_platform_local.daemon import read_settings
from uno_platform_local.layout import Layout
from uno_platform_local.options import LocalOptions, LocalTraffic
from uno_platform_local.router import LocalRouter
from uno_platform_local.workload import LocalWorkload


class _Silent:
    """A logger for commands that say all they have to say on stdout."""

    def debug(self, event: str, **values: Any) -> None: ...
    def info(self, event: str, **values: Any) -> None: ...
    def warning(self, event: str, **values: Any) -> None: ...
    def error(self, event: str, **values: Any) -> None: ...
    def bind(self, **_values: Any) -> Logger:
        return self


class _NoSecrets:
    def reveal(self, secret: Secret) -> str:
        raise LookupError(secret.reference)


def inspect(layout: Layout) -> tuple[LocalWorkload, LocalRouter]:
    """Both halves with the settings that were kept. For reading: the command is not among them."""
    settings = read_settings(layout)
    traffic = (
        LocalTraffic(listen=settings.listen, slot_hosts=settings.slot_hosts, timeout=settings.timeout)
        if settings and settings.listen
        else LocalTraffic()
    )
    options = LocalOptions(
        root=layout.root, command=(), instances=settings.instances if settings else 1, traffic=traffic
    )
    services = Services(
        application=Application(name=settings.application if settings else "", environment=""),
        logger=_Silent(),
        clock=SystemClock(),
        state_dir=Path(layout.state),
        secrets=_NoSecrets(),
        platform_options=options,
    )
    return LocalWorkload(options, services), LocalRouter(options, services)
