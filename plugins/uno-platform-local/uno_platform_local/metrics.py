"""What this machine's Envoy counted of each slot, as its clients saw it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import frozen

from uno_core import ConfigError, Counters, Figures, NoData, Query, Services, Unsupported
from uno_platform_local.daemon import admin_of
from uno_platform_local.files import read_json
from uno_platform_local.layout import Layout
from uno_platform_local.options import LocalOptions
from uno_platform_local.proxy import Unreachable

_BUCKET = re.compile(r'^envoy_cluster_external_upstream_rq_time_bucket\{.*le="([^"]+)".*\} (\d+)')
_COUNTER = re.compile(r"^cluster\.\w+\.external\.(upstream_rq_(?:completed|5xx)): (\d+)", re.MULTILINE)


@frozen
class NoOptions:
    """There is nothing to configure: the platform's own root says everything."""


class LocalMetrics:
    """Cumulative counters. A request that was retried and answered counts once, as the client saw it.

    `cpu` is cores in use (1.0: one whole core) and `memory` bytes, both summed over the slot's
    processes with their children.
    """

    def __init__(self, options: Any, services: Services) -> None:
        self.options = options
        self.services = services

    def window(self, query: Query, start: datetime, end: datetime) -> Figures | NoData:
        raise Unsupported("the local metrics keep no history", found=f"{query.slot} from {start} to {end}")

    def sample(self, query: Query) -> Counters | NoData:
        layout = self._layout()
        if query.application != self.services.application.name:
            return NoData(f"only {self.services.application.name} runs in {layout.root}")
        slot = query.slot.value
        status = read_json(layout.status) or {}
        series = "-".join(f"{part:.2f}" for part in status.get("envoy") or ())
        if not series:
            return NoData("Envoy has not been seen running: uno local up")
        try:
            admin = admin_of(layout)
            at = self.services.clock.now()
            counts = admin.get(f"/stats?filter=^cluster\\.{slot}\\.external\\.upstream_rq_(completed|5xx)$")
            times = admin.get(f"/stats/prometheus?filter=^cluster\\.{slot}\\.external\\.upstream_rq_time$")
        except Unreachable as error:
            return NoData(f"{error.message}: {error.found}")
        found = {name: float(value) for name, value in _COUNTER.findall(counts)}
        rows = status.get("slots", {}).get(slot, [])
        if not found.get("upstream_rq_completed") and not rows:
            return NoData(f"nothing runs in {slot}, and nothing was asked of it")
        figures = Figures(
            requests=found.get("upstream_rq_completed", 0.0),
            errors=found.get("upstream_rq_5xx", 0.0),
            latency=histogram(times),
            values=_values(rows),
        )
        return Counters(at=at, series=series, figures=figures)

    def _layout(self) -> Layout:
        options = self.services.platform_options
        if not isinstance(options, LocalOptions):
            raise ConfigError(
                "the metrics `local` belong to the platform `local`",
                found=f"options of {type(options).__name__}",
                expected="platform: local",
                where="metrics",
                remedy="choose another provider: `uno plugins` lists them",
            )
        return Layout.of(options.root)


def histogram(text: str) -> Mapping[float, float]:
    """Prometheus buckets in ms, each holding the ones below, as counts per upper edge in seconds."""
    result: dict[float, float] = {}
    below = 0.0
    for line in text.splitlines():
        if match := _BUCKET.match(line):
            edge = math.inf if match[1] == "+Inf" else float(match[1]) / 1000
            total = float(match[2])
            result[edge] = total - below
            below = total
    return result


def _values(rows: list[dict[str, Any]]) -> Mapping[str, float]:
    result = {}
    for name in ("cpu", "memory"):
        figures = [float(row[name]) for row in rows if name in row]
        if figures:
            result[name] = sum(figures)
    return result
