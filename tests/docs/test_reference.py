"""What the code declares stands in the documentation: options, hooks, exit codes, errors, names."""

import inspect
import re
from enum import Enum
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import get_args

import attrs
import pytest

import uno_core
from uno_core import (
    Amount,
    HealthCheckInfo,
    JudgeInfo,
    MetricProviderInfo,
    NoticeKind,
    NotifierInfo,
    PlatformInfo,
    Status,
    StrategyInfo,
    UnoError,
    hookspecs,
)
from uno_core.builtin import ThresholdOptions
from uno_core.cli.group import VERBS
from uno_core.config.document import Back, Hook, Hooks, Settings
from uno_core.config.options import spec_of
from uno_core.config.structure import fields_of
from uno_core.config.values import write_duration
from uno_core.contracts.engine import EXIT_CODES
from uno_core.discovery import PluginStatus
from uno_core.errors import _tree
from uno_core.registry import Registry

HERE = Path(__file__).parents[2]
# Gates (6), the commands that stop waiting (8), changes (10) and the signals are no errors and no ends.
OTHER_CODES = {0, 2, 6, 8, 10, 130, 143}


def declared():
    """Every first-party class of options, and the page that it belongs on."""
    registry = Registry.discover()
    for name, info in registry.infos(StrategyInfo).items():
        yield f"strategies/{name}", info.options()
    for info in registry.infos(HealthCheckInfo).values():
        yield "health-checks", info.options()
    local = registry.infos(PlatformInfo)["local"].options()
    yield "local-platform", local
    yield (
        "local-platform",
        next(
            kind
            for _, kind in fields_of(local).values()
            if attrs.has(kind) and kind.__name__ == "LocalTraffic"
        ),
    )
    yield "local-platform", get_args(fields_of(local)["companions"][1])[1]
    yield "metrics", ThresholdOptions
    yield "judges", registry.infos(JudgeInfo)["sequential"].options()
    for info in registry.infos(NotifierInfo).values():
        yield "notifiers", info.options()
    for cls in (Settings, Hook, Back):
        yield "configuration", cls


def options():
    for page, cls in declared():
        for name, (attribute, _) in fields_of(cls).items():
            yield pytest.param(page, attribute, name, id=f"{page}-{cls.__name__}-{name}")


def default_of(attribute) -> str:
    """A default as it is written in a table: as it could be written in a file."""
    value, spec = attribute.default, spec_of(attribute)
    if value is attrs.NOTHING:
        return "required"
    if hasattr(value, "takes_self"):
        value = value.factory()
    whole = attrs.has(type(value)) and not isinstance(value, Amount)
    return "see below" if whole else written(value, spec.unit)


def written(value, unit) -> str:
    if value is None or value == "" or (not isinstance(value, int | float) and value in ((), {}, [])):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "[" + ", ".join(written(one, unit) for one in value) + "]"
    if isinstance(value, int | float):
        if unit == "s":
            return write_duration(float(value)) if value else "0s"
        return f"{value:g}%" if unit == "%" else repr(value)
    return str(value.value if isinstance(value, Enum) else value)


@pytest.mark.parametrize(("on", "attribute", "name"), list(options()))
def test_every_option_stands_on_its_page_with_its_default(page, on, attribute, name):
    rows = re.findall(rf"^\| `{name}` \| (.*?) \| (.*) \|$", page(on), re.MULTILINE)
    assert rows, f"docs/{on}.md has no row for {name}"
    defaults = [default for default, _ in rows]
    assert default_of(attribute) in defaults, f"docs/{on}.md: {name} has the default {default_of(attribute)}"
    assert all(what.strip() for _, what in rows)


def test_no_page_has_options_that_do_not_exist(page):
    known: dict[str, set[str]] = {}
    for on, cls in declared():
        known.setdefault(on, set()).update(fields_of(cls))
    for on, names in known.items():
        for table in re.findall(
            r"^\| option \| default \|.*\n\|[ -|]*\n((?:\|.*\n)+)", page(on), re.MULTILINE
        ):
            listed = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
            assert listed <= names, f"docs/{on}.md: {listed - names}"


