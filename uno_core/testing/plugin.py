"""What every plugin must be, whatever it provides: quick to ask, complete, and honest about what it needs."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata, util
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import attrs
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from uno_core import hookspecs
from uno_core.config.options import spec_of
from uno_core.contracts.engine import EngineInfo
from uno_core.contracts.health import HealthCheckInfo
from uno_core.contracts.judge import JudgeInfo
from uno_core.contracts.metrics import MetricProviderInfo
from uno_core.contracts.notifier import Notifier, NotifierInfo
from uno_core.contracts.platform import Platform, PlatformInfo
from uno_core.contracts.services import Info
from uno_core.contracts.state import StateStore, StateStoreInfo
from uno_core.contracts.strategy import DeploymentStrategy, StrategyInfo

# Of each kind: its hook, and what an object of it answers to.
_KINDS: Mapping[type[Info], tuple[str, Sequence[str]]] = {
    StrategyInfo: ("uno_register_strategies", ("deploy", "rollback")),
    PlatformInfo: ("uno_register_platforms", ("prepare", "wait_for_change", "close")),
    HealthCheckInfo: ("uno_register_health_checks", ("check", "per_instance")),
    MetricProviderInfo: ("uno_register_metric_providers", ("window", "sample")),
    JudgeInfo: ("uno_register_judges", ("judge",)),
    NotifierInfo: ("uno_register_notifiers", ("notify", "close")),
    EngineInfo: ("uno_register_engines", ("driving",)),
    StateStoreInfo: ("uno_register_state_stores", ("acquire", "append", "entries")),
}
_BASES: Mapping[type[Info], type[Any]] = {
    StrategyInfo: DeploymentStrategy,
    PlatformInfo: Platform,
    NotifierInfo: Notifier,
    StateStoreInfo: StateStore,
}
_HOOKS = {name for name in vars(hookspecs) if name.startswith("uno_register_")}
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

# Run in an interpreter of its own, since in ours everything has been imported already.
_ASK = """
import importlib, json, sys
def heavy():
    return [name for name in json.loads(sys.argv[2]) if name in sys.modules]
seen = {}
plugin = importlib.import_module(sys.argv[1])
seen["import"] = heavy()
infos = [info for name in dir(plugin) if name.startswith("uno_register_") for info in getattr(plugin, name)()]
seen["hooks"] = heavy()
for info in infos:
    if info.options is not None:
        info.options()
