"""Plugins that are not well, each in the way that its options say: for tests of `uno doctor`."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import evolve, frozen
from filed_platform import Filed, FiledOptions

from uno_core import (
    Capabilities,
    Counters,
    Diagnosis,
    Figures,
    HealthCheckInfo,
    MetricProviderInfo,
    NoData,
    PlatformError,
    PlatformInfo,
    Probe,
    Query,
    Secret,
    Target,
    hookimpl,
    option,
)

HANGS = threading.Event()
"""Set once something hangs, so that no test has to wait for it."""


def _misbehave(how: str) -> None:
    if how == "hang":
        HANGS.set()
        threading.Event().wait()
    if how == "fail":
        raise PlatformError("it is ill", found="a fever", remedy="rest")
    if how == "bug":
        raise KeyError("nobody caught me")
    if how == "exit":
        raise SystemExit(3)


@frozen(kw_only=True)
class AilingOptions(FiledOptions):
    does: str = option(default="well", help="how `diagnose` behaves")
    token: Secret | None = option(default=None, help="a secret")


class Ailing(Filed):
    options: Any

    def capable(self) -> Capabilities | None:
        if self.options.does in ("worldless", "forbid"):
            raise PlatformError("nobody knows what it can do")
        return None

    def diagnose(self) -> Iterable[Diagnosis]:
        if self.options.does == "falter":
            return self._falter()
        _misbehave(self.options.does)
        if self.options.does == "forbid":
            return [Diagnosis.error("rights", "it must not be touched", "ask", forbidden=True)]
        if self.options.does == "nonsense":
            return ["all is well"]  # type: ignore[list-item]  # what a careless author might return
        if self.options.does == "warn":
            return [Diagnosis.warning("blood", "is thin", "eat")]
        return [Diagnosis.ok("pulse", "is steady")]

    def _falter(self) -> Iterator[Diagnosis]:
        yield Diagnosis.ok("pulse", "is steady")
        _misbehave("fail")


@frozen(kw_only=True)
class CheckOptions:
    does: str = option(default="well", help="what it answers")


class Check:
    per_instance = True

    def __init__(self, options: CheckOptions, _services: Any) -> None:
        self.options = options

    def check(self, target: Target, _timeout: float) -> Probe:
        _misbehave(self.options.does)
        return Probe(target=str(target), healthy=self.options.does == "well", answer=self.options.does)


@frozen(kw_only=True)
class ProviderOptions:
    does: str = option(default="well", help="what it answers")


class Provider:
    def __init__(self, options: ProviderOptions, _services: Any) -> None:
        self.options = options

    def diagnose(self) -> Sequence[Diagnosis]:
        return [Diagnosis.ok("thermometer", "is calibrated")]

    def assure(self) -> None:
        if self.options.does == "refuse":
            raise PlatformError("there is nothing to measure with", found="no thermometer", remedy="buy one")
        if self.options.does == "stumble":
            raise KeyError("thermometer")

    def sample(self, _query: Query) -> Counters | NoData:
        _misbehave(self.options.does)
        if self.options.does == "silent":
            return NoData("nobody measures")
        figures = Figures(requests=10.0, values={"cpu": 1.0})
        if self.options.does == "idle":
            figures = evolve(figures, requests=0.0)
        return Counters(at=datetime(2026, 1, 1, tzinfo=UTC), series="one", figures=figures)


@hookimpl
def uno_register_platforms() -> list[PlatformInfo]:
    return [
        PlatformInfo(
            name="ailing",
            summary="a platform that is not well",
            load=lambda: Ailing,
            options=lambda: AilingOptions,
            capabilities=Capabilities(mixed=True, granularity=0.01, unroute=True, bound=0.1),
        )
    ]


@hookimpl
def uno_register_health_checks() -> list[HealthCheckInfo]:
    return [
        HealthCheckInfo(name="ailing", summary="a check", load=lambda: Check, options=lambda: CheckOptions)
    ]


@hookimpl
def uno_register_metric_providers() -> list[MetricProviderInfo]:
    return [
        MetricProviderInfo(
            name="ailing", summary="a provider", load=lambda: Provider, options=lambda: ProviderOptions
        )
    ]
