"""What stands in fences works: configurations load, Python compiles, the custom strategy really deploys."""

import tomllib
from pathlib import Path

import pytest
import yaml

from uno_core import Status, StrategyInfo
from uno_core.config import nodes, sections
from uno_core.config.checking import check, environments
from uno_core.config.load import load_node
from uno_core.config.mistakes import Mistakes
from uno_core.config.wanted import Overrides
from uno_core.registry import Registry
from uno_core.simulation.platform import Rules
from uno_core.simulation.stage import Stage

# What a page leaves out where it shows one section only.
BASE = "application: shop\nplatform: {name: local, command: [./shop]}\n"


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


# Described before they are published: `uno validate` says that they are not installed, and nothing else.


def test_every_configuration_can_be_used(yaml_example, registry):
    above = nodes.parse(yaml_example.text, str(yaml_example))
    named = (yaml.safe_load(yaml_example.text) or {}).get("platform")
    other = isinstance(named, dict) and named.get("name", "local") != "local"
    below = nodes.parse(BASE.partition("platform")[0] if other else BASE, "base")
    root = nodes.merged(below, above)
    mistakes, missing = Mistakes(), set()
    for environment in environments(root) or [""]:
        over = Overrides(environment=environment)
        checked = check(root, registry, file=Path("uno.yaml"), overrides=over, mistakes=mistakes)
        missing |= {one.name for one in checked.missing}
    mistakes.raise_any()
    assert not missing


def test_every_python_example_compiles(python_example):
    compile(python_example.text, str(python_example), "exec")


@pytest.fixture
def custom(fences):
    """The strategy of the page, as a module."""
    module: dict = {}
    exec(compile(fences("strategies/custom", "python")[0], "my_custom.py", "exec"), module)  # noqa: S102 - the documented example is what is tested
    return module


def test_the_custom_strategy_deploys(custom):
    stage = Stage()
    stage.live("v1")
    outcome = stage.deploy(custom["MyCustomStrategy"](watch_for=10), "v2")
    assert (outcome.status, outcome.message) == (Status.SUCCESSFUL, "Deployment succeeded")
    assert [str(r) for r in outcome.snapshot.releases] == ["v2"]
    assert stage.happened("split")[0].data["split"] == {"blue": 50, "green": 50}


def test_the_custom_strategy_makes_a_first_deployment(custom):
    assert Stage().deploy(custom["MyCustomStrategy"](), "v1").status is Status.SUCCESSFUL


def test_the_custom_strategy_goes_back(custom):
    stage = Stage(rules=Rules(broken={"v2": "exited with code 1"}))
    stage.live("v1")
    outcome = stage.deploy(custom["MyCustomStrategy"](), "v2")
    assert outcome.status is Status.ROLLED_BACK
    assert [str(r) for r in outcome.snapshot.releases] == ["v1"]


def test_the_custom_strategy_is_registered_and_can_be_chosen(custom):
    (info,) = custom["uno_register_strategies"]()
    found = Registry.of(info).find(StrategyInfo, "my-custom")
    assert found.load() is custom["MyCustomStrategy"]


def test_the_custom_package_has_the_entry_point(fences, custom):
    (text,) = fences("strategies/custom", "toml")
    project = tomllib.loads(text)["project"]
    assert project["entry-points"]["uno"] == {"my-custom": "my_custom"}
    assert any(need.startswith("uno-core>=") and "<" in need for need in project["dependencies"])


def test_declared_options_say_what_is_wrong(fences, custom):
    from attrs import evolve

    from uno_core import ConfigError

    module: dict = {}
    exec(compile(fences("strategies/custom", "python")[1], "options.py", "exec"), module)  # noqa: S102 - likewise
    (info,) = custom["uno_register_strategies"]()
    info = evolve(info, options=lambda: module["MyOptions"])
    registry = Registry.of(info)

    def options(text):
        config = load_node(nodes.parse(f"{BASE}strategies: {{my-custom: {{{text}}}}}", "uno.yaml"))
        return sections.strategy_options(config, info, registry)

    assert options("watch_for: 2m").watch_for == 120
    with pytest.raises(ConfigError, match="did you mean watch_for"):
        options("watch_fro: 2m")


def test_the_test_of_the_page_passes(fences, pytester):
    strategy, _, contract = fences("strategies/custom", "python")
    pytester.makepyfile(my_custom=strategy, test_my_custom=contract)
    pytester.syspathinsert()
    ended = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    assert ended.ret == 0
    assert ended.parseoutcomes()["passed"] >= 7
