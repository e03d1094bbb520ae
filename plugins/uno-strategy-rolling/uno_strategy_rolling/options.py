"""The options of rolling."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from uno_core import Amount, Bounds, option


@frozen(kw_only=True)
class RollingOptions:
    """Durations are seconds; amounts are a number of instances or a share of them."""

    batch_size: Amount = option(
        default=Amount(1), gt=0, help="instances updated in one batch, a number or a share such as 25%"
    )
    batch_timeout: float = option(
        default=300.0, gt=0, unit="s", help="how long the instances of a batch have to become ready"
    )
    max_unavailable: int = option(
        default=0, ge=0, help="instances that may be missing meanwhile; 0 starts new ones before old ones go"
    )
    pause_between: float = option(
        default=0.0, ge=0, unit="s", help="how long the application is watched between two batches"
    )
    on_batch_failure: str = option(
        default="rollback",
        choices=("rollback", "hold"),
        help="rollback puts the batches back; hold keeps the mixture and waits for a person",
    )
    hold_timeout: float = option(
        default=86400.0, gt=0, unit="s", help="how long a held deployment waits before it goes back"
    )
    health_check_url: str | None = option(
        default=None, help="URL of the health check; {env} is the slot, {host} and {port} an instance"
    )
    health_check_timeout: float = option(
        default=60.0, gt=0, unit="s", help="how long a batch has to become healthy, once it is ready"
    )
    switch_timeout: float = option(
        default=300.0, gt=0, unit="s", help="how long a change of the split may take to be in force"
    )
    metrics_threshold: Mapping[str, Bounds] | None = option(
        default=None, help="bounds that the metrics must keep between two batches"
    )
