"""The options of blue-green."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from uno_core import Bounds, option


@frozen(kw_only=True)
class BlueGreenOptions:
    """Durations are seconds."""

    health_check_url: str | None = option(
        default=None,
        help="URL of the health check; {env} is the slot, blue or green, {host} and {port} an instance",
    )
    health_check_timeout: float = option(
        default=60.0, gt=0, unit="s", help="how long the idle slot has to become healthy, once it is ready"
    )
    switch_timeout: float = option(
        default=300.0, gt=0, unit="s", help="how long the switch of the traffic may take to be in force"
    )
    ready_timeout: float = option(
        default=600.0, gt=0, unit="s", help="how long the new instances have to become ready"
    )
    preview_for: float = option(
        default=0.0,
        ge=0,
        unit="s",
        help="how long the idle slot is watched before the switch, while testers or a hook ask it",
    )
    preview_threshold: Mapping[str, Bounds] | None = option(
        default=None, help="bounds that the metrics must keep before the switch; needs preview_for"
    )
    verify_for: float = option(
        default=30.0, ge=0, unit="s", help="how long the new release is watched after the switch"
    )
    metrics_threshold: Mapping[str, Bounds] | None = option(
        default=None, help="bounds that the metrics must keep while the new release is watched"
    )
    drain: float = option(
        default=30.0,
        ge=0,
        unit="s",
        help="how long the old slot may finish what it has begun after the switch",
    )
    keep_old_for: float = option(
        default=600.0, ge=0, unit="s", help="how long the old release stands ready for an immediate way back"
    )

    def __attrs_post_init__(self) -> None:
        if self.preview_threshold and not self.preview_for:
            raise ValueError("preview_threshold: expected preview_for beside it, the time to look")
