from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from attrs import frozen

from uno_core import (
    Application,
    Capabilities,
    ConfigError,
    DeploymentResult,
    DeploymentStrategy,
    HealthCheckInfo,
    Platform,
    PlatformInfo,
    PluginError,
    Services,
    StrategyInfo,
    SystemClock,
    Unsupported,
)
from uno_core._log import get_logger
from uno_core.config.options import option
from uno_core.config.secrets import SystemSecrets
from uno_core.discovery import Claim, PluginStatus
from uno_core.registry import Registry

CANARY = """
@uno_core.hookimpl
def uno_register_strategies():
    return [strategy("canary")]
"""
LOGGER = get_logger()
SERVICES = Services(
    application=Application(name="shop", environment="test"),
    logger=LOGGER,
    clock=SystemClock(),
    state_dir=Path(),
    secrets=SystemSecrets({}),
)


class Custom(DeploymentStrategy[Any]):
    """The document's own form."""

    def __init__(self, logger=None):
        super().__init__("my-custom", logger)

    def deploy(self, context):
        return DeploymentResult(True, "Deployment succeeded")

    def rollback(self, context):
        return DeploymentResult(True)


@frozen
class Options:
    batch_size: int = option(default=1, help="how many at once")


class WithOptions(Custom):
    def __init__(self, logger=None, **options: Any) -> None:
        DeploymentStrategy.__init__(self, "with", logger, **options)


def strategy(name: str = "mine", load: Any = lambda: Custom, **fields: Any) -> StrategyInfo:
    return StrategyInfo(name=name, summary="for a test", load=load, **fields)


def platform(load: Any, options: Any = None) -> PlatformInfo:
    return PlatformInfo(name="metal", summary="", load=load, options=options, capabilities=Capabilities())


def test_a_name_is_found_by_its_kind():
    info = strategy()
    registry = Registry.of(info)
    assert registry.find(StrategyInfo, "mine") is info
    assert registry.infos(StrategyInfo) == {"mine": info}
    assert registry.infos(PlatformInfo) == {}


def test_an_unknown_name_tells_the_nearest():
    registry = Registry.of(strategy("canary"), strategy("rolling"))
    with pytest.raises(ConfigError) as caught:
        registry.find(StrategyInfo, "canari", where="uno.yaml:3")
    error = caught.value
    assert (error.found, error.where) == ("canari", "uno.yaml:3")
    assert error.expected == "one of canary, rolling"
    assert "did you mean canary?" in error.remedy
    assert "pip install" not in error.remedy  # a typo must not be installed


def test_a_name_of_another_kind_is_told():
    with pytest.raises(ConfigError, match="mine is the name of a strategy") as caught:
        Registry.of(strategy()).find(HealthCheckInfo, "mine")
    assert "there is no health check mine" in str(caught.value)


def test_a_broken_plugin_that_is_named_is_loud(install):
    install("uno-strategy-lunar", "import no_such_sdk", entry="lunar")
    with pytest.raises(PluginError) as caught:
        Registry.discover(environ={}).find(StrategyInfo, "lunar", where="uno.yaml:3")
    assert "its plugin is broken" in caught.value.message
    assert "uno-strategy-lunar 1.0: ModuleNotFoundError: No module named 'no_such_sdk'" in caught.value.found
    assert caught.value.where == "uno.yaml:3"


@pytest.mark.parametrize("how", ["disabled", "incompatible"])
def test_a_plugin_that_is_out_and_named_is_loud(install, how):
    install("uno-strategy-lunar", requires=["uno-core>=99"] if how == "incompatible" else [])
    environ = {"UNO_DISABLE_PLUGINS": "uno-strategy-lunar"} if how == "disabled" else {}
    with pytest.raises(PluginError, match=f"its plugin is {how}"):
        Registry.discover(environ=environ).find(StrategyInfo, "lunar")


def test_a_broken_plugin_of_another_kind_is_only_mentioned(install):
    install("uno-health-lunar", "import no_such_sdk", entry="lunar")
    with pytest.raises(ConfigError, match="mend uno-health-lunar, which is broken") as caught:
        Registry.discover(environ={}).find(StrategyInfo, "lunar")
    assert "pip install uno-strategy-lunar" in caught.value.remedy


def test_two_plugins_with_one_name_are_an_error_only_when_it_is_used(install):
    install("acme-one", CANARY)
    install("acme-two", CANARY)
    registry = Registry.discover(environ={})
    mine = [p for p in registry.plugins if p.distribution.startswith("acme")]
    assert {p.status for p in mine} == {PluginStatus.ACTIVE}
    assert {c.status for p in mine for c in p.registrations} == {Claim.AMBIGUOUS}
    assert "canary" not in registry.infos(StrategyInfo)
    with pytest.raises(PluginError) as caught:
        registry.find(StrategyInfo, "canary")
    assert "acme-one 1.0" in caught.value.found
    assert "acme-two 1.0" in caught.value.found
    assert "plugins: {strategy.canary: 'acme-one'}" in caught.value.remedy


def test_the_configuration_chooses_between_two(install):
    install("acme-one", CANARY)
    install("acme-two", CANARY)
    registry = Registry.discover(choices={"strategy.canary": "Acme_Two"}, environ={})
    info = registry.find(StrategyInfo, "canary")
    assert registry.provider(info) == "acme-two 1.0"
    claims = {p.distribution: c.status for p in registry.plugins for c in p.registrations}
    assert claims["acme-one"] is Claim.OVERRIDDEN
    assert registry.infos(StrategyInfo)["canary"] is info