seen["options"] = heavy()
print(json.dumps(seen))
"""


class PluginContract:
    """What every plugin must be::

        class TestPlugin(PluginContract):
            distribution = "uno-platform-metal"
            sdks = ("metal_sdk",)

    `sdks` are the modules that only a record's `load` may import. Without a distribution, give
    `module`, the entry point's module; what is read from metadata is then skipped.
    """

    distribution: ClassVar[str] = ""
    """The distribution's name, as it is installed."""

    module: ClassVar[str] = ""
    """The entry point's module, where the distribution has more than one, or is not installed."""

    sdks: ClassVar[Sequence[str]] = ()
    """The modules that are too heavy for a start of uno: only `load` may import them."""

    @pytest.fixture
    def installed(self) -> metadata.Distribution | None:
        """The distribution as it is installed."""
        return metadata.distribution(self.distribution) if self.distribution else None

    @pytest.fixture
    def entry(self, installed: metadata.Distribution | None) -> str:
        """The name of the entry point's module."""
        if self.module:
            return self.module
        assert installed is not None, "set `distribution`, or `module`, in your subclass"
        values = [e.value for e in installed.entry_points if e.group == hookspecs.PROJECT]
        assert values, f"{self.distribution} has no entry point in the group {hookspecs.PROJECT}"
        return values[0].partition(":")[0].strip()

    @pytest.fixture
    def plugin(self, entry: str) -> ModuleType:
        """The entry point's module."""
        __import__(entry)
        return sys.modules[entry]

    @pytest.fixture
    def infos(self, plugin: ModuleType) -> Sequence[Info]:
        """Every record that the plugin registers."""
        return [info for _, info in _registered(plugin)]

    def test_it_registers_by_known_hooks(self, plugin: ModuleType) -> None:
        marked = {name for name, value in vars(plugin).items() if _marked(value)}
        named = {name for name in vars(plugin) if name.startswith("uno_register_")}
        assert marked <= _HOOKS, f"uno has no such hook; it has {', '.join(sorted(_HOOKS))}"
        assert named <= marked, f"not marked by @hookimpl, so never called: {', '.join(named - marked)}"
        assert marked, "the plugin implements no hook"

    def test_hooks_take_nothing(self, plugin: ModuleType) -> None:
        for name, hook in _hooks(plugin):
            assert not inspect.signature(hook).parameters, f"{name} takes no arguments"

    def test_hooks_return_the_records_of_their_kind(self, plugin: ModuleType) -> None:
        kinds = {hook: kind for kind, (hook, _) in _KINDS.items()}
        for name, hook in _hooks(plugin):
            records = hook()
            assert isinstance(records, list), f"{name} returns a list"
            for record in records:
                assert isinstance(record, kinds[name]), f"{name} returns {kinds[name].__name__}: {record}"

    def test_hooks_answer_the_same_each_time(self, plugin: ModuleType) -> None:
        first, second = ([(name, i.name) for name, i in _registered(plugin)] for _ in range(2))
        assert first == second

    def test_names_can_be_typed(self, infos: Sequence[Info]) -> None:
        for info in infos:
            assert _NAME.fullmatch(info.name), f"{info.name!r}: small letters, digits and single dashes"
        claimed = [(type(info), info.name) for info in infos]
        assert len(set(claimed)) == len(claimed), "one name is registered twice"

    def test_summaries_are_one_line(self, infos: Sequence[Info]) -> None:
        for info in infos:
            assert info.summary.strip(), f"{info.name} says nothing about itself"
            assert "\n" not in info.summary
            assert len(info.summary) <= 100, f"the summary of {info.name} is longer than a line"

    def test_the_entry_point_imports_no_sdk(self, entry: str) -> None:
        self._expect_none(entry, "import", "put it into the module that `load` imports")

    def test_hooks_import_no_sdk(self, entry: str) -> None:
        self._expect_none(entry, "hooks", "a hook returns records; `load` imports")

    def test_options_import_no_sdk(self, entry: str) -> None:
        self._expect_none(entry, "options", "put the options into a module without it")

    def test_options_are_attrs_classes(self, infos: Sequence[Info]) -> None:
        for info, options in _options(infos):
            assert attrs.has(options), f"the options of {info.name} are declared by attrs and uno_core.option"

    def test_every_option_has_help(self, infos: Sequence[Info]) -> None:
        for info, options in _options(infos):
            for attribute in _fields(options):
                assert spec_of(attribute).help.strip(), f"{info.name}.{attribute.name} has no help"

    def test_every_default_is_valid(self, infos: Sequence[Info]) -> None:
        for info, options in _options(infos):
            for attribute in _fields(options):
                value = _default(attribute)
                if value is attrs.NOTHING or attribute.validator is None:
                    continue
                try:
                    attribute.validator(None, attribute, value)
                except ValueError as error:
                    pytest.fail(f"the default of {info.name}.{attribute.name} is refused: {error}")

    def test_load_gives_a_class_of_its_kind(self, infos: Sequence[Info]) -> None:
        for info in infos:
            loaded = info.load()
            assert inspect.isclass(loaded), f"`load` of {info.name} returns a class, not {loaded!r}"
            base = _BASES.get(type(info), object)
            assert issubclass(loaded, base), f"{loaded.__name__} is no {base.__name__}"
            missing = [name for name in _KINDS[type(info)][1] if not hasattr(loaded, name)]
            assert not missing, f"{loaded.__name__} has no {', '.join(missing)}"
            assert not inspect.isabstract(loaded), f"{loaded.__name__} is abstract"

    def test_the_class_can_be_constructed_as_uno_does(self, infos: Sequence[Info]) -> None:
        for info in infos:
            signature = inspect.signature(info.load())
            try:
                if isinstance(info, StrategyInfo):
                    fields = [a.name for _, o in _options([info]) for a in _fields(o)]
                    signature.bind(logger=None, **dict.fromkeys(fields))
                else:
                    signature.bind(None, None)
            except TypeError as error:
                how = "logger=logger, **fields" if isinstance(info, StrategyInfo) else "options, services"
                pytest.fail(f"{info.name} is constructed by cls({how}): {error}")

    def test_it_requires_uno_core_with_an_upper_bound(self, installed: metadata.Distribution | None) -> None:
        if installed is None:
            pytest.skip("no `distribution` is set: there is no metadata")
        found = [
            r for r in map(Requirement, installed.requires or ()) if r.name.replace("_", "-") == "uno-core"
        ]
        assert found, "without a requirement on uno-core nothing tells whether the plugin fits"
        assert _bounded(found[0].specifier), (
            f"{found[0]}: any later uno-core would be taken, <0.2 for instance"
        )

    def test_it_ships_its_types(self, installed: metadata.Distribution | None, entry: str) -> None:
        if installed is None:
            pytest.skip("no `distribution` is set: there is no metadata")
        package = entry.partition(".")[0]
        spec = util.find_spec(package)
        assert spec is not None
        places = [Path(place) for place in spec.submodule_search_locations or ()]
        assert places, f"{package} is a module; only a package can hold a py.typed"
        assert any((place / "py.typed").is_file() for place in places), f"{package}/py.typed is missing"

    def test_it_has_a_readme(self, installed: metadata.Distribution | None) -> None:
        if installed is None:
            pytest.skip("no `distribution` is set: there is no metadata")
        known = installed.metadata
        described = "Description" in known and known["Description"].strip()
        assert described, "`readme` in pyproject.toml: what is it for?"

    def _expect_none(self, entry: str, stage: str, remedy: str) -> None:
        if not self.sdks:
            pytest.skip("`sdks` is empty: the plugin needs none")
        seen = _ask(entry, self.sdks)
        assert not seen[stage], f"{', '.join(seen[stage])} is imported before it is used: {remedy}"


