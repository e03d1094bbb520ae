from __future__ import annotations

import subprocess
import sys

import pytest

from uno_core import StrategyInfo
from uno_core.discovery import Claim, PluginReport, PluginStatus
from uno_core.entrypoints import COMMANDS, commands, normalized, scan
from uno_core.registry import Registry

GOOD = """
@uno_core.hookimpl
def uno_register_strategies():
    return [strategy("good")]
"""


def discover(**environ: str) -> Registry:
    return Registry.discover(environ=environ)


def plugin(registry: Registry, distribution: str) -> PluginReport:
    return next(p for p in registry.plugins if p.distribution == distribution)


def test_a_plugin_is_found_and_active(install):
    install("acme-good", GOOD, entry="good")
    registry = discover()
    report = plugin(registry, "acme-good")
    assert (report.name, report.version, report.status) == ("good", "1.0", PluginStatus.ACTIVE)
    assert [(c.key, c.status) for c in report.registrations] == [("strategy.good", Claim.ACTIVE)]
    assert "good" in registry.infos(StrategyInfo)


def test_an_editable_install_is_found(install):
    install("acme-good", GOOD, editable=True)
    assert plugin(discover(), "acme-good").status is PluginStatus.ACTIVE


def test_unos_own_plugin_is_found_by_its_entry_point():
    keys = {claim.key for claim in plugin(discover(), "uno-core").registrations}
    assert keys == {"judge.threshold", "engine.embedded", "state.file"}


BROKEN = {
    "raises at import": ("raise RuntimeError('no database')", "RuntimeError: no database"),
    "exits at import": ("raise SystemExit(3)", "SystemExit: 3"),
    "does not parse": ("def (", "SyntaxError"),
    "imports what is not there": ("import no_such_sdk", "No module named 'no_such_sdk'"),
    "knows another hook": ("@uno_core.hookimpl\ndef uno_register_rockets():\n    return []", "rockets"),
    "takes arguments": ("@uno_core.hookimpl\ndef uno_register_judges(config):\n    return []", "config"),
    "gives no records": (
        "@uno_core.hookimpl\ndef uno_register_judges():\n    return ['threshold']",
        "gave a str, which is no JudgeInfo",
    ),
    "gives records of another kind": (
        "@uno_core.hookimpl\ndef uno_register_judges():\n    return [strategy('x')]",
        "gave a StrategyInfo, which is no JudgeInfo",
    ),
    "gives nothing iterable": ("@uno_core.hookimpl\ndef uno_register_judges():\n    return 5", "TypeError"),
    "gives no name": (
        "@uno_core.hookimpl\ndef uno_register_strategies():\n    return [strategy('')]",
        "whose name is ''",
    ),
    "gives a number for a name": (
        "@uno_core.hookimpl\ndef uno_register_strategies():\n    return [strategy(7)]",
        "whose name is 7",
    ),
    "gives a name twice": (
        "@uno_core.hookimpl\ndef uno_register_strategies():\n    return [strategy('a'), strategy('a')]",
        "gave the name 'a' twice",
    ),
    "gives what cannot be called": (
        "@uno_core.hookimpl\ndef uno_register_strategies():\n    return [strategy('a', options=5)]",
        "cannot be called",
    ),
    "wraps": (
        "@uno_core.hookimpl(wrapper=True)\ndef uno_register_strategies():\n    return (yield)",
        "cannot be a wrapper",
    ),
}


@pytest.mark.parametrize(("source", "reason"), BROKEN.values(), ids=list(BROKEN))
def test_a_broken_plugin_says_why_and_hides_nobody(install, source, reason):
    install("acme-bad", source)
    install("acme-good", GOOD)
    registry = discover()
    bad = plugin(registry, "acme-bad")
    assert bad.status is PluginStatus.BROKEN
    assert reason in bad.reason
    assert "acme-bad" in bad.remedy
    assert plugin(registry, "acme-good").status is PluginStatus.ACTIVE
    assert plugin(registry, "uno-core").status is PluginStatus.ACTIVE


def test_a_hook_that_raises_discards_only_its_own_results(install):
    install(
        "acme-half",
        GOOD
        + """
@uno_core.hookimpl
def uno_register_judges():
    yield JudgeInfo(name="first", summary="", load=dict)
    raise SystemExit("midway")
""",
    )
    report = plugin(discover(), "acme-half")
    assert report.status is PluginStatus.BROKEN
    assert "uno_register_judges raised SystemExit: midway" in report.reason
    assert [c.key for c in report.registrations] == ["strategy.good"]


def test_a_generator_is_as_good_as_a_list(install):
    install("acme-good", "@uno_core.hookimpl\ndef uno_register_strategies():\n    yield strategy('good')")
    assert "good" in discover().infos(StrategyInfo)


def test_a_hook_may_give_nothing_at_all(install):
    install("acme-none", "@uno_core.hookimpl\ndef uno_register_strategies():\n    pass")
    assert plugin(discover(), "acme-none").status is PluginStatus.ACTIVE