def test_two_entry_points_of_one_distribution_are_told_apart(install):
    module = install("acme-dev", CANARY)
    other = install("acme-dev2", CANARY)
    install("acme", entry_points=f"[uno]\na = {module}\nb = {other}\n")
    off = {"UNO_DISABLE_PLUGINS": "acme-dev,acme-dev2"}
    with pytest.raises(PluginError, match="'acme:a'"):
        Registry.discover(environ=off).find(StrategyInfo, "canary")
    assert Registry.discover(environ=off, choices={"strategy.canary": "acme:b"}).find(StrategyInfo, "canary")


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        ("nobody", "nobody is not installed"),
        ("acme-other", "acme-other 1.0 registers no such name"),
        ("acme-bad", "acme-bad 1.0 is broken: RuntimeError: no"),
    ],
)
def test_a_choice_that_cannot_be_kept_is_an_error(install, choice, found):
    install("acme-one", CANARY)
    install("acme-other")
    install("acme-bad", "raise RuntimeError('no')")
    registry = Registry.discover(choices={"strategy.canary": choice}, environ={})
    with pytest.raises(PluginError) as caught:
        registry.find(StrategyInfo, "canary")
    assert caught.value.found == found
    assert caught.value.where == "plugins: strategy.canary"


def test_the_documented_strategy_is_constructed():
    info = strategy()
    made = Registry.of(info).strategy(info, {}, LOGGER)
    assert (made.name, made.logger) == ("my-custom", LOGGER)


def test_declared_options_become_arguments():
    info = strategy(load=lambda: WithOptions, options=lambda: Options)
    registry = Registry.of(info)
    assert registry.options(info) is Options
    assert registry.strategy(info, Options(batch_size=3), LOGGER).options == {"batch_size": 3}
    assert registry.strategy(info, {"batch_size": 4}, LOGGER).options == {"batch_size": 4}


def test_an_option_that_an_undeclared_strategy_does_not_take_is_the_users_mistake():
    info = strategy()
    with pytest.raises(ConfigError, match="batch_size"):
        Registry.of(info).strategy(info, {"batch_size": 3}, LOGGER)


def test_declared_options_that_the_constructor_does_not_take_are_the_plugins_mistake():
    info = strategy(options=lambda: Options)
    with pytest.raises(PluginError, match="does not take what it is constructed with") as caught:
        Registry.of(info, distribution="acme").strategy(info, Options(), LOGGER)
    assert caught.value.where == "acme 0"


def test_a_type_error_within_a_constructor_is_not_mistaken_for_its_signature():
    class Odd(Custom):
        def __init__(self, logger=None):
            raise TypeError("got an unexpected keyword argument")

    info = strategy(load=lambda: Odd)
    with pytest.raises(PluginError, match="constructing mine failed in its plugin") as caught:
        Registry.of(info).strategy(info, {}, LOGGER)
    assert isinstance(caught.value.__cause__, TypeError)


def raising(error: BaseException) -> Any:
    def load() -> Any:
        raise error

    return load


@pytest.mark.parametrize("error", [ImportError("no boto3"), SystemExit(2), TypeError("odd")])
def test_what_load_raises_is_wrapped_with_the_plugin_named(error):
    info = strategy(load=raising(error))
    with pytest.raises(PluginError) as caught:
        Registry.of(info, distribution="acme", version="2").load(info)
    assert type(error).__name__ in caught.value.found
    assert caught.value.where == "acme 2"


def test_errors_of_uno_pass_through_and_interrupts_too():
    for error in (Unsupported("not here"), KeyboardInterrupt()):
        info = strategy(load=raising(error))
        with pytest.raises(type(error)):
            Registry.of(info).load(info)


class Unfinished(DeploymentStrategy[Any]):
    pass


@pytest.mark.parametrize("loaded", [Unfinished, None, dict, "a text"])
def test_what_is_loaded_must_be_a_finished_class(loaded):
    info = strategy(load=lambda: loaded)
    with pytest.raises(PluginError, match="loads something unfinished"):
        Registry.of(info).load(info)


@pytest.mark.parametrize("declared", [None, dict, Options(), "a text"])
def test_options_must_be_an_attrs_class(declared):
    info = strategy(options=lambda: declared)
    with pytest.raises(PluginError, match="no attrs class"):
        Registry.of(info).options(info)


def test_anything_else_is_constructed_from_options_and_services():
    class Metal(Platform[Any]):
        pass

    info = platform(lambda: Metal, lambda: Options)
    made = Registry.of(info).build(info, Options(), SERVICES)
    assert (made.options, made.services) == (Options(), SERVICES)


def test_a_platform_with_another_constructor_is_told_before_it_runs():
    ran = []

    class Metal:
        def __init__(self, options):
            ran.append(options)

    info = platform(lambda: Metal)
    with pytest.raises(PluginError, match="too many positional arguments"):
        Registry.of(info).build(info, {}, SERVICES)
    assert ran == []


def test_a_class_without_a_signature_is_simply_called():
    info = platform(lambda: threading.local)  # written in C
    assert Registry.of(info).load(info) is threading.local
    mapping: Mapping[str, Any] = {}
    with pytest.raises(PluginError):
        Registry.of(info).build(info, mapping, SERVICES)


def test_records_are_never_changed():
    info = strategy()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Registry.of(info).plugins[0].status = PluginStatus.BROKEN  # type: ignore[misc]  # that is the point