def _marked(value: object) -> bool:
    return callable(value) and hasattr(value, f"{hookspecs.PROJECT}_impl")


def _hooks(plugin: ModuleType) -> Sequence[tuple[str, Callable[[], Any]]]:
    return [(name, value) for name, value in vars(plugin).items() if _marked(value) and name in _HOOKS]


def _registered(plugin: ModuleType) -> Sequence[tuple[str, Info]]:
    return [(name, info) for name, hook in _hooks(plugin) for info in hook()]


def _options(infos: Iterable[Info]) -> Sequence[tuple[Info, type[Any]]]:
    return [(info, info.options()) for info in infos if info.options is not None]


def _fields(options: type[Any]) -> Sequence[attrs.Attribute[Any]]:
    return [a for a in attrs.fields(options) if a.init] if attrs.has(options) else ()


def _default(attribute: attrs.Attribute[Any]) -> Any:
    default: Any = attribute.default
    if not hasattr(default, "takes_self"):  # attrs.Factory is a function to type checkers
        return default
    # One that takes the object cannot be made alone; whoever constructs the options sees it.
    return attrs.NOTHING if default.takes_self else default.factory()


def _bounded(specifier: SpecifierSet) -> bool:
    return any(part.operator in ("<", "<=", "==", "~=", "===") for part in specifier)


def _ask(entry: str, sdks: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Which of the modules are loaded after the import, after the hooks, and after the options."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(place for place in sys.path if place)}
    command = [sys.executable, "-c", _ASK, entry, json.dumps(list(sdks))]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, f"{entry} cannot be imported alone: {done.stderr}"
    seen: Mapping[str, Sequence[str]] = json.loads(done.stdout.splitlines()[-1])
    return seen
