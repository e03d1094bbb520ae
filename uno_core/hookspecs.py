"""The hooks of uno: one a kind of plugin. A hook registers records; uno looks them up and calls them.

All hooks are called once a process, at the first use of a name or of `uno plugins`, take no
arguments and return a list of frozen records. An empty list registers nothing and is fine. They
must be cheap and import no SDK: that is what a record's `load` is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from uno_core.contracts.engine import EngineInfo
    from uno_core.contracts.health import HealthCheckInfo
    from uno_core.contracts.judge import JudgeInfo
    from uno_core.contracts.metrics import MetricProviderInfo
    from uno_core.contracts.notifier import NotifierInfo
    from uno_core.contracts.platform import PlatformInfo
    from uno_core.contracts.state import StateStoreInfo
    from uno_core.contracts.strategy import StrategyInfo

PROJECT = "uno"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin's module as an implementation of one of the hooks below."""


@hookspec
def uno_register_strategies() -> list[StrategyInfo]:  # type: ignore[empty-body]  # a specification
    """The strategies of this plugin, chosen by `--strategy NAME`.

    Example::

        @uno_core.hookimpl
        def uno_register_strategies():
            return [StrategyInfo(name="my-custom", summary="Ours", load=load_strategy)]
    """


@hookspec
def uno_register_platforms() -> list[PlatformInfo]:  # type: ignore[empty-body]  # a specification
    """The platforms of this plugin, chosen by `platform:` or `--platform NAME`.

    Example::

        @uno_core.hookimpl
        def uno_register_platforms():
            return [PlatformInfo(name="metal", summary="Our racks", load=load_platform,
                                 options=load_options, capabilities=Capabilities(mixed=True))]
    """


@hookspec
def uno_register_health_checks() -> list[HealthCheckInfo]:  # type: ignore[empty-body]  # a specification
    """The health checks of this plugin, chosen by `health:`, or by the scheme of a `health_check_url`.

    Example::

        @uno_core.hookimpl
        def uno_register_health_checks():
            return [HealthCheckInfo(name="redis", summary="PING", load=load_check,
                                    options=load_options, schemes=frozenset({"redis"}))]
    """


@hookspec
def uno_register_metric_providers() -> list[MetricProviderInfo]:  # type: ignore[empty-body]  # a specification
    """The metric providers of this plugin, chosen by `metrics:`.

    Example::

        @uno_core.hookimpl
        def uno_register_metric_providers():
            return [MetricProviderInfo(name="statsd", summary="Our statsd", load=load_provider)]
    """


@hookspec
def uno_register_judges() -> list[JudgeInfo]:  # type: ignore[empty-body]  # a specification
    """The judges of this plugin, chosen by `judge:`; uno's own `threshold` comes through this hook too.

    Example::

        @uno_core.hookimpl
        def uno_register_judges():
            return [JudgeInfo(name="strict", summary="No error at all", load=load_judge)]
    """


@hookspec
def uno_register_notifiers() -> list[NotifierInfo]:  # type: ignore[empty-body]  # a specification
    """The notifiers of this plugin, chosen by `notify:`, which may name several.

    Example::

        @uno_core.hookimpl
        def uno_register_notifiers():
            return [NotifierInfo(name="pager", summary="Our pager", load=load_pager)]
    """


@hookspec
def uno_register_engines() -> list[EngineInfo]:  # type: ignore[empty-body]  # a specification
    """The engines of this plugin, chosen by `engine:`; uno's own `embedded` comes through this hook too.

    Example::

        @uno_core.hookimpl
        def uno_register_engines():
            return [EngineInfo(name="temporal", summary="Many machines", load=load_engine)]
    """


@hookspec
def uno_register_state_stores() -> list[StateStoreInfo]:  # type: ignore[empty-body]  # a specification
    """The state stores of this plugin, chosen by `state:`; uno's own `file` comes through this hook too.

    Example::

        @uno_core.hookimpl
        def uno_register_state_stores():
            return [StateStoreInfo(name="redis", summary="Our Redis", load=load_store,
                                   schemes=frozenset({"redis"}), remote=True)]
    """