def test_an_interrupt_is_never_swallowed(install):
    install("acme-bad", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        discover()


def test_an_optional_hook_of_a_newer_uno_is_left_alone(install):
    install(
        "acme-new",
        GOOD + "\n@uno_core.hookimpl(optionalhook=True)\ndef uno_register_rockets():\n    raise RuntimeError",
    )
    assert plugin(discover(), "acme-new").status is PluginStatus.ACTIVE


@pytest.mark.parametrize(
    ("requires", "status"),
    [
        (["uno-core>=99"], PluginStatus.INCOMPATIBLE),
        (["Uno.Core (>=99)"], PluginStatus.INCOMPATIBLE),
        (["uno_core<0.0.1", "attrs"], PluginStatus.INCOMPATIBLE),
        (["uno-core>=0.1.0.dev0"], PluginStatus.ACTIVE),
        (["uno-core[testing]>=99; extra == 'dev'"], PluginStatus.ACTIVE),
        (["uno-core>=99; python_version < '3'", "uno-core>=0.0.1"], PluginStatus.ACTIVE),
        (["uno-core-extras>=99"], PluginStatus.ACTIVE),
        (["not a requirement at all !!"], PluginStatus.ACTIVE),
        (["uno-core >>> 5"], PluginStatus.BROKEN),
    ],
)
def test_the_requirement_on_uno_core_is_read_before_importing(install, requires, status):
    raising = status is PluginStatus.INCOMPATIBLE
    install("acme-some", "raise RuntimeError('imported')" if raising else GOOD, requires=requires)
    assert plugin(discover(), "acme-some").status is status


def test_a_prerelease_of_uno_counts(install, monkeypatch):
    monkeypatch.setattr("uno_core.__version__", "2.0.0rc1")
    install("acme-some", GOOD, requires=["uno-core>=1.5"])
    assert plugin(discover(), "acme-some").status is PluginStatus.ACTIVE


def test_an_incompatible_plugin_says_what_it_wants(install):
    install("acme-some", requires=["uno-core>=99"])
    report = plugin(discover(), "acme-some")
    assert "requires uno-core>=99, but this is uno-core" in report.reason
    assert report.remedy == "pip install --upgrade acme-some uno-core"


@pytest.mark.parametrize("name", ["acme-good", "Acme_Good", " mine", "other,mine"])
def test_a_plugin_is_disabled_by_its_name_or_its_distribution(install, name):
    install("acme-good", "raise RuntimeError('imported')", entry="mine")
    report = plugin(discover(UNO_DISABLE_PLUGINS=name), "acme-good")
    assert report.status is PluginStatus.DISABLED
    assert "UNO_DISABLE_PLUGINS" in report.reason


def test_no_plugins_keeps_unos_own(install):
    install("acme-good", GOOD)
    registry = discover(UNO_NO_PLUGINS="1")
    assert plugin(registry, "acme-good").status is PluginStatus.DISABLED
    assert plugin(registry, "uno-core").status is PluginStatus.ACTIVE
    assert plugin(discover(UNO_NO_PLUGINS="0"), "acme-good").status is PluginStatus.ACTIVE


def test_metadata_only_imports_nothing(install):
    module = install("acme-bad", "raise RuntimeError('imported')")
    install("acme-old", requires=["uno-core>=99"])
    registry = Registry.discover(metadata_only=True, environ={})
    assert plugin(registry, "acme-bad").status is PluginStatus.INSTALLED
    assert plugin(registry, "acme-old").status is PluginStatus.INCOMPATIBLE
    assert module not in sys.modules


def test_plugins_are_sorted_by_distribution_and_entry_point(install):
    for name in ("zeta", "Acme-B", "acme-a"):
        install(name, GOOD)
    module = install("two", GOOD)
    install("twice", entry_points=f"[uno]\nz = {module}\na = {module}\n")
    names = [(p.distribution, p.name) for p in discover().plugins]
    assert names == sorted(names, key=lambda pair: (normalized(pair[0]), pair[1]))
    assert ("twice", "a") in names


def test_the_first_of_two_installations_counts(install):
    install("acme-good", "raise RuntimeError('the older one')", version="1.0")
    install("acme-good", GOOD, version="2.0")
    reports = [p for p in discover().plugins if p.distribution == "acme-good"]
    assert [(p.version, p.status) for p in reports] == [("2.0", PluginStatus.ACTIVE)]


def test_entry_points_that_cannot_be_read_are_reported(install):
    install("acme-bad", entry_points="[uno]\nno equals sign here\n")
    report = plugin(discover(), "acme-bad")
    assert report.status is PluginStatus.BROKEN


def test_a_distribution_without_metadata_hides_nobody(install, tmp_path, monkeypatch):
    ghost = tmp_path / "ghost" / "ghost-1.0.dist-info"
    ghost.mkdir(parents=True)
    (ghost / "entry_points.txt").write_text("[uno]\nghost = ghost\n")
    monkeypatch.syspath_prepend(str(ghost.parent))
    install("acme-good", GOOD)
    assert plugin(discover(), "acme-good").status is PluginStatus.ACTIVE


def test_commands_are_listed_without_importing(install):
    line = "[uno.commands]\nlocal = nowhere.cli:local\n"
    install("acme-a", entry_points=line)
    install("acme-b", entry_points=line)
    found = commands()
    assert found["local"].distribution == "acme-a"
    assert found["local@acme-b"].value == "nowhere.cli:local"
    assert {e.name for e in scan(COMMANDS)} >= {"local"}


def test_listing_commands_imports_neither_attrs_nor_pluggy_nor_a_plugin(tmp_path):
    code = (
        "import sys; from uno_core.entrypoints import commands; commands();"
        "print(sorted({'attr', 'attrs', 'pluggy', 'structlog', 'packaging', 'click'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