def test_every_key_of_the_configuration_stands_on_its_page(page):
    from uno_core.config.load import ROOT

    text = page("configuration")
    missing = [key for key in ROOT if f"| `{key}` |" not in text]
    assert not missing


def test_every_moment_of_a_hook_stands_on_its_page(page):
    text = page("configuration")
    assert not [moment for moment in fields_of(Hooks) if f"| `{moment}` |" not in text]


def test_every_hook_stands_on_the_page_for_authors(page):
    hooks = [name for name in vars(hookspecs) if name.startswith("uno_register_")]
    assert hooks
    for hook in hooks:
        assert f"| `{hook}` |" in page("plugins"), hook


def test_every_field_of_a_record_stands_on_the_page_for_authors(page):
    text = page("plugins")
    for info in (StrategyInfo, PlatformInfo, HealthCheckInfo, MetricProviderInfo, JudgeInfo):
        assert f"`{info.__name__}`" in text
        for attribute in attrs.fields(info):
            assert f"`{attribute.name}`" in text, f"{info.__name__}.{attribute.name}"


def test_every_contract_of_the_test_kit_has_an_example(page):
    from uno_core import testing

    for name in testing.__all__:
        if name.endswith("Contract") and name != "PlatformContract":  # the base of two of them
            assert f"({name})" in page("plugins"), name


def test_every_status_of_a_plugin_stands_on_the_page_for_authors(page):
    for status in PluginStatus:
        assert f"| `{status}` |" in page("plugins")


def test_every_kind_of_a_notice_stands_on_its_page(page):
    for kind in NoticeKind:
        assert f"| `{kind.value}` |" in page("notifiers")


def test_every_method_of_the_context_stands_on_the_page_of_custom_strategies(page):
    text = page("strategies/custom")
    for name in vars(uno_core.Context):
        if not name.startswith("_"):
            assert re.search(rf"`{name}\(", text), f"context.{name}"


def test_every_exit_code_stands_on_its_page(page):
    text = page("exit-codes")
    codes = {*EXIT_CODES.values(), *(error.exit_code for error in _tree(UnoError)), *OTHER_CODES}
    table = text.partition("## How a deployment ends")[0]
    listed = {
        int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for code in row.split(",")
    }
    assert listed == codes


@pytest.mark.parametrize("status", list(Status), ids=str)
def test_every_status_of_a_deployment_stands_there_with_its_code(page, status):
    text = page("exit-codes")
    assert f"`{status.value}`" in text
    for code in re.findall(rf"^\| `{status.value}` \| (\d+) \|", text, re.MULTILINE):
        assert int(code) == EXIT_CODES[status]


@pytest.mark.parametrize("error", sorted(_tree(UnoError), key=lambda e: e.code), ids=lambda e: e.code)
def test_every_error_stands_there_with_its_code(page, error):
    if not error.__module__.startswith("uno_core.errors"):
        pytest.skip("made elsewhere, for a plugin or a test of its own")
    assert f"| `{error.code}` | {error.exit_code} |" in page("exit-codes")


def test_every_public_name_says_what_it_is():
    silent = []
    for name in uno_core.__all__:
        value = getattr(uno_core, name)
        if (inspect.isclass(value) or inspect.isfunction(value)) and not inspect.getdoc(value):
            silent.append(name)
        assert not isinstance(value, ModuleType), name
    assert not silent


def test_every_command_that_is_named_exists(texts):
    known = {*VERBS, "local", "demo", "power", "replay", "report"}
    for name, text in texts.items():
        fences = re.findall(r"^```(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        code = [*re.findall(r"`([^`\n]+)`", text), *"".join(fences).splitlines()]
        verbs = {found[1] for line in code if (found := re.match(r"(?:\$ )?uno ([a-z]+)\b", line))}
        assert verbs <= known, f"{name}: {verbs - known}"


def test_nothing_is_named_that_readers_cannot_reach(texts):
    for name, text in texts.items():
        assert not re.search(r"/work/|\.\./shared|issue \d|pypi\.org|/tmp/", text), name


def test_the_reference_of_the_configuration_is_what_the_declarations_say(page):
    spec = spec_from_file_location("reference", HERE / "docs" / "reference.py")
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    assert page("configuration-reference") == made.page(), "stale: nox -s reference writes it anew"
