"""The options of recreate."""

from __future__ import annotations

from attrs import frozen

from uno_core import option


@frozen(kw_only=True)
class RecreateOptions:
    """Durations are seconds."""

    stop_timeout: float = option(
        default=300.0, gt=0, unit="s", help="how long the old instances have to stop"
    )
    ready_timeout: float = option(
        default=600.0, gt=0, unit="s", help="how long the new instances have to become ready"
    )
    health_check_url: str | None = option(
        default=None, help="URL of the health check; {env} is the slot, {host} and {port} an instance"
    )
    health_check_timeout: float = option(
        default=60.0, gt=0, unit="s", help="how long the release has to become healthy, once it is ready"
    )
