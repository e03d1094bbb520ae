from __future__ import annotations

from typing import Any

import pytest
from attrs import frozen

from uno_core import ConfigError, HealthCheckInfo, PlatformInfo, PluginError, StrategyInfo
from uno_core.config import nodes, sections
from uno_core.config.load import load_node
from uno_core.config.options import option
from uno_core.config.wanted import Overrides
from uno_core.registry import Registry


@frozen
class Traffic:
    listen: str = option(default="", help="")
    zone: str = option(default="", help="")


@frozen
class LocalOptions:
    instances: int = option(default=1, help="")
    traffic: Traffic | None = option(default=None, help="")


@frozen
class DnsOptions:
    server: str = option(default="", help="")
    traffic: Traffic = option(factory=Traffic, help="")


@frozen
class NoTraffic:
    instances: int = option(default=1, help="")


@frozen
class CanaryOptions:
    initial_percentage: float = option(default=10.0, unit="%", gt=0, le=100, help="")

    def __attrs_post_init__(self) -> None:
        if self.initial_percentage == 13:
            raise RuntimeError("superstition")


def load_nothing() -> type[Any]:
    raise AssertionError("options are read without the SDK")


def info(kind: Any, name: str, options: Any = None) -> Any:
    return kind(name=name, summary="", load=load_nothing, options=(lambda: options) if options else None)


LOCAL = info(PlatformInfo, "local", LocalOptions)
CANARY = info(StrategyInfo, "canary", CanaryOptions)
REGISTRY = Registry.of(LOCAL, CANARY)


def config(*options: str, **document: Any) -> Any:
    root = nodes.parse(repr({"application": "a", **document}), "uno.yaml")
    return load_node(root, overrides=Overrides(options=options))


def test_traffic_becomes_a_field_of_the_platform():
    made = config(platform={"name": "local", "instances": 3}, traffic={"listen": ":80"})
    assert sections.platform_options(made, LOCAL, REGISTRY) == LocalOptions(
        instances=3, traffic=Traffic(listen=":80")
    )


@pytest.mark.parametrize("traffic", [{}, {"traffic": "none"}, {"traffic": {"name": "dns", "zone": "x"}}])
def test_traffic_that_is_not_the_platforms_is_left_out(traffic):
    assert sections.platform_options(config(platform="local", **traffic), LOCAL, REGISTRY).traffic is None


def test_a_mistake_in_traffic_is_told_where_it_was_written():
    with pytest.raises(ConfigError, match="traffic knows no key lisen") as caught:
        sections.platform_options(config(platform="local", traffic={"lisen": ":80"}), LOCAL, REGISTRY)
    assert caught.value.where == "uno.yaml:1, traffic.lisen"


def test_a_platform_without_traffic_refuses_it():
    plain = info(PlatformInfo, "plain", NoTraffic)
    with pytest.raises(ConfigError, match="takes no options of traffic"):
        sections.platform_options(
            config(platform="plain", traffic={"listen": "x"}), plain, Registry.of(plain)
        )


def test_a_platform_that_declares_nothing_takes_any_mapping():
    plain = info(PlatformInfo, "plain")
    made = config(platform={"name": "plain", "a": 1, "b": "1.10"}, traffic={"listen": "x"})
    options = sections.platform_options(made, plain, Registry.of(plain))
    assert options == {"a": 1, "b": "1.10", "traffic": {"listen": "x"}}


def test_the_router_of_another_platform_gets_its_options():
    dns = info(PlatformInfo, "dns", DnsOptions)
    made = config(platform="local", traffic={"name": "dns", "server": "ns1", "zone": "example.com"})
    options = sections.router_options(made, dns, Registry.of(dns))
    assert options == DnsOptions(server="ns1", traffic=Traffic(zone="example.com"))


def test_an_unknown_key_of_a_platform_tells_the_nearest():
    with pytest.raises(ConfigError, match="platform knows no key instnces") as caught:
        sections.platform_options(config(platform={"name": "local", "instnces": 1}), LOCAL, REGISTRY)
    assert caught.value.remedy == "did you mean instances?"


def test_options_of_a_strategy():
    made = config("strategy.initial_percentage=5%", strategies={"canary": {"initial_percentage": 20}})
    assert sections.strategy_options(made, CANARY, REGISTRY) == CanaryOptions(initial_percentage=5.0)
    with pytest.raises(ConfigError) as caught:
        sections.strategy_options(config("strategy.initial_percentage=500"), CANARY, REGISTRY)
    assert caught.value.where == (
        "--option strategy.initial_percentage=500, strategies.canary.initial_percentage"
    )


def test_options_of_a_choice():
    http = info(HealthCheckInfo, "http", NoTraffic)
    made = config(health={"name": "http", "instances": "x"})
    with pytest.raises(ConfigError, match=r"health\.instances is not what it has to be"):
        sections.choice_options(made.health, http, Registry.of(http))


def test_what_a_plugins_own_check_raises_is_wrapped():
    with pytest.raises(PluginError, match="reading the options of canary failed"):
        sections.strategy_options(config("strategy.initial_percentage=13"), CANARY, REGISTRY)
